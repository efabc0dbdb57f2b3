"""The columns of days as the ledger and the store know them, read slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.energy.ledger import Ledger
from hub.judge.hours import hours_of
from hub.judge.look import Look
from hub.model import Rollups
from hub.ports import TimeSeriesStore
from hub.site import Site
from rules.day_columns import (
    ENOUGH_OF_DAY,
    DayColumns,
    Hours,
    Numbers,
    Seen,
    Used,
)

CELLS_AT_ONCE = 50_000  # hours of points, so that no slice takes long
POINTS_AT_ONCE = 500
SURE = 0.02  # by so much of itself a day's use may lie higher or lower and still be known


class _Span(NamedTuple):
    """Consecutive days: their hours, the edges of all hours, and where each day begins in them."""

    days: list[Hours]
    edges: NDArray[np.int64]
    begins: list[int]

    @classmethod
    def of(cls, days: Sequence[date], zone: ZoneInfo) -> _Span:
        hours = [hours_of(day, zone) for day in days]
        edges = np.concatenate([*(one.edges[:-1] for one in hours), hours[-1].edges[-1:]])
        begins = np.cumsum([0, *(len(one.column) for one in hours)])
        return cls(hours, edges, begins.tolist())

    @property
    def day_edges(self) -> NDArray[np.int64]:
        return self.edges[self.begins]


class Reader:
    """Reads what a look needs; calls block: run each step in a worker."""

    def __init__(self, site: Site, ledger: Ledger, store: TimeSeriesStore, look: Look) -> None:
        self._site = site
        self._ledger = ledger
        self._store = store
        self._look = look

    def read(self, days: Sequence[date]) -> Iterator[None]:
        """Read the columns of days, in their order, into the look; a slice at each step."""
        for some in _runs(days):
            span = _Span.of(some, self._site.zone)
            counters, gauges = self._look.history.counters, self._look.history.gauges
            used = []
            for part in _parts(counters, span):
                used.append(self._used(part, span))
                yield
            seen = []
            for part in _parts(gauges, span):
                seen.append(self._seen(part, span))
                yield
            self._give(span, _joined(used), _joined(seen))

    def _give(self, span: _Span, used: Sequence[Numbers], seen: Sequence[Numbers]) -> None:
        use, known, total = used
        count, mean, low, high = seen
        for n, hours in enumerate(span.days):
            cut = slice(span.begins[n], span.begins[n + 1])
            columns = DayColumns.from_hours(
                hours,
                self._look.history.counters,
                Used(use[:, cut], known[:, cut], total[:, n]),
                self._look.history.gauges,
                Seen(count[:, cut].astype(np.int64), mean[:, cut], low[:, cut], high[:, cut]),
            )
            self._look.add(columns)

    def _used(self, part: NDArray[np.int32], span: _Span) -> tuple[Numbers, ...]:
        """Return use and known share of hours, and the use of whole days."""
        if not len(part):
            nothing = np.empty((0, len(span.edges) - 1))
            return nothing, nothing, np.empty((0, len(span.days)))
        points = [self._site.points[number] for number in part.tolist()]
        hourly = self._ledger.uses(points, span.edges)
        daily = self._ledger.uses(points, span.day_edges)
        total = daily.measured + daily.estimated
        unsure = daily.high - daily.low > SURE * total
        whole = (daily.missing <= 1 - ENOUGH_OF_DAY) & ~unsure
        known = 1.0 - hourly.gap - hourly.missing
        return hourly.measured, known, np.where(whole, total, np.nan)

    def _seen(self, part: NDArray[np.int32], span: _Span) -> tuple[Numbers, ...]:
        """Return count, mean, lowest and highest of hours."""
        if not len(part):
            nothing = np.empty((0, len(span.edges) - 1))
            return nothing, nothing, nothing, nothing
        start_ms, end_ms = int(span.edges[0]), int(span.edges[-1])
        found = self._store.rollups(part.tolist(), start_ms, end_ms)
        return _by_hour(found, part, span.edges)


def _by_hour(
    found: Rollups, points: NDArray[np.int32], edges: NDArray[np.int64]
) -> tuple[Numbers, ...]:
    """Put roll-ups, of an hour or less, together to hours."""
    shape = (len(points), len(edges) - 1)
    good = found.good > 0
    row = np.searchsorted(points, found.point[good])
    cell = row * shape[1] + np.searchsorted(edges, found.start_ms[good], "right") - 1
    count, sums = np.zeros((2, shape[0] * shape[1]))
    low, high = np.full_like(count, np.inf), np.full_like(count, -np.inf)
    np.add.at(count, cell, found.good[good])
    np.add.at(sums, cell, found.sum[good])
    np.minimum.at(low, cell, found.min[good])
    np.maximum.at(high, cell, found.max[good])
    none = count == 0
    facts = (np.where(none, np.nan, one) for one in (sums / np.maximum(count, 1), low, high))
    return count.reshape(shape), *(one.reshape(shape) for one in facts)


def _runs(days: Sequence[date]) -> Iterator[list[date]]:
    """Yield days that follow one another."""
    run: list[date] = []
    for day in days:
        if run and day != run[-1] + timedelta(1):
            yield run
            run = []
        run.append(day)
    if run:
        yield run


def _parts(points: NDArray[np.int32], span: _Span) -> Iterator[NDArray[np.int32]]:
    """Yield points that are read at once; at least one part, be it empty."""
    at_once = max(min(CELLS_AT_ONCE // len(span.edges), POINTS_AT_ONCE), 1)
    for first in range(0, max(len(points), 1), at_once):
        yield points[first : first + at_once]


def _joined(parts: Sequence[tuple[Numbers, ...]]) -> list[Numbers]:
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
