"""The readings on both sides of an instant, found from raw readings and roll-ups; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Edges, Rollups
from hub.store.rollup import EARLIEST_MS, LATEST_MS, usable

Raw = Callable[[Sequence[int], int, int], Batch]
Rolled = Callable[[Sequence[int], int, int], Rollups]
# Each look goes this many times as far as the one before.
WIDER = 24


class _Side:
    """What is known of one side: per point the nearest instant, and its value."""

    def __init__(self, points: NDArray[np.int32], sign: int) -> None:
        self._order = np.argsort(points, kind="stable")
        self._points = points[self._order]
        self._sign = sign
        self.at_ms = np.zeros(len(points), np.int64)
        self.value = np.full(len(points), np.nan)

    def offer(
        self, point: NDArray[np.int32], at_ms: NDArray[np.int64], value: NDArray[np.float64]
    ) -> None:
        """Take what is nearer than what is known; ``sign`` 1 where later is nearer."""
        nearest = np.lexsort((-self._sign * at_ms, point))
        point, at_ms, value = point[nearest], at_ms[nearest], value[nearest]
        first = np.ones(len(point), np.bool_)
        first[1:] = point[1:] != point[:-1]
        point, at_ms, value = point[first], at_ms[first], value[first]
        row = self._order[np.searchsorted(self._points, point)]
        better = np.isnan(self.value[row]) | (self._sign * (at_ms - self.at_ms[row]) > 0)
        self.at_ms[row[better]], self.value[row[better]] = at_ms[better], value[better]

    def unknown(self, points: NDArray[np.int32]) -> list[int]:
        """Return the points of which nothing is known yet."""
        found: list[int] = points[np.isnan(self.value)].tolist()
        return found


def edges(
    points: Sequence[int],
    at_ms: int,
    step_ms: int,
    raw: Raw,
    rollups: Rolled,
    span_ms: tuple[int, int] = (EARLIEST_MS, LATEST_MS),
) -> Edges:
    """Return the usable readings next to an instant (ms); looks first near it, then further.

    Nothing lies outside ``span_ms``, its two instants included: beyond it nobody looks. Where the
    raw readings around the instant are kept no more, the nearest that the roll-up of its step still
    names stands for them.
    """
    numbers = np.unique(np.asarray(points, np.int32))
    before, after = _Side(numbers, 1), _Side(numbers, -1)
    own = at_ms - at_ms % step_ms
    around = rollups(numbers.tolist(), own, own + step_ms)
    _offer_rows(before, after, around, at_ms)
    inside = (around.good > 0) & (around.first_ms < at_ms) & (at_ms < around.last_ms)
    if inside.any():  # else first and last of the roll-up are the nearest
        near = raw(np.unique(around.point[inside]).tolist(), own, own + step_ms)
        near = near.taken(usable(near))
        for side, there in ((before, near.at_ms <= at_ms), (after, near.at_ms >= at_ms)):
            side.offer(near.point[there], near.at_ms[there], near.value[there])
    first_ms, last_ms = max(span_ms[0], EARLIEST_MS), span_ms[1]
    for start, end in _windows(own, first_ms - first_ms % step_ms, -step_ms):
        if not (asked := before.unknown(numbers)):
            break
        _offer_rows(before, None, rollups(asked, start, end), at_ms)
    for start, end in _windows(own + step_ms, last_ms + 1, step_ms):
        if not (asked := after.unknown(numbers)):
            break
        _offer_rows(None, after, rollups(asked, start, end), at_ms)
    row = np.searchsorted(numbers, np.asarray(points, np.int32))
    return Edges(
        np.asarray(points, np.int32),
        before.at_ms[row],
        before.value[row],
        after.at_ms[row],
        after.value[row],
    )


def _offer_rows(before: _Side | None, after: _Side | None, rows: Rollups, at_ms: int) -> None:
    if not len(rows.point):
        return
    for instant, value in ((rows.first_ms, rows.first), (rows.last_ms, rows.last)):
        if before is not None:
            there = (rows.good > 0) & (instant <= at_ms)
            before.offer(rows.point[there], instant[there], value[there])
        if after is not None:
            there = (rows.good > 0) & (instant >= at_ms)
            after.offer(rows.point[there], instant[there], value[there])


def _windows(begin: int, bound: int, step_ms: int) -> Iterator[tuple[int, int]]:
    """Cut the time from an instant to a bound into windows, each wider than the one before."""
    while (begin > bound) if step_ms < 0 else (begin < bound):
        end = begin + step_ms
        yield (end, begin) if step_ms < 0 else (begin, end)
        begin, step_ms = end, step_ms * WIDER
