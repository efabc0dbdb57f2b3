"""Whose tickets somebody may see, and what may be done to them; what is not here is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hub.access import Right, Viewer, may
from hub.desk.action import TicketKind
from hub.model import Ticket
from hub.web.crew import Me
from hub.web.parts import Parts
from hub.web.problem import Problem
from rules.roster_form import Person

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
JOBS = "/jobs"


def works(viewer: Viewer) -> bool:
    """Tell whether somebody mends things, for the hub or for a contractor."""
    return may(viewer.role, "work") or may(viewer.role, "own")


def person_of(parts: Parts, viewer: Viewer) -> Person | None:
    """Return who somebody is in the roster, if they are in it."""
    roster = parts.roster()
    return roster.person_of(viewer.name) if roster else None


def me_of(parts: Parts, viewer: Viewer) -> Me:
    """Return under which names work is given to somebody, and in which crews they are."""
    roster, person = parts.roster(), person_of(parts, viewer)
    if roster is None or person is None:
        return Me({viewer.name})
    return Me({viewer.name, person.id}, [crew.id for crew in roster.crews_of(person.id)])


def home_of(parts: Parts, viewer: Viewer) -> str:
    """Return the page that somebody begins at: their jobs where they do nothing but mend."""
    if not may(viewer.role, "look"):
        return JOBS
    mends = may(viewer.role, "work") and not may(viewer.role, "assign")
    return JOBS if mends and person_of(parts, viewer) else "/"


def own_crews(parts: Parts, viewer: Viewer) -> Collection[str] | None:
    """Return the crews whose tickets are all that somebody sees; None: every ticket."""
    if may(viewer.role, "look"):
        return None
    roster, person = parts.roster(), person_of(parts, viewer)
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
