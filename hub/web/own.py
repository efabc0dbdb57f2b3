"""Whose tickets somebody may see, and what may be done to them; what is not here is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hub.access import Right, Viewer, may
from hub.desk.action import TicketKind
from hub.model import Ticket
from hub.web.parts import Parts
from hub.web.problem import Problem

NEEDS: Mapping[TicketKind, Right] = {
    **dict.fromkeys(
        (
            "acknowledge",
            "accept",
            "decline",
            "transfer",
            "arrive",
            "fix",
            "note",
            "pause",
            "resume",
        ),
        "work",
    ),
    **dict.fromkeys(("close", "refuse", "reclassify", "reopen", "link", "correct"), "close"),
    **dict.fromkeys(("rate", "complain"), "look"),
    "assign": "assign",
}
"""The right that each thing done to a ticket asks for."""


def own_crews(parts: Parts, viewer: Viewer) -> Collection[str] | None:
    """Return the crews whose tickets are all that somebody sees; None: every ticket."""
    if may(viewer.role, "look"):
        return None
    roster = parts.roster()
    person = roster.person_of(viewer.name) if roster else None
    if roster is None or person is None:
        return ()
    return [crew.id for crew in roster.crews_of(person.id) if crew.contractor]


def sees(parts: Parts, viewer: Viewer, ticket: Ticket) -> bool:
    """Tell whether somebody may see a ticket."""
    crews = own_crews(parts, viewer)
    return crews is None or ticket.crew in crews


def check_may(viewer: Viewer, kind: TicketKind) -> None:
    """Refuse what a role may not do; who sees only its own tickets may work on them."""
    right = NEEDS[kind]
    if may(viewer.role, right) or (right == "work" and may(viewer.role, "own")):
        return
    raise Problem(403, f"The role {viewer.role} may not do this.", "Ask an administrator.")
