"""What a measure has saved: expected less measured, and how sure that is; pure.

The uncertainty is the regression's own, on days: of n days of baseline with the design X and the
error s, and of m days of reporting whose design adds up to x, it is
``t * s * sqrt((1 + r) / (1 - r) * (m + x' (X'X)^-1 x))``, where r is the errors' correlation from
one day to the next. ASHRAE Guideline 14 puts ``1.26^2 * m`` for the second factor, which is right
for reporting periods of about half the baseline's length; its figure stands beside ours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from hub.energy.expected import (
    DAY_H,
    Fit,
    Model,
    NotEnough,
    Numbers,
    Observed,
    fit,
    summed,
    whole_days,
)

CONFIDENCE = 0.90
LEAST_BASELINE_DAYS = 350  # of a year (CalTRACK): every season is in it
LEAST_REPORTING_DAYS = 28
LEAST_REPORTED = 0.9  # of the hours of the reporting period
MOST_STRANGE = 0.05  # of its hours colder or warmer than any of the baseline
STRANGE_K = 1.0
ASHRAE_FACTOR = 1.26
ONE_SIGMA = 0.68
MOST_CORRELATION = 0.95
WEEK_D = 7


@dataclass(frozen=True, slots=True)
class Saving:
    """A saving with its uncertainty; energies in the unit of the point.

    ``uncertainty`` is half the width of the interval at ``confidence``. Hours that were not
    measured in the reporting period are in neither sum; ``covered`` is the share that was.
    ``fsu_68`` is Guideline 14's fractional savings uncertainty at 68 %: 0.5 at most, says IPMVP.
    """

    expected: float
    measured: float
    uncertainty: float
    confidence: float
    covered: float
    baseline_days: int
    reporting_days: int
    correlation: float
    fsu_68: float
    model: Model

    @property
    def saved(self) -> float:
        """Return expected less measured; below zero more was used."""
        return self.expected - self.measured

    @property
    def share(self) -> float:
        """Return the saved share of the expected use."""
        return self.saved / self.expected

    @property
    def low(self) -> float:
        """Return the least saving at the confidence."""
        return self.saved - self.uncertainty

    @property
    def high(self) -> float:
        """Return the greatest saving at the confidence."""
        return self.saved + self.uncertainty

    @property
    def verdict(self) -> str:
        """Return ``saved``, ``more_used`` or ``not_proven``: zero lies inside the uncertainty."""
        if self.low > 0:
            return "saved"
        return "more_used" if self.high < 0 else "not_proven"

    @property
    def fits(self) -> tuple[Fit, ...]:
        """Return how well the baseline was met."""
        return self.model.fits


def verified(
    baseline: Observed, reporting: Observed, confidence: float = CONFIDENCE
) -> Saving | NotEnough:
    """Return what was saved in the reporting period against the baseline, or why nobody knows."""
    model = fit(baseline)
    if isinstance(model, NotEnough):
        return NotEnough(tuple(f"baseline: {reason}" for reason in model.reasons))
    rows = reporting.kept(reporting.usable)
    days = len(whole_days(rows))
    if reasons := tuple(_lacking(model, reporting, rows, days)):
        return NotEnough(reasons)
    expected = float(model.expected(rows.hour, rows.temperature_c).sum())
    if expected <= 0:
        return NotEnough(("the model expects no use at all in the reporting period",))
    known = baseline.kept(baseline.usable)
    error, design = _daily(model, known)
    spread = _Spread.of(error, design, _daily(model, rows)[1])
    measured = float(rows.used.sum())
    saved = abs(expected - measured)
    mean = float(known.used.sum()) / model.days
    ashrae = fractional(spread.error / mean, len(error), days, spread.correlation, ONE_SIGMA)
    return Saving(
        expected,
        measured,
        spread.half_width(confidence),
        confidence,
        len(rows.used) / max(len(reporting.used), 1),
        model.days,
        days,
        spread.correlation,
        ashrae * expected / saved if saved else math.inf,
        model,
    )


def _daily(model: Model, rows: Observed) -> tuple[Numbers, Numbers]:
    """Return the error of each whole day, and what of each parameter is in it."""
    days = whole_days(rows)
    error = rows.used - model.expected(rows.hour, rows.temperature_c)
    kinds = rows.hour // DAY_H
    columns = [(kinds == kind).astype(np.float64) for kind in range(WEEK_D)]
    if rows.temperature_c is not None:
        columns += list(model.degrees(rows.temperature_c).T)
    design = np.column_stack([summed(rows.day, column, days) for column in columns])
    return summed(rows.day, error, days), design


@dataclass(frozen=True, slots=True)
class _Spread:
    """How far the difference of expected and measured strays where nothing was saved."""

    error: float
    factor: float
    correlation: float
    freedom: float

    @classmethod
    def of(cls, error: Numbers, design: Numbers, reported: Numbers) -> _Spread:
        """Return it for a baseline's daily errors and design, and the design of the reporting."""
        correlation = _correlation(error)
        total = reported.sum(axis=0)
        inside = float(total @ np.linalg.pinv(design.T @ design) @ total)
        inflated = (1 + correlation) / (1 - correlation)
        # Errors that last let each parameter follow as many of them: fewer days are left to judge.
        free = max(len(error) - design.shape[1] * inflated, 1.0)
        return cls(
            math.sqrt(float(error @ error) / free),
            math.sqrt(inflated * (len(reported) + inside)),
            correlation,
            free / inflated,
        )

    def half_width(self, confidence: float) -> float:
        """Return half the width of the interval at a confidence."""
        return student(confidence, self.freedom) * self.error * self.factor


def _lacking(model: Model, reporting: Observed, rows: Observed, days: int) -> Iterator[str]:
    if model.days < LEAST_BASELINE_DAYS:
        yield f"baseline: {model.days} days are measured; it takes {LEAST_BASELINE_DAYS} of a year"
    if days < LEAST_REPORTING_DAYS:
        yield f"reporting: {days} days are measured; it takes {LEAST_REPORTING_DAYS}"
    covered = len(rows.used) / max(len(reporting.used), 1)
    if covered < LEAST_REPORTED:
        yield (
            f"reporting: {covered:.0%} of the hours are measured"
            + (" and have a temperature" if reporting.temperature_c is not None else "")
            + f"; it takes {LEAST_REPORTED:.0%}"
        )
    if rows.temperature_c is not None and len(rows.temperature_c):
        warm = rows.temperature_c
        strange = (warm < model.coldest_c - STRANGE_K) | (warm > model.warmest_c + STRANGE_K)
        if (share := float(strange.mean())) > MOST_STRANGE:
            yield (
                f"reporting: {share:.0%} of the hours are colder or warmer than any of the "
                f"baseline ({model.coldest_c:.1f} to {model.warmest_c:.1f} degC)"
            )


def _correlation(error: Numbers) -> float:
    """Return how far the error of one day tells that of the next; never below 0."""
    left = error - error.mean()
    total = float(left @ left)
    found = float(left[1:] @ left[:-1]) / total if total > 0 else 0.0
    found += (1 + 3 * found) / len(error)  # what is found in so few days is too low (Kendall)
    return min(max(found, 0.0), MOST_CORRELATION)


def fractional(cv: float, baseline: int, reporting: int, correlation: float, at: float) -> float:
    """Return Guideline 14's half width of a saving as a share of the expected use."""
    effective = max(baseline * (1 - correlation) / (1 + correlation), 2.0)
    t = student(at, effective - 1)
    spread = math.sqrt(baseline / effective * (1 + 2 / effective) / reporting)
    return t * ASHRAE_FACTOR * cv * spread


def student(confidence: float, freedom: float) -> float:
    """Return Student's t, two-sided, by its expansion around the normal law.

    >>> round(student(0.9, 30), 3), round(student(0.95, 10), 2)
    (1.697, 2.23)
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    v = max(freedom, 1.0)
    return z + first / v + second / v**2 + third / v**3
