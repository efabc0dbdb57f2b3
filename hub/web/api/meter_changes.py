"""Changes of meters: what people entered, and entering one more."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.database.meter_changes import Record
from hub.energy.meter_changes import Change, MeterChanges
from hub.web.api.campus import device_named
from hub.web.api.history import instant_ms
from hub.web.api.paging import Answer, Paged
from hub.web.form import iso
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Meters

router = APIRouter(prefix="/api/v1", tags=["meters"], dependencies=[LOOK])


class Said(BaseModel):
    """What became of a meter; an instant without an offset is site time."""

    model_config = ConfigDict(extra="forbid")

    at: datetime
    closing: float = Field(allow_inf_nan=False)
    opening: float = Field(allow_inf_nan=False)
    multiplier: float | None = Field(None, allow_inf_nan=False)
    reason: str = Field(min_length=1, max_length=500)
    point: str | None = Field(None, max_length=100)
    corrects: int | None = None
    void: bool = False


@router.get("/devices/{id_:path}/meter-changes")
async def meter_changes(request: Request, part: Paged, id_: str) -> Answer:
    """List what was entered about a device's counters; corrected records stay and say so."""
    parts = parts_of(request)
    device = device_named(parts.site, id_)
    changes = _changes(request)
    found = await parts.database_worker.run(lambda: changes.of(device.id))
    return part.of(found, lambda record: written(record, parts.site.zone))


@router.post("/devices/{id_:path}/meter-changes", status_code=201)
async def enter(request: Request, viewer: Meters, id_: str, said: Said) -> Answer:
    """Enter a change of a meter; every figure that it touches is right from the next question on.

    ``corrects`` puts it in the place of an earlier record, ``void`` takes that one back.
    """
    parts = parts_of(request)
    device = device_named(parts.site, id_)
    changes = _changes(request)
    fields = said.model_dump(exclude={"at"})
    change = Change(at_ms=instant_ms(said.at, parts.site.zone), **fields)
    now_ms = parts.clock.now_ms()
    record = await parts.database_worker.run(
        lambda: changes.enter(device.id, change, viewer.name, now_ms)
    )
    return written(record, parts.site.zone)


def _changes(request: Request) -> MeterChanges:
    changes = parts_of(request).meter_changes
    if changes is None:
        raise Problem(409, "This hub keeps no changes of meters.")
    return changes


def written(record: Record, zone: ZoneInfo) -> Answer:
    """Write a record."""
    one = record.entered
    return {
        "n": record.n,
        "point": one.point,
        "at": iso(one.at_ms, zone),
        "closing": one.closing,
        "opening": one.opening,
        "multiplier": one.multiplier,
        "reason": one.reason,
        "actor": one.actor,
        "entered": iso(one.entered_ms, zone),
        "corrects": one.corrects,
        "void": one.void,
        "corrected_by": record.corrected_by,
        "stands": record.stands,
    }
