"""The work of a crew's member: whose each ticket is, and what can be done to it now; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from hub.desk.action import TicketKind
from hub.model import Ticket, TicketEvent, TicketState
from hub.web import promise

DONE = (TicketState.FIXED, TicketState.CLOSED)
DECIDED = ("accepted", "declined", "assigned", "transferred", "reopened")
"""The events after which it is known whether whose a ticket is has taken it on."""


class Me(NamedTuple):
    """Somebody who works: under which names tickets are given to them, and in which crews."""

    names: Collection[str]
    crews: Collection[str] = ()

    def has(self, ticket: Ticket) -> bool:
        """Tell whether a ticket is theirs."""
        return ticket.assignee in self.names

    def can_take(self, ticket: Ticket) -> bool:
        """Tell whether a ticket is nobody's, and no other crew's."""
        nobody = ticket.assignee is None and ticket.state not in DONE
        return nobody and (ticket.crew is None or ticket.crew in self.crews)


class Jobs(NamedTuple):
    """The open tickets that concern somebody, in each group whose clock ends first stands first."""

    mine: Sequence[Ticket]
    free: Sequence[Ticket]
    others: Sequence[Ticket]


def jobs(tickets: Iterable[Ticket], me: Me, now_ms: int) -> Jobs:
    """Return what is mine, what I can take, and what others of my crews have."""
    found = sorted(tickets, key=lambda ticket: promise.urgency(ticket, now_ms))
    mine = [ticket for ticket in found if me.has(ticket)]
    free = [ticket for ticket in found if me.can_take(ticket)]
    known = {ticket.id for ticket in (*mine, *free)}
    others = [one for one in found if one.crew in me.crews and one.id not in known]
    return Jobs(mine, free, others)


def next_step(ticket: Ticket, me: Me) -> str | None:
    """Return the one thing that somebody does next; "crew" is the arrival of the extra crew.

    None: nothing, for now or for them.
    """
    step = promise.next_step(ticket)
    if ticket.state in DONE:
        return None
    if me.crews and me.can_take(ticket):  # without a roster nothing is given to anybody
        return "accept"
    if ticket.paused_ms is not None:
        return "resume"
    return "accept" if step == "acknowledge" and me.has(ticket) else step


def allowed(ticket: Ticket, events: Sequence[TicketEvent], me: Me) -> set[TicketKind]:
    """Return what the state of a ticket lets somebody do to it who works on it."""
    if ticket.state is TicketState.CLOSED:
        return set()
    mine, fixed = me.has(ticket), ticket.state is TicketState.FIXED
    kinds: dict[TicketKind, bool] = {
        "acknowledge": ticket.responded_ms is None,
        "accept": not fixed and (mine or me.can_take(ticket)) and not _accepted(events),
        "decline": mine and not fixed,
        "transfer": mine and not fixed,
        "arrive": not fixed and promise.awaits_arrival(ticket),
        "fix": not fixed,
        "pause": not fixed and ticket.paused_ms is None,
        "resume": ticket.paused_ms is not None,
        "note": True,
    }
    return {kind for kind, can in kinds.items() if can}


def _accepted(events: Sequence[TicketEvent]) -> bool:
    decided = [event.kind for event in events if event.kind in DECIDED]
    return decided[-1:] == ["accepted"]
