"""Tickets for a crew's phone: what is wrong, where, which clock runs, and the one next button."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from hub.access import Viewer
from hub.database import records, reports
from hub.model import Json, Ticket, TicketEvent, TicketState
from hub.photos import UnfitError
from hub.ports import Refused
from hub.reports.said import MOST_PHOTOS
from hub.web import crew, promise, whose
from hub.web.own import JOBS, me_of, own_crews, sees
from hub.web.pages import evidence
from hub.web.pages.frame import Frame
from hub.web.pages.history import event_line, names_of
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.parts import Parts
from hub.web.problem import Problem
from hub.web.session import Crews, Sees

router = APIRouter(include_in_schema=False)
PAGE = 50
MOST = 10_000  # open at once
OPEN = tuple(state for state in TicketState if state is not TicketState.CLOSED)
ReportKind = Literal[
    "acknowledge", "accept", "decline", "transfer", "arrive", "fix", "note", "pause", "resume"
]
WITH_PHOTOS = ("arrive", "fix", "note")
LEAVING = ("decline", "transfer")  # what one has no more afterwards


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
    me, names = me_of(parts, viewer), names_of(page)
    can = crew.allowed(ticket, events, me) if page.works() else set()
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
        holder=whose.holder(ticket, names),
        why=whose.why(events, names),
        can=can,
        step=crew.next_step(ticket, me) if can else None,
        people=takers(parts, viewer, page.now_ms) if "transfer" in can else [],
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
    reason: str = Field("", max_length=100)
    person: str = Field("", max_length=100)


class Taker(NamedTuple):
    """Somebody whom work can be handed to, and whether they are on duty."""

    id: str
    name: str
    on_duty: bool


def takers(parts: Parts, viewer: Viewer, now_ms: int) -> list[Taker]:
    """Return whom somebody can hand work to, who is on duty first; a contractor its own people."""
    roster = parts.roster()
    if roster is None:
        return []
    own, me = own_crews(parts, viewer), me_of(parts, viewer)
    on_duty = {person for turn in roster.working(now_ms) for person in turn.people}
    found = [
        Taker(id_, person.name, id_ in on_duty)
        for id_, person in roster.people.items()
        if id_ not in me.names
        and (own is None or any(one.id in own for one in roster.crews_of(id_)))
    ]
    return sorted(found, key=lambda one: not one.on_duty)


@router.post("/tickets/{id_}/{kind}")
async def report(request: Request, id_: str, kind: ReportKind, viewer: Crews) -> Response:
    """Take a person's report and show the ticket again."""
    # By hand, not by annotation: who is not signed in is told before photos are read.
    page = Frame.of(request, viewer)
    parts = page.parts
    ticket, _ = await parts.database_worker.run(lambda: found(parts, viewer, id_))
    async with request.form() as form:
        said = _said(form)
        try:
            photos = await _kept(parts, form) if kind in WITH_PHOTOS else []
            content = {**_sections(page, viewer, ticket, kind, said), "photos": photos}
            told = (
                id_,
                kind,
                str(said.seen),
                viewer.name,
                *said.model_dump(exclude={"seen"}).values(),
            )
            await parts.act({
                **content, "id": action_id(*told, *photos), "kind": kind, "ticket": id_,
                "actor": viewer.name, "at_ms": page.now_ms,
            })  # fmt: skip
        except UnfitError as refused:
            return await _render(page, viewer, id_, 422, page.t(f"photo-{refused.fault}"))
        except Refused as refused:
            return await _render(page, viewer, id_, 409, str(refused))
    gone = kind in LEAVING and page.has_jobs()
    return RedirectResponse(JOBS if gone else f"/tickets/{id_}", SEE_OTHER)


def _said(form: FormData) -> ReportForm:
    try:
        return ReportForm.model_validate(
            {name: value for name, value in form.items() if isinstance(value, str)}
        )
    except ValidationError as error:
        raise Problem(422, "The form is not that of the page.", "Open the ticket again.") from error


async def _kept(parts: Parts, form: FormData) -> list[str]:
    sent = [one for one in form.getlist("photo") if isinstance(one, UploadFile) and one.filename]
    if len(sent) > MOST_PHOTOS:
        raise Refused(f"{len(sent)} photos; send at most {MOST_PHOTOS}")
    return [await parts.photos.keep(one.file) for one in sent]


def _sections(
    page: Frame, viewer: Viewer, ticket: Ticket, kind: ReportKind, said: ReportForm
) -> dict[str, Json]:
    """Return what an action of a kind says."""
    content: dict[str, Json] = {"note": said.note.strip(), "part": said.part or None}
    if kind == "pause":
        content["pausing"] = {"reason": said.reason or "-"}
    if kind == "transfer":
        roster = page.parts.roster()
        known = [one.id for one in takers(page.parts, viewer, page.now_ms)]
        if roster is None or said.person not in known:
            raise Refused(
                f"{said.person}: nobody whom you can hand work to; choose one of the list"
            )
        crews = [one.id for one in roster.crews_of(said.person)]
        theirs = ticket.crew if ticket.crew in crews else next(iter(crews), None)
        content["assignment"] = {"person": said.person, "crew": theirs}
    return content
