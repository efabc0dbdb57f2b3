"""Tickets for a crew's phone: what is wrong, where, which clock runs, and the one next button."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from hub.access import Viewer
from hub.database import records, reports
from hub.model import Ticket, TicketEvent, TicketState
from hub.ports import Refused
from hub.web import promise, reasons
from hub.web.own import own_crews, sees
from hub.web.pages import evidence
from hub.web.pages.frame import Frame
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.parts import Parts
from hub.web.problem import Problem
from hub.web.session import Crews, Sees

router = APIRouter(include_in_schema=False)
PAGE = 50
MOST = 10_000  # open at once
OPEN = tuple(state for state in TicketState if state is not TicketState.CLOSED)
ReportKind = Literal["acknowledge", "accept", "arrive", "fix", "note", "resume"]
CLOCK_OF_TARGET: Mapping[str, str] = {"response": "respond"}
ACTORS = ("hub", "reporter")  # who is no person with a name
RAISED = ("opened", "raised_again", "escalated")
MOODS = {**dict.fromkeys((*RAISED[1:], "breach", "unproven"), "bad"), "closed": "good"}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of a ticket's history as people read it."""

    at_ms: int
    words: str
    actor: str
    lines: Sequence[str]
    mood: str


def event_line(page: Frame, event: TicketEvent, ticket: Ticket) -> EventLine:
    """Return an event in the reader's words."""
    detail = event.detail
    confirmed = event.kind == "closed" and detail.get("closing") == "confirmed"
    words = page.code("event", "closed-confirmed" if confirmed else event.kind)
    if target := detail.get("target"):
        words += ": " + page.code("clock", CLOCK_OF_TARGET.get(target, target))
    lines = []
    if (value := detail.get("value")) is not None:
        lines.append(evidence.value_words(page, ticket, value, raised=event.kind in RAISED))
    if part := detail.get("part"):
        lines.append(page.t("event-part", part=page.code("part", part)))
    if why := detail.get("why"):
        lines += reasons.sentences(page.parts, ticket.device, why, page.language)
    if note := detail.get("note"):
        lines.append(note)
    if (proof := detail.get("on_site_proof")) is not None:
        lines.append(page.code("proof", proof or "none"))
    if stars := detail.get("stars"):
        lines.append(page.t("event-stars", n=stars))
    actor = page.code("actor", event.actor) if event.actor in ACTORS else event.actor
    return EventLine(
        event.at_ms, words, actor, [line for line in lines if line], MOODS.get(event.kind, "")
    )


@router.get("/tickets")
async def tickets(request: Request, viewer: Sees, show: str = "open", offset: int = 0) -> Response:
    """List the tickets: open ones by urgency, closed ones by date."""
    page = Frame.of(request, viewer)
    parts, closed = page.parts, show == "closed"
    offset = min(max(offset, 0), 1_000_000)
    crews = own_crews(parts, viewer)
    own = {} if crews is None else {"crew": crews}
    open_ = records.Filter(states=OPEN, values=own)
    late = open_._replace(late_ms=page.now_ms)
    wanted = records.Filter(states=(TicketState.CLOSED,), values=own) if closed else open_
    limit, begin = (PAGE + 1, offset) if closed else (MOST, 0)
    shown, open_count, late_count = await parts.database_worker.run(
        lambda: (
            records.tickets(parts.database, wanted, limit=limit, offset=begin),
            records.count_tickets(parts.database, open_),
            records.count_tickets(parts.database, late),
        )
    )
    if not closed:
        shown.sort(key=lambda ticket: promise.urgency(ticket, page.now_ms))
        shown = shown[offset : offset + PAGE + 1]
    more = "?" + urlencode({"show": show, "offset": offset + PAGE}) if len(shown) > PAGE else ""
    return page.render(
        "tickets.html",
        section="tickets",
        tickets=shown[:PAGE],
        closed=closed,
        open_count=open_count,
        late=late_count,
        next_page=more,
    )


def found(parts: Parts, viewer: Viewer, id_: str) -> tuple[Ticket, Sequence[TicketEvent]]:
    """Return a ticket that somebody may see, with its history."""
    ticket = records.ticket(parts.database, id_)
    if ticket is None or not sees(parts, viewer, ticket):
        raise Problem(404, f"There is no ticket {id_}.", "Look in the list of tickets.")
    return ticket, records.events(parts.database, id_)


async def _render(
    page: Frame, viewer: Viewer, id_: str, status: int = 200, error: str = ""
) -> Response:
    parts = page.parts
    ticket, events = await parts.database_worker.run(lambda: found(parts, viewer, id_))
    reported = await parts.database_worker.run(lambda: reports.of_ticket(parts.database, id_))
    shown = await evidence.gathered(page, evidence.about_ticket(ticket))
    point = shown.value.point if shown.value else None
    return page.render(
        "ticket.html",
        status,
        section="tickets",
        stream="/api/v1/stream?" + urlencode({"point": point.id}) if point else "",
        ticket=ticket,
        events=[event_line(page, event, ticket) for event in events],
        reports=reported,
        clocks=promise.clocks(ticket, page.now_ms),
        running=promise.running(ticket, page.now_ms),
        step=promise.next_step(ticket),
        needed=shown.needed,
        others=evidence.others(parts, ticket.device, ticket.rule),
        evidence=shown.value,
        chart=shown.chart,
        chart_rows=shown.rows,
        error=error,
    )


@router.get("/tickets/{id_}")
async def ticket_page(request: Request, id_: str, viewer: Sees) -> Response:
    """Show one ticket."""
    return await _render(Frame.of(request, viewer), viewer, id_)


def action_id(*told: str) -> str:
    """Derive the id of an action from what was seen and sent: a second press is the same action."""
    return hashlib.sha256("\x00".join(told).encode()).hexdigest()[:32]


class ReportForm(BaseModel):
    """The fields of a report; ``seen`` counts the events that the page showed."""

    seen: int = Field(ge=0)
    note: str = Field("", max_length=2000)
    part: str = Field("", max_length=100)


@router.post("/tickets/{id_}/{kind}")
async def report(
    request: Request,
    id_: str,
    kind: ReportKind,
    viewer: Crews,
    said: Annotated[ReportForm, Form()],
) -> Response:
    """Take a person's report and show the ticket again."""
    page = Frame.of(request, viewer)
    await page.parts.database_worker.run(lambda: found(page.parts, viewer, id_))
    action = {
        "id": action_id(id_, kind, str(said.seen), viewer.name, said.note, said.part),
        "kind": kind,
        "ticket": id_,
        "actor": viewer.name,
        "at_ms": page.now_ms,
        "note": said.note.strip(),
        "part": said.part or None,
    }
    try:
        await page.parts.act(action)
    except Refused as refused:
        return await _render(page, viewer, id_, 409, str(refused))
    return RedirectResponse(f"/tickets/{id_}", SEE_OTHER)
