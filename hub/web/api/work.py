"""Tickets, and what people do to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.access import Viewer
from hub.database import records
from hub.model import Json, Ticket, TicketState
from hub.web.api import written
from hub.web.api.paging import Answer, Paged
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Works

router = APIRouter(prefix="/api/v1", tags=["work"], dependencies=[LOOK])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=100)]
Places = Annotated[list[str] | None, Query(max_length=100)]


class Report(BaseModel):
    """What a person says beside the action."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=2000)
    part: str | None = Field(None, max_length=100)


NO_REPORT = Report()


def action(parts: Parts, viewer: Viewer, key: str, content: Mapping[str, Json]) -> dict[str, Json]:
    """Make an action; the same person's same key, or else the same instant, is the same action."""
    now_ms = parts.clock.now_ms()
    subject = content.get("ticket") or content.get("alarm") or content.get("outage")
    id_ = f"{viewer.name}/{content['kind']}/{subject}/{key or now_ms}"
    return {"id": id_, "actor": viewer.name, "at_ms": now_ms, **content}


@router.get("/tickets")
async def tickets(
    request: Request,
    part: Paged,
    state: Annotated[list[TicketState] | None, Query()] = None,
    place: Places = None,
) -> Answer:
    """List tickets, the latest first."""
    parts = parts_of(request)
    wanted = records.Filter(states=state, places=place)
    rows, total = await parts.database_worker.run(
        lambda: (
            records.tickets(parts.database, wanted, limit=part.limit, offset=part.offset),
            records.count_tickets(parts.database, wanted),
        )
    )
    return part.answer([written.ticket(row, parts.site.zone) for row in rows], total)


def _found(parts: Parts, id_: str) -> Ticket:
    ticket = records.ticket(parts.database, id_)
    if ticket is None:
        raise Problem(404, f"There is no ticket {id_}.", "GET /api/v1/tickets lists them.")
    return ticket


def _with_events(parts: Parts, id_: str) -> Answer:
    zone = parts.site.zone
    lines = [written.event(event, zone) for event in records.events(parts.database, id_)]
    return written.ticket(_found(parts, id_), zone) | {"events": lines}


@router.get("/tickets/{id_}")
async def ticket(request: Request, id_: str) -> Answer:
    """Return one ticket with its history."""
    parts = parts_of(request)
    return await parts.database_worker.run(lambda: _with_events(parts, id_))


ReportKind = Literal["acknowledge", "arrive", "fix", "note"]


class Subject(NamedTuple):
    """What is done to which ticket, and the key that makes it the same thing when sent again."""

    ticket: str
    kind: ReportKind
    key: str


def _subject(id_: str, kind: ReportKind, key: Key = "") -> Subject:
    return Subject(id_, kind, key)


@router.post("/tickets/{id_}/{kind}")
async def report(
    request: Request,
    viewer: Works,
    subject: Annotated[Subject, Depends(_subject)],
    said: Report = NO_REPORT,
) -> Answer:
    """Acknowledge, arrive, report a fix, or add a note; return the ticket afterwards."""
    parts, id_ = parts_of(request), subject.ticket
    await parts.database_worker.run(lambda: _found(parts, id_))
    content = {"kind": subject.kind, "ticket": id_, "note": said.note, "part": said.part}
    await parts.act(action(parts, viewer, subject.key, content))
    return await parts.database_worker.run(lambda: _with_events(parts, id_))
