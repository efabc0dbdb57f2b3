"""Planned outages: what is off for a while, entered by people."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.database import records
from hub.model import Json, Outage
from hub.ports import Refused
from hub.web.api import written
from hub.web.api.history import instant_ms
from hub.web.api.paging import Answer, Paged
from hub.web.api.work import Key, action
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Holds

router = APIRouter(prefix="/api/v1", tags=["outages"], dependencies=[LOOK])


class Plan(BaseModel):
    """An outage of a place, a gateway or a device; an instant without an offset is site time."""

    model_config = ConfigDict(extra="forbid")

    area: str = Field(min_length=1, max_length=200)
    start: datetime
    end: datetime
    reason: str = Field(min_length=1, max_length=500)
    rules: list[str] = Field(default_factory=list, max_length=50)


@router.get("/outages")
async def outages(
    request: Request, part: Paged, *, past: Annotated[bool, Query()] = False
) -> Answer:
    """List the planned outages that are not over, or with ``past`` all; the latest first."""
    parts = parts_of(request)
    now_ms = None if past else parts.clock.now_ms()
    rows = await parts.database_worker.run(
        lambda: records.outages(parts.database, not_before_ms=now_ms)
    )
    return part.of(rows, lambda one: written.outage(one, parts.site.zone))


@router.post("/outages", status_code=201)
async def plan(request: Request, viewer: Holds, said: Plan, key: Key = "") -> Answer:
    """Enter a planned outage; alarms of its area are suppressed, those of ``rules`` expected."""
    zone = parts_of(request).site.zone
    try:
        start_ms, end_ms = instant_ms(said.start, zone), instant_ms(said.end, zone)
    except (OverflowError, ValueError):
        raise Problem(422, "start or end lies outside every calendar.", "Name real days.") from None
    planned = {
        "area": said.area, "start_ms": start_ms, "end_ms": end_ms,
        "reason": said.reason, "rules": said.rules,
    }  # fmt: skip
    return await _done(request, viewer, key, {"kind": "plan_outage", "planned": planned})


@router.post("/outages/{id_}/end")
async def end(request: Request, viewer: Holds, id_: str, key: Key = "") -> Answer:
    """End a planned outage before its time, or call it off."""
    return await _done(request, viewer, key, {"kind": "end_outage", "outage": id_})


async def _done(request: Request, viewer: Holds, key: str, content: dict[str, Json]) -> Answer:
    parts = parts_of(request)
    found = await parts.act(action(parts, viewer, key, content))
    if not isinstance(found, Outage):
        raise Refused("what was done is about no outage")
    return written.outage(found, parts.site.zone)
