"""What is given and what is taken: energy, heat and water of a day; pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from rules.deviation import to_side
from rules.judged import Judgement
from rules.spec_windows import BalanceRule

KWH_PER_TONNE_K = 4.186 / 3.6  # of heat, for one K
HOURS = 24


class Partly(NamedTuple):
    """What is known of a sum of which some members are not; NaN where that is too little.

    It is ``at_least`` the known ones, and ``about`` so much when the few others are like them.
    """

    at_least: float = math.nan
    about: float = math.nan


NOTHING = Partly()


def judge(rule: BalanceRule, given: float, taken: float, partly: Partly = NOTHING) -> Judgement:
    """Judge a day by both sums; NaN where one is not known.

    Where ``taken`` is known only in part, its least may be too much already: a fault. And it is
    fine when nearly all are known and agree: in a large house some meter is silent on any day.
    """
    if math.isfinite(given) and math.isfinite(taken):
        return _compared(rule, given, taken)
    if partly.at_least > given:
        judgement = _compared(rule, given, partly.at_least)
        if judgement.state == "fault":
            return judgement
    if math.isfinite(given) and math.isfinite(partly.about):
        judgement = _compared(rule, given, partly.about)
        if judgement.state == "fine":
            return judgement
    missing = [name for name, one in (("given", given), ("taken", taken)) if math.isnan(one)]
    return Judgement("unknown", facts={"missing": missing})


def _compared(rule: BalanceRule, given: float, taken: float) -> Judgement:
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
