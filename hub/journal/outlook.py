"""When space will be used up, from how it went so far; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from hub.journal.journal import Space

LEAST_MS = 1_800_000
WINDOW_MS = 6 * 3_600_000
FAR_S = 365 * 86_400.0


def seconds_left(spaces: Sequence[Space], now_ms: int) -> float | None:
    """Return in how many seconds disk or journal will be full: infinity when it is not in sight.

    A straight line through what was free within the last hours, and nothing beyond a year. None
    while nobody knows: before half an hour has been seen.
    """
    seen = [space for space in spaces if 0 <= now_ms - space.at_ms <= WINDOW_MS]
    if len(seen) < 3 or seen[-1].at_ms - seen[0].at_ms < LEAST_MS:  # noqa: PLR2004 - a line
        return None
    at_s = [(space.at_ms - now_ms) / 1000 for space in seen]
    ways = ([space.disk for space in seen], [space.journal for space in seen])
    return min(_until_none(at_s, free) for free in ways)


def _until_none(at_s: Sequence[float], free: Iterable[int]) -> float:
    x, y = np.asarray(at_s), np.asarray(list(free), np.float64)
    away = x - x.mean()
    slope = float((away * (y - y.mean())).sum() / (away * away).sum())
    if slope >= 0:
        return math.inf
    left = max(float(y[-1]), 0.0) / -slope
    return left if left <= FAR_S else math.inf
