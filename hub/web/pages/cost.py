"""The part of the energy page about money: bills of the place and time, and its demand."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from hub.energy import told
from hub.energy.bill import Bill, Demand
from hub.energy.cost import Cost, CostQuery, PlaceCost
from hub.energy.demand import Forecast
from hub.energy.expected import NotEnough
from hub.energy.peak import Peak
from hub.energy.question import Query
from hub.energy.told_cost import plain, quantity
from hub.ports import Refused
from hub.sheet import FORMATS
from hub.web.pages.frame import Frame

LONGEST_DEMAND_MS = 62 * 24 * 3_600_000  # quarters of more days are no matter of a moment
SYMBOLS = {"CNY": "¥"}


@dataclass(frozen=True, slots=True)
class CostSection:
    """What is shown: bills, or why there are none; the highest window, and the running one."""

    cost: PlaceCost | None
    refused: str | None
    highest: Demand | None
    running: Forecast | NotEnough | None
    limit_kw: float | None
    files: tuple[tuple[str, str], ...]

    plain = staticmethod(plain)
    quantity = staticmethod(quantity)

    def currency(self, bill: Bill) -> str:
        """Return how the currency of a bill is written."""
        return SYMBOLS.get(bill.currency, bill.currency + " ")

    @property
    def forecast(self) -> Forecast | None:
        """Return where the running window leads, None where it cannot be told."""
        return self.running if isinstance(self.running, Forecast) else None


async def cost_section(page: Frame, question: Query) -> CostSection:
    """Return the section for the place and time of a question."""
    parts = page.parts

    def read() -> CostSection:
        (place,) = question.places
        query = CostQuery(question.start_ms, question.end_ms, (place,), utility=question.utility)
        cost, refused = None, None
        try:
            pricing = Cost(parts.site, parts.consumption, parts.tariffs)
            (cost,) = pricing.of(query).rows
        except Refused as error:
            refused = str(error)
        peak = Peak(parts.consumption, parts.store, parts.tariffs)
        highest, running = None, None
        length = question.end_ms - question.start_ms
        if question.utility == "electricity" and length <= LONGEST_DEMAND_MS:
            highest = peak.highest(place, question.start_ms, question.end_ms)
            if question.end_ms >= page.now_ms:
                running = peak.running(place, page.now_ms)
        limit = peak.limit_kw(place)
        return CostSection(cost, refused, highest, running, limit, _files(page, question))

    return await parts.store_worker.run(read)


def _files(page: Frame, question: Query) -> tuple[tuple[str, str], ...]:
    zone = page.parts.site.zone
    given = [
        ("start", told.at(question.start_ms, zone)),
        ("end", told.at(question.end_ms, zone)),
        *(("place", one) for one in question.places),
        ("utility", question.utility),
        ("lang", page.language),
    ]
    return tuple(
        (form, "/api/v1/cost?" + urlencode([*given, ("format", form)])) for form in FORMATS
    )
