"""How the use across a long gap will have gone: as in the same hours of the weeks before; pure.

Each hour of the gap weighs as much as the median of the same hour of the week, in civil time of the
site, in the four weeks before the gap. Only hours that were measured from end to end count, and at
least three of the four must be: else nothing is said, and the use is spread evenly.
"""

from __future__ import annotations

from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from hub.energy import calendar
from hub.energy.calendar import HOUR_MS, WEEK_MS
from hub.energy.counter import Flags, Instants, Numbers
from hub.energy.spread import Course, Rows

LONG_MS = 2 * HOUR_MS
"""A shorter gap is spread evenly: within it an hour of the week says little."""
WEEKS = 4
LEAST_SAMPLES = 3


class Hours(NamedTuple):
    """Civil hours: begin and end (UTC ms) of each, and its hour of the week from Monday 00:00."""

    begin: Instants
    end: Instants
    of_week: Rows

    @property
    def edges(self) -> Instants:
        """Return the edges of hours without a break between them."""
        return np.append(self.begin, self.end[-1])


def whole_hours(start_ms: int, end_ms: int, zone: ZoneInfo) -> Hours:
    """Return the civil hours that hold a time; the first and the last are not cut short."""
    every = calendar.edges(start_ms - HOUR_MS, end_ms + HOUR_MS, "hour", zone)
    return _labelled(every[1:-1], zone)


def _labelled(edges: list[int], zone: ZoneInfo) -> Hours:
    begins = (calendar.local(edge, zone) for edge in edges[:-1])
    of_week = [begin.weekday() * 24 + begin.hour for begin in begins]
    every = np.array(edges, np.int64)
    return Hours(every[:-1], every[1:], np.array(of_week, np.intp))


def windows(start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return the times before gaps that begin and end within a time, in which their hours lie."""
    first = start_ms - WEEKS * WEEK_MS
    if end_ms - start_ms + 2 * HOUR_MS >= WEEK_MS:
        return [(first - HOUR_MS, end_ms)]
    # An hour more at either side: clocks may have been changed in between.
    return [
        (start_ms - n * WEEK_MS - HOUR_MS, end_ms - n * WEEK_MS + HOUR_MS)
        for n in range(WEEKS, 0, -1)
    ]


def course(
    gap: tuple[int, int], seen: Hours, used: Numbers, measured: Flags, zone: ZoneInfo
) -> Course | None:
    """Return how the use of a gap (start, end) went, None where history does not tell.

    ``used`` is what the counter counted in each hour ``seen``, ``measured`` whether all of that is.
    """
    start, end = gap
    hours = _labelled(calendar.edges(start, end, "hour", zone), zone)
    fit = measured & (seen.end - seen.begin == HOUR_MS) & (seen.end <= start)
    fit &= seen.begin >= start - WEEKS * WEEK_MS - HOUR_MS
    lasts = hours.end - hours.begin
    weight = _medians(used[fit], seen.of_week[fit])[hours.of_week] * lasts
    whole = weight.sum()
    if not whole > 0:  # NaN where an hour is not known
        return None
    return Course(hours.edges, np.append(0.0, np.cumsum(weight) / whole))


def _medians(used: Numbers, of_week: Rows) -> Numbers:
    """Return the median use of each of the 168 hours, NaN where there are too few."""
    found = np.full(WEEK_MS // HOUR_MS, np.nan)
    if not len(used):
        return found
    order = np.argsort(of_week, kind="stable")
    each = np.split(used[order], np.flatnonzero(np.diff(of_week[order])) + 1)
    for hour, samples in zip(np.unique(of_week).tolist(), each, strict=True):
        if len(samples) >= LEAST_SAMPLES:
            found[hour] = np.median(samples)
    return found
