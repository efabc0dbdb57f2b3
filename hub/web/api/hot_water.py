"""What plants deliver as hot water and what that takes, as JSON or as a file of the same digits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hub.energy import told_hot_water
from hub.energy.calendar import Step
from hub.energy.hot_water_row import By
from hub.ports import Refused
from hub.sheet import Format
from hub.web.api.campus import place_named
from hub.web.api.files import file_answer
from hub.web.api.history import between
from hub.web.language import language_of
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["hot water"], dependencies=[LOOK])


@router.get("/hot-water")
async def hot_water(
    request: Request,
    start: datetime,
    end: datetime,
    place: str = "",
    *,
    step: Step = "total",
    by: By = "plant",
    form: Annotated[Literal["json"] | Format, Query(alias="format")] = "json",
) -> Response:
    """Return tonnes, kWh a tonne, temperatures, losses and sessions; null: not enough data."""
    parts = parts_of(request)
    start_ms, end_ms = between(request, start, end)
    where = place_named(parts.site, place) if place else parts.site.id
    try:
        parts.hot_water.check(where, start_ms, end_ms, step)
    except Refused as error:
        raise Problem(422, str(error), "Ask for less at once; the limit is named.") from error
    found = await parts.store_worker.run(
        lambda: parts.hot_water.ask(where, start_ms, end_ms, step, by)
    )
    zone, language = parts.site.zone, language_of(request)
    if form == "json":
        return JSONResponse(told_hot_water.answer(found, step, zone))
    sheet = told_hot_water.sheet(found, step, zone, language)
    return await file_answer(parts, sheet, form, "hot-water", language)
