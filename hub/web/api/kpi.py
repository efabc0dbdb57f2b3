"""How well the service promise is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from hub.kpi import By, Period, told
from hub.kpi.service import Asked, service_figures
from hub.sheet import Format
from hub.web.api.files import file_answer
from hub.web.api.history import between
from hub.web.language import language_of
from hub.web.parts import parts_of
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["service"], dependencies=[LOOK])


@router.get("/kpi/service")
async def service(
    request: Request,
    start: Annotated[datetime, Query(alias="from")],
    end: Annotated[datetime, Query(alias="to")],
    *,
    by: By | None = None,
    form: Annotated[Literal["json"] | Format, Query(alias="format")] = "json",
) -> Response:
    """Return the figures of the tickets that were opened in a time; null: nobody knows."""
    parts = parts_of(request)
    span, roster = between(request, start, end), parts.roster()
    crews = roster.crews.values() if roster else ()
    contractors = frozenset(crew.id for crew in crews if crew.contractor)
    asked = Asked(Period(*span, parts.clock.now_ms()), by, contractors)
    answer = await parts.database_worker.run(lambda: service_figures(parts.database, asked))
    language = language_of(request)
    if form == "json":
        return JSONResponse(told.answer(answer, parts.site.zone))
    return await file_answer(parts, told.sheet(answer, language), form, "service", language)
