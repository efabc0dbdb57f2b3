"""Tickets, and what people do to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.access import Viewer
from hub.database import records
from hub.desk.action import TicketKind
from hub.desk.section import (
    Assignment,
    Classing,
    Correction,
    Linking,
    Pausing,
    Rating,
)
from hub.model import Json, Severity, Source, Ticket, TicketState
from hub.reports.desk import areas_of
from hub.web.api import written
from hub.web.api.paging import Answer, Paged
from hub.web.own import check_may, own_crews, sees
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, SEE, Looks, Sees

router = APIRouter(prefix="/api/v1", tags=["work"], dependencies=[SEE])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=100)]
Places = Annotated[list[str] | None, Query(max_length=100)]


class Report(BaseModel):
    """What a person says beside the action.

    ``own_at`` is when it was done by the clock of a phone that was offline. The sections are those
    of the kinds: assign and transfer, pause, reclassify, rate, link, correct.
    """

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2000)
    part: str | None = Field(None, max_length=100)
    own_at: AwareDatetime | None = None
    assignment: Assignment | None = None
    pausing: Pausing | None = None
    classing: Classing | None = None
    rating: Rating | None = None
    linking: Linking | None = None
    correction: Correction | None = None

    def content(self) -> dict[str, Json]:
        """Return it as an action holds it."""
        content = self.model_dump(mode="json", exclude={"own_at"}, exclude_none=True)
        if self.own_at is not None:
            content["own_ms"] = round(self.own_at.timestamp() * 1000)
        return content


NO_REPORT = Report()


class NewTicket(BaseModel):
    """A fault that somebody reports who is signed in; ``kind`` is one of reports.yaml."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(min_length=1, max_length=100)
    place: str = Field(min_length=1, max_length=200)
    device: str | None = Field(None, max_length=200)
    note: str = Field("", max_length=2000)
    severity: Severity | None = None


class Wanted(BaseModel):
    """Which tickets are wanted; what is left out means all. Places with all that is below them."""

    model_config = ConfigDict(extra="ignore")

    state: list[TicketState] | None = None
    place: list[str] | None = None
    severity: list[Severity] | None = None
    source: list[Source] | None = None
    crew: list[str] | None = None
    assignee: list[str] | None = None
    mine: bool = False
    late: bool = False


def action(parts: Parts, viewer: Viewer, key: str, content: Mapping[str, Json]) -> dict[str, Json]:
    """Make an action; the same person's same key, or else the same instant, is the same action."""
    now_ms = parts.clock.now_ms()
    subject = content.get("ticket") or content.get("alarm") or content.get("outage")
    id_ = f"{viewer.name}/{content['kind']}/{subject}/{key or now_ms}"
    return {"id": id_, "actor": viewer.name, "at_ms": now_ms, **content}


def _wanted(  # noqa: PLR0913 - one parameter for each that the address may have
    *,
    state: Annotated[list[TicketState] | None, Query()] = None,
    place: Places = None,
    severity: Annotated[list[Severity] | None, Query()] = None,
    source: Annotated[list[Source] | None, Query()] = None,
    crew: Places = None,
    assignee: Places = None,
    mine: bool = False,
    late: bool = False,
) -> Wanted:
    return Wanted(**locals())


def _filter(parts: Parts, viewer: Viewer, wanted: Wanted) -> records.Filter:
    """Return what is asked for, of that which somebody may see."""
    values = {
        name: list(getattr(wanted, name))
        for name in ("severity", "source", "crew", "assignee")
        if getattr(wanted, name) is not None
    }
    own = own_crews(parts, viewer)
    if own is not None:
        values["crew"] = [crew for crew in values.get("crew", own) if crew in own]
    if wanted.mine:
        roster = parts.roster()
        person = roster.person_of(viewer.name) if roster else None
        values["assignee"] = [viewer.name, *([person.id] if person else [])]
    late_ms = parts.clock.now_ms() if wanted.late else None
    return records.Filter(states=wanted.state, places=wanted.place, values=values, late_ms=late_ms)


@router.get("/tickets")
async def tickets(
    request: Request, viewer: Sees, part: Paged, asked: Annotated[Wanted, Depends(_wanted)]
) -> Answer:
    """List tickets, the latest first; ``mine``: given to me, ``late``: a deadline has passed."""
    parts = parts_of(request)
    wanted = _filter(parts, viewer, asked)
    rows, total = await parts.database_worker.run(
        lambda: (
            records.tickets(parts.database, wanted, limit=part.limit, offset=part.offset),
            records.count_tickets(parts.database, wanted),
        )
    )
    return part.answer([written.ticket(row, parts.site.zone) for row in rows], total)


@router.post("/tickets", dependencies=[LOOK])
async def open_ticket(request: Request, viewer: Looks, said: NewTicket, key: Key = "") -> Answer:
    """Report a fault; return its ticket, which may be one that is open for the same cause."""
    parts = parts_of(request)
    kind = parts.kinds.kind(said.kind)
    if kind is None:
        raise Problem(422, f"There is no kind {said.kind}.", "Take one of reports.yaml.")
    opening = {
        "source": "report",
        "kind": kind.id,
        "place": said.place,
        "device": said.device,
        "title": kind.name.model_dump(),
        "severity": said.severity or kind.severity,
        "skill": kind.skill,
        "rules": list(kind.rules),
        "areas": areas_of(parts.site, said.place, said.device),
    }
    content = {"kind": "open", "note": said.note, "opening": opening}
    opened = await parts.act(action(parts, viewer, key, content))
    id_ = opened.id if isinstance(opened, Ticket) else ""
    return await parts.database_worker.run(lambda: _with_events(parts, viewer, id_))


def _found(parts: Parts, viewer: Viewer, id_: str) -> Ticket:
    ticket = records.ticket(parts.database, id_)
    if ticket is None or not sees(parts, viewer, ticket):
        raise Problem(404, f"There is no ticket {id_}.", "GET /api/v1/tickets lists them.")
    return ticket


def _with_events(parts: Parts, viewer: Viewer, id_: str) -> Answer:
    zone = parts.site.zone
    lines = [written.event(event, zone) for event in records.events(parts.database, id_)]
    return written.ticket(_found(parts, viewer, id_), zone) | {"events": lines}


@router.get("/tickets/{id_}")
async def ticket(request: Request, viewer: Sees, id_: str) -> Answer:
    """Return one ticket with its history."""
    parts = parts_of(request)
    return await parts.database_worker.run(lambda: _with_events(parts, viewer, id_))


@router.get("/problems", dependencies=[LOOK])
async def problems(request: Request, part: Paged) -> Answer:
    """List the records of problems: those that are not over first, then the latest."""
    parts = parts_of(request)
    rows, total = await parts.database_worker.run(
        lambda: (
            records.problems(parts.database, limit=part.limit, offset=part.offset),
            records.count_problems(parts.database),
        )
    )
    return part.answer([written.problem(row, parts.site.zone) for row in rows], total)


class Subject(NamedTuple):
    """What is done to which ticket, and the key that makes it the same thing when sent again."""

    ticket: str
    kind: TicketKind
    key: str


def _subject(id_: str, kind: TicketKind, key: Key = "") -> Subject:
    return Subject(id_, kind, key)


@router.post("/tickets/{id_}/{kind}")
async def report(
    request: Request,
    viewer: Sees,
    subject: Annotated[Subject, Depends(_subject)],
    said: Report = NO_REPORT,
) -> Answer:
    """Do one of the things that are done to a ticket; return the ticket afterwards."""
    check_may(viewer, subject.kind)
    parts, id_ = parts_of(request), subject.ticket
    await parts.database_worker.run(lambda: _found(parts, viewer, id_))
    content = {"kind": subject.kind, "ticket": id_, **said.content()}
    await parts.act(action(parts, viewer, subject.key, content))
    return await parts.database_worker.run(lambda: _with_events(parts, viewer, id_))
