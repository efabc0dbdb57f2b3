"""What is given and what is taken: energy, heat and water of a day; pure."""

from __future__ import annotations

import math

from rules.deviation import to_side
from rules.judged import Judgement
from rules.spec_windows import BalanceRule

KWH_PER_TONNE_K = 4.186 / 3.6  # of heat, for one K
HOURS = 24


def judge(rule: BalanceRule, given: float, taken: float, at_least: float = math.nan) -> Judgement:
    """Judge a day by both sums; NaN where one is not known.

    Of ``taken`` it may be known what it is at least: when that alone is too much, it is a fault.
    """
    if math.isnan(taken) and at_least > given:
        judgement = judge(rule, given, at_least)
        if judgement.state == "fault":
            return judgement
    if not (math.isfinite(given) and math.isfinite(taken)):
        missing = [name for name, one in (("given", given), ("taken", taken)) if math.isnan(one)]
        return Judgement("unknown", facts={"missing": missing})
    facts = {"given": given, "taken": taken}
    apart = to_side(given - taken, rule.side)
    # Where nothing is given all that is taken is too much: a share of the larger of the two.
    share = apart / max(given, taken) if apart > 0 else 0.0
    if share > rule.limit and apart > rule.floor:
        return Judgement("fault", share, rule.limit, facts)
    clear = share < rule.clear or apart <= rule.floor * rule.clear / max(rule.limit, rule.clear)
    return Judgement("fine" if clear else "between", share, rule.limit, facts)


def heat_taken(rule: BalanceRule, delivered: float, supply: float) -> float:
    """Return the heat (kWh) that left a plant in a day: in water of ``supply`` degC, and lost.

    ``delivered`` is in m3; NaN where it or the temperature is not known.
    """
    return KWH_PER_TONNE_K * delivered * (supply - rule.cold) + HOURS * rule.losses


def hot_part(rule: BalanceRule, drawn: float, supply: float) -> float:
    """Return the hot water (m3) in what terminals drew, which was mixed with cold water."""
    if not supply > rule.mixed:  # nothing can be mixed in: all of it is hot water; NaN: not known
        return drawn if supply <= rule.mixed else math.nan
    return drawn * (rule.mixed - rule.cold) / (supply - rule.cold)
