"""A day beside what such days of the weeks before let expect; pure."""

from __future__ import annotations

from rules.day_columns import HOURS, Past
from rules.deviation import deviations, to_side, usual
from rules.judged import Judgement
from rules.spec_windows import ExpectedRule, NightRule, Side


def judge(rule: ExpectedRule, past: Past) -> Judgement:
    """Judge the last day of the past by the days before it; hours are compared one by one.

    Only the hours that are known of the judged day count, on all days.
    """
    return learned(rule, past, slice(0, HOURS), rule.side)


def learned(rule: ExpectedRule | NightRule, past: Past, hours: slice, side: Side) -> Judgement:
    """Judge some hours of the last day by what is usual in them."""
    found = usual(past, hours, rule.spread)
    if found is None:
        return Judgement("unknown", facts={"class": past.classes[-1]})
    value, (level, spread, days) = found
    apart = to_side(value - level, side)
    z = deviations(apart, spread)
    facts = {
        "value": value, "usual": level, "spread": spread, "days": days, "class": past.classes[-1]
    }  # fmt: skip
    if z > rule.limit and apart > rule.floor:
        return Judgement("fault", z, rule.limit, facts)
    fine = z < rule.clear or apart <= rule.floor
    return Judgement("fine" if fine else "between", z, rule.limit, facts)
