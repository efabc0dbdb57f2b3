"""How far a number is from what is usual, by median and MAD, which no odd one moves; pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rules.day_columns import Numbers, Past
from rules.spec_windows import Side

MAD_TO_SIGMA = 1.4826
LEAST_OF_WEEKDAY = 3
LEAST_OF_CLASS = 5
LEAST_OF_SEASON = 7
_SMALLEST = 1e-9
_MOST = 999.0  # more of them says nothing more


class Usual(NamedTuple):
    """What is usual for the day that is judged, how much it varies, from how many days."""

    level: float
    spread: float
    days: int


def spread_of(values: Numbers) -> float:
    """Return the robust standard deviation of numbers."""
    return MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values))))


def to_side(apart: float, side: Side) -> float:
    """Return how far something is on the side that counts; below 0 on the other."""
    if side == "both":
        return abs(apart)
    return apart if side == "high" else -apart


def deviations(apart: float, spread: float) -> float:
    """Return how many spreads something is away, on the side that counts."""
    return min(apart / max(spread, _SMALLEST), _MOST)


def usual(past: Past, hours: slice, least_share: float) -> tuple[float, Usual] | None:
    """Return what hours of the judged day come to, beside such days before; None: not known.

    The days before are those like it: of its class and day of the week where there are three, else
    of its class where there are five, else of its season where there are seven. Each counts only if
    all hours are known that are known of the judged day, which must be most. The spread is that of
    what all days of the class differ from the medians of their day of the week, or of the days
    themselves; and no less than a share of the level.
    """
    part = past.hours[:, hours]
    known = np.isfinite(part[-1])
    if known.sum() * 2 <= part.shape[1]:
        return None
    sums = part[:, known].sum(axis=1)
    before = np.isfinite(sums)
    before[-1] = False
    alike = before & np.array([one == past.classes[-1] for one in past.classes])
    same = alike & (past.weekdays == past.weekdays[-1])
    if same.sum() >= LEAST_OF_WEEKDAY:
        level = float(np.median(sums[same]))
        left = np.concatenate([_left(sums[alike & (past.weekdays == one)]) for one in range(7)])
        return _told(sums[-1], level, left, least_share, int(same.sum()))
    season = before & np.array([_season(one) == _season(past.classes[-1]) for one in past.classes])
    for chosen, least in ((alike, LEAST_OF_CLASS), (season, LEAST_OF_SEASON)):
        if chosen.sum() >= least:
            level = float(np.median(sums[chosen]))
            return _told(sums[-1], level, sums[chosen] - level, least_share, int(chosen.sum()))
    return None


def _told(
    value: float, level: float, left: Numbers, least_share: float, days: int
) -> tuple[float, Usual]:
    spread = MAD_TO_SIGMA * float(np.median(np.abs(left)))
    return float(value), Usual(level, max(spread, least_share * abs(level)), days)


def _season(name: str) -> str:
    """Return the season of a class of days: what stands before the dash.

    >>> _season("term-free"), _season("vacation")
    ('term', 'vacation')
    """
    return name.partition("-")[0]


def _left(sums: Numbers) -> Numbers:
    """Return what the days of one weekday differ from their median; a few know it less well."""
    if len(sums) < 2:  # noqa: PLR2004 - one day is its own median
        return sums[:0]
    return np.asarray((sums - np.median(sums)) * np.sqrt(len(sums) / (len(sums) - 1)), np.float64)
