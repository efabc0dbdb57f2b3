"""What a person's report changes on a ticket: one function per kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from hub.desk.work import Work
from hub.model import Ticket, TicketState
from hub.ports import Refused
from rules.sla import milliseconds

WITHIN = timedelta(hours=4)  # for a rule without a proof of its own: its alarm must be clear


class Change(NamedTuple):
    """The name of the event and what it changes on the ticket."""

    event: str
    fields: Mapping[str, Any] = MappingProxyType({})


def acknowledge(work: Work, at_ms: int) -> Change:
    """Somebody has seen the ticket and takes it."""
    if work.ticket.responded_ms is not None:
        raise Refused(f"ticket {work.ticket.id}: it was acknowledged before; nothing to do")
    fields = {"state": TicketState.RESPONDED, "responded_ms": at_ms}
    return Change("acknowledged", fields)


def arrive(work: Work, at_ms: int) -> Change:
    """Somebody is on site; on a large repair the second arrival is that of the extra crew."""
    ticket = work.ticket
    if ticket.on_site_ms is None:
        return Change("arrived", {"state": TicketState.ON_SITE, **_implied(ticket, at_ms)})
    if ticket.crew_by_ms is None or ticket.crew_ms is not None:
        raise Refused(f"ticket {ticket.id}: the arrival was reported before; nothing to do")
    return Change("crew_arrived", {"crew_ms": at_ms})


def fix(work: Work, at_ms: int) -> Change:
    """Somebody says it is mended; a later report takes the place of one that waits for proof."""
    proof = work.rule.proof if work.rule else None
    within = proof.within if proof else WITHIN
    fields = {
        "state": TicketState.FIXED,
        "fixed_ms": at_ms,
        "prove_by_ms": at_ms + milliseconds(within),
    }
    return Change("fix_reported", fields | _implied(work.ticket, at_ms))


def note(work: Work, at_ms: int) -> Change:
    """Somebody adds a remark."""
    del work, at_ms
    return Change("note")


REPORTS: Mapping[str, Callable[[Work, int], Change]] = {
    "acknowledge": acknowledge,
    "arrive": arrive,
    "fix": fix,
    "note": note,
}


def _implied(ticket: Ticket, at_ms: int) -> dict[str, int]:
    """Being there implies that the crew has responded and is on site, by now at the latest."""
    instants = {"responded_ms": ticket.responded_ms, "on_site_ms": ticket.on_site_ms}
    return {name: at_ms for name, done_ms in instants.items() if done_ms is None}
