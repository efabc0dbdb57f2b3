"""What a person's report changes on a ticket: one function per kind, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from hub.desk.action import Action, Kind
from hub.desk.event import Change
from hub.desk.work import Work
from hub.model import Json, OnSiteProof, Ticket, TicketState
from hub.ports import Refused
from rules.service import Item, Target
from rules.sla import Clocks, milliseconds

WITHIN = timedelta(hours=4)  # for a rule without a proof of its own: its alarm must be clear
SKEW_MS = 60_000  # so far ahead may the clock of a phone be
OF_CLOSED = ("acknowledge", "arrive", "note", "reopen", "rate", "complain", "link", "correct")
"""What can still be done to a ticket that is closed."""


class Deed(NamedTuple):
    """An action with the instant that it counts from, and the one at which the hub heard of it.

    ``doubt`` is why the phone's own instant did not count. ``person`` is who acts, by the roster.
    """

    action: Action
    at_ms: int
    now_ms: int
    clocks: Clocks
    doubt: str = ""
    person: str = ""

    @property
    def whose(self) -> str:
        """Return who did it: the person of the roster, where the user is one."""
        return self.person or self.action.actor

    @property
    def said(self) -> dict[str, Json]:
        """Return what stands of it in the history."""
        said = said_in(self.action)
        if self.doubt:
            said |= {"own_ms": self.action.own_ms, "doubt": self.doubt}
        return said


def said_in(action: Action) -> dict[str, Json]:
    """Return what a person said with an action, as it stands in the history."""
    said = {
        "action": action.id,
        **{name: getattr(action, name) for name in ("note", "part", "reporter")},
        "photos": list(action.photos),
    }
    return {name: value for name, value in said.items() if value}


def deed_of(action: Action, work: Work, now_ms: int, clocks: Clocks) -> Deed:
    """Decide from which instant an action counts: its own where that can be, else its receipt."""
    own_ms, offline_ms = action.own_ms, milliseconds(clocks.service.offline)
    if own_ms is None:
        return Deed(action, now_ms, now_ms, clocks)
    if own_ms > now_ms + SKEW_MS:
        doubt = "it lies in the future"
    elif own_ms < now_ms - offline_ms:
        doubt = "it is too long ago"
    elif own_ms < _follows_ms(action, work.ticket):
        doubt = "it lies before the step that it follows"
    else:
        return Deed(action, min(own_ms, now_ms), now_ms, clocks)
    return Deed(action, now_ms, now_ms, clocks, doubt)


def _follows_ms(action: Action, ticket: Ticket) -> int:
    """Return the instant of the step that an action follows on its ticket."""
    began_ms = _began_ms(ticket)
    match action.kind:
        case "fix":
            return ticket.on_site_ms or began_ms
        case "resume":
            return ticket.paused_ms or began_ms
        case "close" | "refuse":
            return ticket.fixed_ms or began_ms
        case "reopen" | "rate":
            return ticket.closed_ms or began_ms
    return began_ms


def _began_ms(ticket: Ticket) -> int:
    return ticket.opened_ms if ticket.reopened_ms is None else ticket.reopened_ms


def acknowledge(work: Work, deed: Deed) -> Change:
    """Somebody has seen the ticket and takes it; the earliest who did counts."""
    ticket = work.ticket
    if ticket.responded_ms is not None and deed.at_ms >= ticket.responded_ms:
        raise Refused(f"ticket {ticket.id}: it was acknowledged before; nothing to do")
    return Change("acknowledged", {"responded_ms": deed.at_ms, **_at_least(work, "responded")})


def arrive(work: Work, deed: Deed) -> Change:
    """Somebody is on site; on a large repair the second arrival is that of the extra crew."""
    ticket, at_ms = work.ticket, deed.at_ms
    proof = {"on_site_proof": _scanned(ticket, deed.action.proof)}
    there_ms = ticket.on_site_ms
    if there_ms is None or (ticket.crew_by_ms is None and at_ms < there_ms):
        state = _at_least(work, "on_site")
        return Change("arrived", {**state, **proof, **_earlier(ticket, at_ms)}, proof)
    if ticket.crew_by_ms is not None and ticket.crew_ms is None:  # whichever was told first
        fields = {"crew_ms": max(at_ms, there_ms), **_earlier(ticket, at_ms)}
        return Change("crew_arrived", fields, proof)
    raise Refused(f"ticket {ticket.id}: the arrival was reported before; nothing to do")


def fix(work: Work, deed: Deed) -> Change:
    """Somebody says it is mended; a later report takes the place of one that waits for proof."""
    proof = work.rule.proof if work.rule else None
    within = proof.within if proof else WITHIN
    if work.ticket.source != "alarm":  # no telemetry speaks of it: people have time to say no
        within = deed.clocks.service.confirm
    fields = {
        "state": TicketState.FIXED,
        "fixed_ms": deed.at_ms,
        "prove_by_ms": deed.now_ms + milliseconds(within),
    }
    return Change("fix_reported", fields | _earlier(work.ticket, deed.at_ms))


def note(work: Work, deed: Deed) -> Change:
    """Somebody adds a remark."""
    del work, deed
    return Change("note")


def accept(work: Work, deed: Deed) -> Change:
    """Somebody takes the work on; who does has seen it, too."""
    ticket, whose = work.ticket, deed.whose
    if ticket.assignee not in (None, whose):
        raise Refused(f"ticket {ticket.id}: it is {ticket.assignee}'s; ask for a transfer")
    if work.accepted:
        raise Refused(f"ticket {ticket.id}: you accepted it before; nothing to do")
    fields: dict[str, Any] = {"assignee": whose, **_at_least(work, "responded")}
    if ticket.responded_ms is None or deed.at_ms < ticket.responded_ms:
        fields["responded_ms"] = deed.at_ms
    return Change("accepted", fields)


def decline(work: Work, deed: Deed) -> Change:
    """Whose the work is does not take it."""
    if work.ticket.assignee != deed.whose:
        raise Refused(f"ticket {work.ticket.id}: it is not yours; there is nothing to decline")
    return Change("declined", {"assignee": None}, {"person": deed.whose})


def undelivered(work: Work, deed: Deed) -> Change:
    """Note that somebody who should know cannot be reached by any channel."""
    del work
    return Change("undelivered", detail={"person": deed.action.person})


def assign(work: Work, deed: Deed) -> Change:
    """Somebody says whose the work is."""
    return _given(work, deed.action, "assigned")


def transfer(work: Work, deed: Deed) -> Change:
    """Whose the work is hands it on, with the reason."""
    return _given(work, deed.action, "transferred")


def pause(work: Work, deed: Deed) -> Change:
    """Something that the crew cannot change holds the work up."""
    ticket, forms = work.ticket, deed.clocks.service.pauses
    reason = deed.action.pausing.reason if deed.action.pausing else ""
    if ticket.paused_ms is not None:
        raise Refused(f"ticket {ticket.id}: it is paused already; resume it first")
    if ticket.state is TicketState.FIXED:
        raise Refused(f"ticket {ticket.id}: a fix is reported; no work waits that could be paused")
    if reason not in forms:
        raise Refused(f"{reason}: no such reason for a pause; take one of {', '.join(forms)}")
    if forms[reason].needs_note and not deed.action.note.strip():
        raise Refused(f"a pause for {reason} needs a note: say what it waits for")
    limit_ms = deed.clocks.limit_ms(reason, work.pauses)
    if not limit_ms:
        raise Refused(f"ticket {ticket.id}: it was paused for {reason} as long as it may be")
    detail = {"reason": reason, "limit_ms": limit_ms, "clocks": list(forms[reason].clocks)}
    return Change("paused", {"paused_ms": deed.at_ms, "pause": reason}, detail)


def resume(work: Work, deed: Deed) -> Change:
    """End the pause: what held the work up is over."""
    del deed
    ticket = work.ticket
    if ticket.paused_ms is None:
        raise Refused(f"ticket {ticket.id}: it is not paused; nothing to do")
    detail = {"reason": ticket.pause, "paused_ms": ticket.paused_ms}
    return Change("resumed", {"paused_ms": None, "pause": ""}, detail)


def reclassify(work: Work, deed: Deed) -> Change:
    """Let it be of another severity than was thought: planned anew from the same beginning."""
    ticket = work.ticket
    after = deed.action.classing.severity if deed.action.classing else ticket.severity
    if after == ticket.severity:
        raise Refused(f"ticket {ticket.id}: it is {after} already; nothing to do")
    item = Item(ticket.source, ticket.rule, after, ticket.place)
    fields = {"severity": after, "policy": deed.clocks.service.policy_for(item).id}
    return Change("reclassified", fields, {"from": ticket.severity, "to": after})


def close(work: Work, deed: Deed) -> Change:
    """Somebody with the right says that it is over; without evidence it is not."""
    ticket = work.ticket
    if ticket.source == "alarm" and not deed.action.note.strip():
        raise Refused(
            f"ticket {ticket.id}: telemetry has not proven a fix; say in a note why it is over"
        )
    if ticket.fixed_ms is None and not deed.action.note.strip():
        raise Refused(
            f"ticket {ticket.id}: no fix was reported; report one, or say in a note why it is over"
        )
    return Change("closed", {"closing": "confirmed"})


def refuse(work: Work, deed: Deed) -> Change:
    """Say that it is no work of this service."""
    del deed
    if work.ticket.source == "alarm":
        raise Refused(f"ticket {work.ticket.id}: it is an alarm's; close it with a reason instead")
    return Change("refused", {"closing": "refused"})


def rate(work: Work, deed: Deed) -> Change:
    """Who reported it says how the service was; silence is not praise."""
    if work.ticket.closed_ms is None:
        raise Refused(f"ticket {work.ticket.id}: it is not closed; there is nothing to rate yet")
    return Change("rated", detail={"stars": deed.action.rating.stars if deed.action.rating else 0})


def complain(work: Work, deed: Deed) -> Change:
    """Somebody is not content."""
    del work, deed
    return Change("complained")


def correct(work: Work, deed: Deed) -> Change:
    """Somebody with the right sets an instant right that was reported wrongly; both are kept."""
    ticket, right = work.ticket, deed.action.correction
    name = INSTANTS[right.target] if right else ""
    before_ms = getattr(ticket, name, None)
    if right is None or before_ms is None:
        raise Refused(f"ticket {ticket.id}: nothing was reported that could be corrected")
    if not _began_ms(ticket) <= right.to_ms <= deed.now_ms:
        raise Refused(
            f"ticket {ticket.id}: the right instant lies before its opening, or in the future"
        )
    detail = {"target": right.target, "from_ms": before_ms, "to_ms": right.to_ms}
    return Change("corrected", {name: right.to_ms}, detail)


INSTANTS: Mapping[Target, str] = {
    "response": "responded_ms",
    "on_site": "on_site_ms",
    "fix": "fixed_ms",
    "crew": "crew_ms",
}
"""The field that holds the instant at which each clock stopped."""

REPORTS: Mapping[Kind, Callable[[Work, Deed], Change]] = {
    "acknowledge": acknowledge,
    "accept": accept,
    "decline": decline,
    "assign": assign,
    "transfer": transfer,
    "arrive": arrive,
    "fix": fix,
    "note": note,
    "pause": pause,
    "resume": resume,
    "reclassify": reclassify,
    "close": close,
    "refuse": refuse,
    "rate": rate,
    "complain": complain,
    "correct": correct,
    "undelivered": undelivered,
}


def _given(work: Work, action: Action, event: Literal["assigned", "transferred"]) -> Change:
    whose = action.assignment
    ticket = work.ticket
    fields = {
        "assignee": whose.person if whose else None,
        "crew": (whose and whose.crew) or ticket.crew,
    }
    if (ticket.assignee, ticket.crew) == (fields["assignee"], fields["crew"]):
        raise Refused(f"ticket {ticket.id}: it is theirs already; nothing to do")
    before = {"from": ticket.assignee, "from_crew": ticket.crew}
    return Change(event, fields, {"to": fields["assignee"], "crew": fields["crew"], **before})


def _scanned(ticket: Ticket, proof: str) -> OnSiteProof:
    """Return what the arrival rests on; Refused for the label of something else."""
    if not proof:
        return ticket.on_site_proof
    if proof not in (ticket.device, ticket.place):
        raise Refused(
            f"ticket {ticket.id}: the label is that of {proof}; scan the one of"
            f" {ticket.device or ticket.place}"
        )
    return "scan"


_ORDER = tuple(TicketState)


def _at_least(work: Work, state: str) -> dict[str, TicketState]:
    """Return the state moved on to one, unless it is past it."""
    after = max(work.ticket.state, TicketState(state), key=_ORDER.index)
    return {"state": after}


def _earlier(ticket: Ticket, at_ms: int) -> dict[str, int]:
    """Being there implies that the crew has responded and is on site, by then at the latest."""
    instants = {"responded_ms": ticket.responded_ms, "on_site_ms": ticket.on_site_ms}
    return {name: at_ms for name, done_ms in instants.items() if done_ms is None or at_ms < done_ms}
