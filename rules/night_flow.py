"""Water that flows also in the stillest hour of the night: a leak; pure.

The rolling quantile of the smallest hours is that of UKWIR's night-line methods: one guest who
showers at three raises one night, a leak raises them all.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from rules.day_columns import HOURS, Numbers, Past
from rules.deviation import spread_of
from rules.judged import Judgement
from rules.spec_windows import NightFlowRule

HOUR = timedelta(hours=1)
LEAST_NIGHTS = 5  # of the weeks before, or nothing is known of what is usual
NIGHT = slice(0, 6)  # hours of the day in which the water would stand still, if ever
LEAST_OF_NIGHT = 0.5
MOST_KNOWN = 0.75


def judge(rule: NightFlowRule, past: Past) -> Judgement:
    """Judge the last day of the past: ``hours`` are m3 in each hour, which are m3/h."""
    smallest = least_of(past.hours)
    recent, before = smallest[-rule.window :], smallest[: -rule.window]
    recent, before = recent[np.isfinite(recent)], before[np.isfinite(before)]
    today = smallest[-1]
    if not np.isfinite(today) or 2 * len(recent) <= rule.window:
        return Judgement("unknown", facts={"nights": len(recent), "needed": rule.window})
    known = len(before) >= LEAST_NIGHTS
    usual = float(np.median(before)) if known else 0.0
    reach = rule.deviations * spread_of(before) if known else 0.0
    flow, limit = float(np.quantile(recent, rule.quantile)), max(rule.limit, usual + reach)
    stood = bool((past.hours.reshape(-1)[-(rule.still // HOUR) :] <= rule.zero).any())
    facts = {"usual": usual, "smallest": float(today), "nights": len(recent), "stood_still": stood}
    if today <= rule.zero or today <= max(usual + reach, rule.limit):
        return Judgement("fine", flow, limit, facts)
    if flow <= limit or stood:
        return Judgement("between", flow, limit, facts)
    if not _watched(rule, past):  # in the hours that are not known nothing may have flowed
        return Judgement("unknown", flow, limit, facts)
    return Judgement("fault", flow, limit, facts, grave=flow > rule.grave)


def _watched(rule: NightFlowRule, past: Past) -> bool:
    """Tell whether most hours of each night are known, in which it would have stood still."""
    days = -(-rule.still // timedelta(days=1))
    return bool((np.isfinite(past.hours[-days:, NIGHT]).mean(axis=1) >= LEAST_OF_NIGHT).all())


def least_of(hours: Numbers) -> Numbers:
    """Return the smallest hour of each day, NaN where less than most of its hours are known."""
    known = np.isfinite(hours)
    least = np.where(known, hours, np.inf).min(axis=1)
    return np.where(known.sum(axis=1) >= MOST_KNOWN * HOURS, least, np.nan)
