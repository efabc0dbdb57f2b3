"""What a plant makes of a kWh, beside what it should in such weather; pure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rules.day_columns import Numbers
from rules.judged import Judgement
from rules.spec_windows import EfficiencyRule, Performance

LEAST_KNOWN = 0.5  # of the hours of the window


class Worked(NamedTuple):
    """What a plant did, by hours: heat made and electricity used (kWh), air and water (degC)."""

    made: Numbers
    used: Numbers
    air: Numbers
    water: Numbers


def judge(rule: EfficiencyRule, worked: Worked) -> Judgement:
    """Judge the window by the hours of which all is known."""
    hours = Worked(*(np.ravel(one) for one in worked))
    known = np.isfinite(np.stack(hours)).all(axis=0)
    made, used, air, water = (one[known] for one in hours)
    enough = known.mean() >= LEAST_KNOWN and known.reshape(rule.window, -1)[-1].any()
    facts: dict[str, float] = {"hours": int(known.sum()), "made": float(made.sum())}
    if not enough or made.sum() < rule.least * known.mean() * rule.window or used.sum() <= 0:
        return Judgement("unknown", facts=facts)
    should = used * expected_cop(rule.expected, air, water)
    share = _quantile(made[used > 0] / should[used > 0], used[used > 0], rule.quantile)
    facts |= {"cop": float(made.sum() / used.sum()), "expected": float(should.sum() / used.sum())}
    if share < rule.limit:
        return Judgement("fault", share, rule.limit, facts)
    return Judgement("fine" if share > rule.clear else "between", share, rule.limit, facts)


def _quantile(values: Numbers, weights: Numbers, share: float) -> float:
    """Return below which value a share of the weight lies."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(upto, share * upto[-1])])


def expected_cop(performance: Performance, air: Numbers, water: Numbers) -> Numbers:
    """Return the COP of a good plant, hour by hour."""
    cop = np.interp(air, performance.air, performance.cop)
    warmer = np.clip(1 - performance.per_kelvin * (water - performance.water), 0.1, None)
    return np.asarray(cop * warmer, np.float64)
