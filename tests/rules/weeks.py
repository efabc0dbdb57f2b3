"""Weeks of made-up hours, and rules over days in their shortest form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from rules.day_columns import Numbers, Past
from rules.spec import Rule

WORDS = {"zh": "词", "en": "word"}
FRIDAY = date(2026, 11, 20)
RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
WEEKS = 29  # days: four weeks and the day that is judged


def rule(kind: str, **keys: object) -> Any:
    common = {"id": "rule", "kind": kind, "severity": "small", "title": WORDS, "guidance": WORDS}
    return RULE.validate_python(common | keys)


def hours(of: Callable[[int, int], float], days: int = WEEKS, noise: float = 0.05) -> Numbers:
    """Return days x 24 hours by (day of the week, hour); the last day is a Friday."""
    draw = np.random.default_rng(1)
    weekday = [(FRIDAY.weekday() + 1 - days + n) % 7 for n in range(days)]
    made = np.array([[of(day, hour) for hour in range(24)] for day in weekday], np.float64)
    return np.asarray(made * draw.normal(1.0, noise, made.shape), np.float64)


def past(
    of_hours: Numbers, classes: tuple[str, ...] | None = None, total: Numbers | None = None
) -> Past:
    days = len(of_hours)
    whole = of_hours.sum(axis=1) if total is None else total
    return Past(FRIDAY, of_hours, whole, classes or ("term",) * days)


def dormitory(weekday: int, hour: int) -> float:
    """Return the kWh of an hour: an evening peak, more at the weekend, little by night."""
    evening = 30.0 if 18 <= hour < 23 else 0.0
    day = 12.0 if 7 <= hour < 23 else 4.0
    return (day + evening) * (1.3 if weekday >= 5 else 1.0)
