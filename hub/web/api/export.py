"""Readings as files, raw or per step."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.journal import pack
from hub.model import Entry, EntryKind
from hub.sheet import Format
from hub.sheet.readings import readings_sheet, series_sheet
from hub.web.api.campus import Chosen
from hub.web.api.files import file_answer
from hub.web.api.history import Period, between, step_of
from hub.web.language import language_of
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["export"], dependencies=[LOOK])
MOST_PACKED = 500_000  # 21 bytes each
MOST_ROWS = 100_000_000  # a month of a building by the minute; it streams, but not for days


@router.get("/export")
async def export(
    request: Request,
    points: Chosen,
    start: datetime,
    end: datetime,
    step: timedelta | None = None,
    form: Annotated[Format, Query(alias="format")] = "csv",
) -> Response:
    """Return the readings of points, devices or places; with a step what they come to in it."""
    parts = parts_of(request)
    store, site, language = parts.store, parts.site, language_of(request)
    span = between(request, start, end)
    if step is None:
        sheet = readings_sheet(store, site, points, span, language)
    else:
        period = Period(*span, step_of(step))
        if period.steps * len(points) > MOST_ROWS:
            do = "Use a longer step, a shorter time or fewer points."
            raise Problem(422, f"More than {MOST_ROWS:,} rows are asked for.", do)
        sheet = series_sheet(store, site, points, period, language)
    return await file_answer(parts, sheet, form, sheet.name, language)


@router.get("/export/packed")
async def packed(
    request: Request,
    points: Chosen,
    start: datetime,
    end: datetime,
    rows: Annotated[int, Query(ge=1, le=MOST_PACKED)] = MOST_PACKED,
) -> Response:
    """Return raw readings as columns, in the form of the journal: for the hub's own commands.

    No more than ``rows`` of them, in order of (point, at): as many may be a part of what there is.
    """
    parts = parts_of(request)
    span, numbers = between(request, start, end), [point.number for point in points]
    batch = await parts.file_worker.run(lambda: parts.store.raw(numbers, *span, rows))
    body = pack(Entry(EntryKind.READINGS, span[1], batch))
    return Response(body, media_type="application/octet-stream")
