"""The columns of days from readings in order of time; pure.

It is the way of histories that are read from the beginning to the end. The hub itself asks its
ledger, which also knows of late readings and of meters that were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch
from rules.day_columns import (
    ENOUGH_OF_DAY,
    DayColumns,
    Hours,
    Instants,
    Numbers,
    Seen,
    Used,
    Whole,
)

HOUR_MS = 3_600_000
LEAST_MS = 900_000  # a counter of a coarse step may jump within a shorter time
REACH_MS = 48 * HOUR_MS
"""An instant so far from when the reading came is of a clock that was never set."""
HoursOf = Callable[[int], Hours]
"""Return the hours of the civil day in which an instant (UTC ms) lies."""


class Counting(NamedTuple):
    """What can be true of a counter: it begins again at ``rollover``, counts ``most_per_h``.

    Readings further apart than ``gap_ms`` do not tell the course of what was used between them.
    """

    most_per_h: float
    gap_ms: int
    rollover: float | None = None


class _Intervals(NamedTuple):
    """What counters (rows) used between neighbouring readings; ``gap`` where far apart.

    NaN is what cannot be: a reset, a glitch, another meter. What lies around it is not known.
    """

    row: NDArray[np.intp]
    start_ms: Instants
    end_ms: Instants
    used: Numbers
    gap: NDArray[np.bool_]

    def taken(self, chosen: NDArray[np.bool_]) -> _Intervals:
        """Return some of them."""
        at = np.flatnonzero(chosen)
        return _Intervals(
            self.row[at], self.start_ms[at], self.end_ms[at], self.used[at], self.gap[at]
        )


class Builder:
    """Reads batches and puts days together; ``hours_of`` knows the civil time of the site."""

    def __init__(
        self, counters: Mapping[int, Counting], gauges: Collection[int], hours_of: HoursOf
    ) -> None:
        self._hours_of = hours_of
        self._counters = np.array(sorted(counters), np.int32)
        self._gauges = np.array(sorted(gauges), np.int32)
        known = [counters[number] for number in self._counters.tolist()]
        self._most = np.array([one.most_per_h for one in known], np.float64)
        self._gap_ms = np.array([one.gap_ms for one in known], np.int64)
        self._rollover = np.array([one.rollover or np.nan for one in known], np.float64)
        every = np.concatenate([self._counters, self._gauges])
        self._row = np.full(int(every.max(initial=0)) + 1, -1, np.intp)
        self._row[every] = np.arange(len(every))  # counters first
        self._last_ms = np.full(len(every), -1, np.int64)
        self._last = np.full(len(known), np.nan)
        self._open: list[_Day] = []
        self._closed_ms = 0

    def read(self, batch: Batch) -> None:
        """Take readings; those of a point in order of time, the others are passed over."""
        row, at_ms, value, before_ms = self._chosen(batch)
        if not len(row):
            return
        counted = row < len(self._counters)
        made = self._intervals(row[counted], at_ms[counted], value[counted], before_ms[counted])
        self._open_days(at_ms)
        row, at_ms, value = row[~counted], at_ms[~counted], value[~counted]
        first_ms = int(before_ms.min())
        for day in (day for day in self._open if day.end_ms > first_ms):
            day.count(made)
            day.see(row - len(self._counters), at_ms, value)

    def close(self, until_ms: int) -> list[DayColumns]:
        """Return the days that are over at an instant, oldest first; what comes later is late."""
        over = [day for day in self._open if day.end_ms <= until_ms]
        self._open = [day for day in self._open if day.end_ms > until_ms]
        self._closed_ms = max([self._closed_ms, *(day.end_ms for day in over)])
        return [day.columns(self._counters, self._gauges) for day in over]

    def _chosen(self, batch: Batch) -> tuple[NDArray[np.intp], Instants, Numbers, Instants]:
        """Return row, instant, value and instant before of what is new of these points, by rows."""
        fit = (batch.quality & 2 == 0) & np.isfinite(batch.value)
        fit &= (np.abs(batch.at_ms - batch.received_ms) <= REACH_MS) & (
            batch.point < len(self._row)
        )
        row = np.where(fit, self._row[np.where(fit, batch.point, 0)], -1)
        chosen = np.flatnonzero(row >= 0)
        chosen = chosen[np.argsort(row[chosen], kind="stable")]
        while True:
            its, at_ms = row[chosen], batch.at_ms[chosen]
            first = np.ones(len(its), np.bool_)
            first[1:] = its[1:] != its[:-1]
            before_ms = np.where(first, self._last_ms[its], np.roll(at_ms, 1))
            late = at_ms <= before_ms
            if not late.any():
                self._last_ms[its] = at_ms  # of a row that stands here more than once, the last
                return its, at_ms, batch.value[chosen], before_ms
            chosen = chosen[~late]  # again: the next one may be late beside the one before

    def _open_days(self, at_ms: Instants) -> None:
        """Open the days of readings that are not open; not those that are closed."""
        now_ms = max(self._closed_ms, int(at_ms.min()))
        while now_ms <= at_ms.max():
            held = [day for day in self._open if day.begin_ms <= now_ms < day.end_ms]
            if not held:
                held = [_Day(self._hours_of(now_ms), len(self._counters), len(self._gauges))]
                self._open = sorted([*self._open, *held], key=lambda day: day.begin_ms)
            now_ms = held[0].end_ms

    def _intervals(
        self, row: NDArray[np.intp], at_ms: Instants, value: Numbers, before_ms: Instants
    ) -> _Intervals:
        """Return what lies between neighbouring readings, those kept from before included."""
        first = np.ones(len(row), np.bool_)
        first[1:] = row[1:] != row[:-1]
        before = np.where(first, self._last[row], np.roll(value, 1))
        used, lasted = value - before, at_ms - before_ms
        used = np.where(used < 0, used + self._rollover[row], used)  # NaN where it cannot roll over
        most = self._most[row] * np.maximum(lasted, LEAST_MS) / HOUR_MS
        self._last[row] = value  # likewise
        used = np.where(used <= most, used, np.nan)
        gap = (lasted > self._gap_ms[row]) & np.isfinite(used)
        return _Intervals(row, before_ms, at_ms, used, gap).taken(before_ms >= 0)


class _Day:
    """A day that is not over yet."""

    def __init__(self, hours: Hours, counters: int, gauges: int) -> None:
        self._hours = hours
        self.begin_ms, self.end_ms = int(hours.edges[0]), int(hours.edges[-1])
        self._count = len(hours.edges) - 1
        self._used, self._known = np.zeros((2, counters * self._count))
        self._total, self._covered = np.zeros((2, counters))
        self._seen = np.zeros(gauges * self._count, np.int64)
        self._sum = np.zeros(gauges * self._count)
        self._low = np.full(gauges * self._count, np.inf)
        self._high = np.full(gauges * self._count, -np.inf)

    def count(self, made: _Intervals) -> None:
        """Lay intervals over the hours; those across an edge evenly, gaps into the day only."""
        inside = (made.start_ms >= self.begin_ms) & (made.end_ms <= self.end_ms)
        whole = made.taken(made.gap & inside)
        np.add.at(self._total, whole.row, whole.used)
        np.add.at(self._covered, whole.row, whole.end_ms - whole.start_ms)
        touching = ~made.gap & (made.start_ms < self.end_ms) & (made.end_ms > self.begin_ms)
        near = made.taken(touching)
        edges = self._hours.edges
        first = np.maximum(np.searchsorted(edges, near.start_ms, "right") - 1, 0)
        last = np.minimum(np.searchsorted(edges, near.end_ms, "left") - 1, self._count - 1)
        pieces = last - first + 1
        which = np.repeat(np.arange(len(pieces)), pieces)
        hour = np.arange(len(which)) - (np.cumsum(pieces) - pieces)[which] + first[which]
        begin = np.maximum(near.start_ms[which], edges[hour])
        lasts = np.minimum(near.end_ms[which], edges[hour + 1]) - begin
        used = near.used[which] * lasts / (near.end_ms - near.start_ms)[which]
        row, known = near.row[which], np.where(np.isfinite(used), lasts, -np.inf)
        used = np.nan_to_num(used)
        np.add.at(self._used, row * self._count + hour, used)
        np.add.at(self._known, row * self._count + hour, known)
        np.add.at(self._total, row, used)
        np.add.at(self._covered, row, known)

    def see(self, row: NDArray[np.intp], at_ms: Instants, value: Numbers) -> None:
        """Take readings of gauges."""
        hour = np.searchsorted(self._hours.edges, at_ms, "right") - 1
        inside = (hour >= 0) & (hour < self._count)
        cell, values = (row * self._count + hour)[inside], value[inside]
        np.add.at(self._seen, cell, 1)
        np.add.at(self._sum, cell, values)
        np.minimum.at(self._low, cell, values)
        np.maximum.at(self._high, cell, values)

    def columns(self, counters: Whole, gauges: Whole) -> DayColumns:
        """Return the columns of the day."""
        lasts = np.diff(self._hours.edges)
        shape = (-1, self._count)
        covered = self._covered >= ENOUGH_OF_DAY * (self.end_ms - self.begin_ms)
        used = Used(
            self._used.reshape(shape),
            self._known.reshape(shape) / lasts,
            np.where(covered, self._total, np.nan),
        )
        none = self._seen == 0
        facts = (
            np.where(none, np.nan, one).reshape(shape)
            for one in (self._sum / np.maximum(self._seen, 1), self._low, self._high)
        )
        seen = Seen(self._seen.reshape(shape), *facts)
        return DayColumns.from_hours(self._hours, counters, used, gauges, seen)
