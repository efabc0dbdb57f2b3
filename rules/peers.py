"""One among its like: the deviation of a day from places or devices of the same kind; pure."""

from __future__ import annotations

import numpy as np

from rules.day_columns import Numbers
from rules.deviation import deviations, spread_of, to_side
from rules.judged import Judgement
from rules.spec_windows import PeersRule

UNKNOWN = Judgement("unknown")
Facts = dict[str, float]


def judge(rule: PeersRule, values: Numbers) -> list[Judgement]:
    """Judge each of a group by the day of all of them; NaN where one is not known."""
    known = np.isfinite(values)
    if known.sum() < rule.members:
        few = {"members": int(known.sum()), "needed": rule.members}
        return [Judgement("unknown", facts=few)] * len(values)
    middle, spread = float(np.median(values[known])), spread_of(values[known])
    facts: Facts = {"median": middle, "spread": spread, "members": int(known.sum())}
    return [
        _judged(rule, value, middle, spread, facts) if fit else UNKNOWN
        for value, fit in zip(values.tolist(), known.tolist(), strict=True)
    ]


def _judged(rule: PeersRule, value: float, middle: float, spread: float, facts: Facts) -> Judgement:
    apart = value - middle
    told = facts | {"value": value}
    far = to_side(apart, rule.side)
    z = deviations(far, spread)
    # Where all are alike, the smallest difference is any number of deviations.
    if z > rule.limit and far > rule.floor:
        return Judgement("fault", z, rule.limit, told)
    fine = z <= rule.clear or far <= rule.floor
    return Judgement("fine" if fine else "between", z, rule.limit, told)
