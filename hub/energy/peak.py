"""The power of places: the highest 15 minutes of a time, and where the running ones lead."""

from __future__ import annotations

import numpy as np

from hub.energy import demand
from hub.energy.bill import Demand
from hub.energy.calendar import MINUTE_MS
from hub.energy.consumption import Consumption
from hub.energy.counter import Instants, Numbers, intervals
from hub.energy.demand import Forecast
from hub.energy.expected import NotEnough
from hub.energy.ledger import rule_of
from hub.energy.metering import Counter
from hub.energy.question import Query
from hub.energy.tariff import TariffsFile
from hub.model import Quality
from hub.ports import TimeSeriesStore

LOOK_MS = demand.PAST_MS + 2 * demand.WINDOW_MS
MOST_READINGS = 2_000_000
MOST_COUNTERS = 200
_GRID_MS = MINUTE_MS


class Peak:
    """Tells the power of places from their counters; calls block: run them in a worker."""

    def __init__(
        self, consumption: Consumption, store: TimeSeriesStore, tariffs: TariffsFile | None
    ) -> None:
        self._consumption = consumption
        self._store = store
        self._tariffs = tariffs

    def highest(self, place: str, start_ms: int, end_ms: int) -> Demand:
        """Return the highest window of a place between two instants (UTC ms)."""
        query = Query(start_ms=start_ms, end_ms=end_ms, places=(place,), step="quarter")
        table = self._consumption.use(query)
        return demand.maximum(table.edges, table.rows[0].steps)

    def limit_kw(self, place: str) -> float | None:
        """Return what was agreed for the account of a place, where something was."""
        account = self._tariffs.account(place, "electricity") if self._tariffs else None
        if account is None or account.contracted_kw is None:
            return None
        return float(account.contracted_kw) if account.place == place else None

    def running(self, place: str, now_ms: int) -> Forecast | NotEnough:
        """Return where the window that runs now leads, for the sum of a place's counters."""
        counters = self._consumption.metering("electricity").of(place)
        if not counters:
            return NotEnough(("no meter counts the electricity of this place",))
        if len(counters) > MOST_COUNTERS:
            return NotEnough((f"{len(counters)} meters and none of the whole; name a part of it",))
        curves = [self._curve(one, now_ms) for one in counters]
        if any(len(at) == 0 for at, _ in curves):
            return NotEnough(("a meter has no readings in the last hours",))
        if len(curves) == 1:
            ((at, level),) = curves
        else:
            # Meters are not read at the same moment: their sum is known up to the one that was
            # read first of all last.
            first, last = max(int(at[0]) for at, _ in curves), min(int(at[-1]) for at, _ in curves)
            gaps = [int(np.diff(at).max(initial=0)) for at, _ in curves]
            if last <= first or max(gaps) > demand.SPARSEST_MS:
                longest = max(gaps) / MINUTE_MS
                return NotEnough(
                    (f"a meter is read up to {longest:.0f} min apart; it takes one in 5 min",)
                )
            at = np.append(np.arange(first, last, _GRID_MS, dtype=np.int64), last)
            level = np.sum([np.interp(at, *curve) for curve in curves], axis=0)
        return demand.forecast(at[:-1], at[1:], np.diff(level), now_ms)

    def _curve(self, one: Counter, now_ms: int) -> tuple[Instants, Numbers]:
        """Return instants and what was used up to them, as the counter's readings tell."""
        found = self._store.raw([one.point.number], now_ms - LOOK_MS, now_ms + 1, MOST_READINGS)
        good = found.taken(found.quality & 3 <= int(Quality.UNCERTAIN))
        made = intervals(good.at_ms, good.value, rule_of(one.point, one.device))
        if not len(made):
            return np.empty(0, np.int64), np.empty(0, np.float64)
        at = np.append(made.start_ms[:1], made.end_ms)
        return at, np.append(0.0, np.cumsum(made.used)) * one.factor
