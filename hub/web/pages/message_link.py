"""The page behind the link of a message: one button that acknowledges one ticket for one person.

Opening it changes nothing, because mail servers open links before people do. The link is the right
to press the button: nobody signs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from hub.database import records
from hub.model import Ticket, TicketEvent, TicketState
from hub.notify import link
from hub.ports import Refused
from hub.web import promise
from hub.web.pages.frame import Frame
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.pages.ticket import action_id
from hub.web.parts import Parts

router = APIRouter(include_in_schema=False)
GONE, NOT_FOUND, CONFLICT = 410, 404, 409
NOTE = "message link"


class Asked(NamedTuple):
    """What a good link asks: who, for which ticket, and what happened to it so far."""

    ask: link.Ask
    ticket: Ticket
    events: Sequence[TicketEvent]

    @property
    def answered(self) -> bool:
        """Tell whether there is nothing to acknowledge any more."""
        ticket = self.ticket
        return ticket.responded_ms is not None or ticket.state is TicketState.CLOSED

    @property
    def answerer(self) -> str:
        """Return who acknowledged it last; empty when nobody pressed a button for that."""
        kinds = ("acknowledged", "accepted", "arrived")
        return next((one.actor for one in reversed(self.events) if one.kind in kinds), "")


@router.get("/a/{token}")
async def message_link(request: Request, token: str) -> Response:
    """Show what the link would do, or why it does nothing."""
    page = Frame.of(request, None)
    return await _shown(page, token)


@router.post("/a/{token}")
async def acknowledge(request: Request, token: str) -> Response:
    """Acknowledge as the person the message went to, then show what became of it."""
    page = Frame.of(request, None)
    found = await _asked(page.parts, token)
    if found is None or found.answered or page.now_ms > found.ask.until_ms:
        return await _shown(page, token)
    ask = found.ask
    action = {
        "id": action_id(ask.ticket, "acknowledge", str(len(found.events)), ask.person),
        "kind": "acknowledge",
        "ticket": ask.ticket,
        "actor": ask.person,
        "at_ms": page.now_ms,
        "note": NOTE,
    }
    try:
        await page.parts.act(action)
    except Refused as refused:
        return await _shown(page, token, str(refused))
    return RedirectResponse(request.url.path, SEE_OTHER)


async def _asked(parts: Parts, token: str) -> Asked | None:
    """Return what a link asks; None when this hub did not write it, or the ticket is gone."""
    ask = link.asked(parts.secret, token)
    if ask is None:
        return None
    ticket, events = await parts.database_worker.run(
        lambda: (
            records.ticket(parts.database, ask.ticket),
            records.events(parts.database, ask.ticket),
        )
    )
    return Asked(ask, ticket, events) if ticket else None


async def _shown(page: Frame, token: str, error: str = "") -> Response:
    found = await _asked(page.parts, token)
    if found is None:
        return page.render("message_link.html", NOT_FOUND, why="link-wrong")
    expired = page.now_ms > found.ask.until_ms and not found.answered
    return page.render(
        "message_link.html",
        GONE if expired else CONFLICT if error else 200,
        why="link-expired" if expired else "",
        ticket=found.ticket,
        person=found.ask.person,
        answered=found.answered,
        answerer=found.answerer,
        running=promise.running(found.ticket, page.now_ms),
        error=error,
    )
