"""What is used by night, when almost nothing should be: the base load; pure."""

from __future__ import annotations

from rules.day_columns import Past
from rules.expected import learned
from rules.judged import Judgement
from rules.spec_windows import NightRule


def judge(rule: NightRule, past: Past) -> Judgement:
    """Judge the night of the last day by the nights of the weeks before."""
    return learned(rule, past, slice(rule.from_, rule.until), "high")
