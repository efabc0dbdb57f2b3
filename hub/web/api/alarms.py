"""Alarms: their states, their history, what they ask of people, and what people do to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.access import Viewer
from hub.database import records
from hub.desk.duty import crew_of
from hub.model import Alarm, AlarmState, Json
from hub.web.api import written
from hub.web.api.history import instant_ms
from hub.web.api.paging import Answer, Paged
from hub.web.api.work import Key, Places, action
from hub.web.form import iso
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Holds, Works
from rules.load import HOUR_MS, Load, load_of, loads_by

router = APIRouter(prefix="/api/v1", tags=["alarms"], dependencies=[LOOK])
LONGEST_H = 400 * 24


class Shelving(BaseModel):
    """Why, and for how long, an alarm is shelved: an instant, or a time from now on."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)
    until: datetime | None = None
    for_: timedelta | None = Field(None, alias="for")


class Removal(BaseModel):
    """Why an alarm is taken out of service."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=500)


@router.get("/alarms")
async def alarms(
    request: Request,
    part: Paged,
    state: Annotated[list[AlarmState] | None, Query()] = None,
    place: Places = None,
    root: Annotated[str | None, Query(max_length=40)] = None,
) -> Answer:
    """List alarms, the latest first; with ``root`` those that are effects of one."""
    parts = parts_of(request)
    wanted = records.Filter(states=state, places=place, root=root)
    rows, total = await parts.database_worker.run(
        lambda: (
            records.alarms(parts.database, wanted, limit=part.limit, offset=part.offset),
            records.count_alarms(parts.database, wanted),
        )
    )
    return part.answer([written.alarm(row, parts.site.zone) for row in rows], total)


@router.get("/alarms/kpi")
async def kpi(request: Request, hours: Annotated[int, Query(ge=1, le=LONGEST_H)] = 24) -> Answer:
    """Return what the alarms of the last hours asked of people, in all and of each crew.

    The figures are those of ISA-18.2 and EEMUA 191.
    """
    parts = parts_of(request)
    end_ms = parts.clock.now_ms() + 1
    start_ms = end_ms - hours * HOUR_MS
    load, crews = await parts.database_worker.run(
        lambda: (load_between(parts, start_ms, end_ms), loads_between(parts, start_ms, end_ms))
    )
    flood = parts.flood()
    now = {
        "flood_since": iso(flood.since_ms, parts.site.zone),
        "alarms_in_ten_minutes": flood.count,
    }
    return now | written_load(load) | {"crews": written_loads(crews)}


@router.get("/alarms/{id_}")
async def alarm(request: Request, id_: str) -> Answer:
    """Return one alarm with its history."""
    parts = parts_of(request)
    return await parts.database_worker.run(lambda: _with_history(parts, id_))


@router.post("/alarms/{id_}/acknowledge")
async def acknowledge(request: Request, viewer: Works, id_: str, key: Key = "") -> Answer:
    """Say that an alarm was seen."""
    return await _done(request, viewer, key, {"kind": "acknowledge_alarm", "alarm": id_})


@router.post("/alarms/{id_}/reset")
async def reset(request: Request, viewer: Works, id_: str, key: Key = "") -> Answer:
    """Say that what a latched alarm was about is over."""
    return await _done(request, viewer, key, {"kind": "reset", "alarm": id_})


@router.post("/alarms/{id_}/shelve")
async def shelve(
    request: Request, viewer: Holds, id_: str, said: Shelving, key: Key = ""
) -> Answer:
    """Hold an alarm back until an instant; then it is raised again if it is still there."""
    parts = parts_of(request)
    if (said.until is None) == (said.for_ is None):
        raise Problem(422, "Until when is not clear.", "Send one of until and for.")
    if said.until is not None:
        until_ms = instant_ms(said.until, parts.site.zone)
    else:
        until_ms = parts.clock.now_ms() + (said.for_ or timedelta()) // timedelta(milliseconds=1)
    content = {"kind": "shelve", "alarm": id_, "note": said.reason, "until_ms": until_ms}
    return await _done(request, viewer, key, content)


@router.post("/alarms/{id_}/out-of-service")
async def remove(request: Request, viewer: Holds, id_: str, said: Removal, key: Key = "") -> Answer:
    """Take an alarm out of service until somebody returns it."""
    content = {"kind": "remove", "alarm": id_, "note": said.reason}
    return await _done(request, viewer, key, content)


Return = Literal["unshelve", "return-to-service"]


@router.post("/alarms/{id_}/{what}")
async def give_back(
    request: Request, viewer: Holds, id_: str, what: Return, key: Key = ""
) -> Answer:
    """End a hold; what is still there is raised again."""
    return await _done(request, viewer, key, {"kind": what.replace("-", "_"), "alarm": id_})


async def _done(request: Request, viewer: Viewer, key: str, content: Mapping[str, Json]) -> Answer:
    """Let something be done to an alarm, and return it afterwards."""
    parts, id_ = parts_of(request), content["alarm"]
    await parts.database_worker.run(lambda: _found(parts, id_))
    await parts.act(action(parts, viewer, key, content))
    return await parts.database_worker.run(lambda: _with_history(parts, id_))


def _found(parts: Parts, id_: str) -> Alarm:
    found = records.alarm(parts.database, id_)
    if found is None:
        raise Problem(404, f"There is no alarm {id_}.", "GET /api/v1/alarms lists them.")
    return found


def _with_history(parts: Parts, id_: str) -> Answer:
    zone = parts.site.zone
    lines = [written.event(line, zone) for line in records.alarm_history(parts.database, id_)]
    return written.alarm(_found(parts, id_), zone) | {"events": lines}


def load_between(parts: Parts, start_ms: int, end_ms: int) -> Load:
    """Work out the figures of start <= at < end from the tables."""
    events = records.alarm_events(parts.database, start_ms, end_ms)
    touched = {event.alarm for event in events}
    return load_of(records.alarms_of(parts.database, touched), events, start_ms, end_ms)


def loads_between(parts: Parts, start_ms: int, end_ms: int) -> dict[str, Load]:
    """Work out the same figures for each crew; none where the site has no roster."""
    roster, site = parts.roster(), parts.site
    if roster is None:
        return {}
    events = records.alarm_events(parts.database, start_ms, end_ms)
    alarms = records.alarms_of(parts.database, {event.alarm for event in events})

    def crew(alarm: Alarm) -> str:
        return crew_of(roster, site.kind_of(alarm.device), alarm.place)

    return loads_by(crew, alarms, events, start_ms, end_ms)


def written_loads(crews: Mapping[str, Load]) -> list[Answer]:
    """Write the figures of each crew."""
    return [{"crew": crew, **written_load(one)} for crew, one in crews.items()]


def written_load(load: Load) -> Answer:
    """Write the figures."""
    top = [
        {"device": device, "rule": rule, "alarms": n, "share": share}
        for device, rule, n, share in load.top
    ]
    return load._asdict() | {"top": top, "bearable": load.bearable}
