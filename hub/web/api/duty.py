"""Who is on duty, who works when, and swaps of shifts."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.access import Viewer, may
from hub.database import swaps
from hub.energy import calendar
from hub.model import Swap
from hub.ports import Refused
from hub.web.api import written
from hub.web.api.paging import Answer, Paged
from hub.web.api.work import Key, action
from hub.web.form import iso
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Looks, Rosters
from rules.roster import Roster, Turn
from rules.roster_form import Crew

router = APIRouter(prefix="/api/v1", tags=["duty"], dependencies=[LOOK])
MOST_DAYS = 92
AHEAD_MS = 8 * 86_400_000
DAY = Query(description="a civil day of the site, like 2026-11-20")


class Wish(BaseModel):
    """A turn that one person gives to another; ``back`` is one in return."""

    model_config = ConfigDict(extra="forbid")

    turn: str = Field(min_length=1, max_length=100)
    gives: str = Field(min_length=1, max_length=100)
    takes: str = Field(min_length=1, max_length=100)
    back: str | None = Field(None, min_length=1, max_length=100)
    note: str = Field("", max_length=500)


@router.get("/duty")
async def duty(
    request: Request,
    viewer: Looks,
    place: Annotated[str, Query(max_length=120)] = "",
    skill: Annotated[str, Query(max_length=60)] = "",
) -> Answer:
    """Say who is on duty now and next, by crew; with ``place`` or ``skill`` the fittest first."""
    parts = parts_of(request)
    roster, now_ms = _roster(parts), parts.clock.now_ms()
    crews = [_crew(roster, crew, now_ms, viewer) for crew in roster.file.crews]
    answer = {"at": iso(now_ms, parts.site.zone), "crews": crews}
    if place or skill:
        fit = roster.on_duty(now_ms, place, skill)
        answer["fittest"] = [_named(roster, one.person, viewer) for one in fit]
    return answer


@router.get("/roster")
async def roster_of_days(
    request: Request,
    part: Paged,
    start: Annotated[date | None, DAY] = None,
    days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 14,
) -> Answer:
    """List the shifts that touch some days from a day on, or from today; swaps are in it."""
    parts = parts_of(request)
    roster, zone = _roster(parts), parts.site.zone
    first = start or datetime.fromtimestamp(parts.clock.now_ms() / 1000, zone).date()
    try:
        span = [calendar.day_start(first + timedelta(n), zone) for n in (0, days)]
    except OverflowError:
        raise Problem(422, "start lies outside every calendar.", "Name a real day.") from None
    turns = roster.turns(*span)
    return part.of(turns, lambda turn: _turn(roster, turn))


@router.get("/roster/swaps")
async def made(request: Request, part: Paged) -> Answer:
    """List the swaps that were made, the latest first."""
    parts = parts_of(request)
    _roster(parts)
    rows = await parts.database_worker.run(lambda: swaps.every(parts.database))
    return part.of(rows[::-1], lambda one: written.swap(one, parts.site.zone))


@router.post("/roster/swaps", status_code=201)
async def swap(request: Request, viewer: Rosters, wish: Wish, key: Key = "") -> Answer:
    """Swap a turn; refused where somebody would be on two shifts or something not covered."""
    parts = parts_of(request)
    said = wish.model_dump(exclude={"note"}, exclude_none=True)
    content = {"kind": "swap", "swapping": said, "note": wish.note}
    found = await parts.act(action(parts, viewer, key, content))
    if not isinstance(found, Swap):
        raise Refused("what was done is about no swap")
    return written.swap(found, parts.site.zone)


def _roster(parts: Parts) -> Roster:
    roster = parts.roster()
    if roster is None:
        raise Problem(404, "This site has no roster.", "Write roster.yaml; schema roster shows it.")
    return roster


def _crew(roster: Roster, crew: Crew, now_ms: int, viewer: Viewer) -> Answer:
    now = [turn for turn in roster.working(now_ms) if turn.crew == crew.id]
    later = (one for one in roster.turns(now_ms, now_ms + AHEAD_MS) if one.crew == crew.id)
    following = next((one for one in later if one.start_ms > now_ms), None)
    return {
        "crew": crew.id,
        "name": written.text(crew.name.text()),
        "contractor": crew.contractor,
        "lead": _named(roster, crew.lead, viewer) if crew.lead else None,
        "on_duty": [
            _named(roster, person, viewer)
            | {"shift": turn.shift, "until": _at(roster, turn.end_ms)}
            for turn in now
            for person in turn.people
        ],
        "next": following and _turn(roster, following),
    }


def _named(roster: Roster, id_: str, viewer: Viewer) -> Answer:
    """Write a person; the telephone is for those who work with them."""
    person = roster.people[id_]
    phone = {"phone": person.phone} if may(viewer.role, "work") else {}
    return {"person": person.id, "name": person.name, **phone}


def _turn(roster: Roster, turn: Turn) -> Answer:
    return {
        "turn": turn.id,
        "crew": turn.crew,
        "shift": turn.shift,
        "start": _at(roster, turn.start_ms),
        "end": _at(roster, turn.end_ms),
        "people": [{"person": one, "name": roster.people[one].name} for one in turn.people],
        "swapped": any(swap.turn == turn.id for swap in roster.swaps),
    }


def _at(roster: Roster, at_ms: int) -> str | None:
    return iso(at_ms, roster.zone)
