"""What a scanned label leads to: for the crew its jobs there, for everybody else a report."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from hub.access import Tries, Viewer
from hub.database import audit, records
from hub.labels import PATH, Label
from hub.model import Ticket
from hub.ports import Refused
from hub.web import promise
from hub.web.own import sees, works
from hub.web.pages.frame import Frame
from hub.web.pages.reporting import HOME, Wanted, groups, source_of
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import Crews, viewer_or_none

router = APIRouter(include_in_schema=False)
FORGED_PER_SOURCE = 10
"""Codes that are none, at once from one address; each comes back after a minute."""
FRESH_MS = 15 * 60_000
PURPOSE = "scan"
SAID = {
    "no-job": "This label does not belong to this ticket.",
    "forged": "This page was not opened for you.",
    "stale": "The scan is more than 15 min old.",
}


class Job(NamedTuple):
    """An open ticket at the label, and the secret of this showing where an arrival is due."""

    ticket: Ticket
    once: str


class Arrival(BaseModel):
    """The fields of an arrival: the ticket, and what the page was shown with."""

    ticket: str = Field(max_length=100)
    once: str = Field(max_length=1000)


def proven(label: Label, ticket: Ticket) -> str | None:
    """Return what of a ticket a label stands at: its device, its place, or nothing.

    A label inside the place of a ticket is at that place; that of a device stands for its place,
    unless the ticket names another device.
    """
    if label.subject.kind == "device" and label.subject.id == ticket.device:
        return ticket.device
    at = label.place == ticket.place or label.place.startswith(f"{ticket.place}/")
    other = label.subject.kind == "device" and ticket.device and label.place == ticket.place
    return ticket.place if at and not other else None


@router.get(PATH + "{code:path}")
async def scanned(request: Request, code: str) -> Response:
    """Show what there is to do, or to report, at a label."""
    page = Frame.of(request, await viewer_or_none(request))
    label = await _read(request, code)
    tickets = await page.parts.database_worker.run(
        lambda: records.open_tickets(page.parts.database)
    )
    here = [ticket for ticket in tickets if proven(label, ticket)]
    viewer = page.viewer
    if viewer is not None and not viewer.must_change and works(viewer):
        own = (ticket for ticket in here if sees(page.parts, viewer, ticket))
        jobs = [Job(ticket, _once(page, viewer, label, ticket)) for ticket in own]
        return _crew_page(page, label, jobs)
    return _public_page(page, label, here)


@router.post(PATH + "{code:path}")
async def arrive(
    request: Request, code: str, viewer: Crews, said: Annotated[Arrival, Form()]
) -> Response:
    """Note that somebody who scanned the label is on site."""
    page = Frame.of(request, viewer)
    parts, label = page.parts, await _read(request, code)
    ticket = await parts.database_worker.run(lambda: records.ticket(parts.database, said.ticket))
    own = ticket is not None and sees(parts, viewer, ticket)
    proof = proven(label, ticket) if ticket and own else None
    fault = "no-job" if ticket is None or proof is None else _stale(page, viewer, label, said)
    if fault:
        await _note(parts, viewer.name, "scan refused", label.subject.id, fault)
        raise Problem(409, SAID[fault], "Scan the label again.", words=f"scan-{fault}")
    action = {
        "id": "scan/" + hashlib.sha256(said.once.encode()).hexdigest(),
        "kind": "arrive",
        "ticket": said.ticket,
        "actor": viewer.name,
        "at_ms": page.now_ms,
        "proof": proof,
    }
    try:
        await parts.act(action)
    except Refused as refused:
        await _note(parts, viewer.name, "scan refused", label.subject.id, str(refused))
        raise
    return RedirectResponse(f"/tickets/{said.ticket}", SEE_OTHER)


async def _read(request: Request, code: str) -> Label:
    """Return the label of a code; one that is none is noted, and tried only so often."""
    parts, source = parts_of(request), source_of(request)
    label = parts.labels.read(code)
    if label is not None:
        return label
    tries: Tries = request.app.state.forged
    allowance, now_ms = {source: FORGED_PER_SOURCE}, parts.clock.now_ms()
    if wait_ms := tries.wait_ms(allowance, now_ms):
        wait_s = -(-wait_ms // 1000)
        raise Problem(429, f"Too many wrong labels; try again in {wait_s} s.", "Wait a little.")
    tries.take(allowance, now_ms)
    await _note(parts, "-", "label refused", code, source)
    raise Problem(
        404, "This code is no label of this campus.", "Report at /report.", words="label-unknown"
    )


async def _note(parts: Parts, actor: str, action: str, subject: str, why: str) -> None:
    now_ms = parts.clock.now_ms()
    await parts.database_worker.run(
        lambda: audit.add(parts.database, now_ms, actor, action, subject, {"why": why})
    )


def _once(page: Frame, viewer: Viewer, label: Label, ticket: Ticket) -> str:
    """Return what one showing of a label is known by: when, to whom, and for which ticket."""
    return page.parts.secret.signed(
        PURPOSE, "\n".join((str(page.now_ms), viewer.name, label.code, ticket.id))
    )


def _stale(page: Frame, viewer: Viewer, label: Label, said: Arrival) -> str | None:
    """Return why a showing does not count: it is not ours, another's, or too long ago."""
    shown = (page.parts.secret.opened(PURPOSE, said.once) or "").split("\n")
    if shown[1:] != [viewer.name, label.code, said.ticket]:
        return "forged"
    return None if 0 <= page.now_ms - int(shown[0]) <= FRESH_MS else "stale"


def _where(page: Frame, label: Label) -> Wanted:
    site = page.parts.site
    device = site.devices[label.subject.id] if label.subject.kind == "device" else None
    return Wanted(site.places[label.place], device)


def _crew_page(page: Frame, label: Label, jobs: Sequence[Job]) -> Response:
    jobs = sorted(jobs, key=lambda job: promise.urgency(job.ticket, page.now_ms))
    return page.render("scan.html", label=label, where=_where(page, label), jobs=jobs)


def _public_page(page: Frame, label: Label, here: Sequence[Ticket]) -> Response:
    """Show what is known already; of a room only what people reported, not what meters say."""
    where = _where(page, label)
    told = [one for one in here if one.source == "report" or where.place.kind != "room"]
    return page.render(
        "label.html",
        home=HOME,
        where=where,
        known=told,
        groups=groups(page, where),
        sign_in=page.request.url.path,
    )
