"""What use is to be expected, by hour of the week and by the weather; how well that fits; pure.

The model is ``base[hour of week] + heating * max(0, low - t) + cooling * max(0, t - high)`` by
least squares, so that its sums are without bias; both balance points are found by search. Beside it
stands what is usual in each hour: the median of what is left over and its spread by MAD, which an
odd day does not move.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations_with_replacement
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.energy.calendar import HOUR_MS

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

WEEK_H = 168
DAY_H = 24
LEAST_DAYS = 28  # of a profile: four of each day of the week
LEAST_OF_AN_HOUR = 3
LEAST_HOURS_OF_A_DAY = 12  # of them usable, or the day is no day (CalTRACK)
MAD_TO_SIGMA = 1.4826
BALANCE_STEPS = 24
LEAST_WARMTH_K = 5.0  # temperatures that differ by less tell nothing of the weather


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Use of whole hours. ``used`` and ``temperature_c`` are NaN where not known or not usable.

    ``start_ms`` (UTC) rises; ``hour`` is the hour of the civil week (Monday 0:00 is 0) and ``day``
    and ``month`` count civil days and months, each one number per row. No temperature: None.
    """

    start_ms: Instants
    used: Numbers
    temperature_c: Numbers | None
    hour: Whole
    day: Whole
    month: Whole

    @classmethod
    def of(
        cls, start_ms: Instants, used: Numbers, zone: ZoneInfo, temperature_c: Numbers | None = None
    ) -> Observed:
        """Return observations with the civil hours, days and months of a zone."""
        # One look at the calendar per UTC hour: offsets of half an hour fall to the hour's start.
        civil = [datetime.fromtimestamp(ms / 1000, zone) for ms in start_ms.tolist()]
        hour = np.array([at.weekday() * DAY_H + at.hour for at in civil], np.int64)
        day = np.array([at.toordinal() for at in civil], np.int64)
        month = np.array([at.year * 12 + at.month for at in civil], np.int64)
        return cls(start_ms, used, temperature_c, hour, day, month)

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Tell which rows have all that the model asks for."""
        known = np.isfinite(self.used)
        if self.temperature_c is not None:
            known &= np.isfinite(self.temperature_c)
        return known

    def kept(self, rows: NDArray[np.bool_]) -> Observed:
        """Return some of the rows."""
        warm = None if self.temperature_c is None else self.temperature_c[rows]
        columns = (self.hour, self.day, self.month)
        return Observed(self.start_ms[rows], self.used[rows], warm, *(one[rows] for one in columns))


@dataclass(frozen=True, slots=True)
class NotEnough:
    """There is too little to say anything; each reason tells what there is and what it takes."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slope:
    """What a degree beyond the balance point costs in an hour."""

    balance_c: float
    per_kelvin: float


@dataclass(frozen=True, slots=True)
class Fit:
    """How far model and measurement are apart at one step, beside ASHRAE Guideline 14's limits.

    Shares of the mean, not per cent. ``count`` is the number of steps compared.
    """

    step: str
    count: int
    cv_rmse: float
    nmbe: float
    cv_rmse_limit: float | None
    nmbe_limit: float | None

    @property
    def within(self) -> bool | None:
        """Tell whether both limits hold; None where the guideline has none for this step."""
        if self.cv_rmse_limit is None or self.nmbe_limit is None:
            return None
        return self.cv_rmse <= self.cv_rmse_limit and abs(self.nmbe) <= self.nmbe_limit


LIMITS = {"hour": (0.30, 0.10), "day": (None, None), "month": (0.15, 0.05)}


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted model. ``base``, ``usual`` and ``spread`` have one number per hour of the week."""

    base: Numbers
    usual: Numbers
    spread: Numbers
    heating: Slope | None
    cooling: Slope | None
    coldest_c: float
    warmest_c: float
    days: int
    fits: tuple[Fit, ...]

    @property
    def parameters(self) -> int:
        """Count what was fitted beside the means of the hours: slopes and balance points."""
        return 2 * ((self.heating is not None) + (self.cooling is not None))

    def weather(self, temperature_c: Numbers | None) -> Numbers | float:
        """Return what the weather adds in each hour."""
        if temperature_c is None:
            return 0.0
        slopes = [one.per_kelvin for one in (self.heating, self.cooling) if one]
        added: Numbers = self.degrees(temperature_c) @ np.asarray(slopes, np.float64)
        return added

    def degrees(self, temperature_c: Numbers) -> Numbers:
        """Return how far hours are beyond the balance points: a column for each that there is."""
        columns = [
            *([_below(temperature_c, self.heating.balance_c)] if self.heating else []),
            *([_above(temperature_c, self.cooling.balance_c)] if self.cooling else []),
        ]
        return np.column_stack(columns) if columns else np.zeros((len(temperature_c), 0))

    def expected(self, hour: Whole, temperature_c: Numbers | None = None) -> Numbers:
        """Return the use to expect in hours of the week; their sum is without bias."""
        found: Numbers = self.base[hour] + self.weather(temperature_c)
        return found

    def band(
        self, hour: Whole, temperature_c: Numbers | None = None, spreads: float = 3.0
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Return what is usual in hours, and how low and high it goes before it is odd."""
        usual = self.usual[hour] + self.weather(temperature_c)
        reach = spreads * self.spread[hour]
        return usual, np.maximum(usual - reach, 0.0), usual + reach


def fit(observed: Observed) -> Model | NotEnough:
    """Fit the model to a baseline, or say why it cannot be."""
    rows = observed.kept(observed.usable)
    count = np.bincount(rows.hour, minlength=WEEK_H)
    days = len(whole_days(rows))
    reasons = tuple(_lacking(rows, count, days))
    if reasons:
        return NotEnough(reasons)
    heating, cooling = _slopes(rows, count)
    model = _without_scores(rows, count, heating, cooling, days)
    error = rows.used - model.expected(rows.hour, rows.temperature_c)
    usual, spread = _robust(rows.hour, error, model.base)
    return Model(
        base=model.base,
        usual=usual,
        spread=spread,
        heating=heating,
        cooling=cooling,
        coldest_c=model.coldest_c,
        warmest_c=model.warmest_c,
        days=days,
        fits=tuple(_fits(rows, error, model.parameters)),
    )


def _lacking(rows: Observed, count: Whole, days: int) -> Iterator[str]:
    if days < LEAST_DAYS:
        yield (
            f"{days} days are measured for at least {LEAST_HOURS_OF_A_DAY} hours each; "
            f"it takes {LEAST_DAYS}"
        )
    if thin := int((count < LEAST_OF_AN_HOUR).sum()):
        yield (
            f"{thin} of the {WEEK_H} hours of the week are measured less than "
            f"{LEAST_OF_AN_HOUR} times"
        )
    if len(rows.used) and rows.used.sum() <= 0:
        yield "nothing was used at all"


def whole_days(rows: Observed) -> Whole:
    """Return the civil days of which enough hours are there."""
    days, hours = np.unique(rows.day, return_counts=True)
    whole: Whole = days[hours >= LEAST_HOURS_OF_A_DAY]
    return whole


def summed(group: Whole, value: Numbers, groups: Whole) -> Numbers:
    """Return the sum of the values of each of some groups, in their order."""
    where = np.searchsorted(groups, group)
    where = np.where(where < len(groups), where, 0)
    inside = groups[where] == group if len(groups) else np.zeros(len(group), np.bool_)
    sums: Numbers = np.bincount(where[inside], value[inside], len(groups)).astype(np.float64)
    return sums


def _below(temperature: Numbers, balance: float) -> Numbers:
    return np.maximum(balance - temperature, 0.0)


def _above(temperature: Numbers, balance: float) -> Numbers:
    return np.maximum(temperature - balance, 0.0)


def _within(hour: Whole, value: Numbers, count: Whole) -> Numbers:
    """Return values less the mean of their hour of the week."""
    left: Numbers = value - (np.bincount(hour, value, WEEK_H) / count)[hour]
    return left


def _slopes(rows: Observed, count: Whole) -> tuple[Slope | None, Slope | None]:
    """Search the balance points; a term stands only where it explains more than it costs."""
    warm = rows.temperature_c
    if warm is None or float(np.ptp(warm)) < LEAST_WARMTH_K:
        return None, None
    used = _within(rows.hour, rows.used, count)
    low, high = np.quantile(warm, (0.02, 0.98)).tolist()
    points = np.linspace(low, high, BALANCE_STEPS + 1)
    best = _searched(rows.hour, warm, used, count, points)
    # A second look, closer around what was found.
    near = np.linspace(-1, 1, 9) * (points[1] - points[0])
    around = [slope.balance_c for slope in best if slope]
    finer = np.unique(np.concatenate([point + near for point in around])) if around else points
    return _searched(rows.hour, warm, used, count, finer)


def _searched(
    hour: Whole, warm: Numbers, used: Numbers, count: Whole, points: Numbers
) -> tuple[Slope | None, Slope | None]:
    cold = np.array([_within(hour, _below(warm, float(point)), count) for point in points])
    hot = np.array([_within(hour, _above(warm, float(point)), count) for point in points])
    with_use = (cold @ used, hot @ used)
    with_self = ((cold * cold).sum(axis=1), (hot * hot).sum(axis=1))
    crossed = cold @ hot.T
    rows, total = len(used), float(used @ used)

    def worth(explained: float, terms: int) -> float:
        """Return Schwarz's criterion; each term is a slope and a balance point."""
        left = max(total - explained, 1e-12 * total, 1e-300)
        return rows * math.log(left / rows) + 2 * terms * math.log(rows)

    none: tuple[Slope | None, Slope | None] = (None, None)
    best, found = worth(0.0, 0), none
    for n, point in enumerate(points.tolist()):
        for side in (0, 1):
            if with_self[side][n] > 0 and (slope := with_use[side][n] / with_self[side][n]) > 0:
                value = worth(slope * with_use[side][n], 1)
                if value < best:
                    one = Slope(point, float(slope))
                    best, found = value, (None, one) if side else (one, None)
    for n, m in combinations_with_replacement(range(len(points)), 2):
        a, b, c = with_self[0][n], with_self[1][m], crossed[n, m]
        if (determinant := a * b - c * c) <= 1e-9 * a * b:  # as good as one term
            continue
        x = (b * with_use[0][n] - c * with_use[1][m]) / determinant
        y = (a * with_use[1][m] - c * with_use[0][n]) / determinant
        if x > 0 and y > 0:
            value = worth(x * with_use[0][n] + y * with_use[1][m], 2)
            if value < best:
                best = value
                found = Slope(float(points[n]), float(x)), Slope(float(points[m]), float(y))
    return found


def _without_scores(
    rows: Observed, count: Whole, heating: Slope | None, cooling: Slope | None, days: int
) -> Model:
    """Return a model whose means are fitted, before anything is said about its errors."""
    warm = rows.temperature_c
    zero = np.zeros(WEEK_H)
    coldest, warmest = (-math.inf, math.inf) if warm is None else (warm.min(), warm.max())
    flat = Model(zero, zero, zero, heating, cooling, float(coldest), float(warmest), days, ())
    rest = rows.used - flat.weather(warm)
    base = np.bincount(rows.hour, rest, WEEK_H) / count
    return Model(base, zero, zero, heating, cooling, float(coldest), float(warmest), days, ())


def _robust(hour: Whole, error: Numbers, base: Numbers) -> tuple[Numbers, Numbers]:
    """Return median and spread (MAD as a standard deviation) of each hour of the week."""
    order = np.argsort(hour, kind="stable")
    parts = np.split(error[order], np.searchsorted(hour[order], np.arange(1, WEEK_H)))
    middle = np.array([np.median(part) for part in parts])
    spread = [np.median(np.abs(part - at)) for part, at in zip(parts, middle, strict=True)]
    return base + middle, MAD_TO_SIGMA * np.array(spread)


def _fits(rows: Observed, error: Numbers, parameters: int) -> Iterator[Fit]:
    yield scored("hour", rows.used, error, WEEK_H + parameters)
    days = whole_days(rows)
    yield scored("day", summed(rows.day, rows.used, days), summed(rows.day, error, days), 7)
    months = np.unique(rows.month)
    if len(months) > 1:
        sums = summed(rows.month, rows.used, months), summed(rows.month, error, months)
        yield scored("month", *sums, 1)


def scored(step: str, used: Numbers, error: Numbers, parameters: int) -> Fit:
    """Return CV(RMSE) and NMBE as Guideline 14 defines them, with ``parameters`` taken off n."""
    free = max(len(used) - parameters, 1)
    mean = float(used.mean())
    limits = LIMITS[step]
    return Fit(
        step,
        len(used),
        math.sqrt(float(error @ error) / free) / mean,
        float(error.sum()) / (free * mean),
        *limits,
    )


def at_hours(
    start_ms: Instants, at_ms: Sequence[int] | Instants, value: Sequence[float] | Numbers
) -> Numbers:
    """Return the mean of the values within each hour, NaN where there is none.

    Of daily values (steps of at least 23 hours) every hour of the day gets the value of its day.
    """
    at, known = np.asarray(at_ms, np.int64), np.asarray(value, np.float64)
    known = known[order := np.argsort(at, kind="stable")]
    at = at[order]
    if not len(at):
        return np.full(len(start_ms), np.nan)
    lasts = np.append(np.diff(at), HOUR_MS)
    if len(at) > 1 and float(np.median(lasts[:-1])) >= 23 * HOUR_MS:
        place = np.searchsorted(at, start_ms, side="right") - 1
        fresh = (place >= 0) & (start_ms < at[place] + 25 * HOUR_MS)
        return np.where(fresh, known[place], np.nan)
    there = np.isfinite(known)
    hour = np.searchsorted(start_ms, at[there], side="right") - 1
    inside = (hour >= 0) & (at[there] < start_ms[hour] + HOUR_MS)
    hour, good = hour[inside], known[there][inside]
    count = np.bincount(hour, minlength=len(start_ms))
    sums = np.bincount(hour, good, len(start_ms))
    return np.where(count > 0, sums / np.maximum(count, 1), np.nan)
