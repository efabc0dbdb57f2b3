"""Where legionella can grow: a store that is never hot, an outlet that nobody opens; pure."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from rules.day_columns import Numbers, Past
from rules.judged import Judgement
from rules.spec_windows import ExposureRule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def judge_store(rule: ExposureRule, high: Numbers, low: Numbers) -> Judgement:
    """Judge a store by the highest and lowest temperature (degC) of each hour, days x 24.

    It was cold only if every hour is known and was: a missing hour may have been hot.
    """
    window = np.ravel(high)[-(rule.for_ // HOUR) :]
    lowest = low[-1]
    hottest = float(np.nanmax(window)) if np.isfinite(window).any() else None
    facts = {"hours": int(np.isfinite(window).sum()), "needed": len(window)}
    if bool((lowest >= rule.clear).any()):
        return Judgement("fine", hottest, rule.limit, facts)
    if hottest is not None and hottest >= rule.limit:
        return Judgement("between", hottest, rule.limit, facts)
    if not np.isfinite(window).all():
        return Judgement("unknown", hottest, rule.limit, facts)
    return Judgement("fault", hottest, rule.limit, facts)


def judge_outlet(rule: ExposureRule, past: Past) -> Judgement:
    """Judge an outlet by what it drew (litres) on each of the last days."""
    window = past.total[-(rule.for_ // DAY) :]
    drawn = float(np.nansum(window)) if np.isfinite(window).any() else None
    facts = {"days": int(np.isfinite(window).sum()), "needed": len(window)}
    if window[-1] >= rule.clear:
        return Judgement("fine", drawn, rule.limit, facts)
    if drawn is not None and drawn > rule.limit:
        return Judgement("between", drawn, rule.limit, facts)
    if not np.isfinite(window).all():
        return Judgement("unknown", drawn, rule.limit, facts)
    return Judgement("fault", drawn, rule.limit, facts)
