"""What a counter says was used between its readings, whatever happened to the counter; pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A counter that went back by less than this share told an untruth once; by more, it was reset.
SLIP = 0.1

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]


def increments(
    at_ms: ArrayLike, value: ArrayLike, rollover: float | None = None
) -> tuple[Instants, Numbers]:
    """Return the instants that count and what was used between each and the one before.

    The first is 0. The sum is last - first plus the recorded jumps: a roll-over adds the modulus,
    a reset what the counter had shown before it. Readings in any order; NaN counts for nothing,
    and a single reading that its neighbours deny is left out.

    >>> increments([0, 60, 120, 180], [99.0, 99.5, 0.5, 1.0], rollover=100)[1].tolist()
    [0.0, 0.5, 1.0, 0.5]
    >>> increments([0, 60, 120], [99.0, 0.25, 0.5])[1].tolist()
    [0.0, 0.25, 0.25]
    """
    at, level = _in_order(np.asarray(at_ms, np.int64), np.asarray(value, np.float64))
    if (np.diff(level) >= 0).all():
        return at, np.diff(level, prepend=level[:1])
    believed = _believed(level)
    at, level = at[believed], level[believed]
    used = np.diff(level, prepend=level[:1])
    for n in np.flatnonzero(used < 0).tolist():
        used[n] = _across(float(level[n - 1]), float(level[n]), rollover)
    return at, used


def _in_order(at: Instants, level: Numbers) -> tuple[Instants, Numbers]:
    there = np.isfinite(level)
    at, level = at[there], level[there]
    if (np.diff(at) > 0).all():
        return at, level
    order = np.argsort(at, kind="stable")
    at, level = at[order], level[order]
    last = np.append(at[1:] != at[:-1], True)[: len(at)]  # of one instant the last said
    return at[last], level[last]


def _believed(level: Numbers) -> NDArray[np.bool_]:
    """Tell which readings are no glitch: a dip that comes back, a peak that nobody confirms."""
    believed = np.ones(len(level), np.bool_)
    before = float(level[0])
    n = 1
    while n < len(level):
        now = float(level[n])
        if now < before and (back := _comes_back(level, n, before)):
            believed[n:back] = False
            n = back
            continue
        if n + 1 < len(level) and before <= level[n + 1] < now and _peak(before, now, level[n + 1]):
            believed[n] = False
        else:
            before = now
        n += 1
    return believed


def _peak(before: float, now: float, after: float) -> bool:
    """Tell a single peak from a reset: after a reset the counter starts near nothing."""
    return after - before < SLIP * (now - before)


def _comes_back(level: Numbers, start: int, before: float) -> int:
    """Return where a dip ends, 0 when the counter goes on from below."""
    for n in range(start, len(level)):
        now = float(level[n])
        if now >= before:
            low = float(level[n - 1])
            slipped = low >= (1 - SLIP) * before
            jumped = now - low > SLIP * before and now - before < now - low
            return n if slipped or (jumped and _idle(level, start, n, before)) else 0
    slipped = float(level[start:].min()) >= (1 - SLIP) * before
    return len(level) if slipped else 0


def _idle(level: Numbers, start: int, end: int, before: float) -> bool:
    """Tell whether the counter stood still, against its height, while it was down."""
    down = level[start:end]
    return bool(down.max() - down.min() <= SLIP * before)


def _across(before: float, now: float, rollover: float | None) -> float:
    """Return what was used where the counter went back."""
    if rollover and before > (1 - SLIP) * rollover and now < SLIP * rollover:
        return now + rollover - before
    return now
