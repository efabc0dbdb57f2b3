"""What use costs, and the power it is charged by: the highest 15 minutes, and those that run."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hub.energy import told_cost
from hub.energy.cost import Cost, CostBy, CostQuery
from hub.energy.demand import Forecast
from hub.energy.metering import Utility
from hub.energy.peak import Peak
from hub.ports import Refused
from hub.sheet import Format
from hub.web.api.campus import place_named
from hub.web.api.consumption import Names
from hub.web.api.files import file_answer
from hub.web.api.history import between
from hub.web.api.paging import Answer
from hub.web.language import language_of
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["cost"], dependencies=[LOOK])


@router.get("/cost")
async def cost(  # noqa: PLR0913 - one parameter of the address each
    request: Request,
    start: datetime,
    end: datetime,
    place: Names = None,
    *,
    by: CostBy = "place",
    utility: Utility = "electricity",
    tariff: Annotated[str | None, Query(max_length=130)] = None,
    form: Annotated[Literal["json"] | Format, Query(alias="format")] = "json",
) -> Response:
    """Return the bills of places, line by line, with what of them is estimated and missing.

    ``tariff`` prices the same use by another: a tariff's id, a version's, or ``tariff@version``.
    """
    parts = parts_of(request)
    start_ms, end_ms = between(request, start, end)
    places = tuple(place_named(parts.site, one) for one in place or ())
    query = CostQuery(start_ms, end_ms, places, by, utility, tariff)
    pricing = Cost(parts.site, parts.consumption, parts.tariffs)
    try:
        table = await parts.store_worker.run(lambda: pricing.of(query))
    except Refused as error:
        raise Problem(422, str(error), "Correct what is named; nothing was priced.") from error
    zone, language = parts.site.zone, language_of(request)
    if form == "json":
        return JSONResponse(told_cost.answer(table, zone))
    sheet = told_cost.sheet(table, zone, language)
    return await file_answer(parts, sheet, form, sheet.name, language)


@router.get("/demand")
async def demand(request: Request, start: datetime, end: datetime, place: str) -> Answer:
    """Return the highest 15 minutes of a place, and where the running ones lead (kW).

    ``running`` is null where the time asked for is over, or with reasons where readings are too
    few to say.
    """
    parts = parts_of(request)
    start_ms, end_ms = between(request, start, end)
    named = place_named(parts.site, place)
    peak = Peak(parts.consumption, parts.store, parts.tariffs)
    now_ms, zone = parts.clock.now_ms(), parts.site.zone
    try:
        highest = await parts.store_worker.run(
            lambda: peak.highest(named, start_ms, min(end_ms, max(now_ms, start_ms + 1)))
        )
    except Refused as error:
        raise Problem(422, str(error), "Ask for less at once; the limit is named.") from error
    running = None
    if start_ms <= now_ms < end_ms:
        found = await parts.store_worker.run(lambda: peak.running(named, now_ms))
        running = (
            told_cost.forecast(found, peak.limit_kw(named), zone)
            if isinstance(found, Forecast)
            else {"reasons": list(found.reasons)}
        )
    return {"place": named, "highest": told_cost.demand(highest, zone), "running": running}
