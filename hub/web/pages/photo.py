"""Photos of a ticket: for who may see the ticket, and as nothing but a picture."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.model import TicketEvent
from hub.web.pages.ticket import found
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import Sees

router = APIRouter(include_in_schema=False)
# Whatever a browser takes it for, nothing in it runs and nothing is loaded for it.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": 'inline; filename="photo.jpg"',
    "Cache-Control": "private, max-age=3600",
}


async def shown(parts: Parts, id_: str, own: Collection[str]) -> Response:
    """Return a photo that is one of ``own``; the same 404 for every other."""
    content = await parts.photos.read(id_) if id_ in own else None
    if content is None:
        raise Problem(404, "There is no such photo.", "Look at the ticket again.")
    return Response(content, media_type="image/jpeg", headers=HEADERS)


def of_events(events: Collection[TicketEvent]) -> set[str]:
    """Return the photos that the history of a ticket holds."""
    return {str(id_) for event in events for id_ in event.detail.get("photos", ())}


@router.get("/tickets/{ticket}/photos/{id_}")
async def ticket_photo(request: Request, ticket: str, id_: str, viewer: Sees) -> Response:
    """Show a photo of a ticket."""
    parts = parts_of(request)
    _, events = await parts.database_worker.run(lambda: found(parts, viewer, ticket))
    return await shown(parts, id_, of_events(events))
