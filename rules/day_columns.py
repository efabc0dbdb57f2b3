"""What points said in the hours of one civil day, and of the days before; pure.

A civil hour of which too little is known is NaN: missing is not zero. The day on which clocks are
put back has two hours in one column, the one on which they are put forward has one that is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]
Short = NDArray[np.float32]
Whole = NDArray[np.int32]
Fact = Literal["use", "mean", "low", "high"]
ClassOf = Callable[[date], str]
"""Tell the class of a day, by the calendar of the site: days of one class are like each other."""

HOURS = 24
ENOUGH = 0.9  # of an hour must be measured, or it is unknown; the rest is taken as alike
ENOUGH_OF_DAY = 0.99  # likewise of a day: a sum over it is compared with others
ENOUGH_OF_SUM = 0.95  # of the counters of a sum must be known; the others are taken as alike


class Hours(NamedTuple):
    """The hours of a civil day: ``edges`` (UTC ms, one more than hours), their ``column`` 0..23."""

    day: date
    edges: Instants
    column: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Used:
    """What counters used in the hours of a day, before it is put into columns.

    ``use`` is what was measured and ``known`` in what share of the hour, with a row per counter and
    a column per hour; ``total`` is what was used in the whole day, NaN where that is not known.
    """

    use: Numbers
    known: Numbers
    total: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What gauges said in the hours of a day: ``count`` usable readings, NaN where none is."""

    count: NDArray[np.int64]
    mean: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class DayColumns:
    """The columns of a civil day: a row per point (numbers rise), 24 columns of civil hours.

    ``use`` of counters is in the unit of the point, ``total`` is that of the day; ``mean``, ``low``
    and ``high`` are of gauges.
    """

    day: date
    counters: Whole
    use: Short
    total: Short
    gauges: Whole
    mean: Short
    low: Short
    high: Short

    @classmethod
    def from_hours(
        cls, hours: Hours, counters: Whole, used: Used, gauges: Whole, seen: Seen
    ) -> DayColumns:
        """Put what was known of the hours of a day into its columns."""
        known = np.where(used.known >= ENOUGH, used.known, np.nan)
        return cls(
            day=hours.day,
            counters=counters,
            use=_folded(hours, used.use / known, np.add),
            total=used.total.astype(np.float32),
            gauges=gauges,
            mean=_mean(hours, seen),
            low=_folded(hours, seen.low, np.fmin),
            high=_folded(hours, seen.high, np.fmax),
        )


def _mean(hours: Hours, seen: Seen) -> Short:
    count = _folded(hours, seen.count.astype(np.float64), np.add)
    sums = _folded(hours, np.where(seen.count > 0, seen.mean * seen.count, 0.0), np.add)
    found = np.full(sums.shape, np.nan, np.float32)
    return np.divide(sums, count, out=found, where=count > 0)


def _folded(hours: Hours, values: Numbers, put: np.ufunc) -> Short:
    """Put hours into the columns of a day; two of one column by ``put``."""
    if len(hours.column) == HOURS and (hours.column == np.arange(HOURS)).all():
        return values.astype(np.float32)
    found = np.full((len(values), HOURS), np.nan, np.float32)
    for n, column in enumerate(hours.column.tolist()):
        first = column not in hours.column[:n]
        found[:, column] = values[:, n] if first else put(found[:, column], values[:, n])
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """One subject over consecutive days, the last one the day that is judged.

    ``hours`` is of days x 24, ``total`` of days; ``classes`` and ``weekdays`` (Monday is 0) tell
    what days they are.
    """

    day: date
    hours: Numbers
    total: Numbers
    classes: tuple[str, ...]

    @property
    def weekdays(self) -> NDArray[np.intp]:
        """Return the day of the week of each day."""
        return (self.day.weekday() + 1 - len(self.hours) + np.arange(len(self.hours))) % 7


class Term(NamedTuple):
    """A counter or gauge that a sum is made of, and its factor to the unit of the sum."""

    point: int
    factor: float = 1.0


class History:
    """The columns of the last days, which rules look back on; the oldest make room."""

    def __init__(
        self, counters: Collection[int], gauges: Collection[int], days: int, class_of: ClassOf
    ) -> None:
        self.days = days
        self.counters = np.array(sorted(counters), np.int32)
        self.gauges = np.array(sorted(gauges), np.int32)
        self._class_of = class_of
        self._held: dict[int, date] = {}
        counted, seen = (days, len(self.counters)), (days, len(self.gauges), HOURS)
        self._total = np.full(counted, np.nan, np.float32)
        self._facts: dict[Fact, Short] = {
            "use": np.full((*counted, HOURS), np.nan, np.float32),
            **{fact: np.full(seen, np.nan, np.float32) for fact in ("mean", "low", "high")},
        }

    def add(self, columns: DayColumns) -> None:
        """Take the columns of a day; another look at the same day takes the place of the first."""
        if not (
            np.array_equal(columns.counters, self.counters)
            and np.array_equal(columns.gauges, self.gauges)
        ):
            raise ValueError(f"the columns of {columns.day} are of other points")
        slot = columns.day.toordinal() % self.days
        self._held[slot] = columns.day
        self._total[slot] = columns.total
        for fact, values in self._facts.items():
            values[slot] = getattr(columns, fact)

    def holds(self, day: date) -> bool:
        """Tell whether the columns of a day are here."""
        return self._held.get(day.toordinal() % self.days) == day

    def past(self, day: date, terms: Sequence[Term], fact: Fact, days: int) -> Past:
        """Return a fact of some points together over the days up to ``day``.

        Uses are added up; where a few of many counters are unknown, they are taken to be like the
        others. Of gauges it is the mean.
        """
        counted = fact == "use"
        every = self.counters if counted else self.gauges
        rows = np.searchsorted(every, [term.point for term in terms])
        factors = np.array([term.factor for term in terms], np.float64)
        hours = self._taken(day, days, self._facts[fact][:, rows, :]) * factors[:, None]
        if not counted:
            nothing = np.full((days,), np.nan)
            return Past(day, _meant(hours), nothing, self._classes(day, days))
        total = self._taken(day, days, self._total[:, rows]) * factors
        return Past(day, _summed(hours), _summed(total), self._classes(day, days))

    def whole(self, day: date, terms: Sequence[Term]) -> float:
        """Return what counters used together in a day, NaN when one of them is not known."""
        rows = np.searchsorted(self.counters, [term.point for term in terms])
        factors = np.array([term.factor for term in terms], np.float64)
        return float(self._taken(day, 1, self._total[:, rows])[0] @ factors)

    def least(self, day: date, terms: Sequence[Term]) -> float:
        """Return what the counters that are known used together in a day."""
        rows = np.searchsorted(self.counters, [term.point for term in terms])
        factors = np.array([term.factor for term in terms], np.float64)
        return float(np.nansum(self._taken(day, 1, self._total[:, rows])[0] * factors))

    def _classes(self, day: date, days: int) -> tuple[str, ...]:
        return tuple(self._class_of(day - timedelta(days - 1 - n)) for n in range(days))

    def _taken(self, day: date, days: int, values: Short) -> Numbers:
        """Return the rows of consecutive days in their order, NaN for days that are not here."""
        every = [day - timedelta(days - 1 - n) for n in range(days)]
        found = values[[one.toordinal() % self.days for one in every]].astype(np.float64)
        found[[not self.holds(one) for one in every]] = np.nan
        return found


def _summed(values: Numbers) -> Numbers:
    """Add up the members (axis 1); NaN where too many are unknown."""
    known = np.isfinite(values).sum(axis=1)
    count = values.shape[1]
    share = np.where(known >= max(ENOUGH_OF_SUM * count, 1), count / np.maximum(known, 1), np.nan)
    return np.asarray(np.nansum(values, axis=1) * share, np.float64)


def _meant(values: Numbers) -> Numbers:
    """Return the mean of the members (axis 1) that are known, NaN where none is."""
    known = np.isfinite(values).sum(axis=1)
    sums = np.where(known > 0, np.nansum(values, axis=1), np.nan)
    return np.asarray(sums / np.maximum(known, 1), np.float64)
