"""Which rate of a tariff counts when, by the clock on the wall; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.energy import calendar
from hub.energy.tariff import TariffsFile, Version
from hub.energy.timetable import RATES, STEP_MIN, Rate
from hub.model import Text

HOUR_MIN = 60
QUARTERS = HOUR_MIN // STEP_MIN
RATE_NAMES: Mapping[Rate, Text] = {
    "sharp": Text("尖", "sharp"),
    "peak": Text("峰", "peak"),
    "flat": Text("平", "flat"),
    "valley": Text("谷", "valley"),
    "deep_valley": Text("深谷", "deep valley"),
}


def rates(
    edges: NDArray[np.int64], version: Version, calendar_of: TariffsFile, zone: ZoneInfo
) -> NDArray[np.int8]:
    """Return for each step which of RATES counts at its start, by the clock on the wall."""
    found = np.empty(len(edges) - 1, np.int8)
    known: dict[int, Sequence[int]] = {}
    for n, start in enumerate(edges[:-1].tolist()):
        at = calendar.local(start, zone)
        key = at.toordinal()
        if key not in known:
            day = version.day(at.month, calendar_of.kind_of(at.date()))
            known[key] = [RATES.index(rate) for rate in day]
        found[n] = known[key][(at.hour * HOUR_MIN + at.minute) // STEP_MIN]
    return found


def step_of(version: Version) -> calendar.Step:
    """Return the longest step within which no price changes: a longer one is known better."""
    if not version.hours:
        return "total"
    days = [hours.by_quarter() for hours in version.hours]
    fine = any(
        day[n] != day[n + 1]
        for day in days
        for n in range(len(day))
        if n % QUARTERS != QUARTERS - 1
    )
    return "quarter" if fine else "hour"
