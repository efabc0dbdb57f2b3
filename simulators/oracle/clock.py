"""One service clock, stepped minute by minute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.oracle.calendar import MINUTE_MS, Minutes

Stop = tuple[int, int]
"""A time in which a clock stands: from an instant to before another."""


class TooFarError(Exception):
    """A clock does not reach its span before the calendar of the oracle ends."""


def reached(
    minutes: Minutes, hours: str | None, since_ms: int, spans_ms: Sequence[int], stops: list[Stop]
) -> list[int]:
    """Return for each span the first instant at which a clock has counted it.

    The clock begins at ``since_ms``, runs in its hours and stands in its stops.
    """
    running = minutes.running_ms(hours)
    begin = since_ms // MINUTE_MS - minutes.first
    most = max(spans_ms)
    count = most // MINUTE_MS + 2 + sum(end - start for start, end in stops) // MINUTE_MS
    while True:
        steps = running[begin : begin + count].copy()
        steps[0] -= min(int(steps[0]), since_ms % MINUTE_MS)
        _stand(steps, minutes.first + begin, since_ms, stops)
        counted = np.cumsum(steps)
        if len(counted) and counted[-1] >= most:
            break
        if begin + count > len(running):
            raise TooFarError(f"{most} ms from {since_ms} on")
        count *= 2
    found = []
    for span_ms, n in zip(spans_ms, np.searchsorted(counted, spans_ms).tolist(), strict=True):
        left_ms = span_ms - int(counted[n] - steps[n])
        minute_ms = (minutes.first + begin + n) * MINUTE_MS
        found.append(_inside(minute_ms, left_ms, [(0, since_ms), *stops]) if span_ms else since_ms)
    return found


def _stand(steps: NDArray[np.int64], first: int, since_ms: int, stops: Sequence[Stop]) -> None:
    """Take from each minute what the clock stands in it, once it has begun."""
    for start_ms, end_ms in _apart((max(start, since_ms), end) for start, end in stops):
        a = max(start_ms // MINUTE_MS - first, 0)
        b = min(end_ms // MINUTE_MS - first, len(steps) - 1)
        if a > b:
            continue
        begins = (first + np.arange(a, b + 1)) * MINUTE_MS
        stood = np.minimum(begins + MINUTE_MS, end_ms) - np.maximum(begins, start_ms)
        steps[a : b + 1] -= np.minimum(np.maximum(stood, 0), steps[a : b + 1])


def _inside(minute_ms: int, left_ms: int, stops: Sequence[Stop]) -> int:
    """Return the instant inside a minute that runs by which so much more has been counted."""
    now_ms = minute_ms
    for start_ms, end_ms in _apart(stops):
        if end_ms <= now_ms:
            continue
        if start_ms - now_ms >= left_ms:
            break
        left_ms -= max(start_ms - now_ms, 0)
        now_ms = end_ms
    return now_ms + left_ms


def _apart(stops: Iterable[Stop]) -> list[Stop]:
    """Return stops in order, those that overlap as one."""
    apart: list[Stop] = []
    for start_ms, end_ms in sorted(stops):
        if apart and start_ms <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end_ms))
        elif start_ms < end_ms:
            apart.append((start_ms, end_ms))
    return apart
