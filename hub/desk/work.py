"""One ticket with what belongs to it: its number of events, its breaches, its proof."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from hub.desk.ladder import Ahead, Climb
from hub.model import Json, Notification, Severity, Ticket, TicketEvent, TicketState
from rules.proof import ProofWatch
from rules.service import Target
from rules.sla import Pause, closed_gap
from rules.spec import Rule

DESK = ""  # the duty desk, among people
_TICKET = TypeAdapter(Ticket)
_PAUSE = TypeAdapter(Pause)


class Clock(NamedTuple):
    """One target of the service promise on one ticket."""

    target: Target
    by_ms: int
    done_ms: int | None


class Graver(NamedTuple):
    """Since when a ticket is graver than it was, and the severity that its promise was made for."""

    since_ms: int
    promised: Severity


class Messages(NamedTuple):
    """Who was told of a ticket at its latest instant of messages."""

    at_ms: int
    to: tuple[str, ...]


@dataclass(slots=True)
class Work:
    """A ticket, open or closed of late; ``watch`` is there while a fix waits for its proof.

    ``rule`` is None when the configuration in force has no such rule any more, and where no alarm
    stands behind it. ``reporters`` are the people who reported it, as digests or by name;
    ``accepted`` tells whether whose it is has said so, ``declined`` who does not take it. ``ahead``
    is worked out of the rest.
    """

    ticket: Ticket
    rule: Rule | None
    interval_ms: int
    events: int = 0
    breached: list[Target] = field(default_factory=list)
    watch: ProofWatch | None = None
    accepted: bool = False
    reporters: list[str] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    graver: Graver | None = None
    climb: Climb = field(default_factory=Climb)
    declined: list[str] = field(default_factory=list)
    messages: Messages = field(default_factory=lambda: Messages(0, ()))
    ahead: Ahead | None = field(default=None, compare=False)

    @property
    def pause(self) -> Pause | None:
        """Return the pause that lasts."""
        lasting = (one for one in reversed(self.pauses) if one.end_ms is None)
        return next(lasting, None)

    def clocks(self) -> Iterator[Clock]:
        """Return the targets that this ticket has."""
        ticket = self.ticket
        yield Clock("response", ticket.respond_by_ms, ticket.responded_ms)
        yield Clock("on_site", ticket.on_site_by_ms, ticket.on_site_ms)
        if ticket.fix_by_ms is not None:
            yield Clock("fix", ticket.fix_by_ms, ticket.fixed_ms)
        if ticket.crew_by_ms is not None:
            # A repair that was finished without it needs no extra crew any more.
            arrived = ticket.fixed_ms if ticket.crew_ms is None else ticket.crew_ms
            yield Clock("crew", ticket.crew_by_ms, arrived)

    def due_ms(self) -> int | None:
        """Return when time alone changes this ticket: the instant after its next deadline.

        What is done at exactly the deadline is in time, so nothing happens before the next one.
        """
        dues = [
            clock.by_ms + 1
            for clock in self.clocks()
            if clock.done_ms is None and clock.target not in self.breached
        ]
        if self.ticket.state is TicketState.FIXED and self.ticket.prove_by_ms is not None:
            dues.append(self.ticket.prove_by_ms + 1)
        if self.pause:
            dues.append(self.pause.over_ms)
        return min(dues, default=None)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {
            "ticket": _TICKET.dump_python(self.ticket),
            "events": self.events,
            "breached": self.breached,
            "watch": self.watch and self.watch.save(),
            "accepted": self.accepted,
            "reporters": self.reporters,
            "pauses": [list(pause) for pause in self.pauses],
            "graver": self.graver and list(self.graver),
            "climb": self.climb.save(),
            "declined": self.declined,
            "messages": list(self.messages),
        }

    def remember(self, event: TicketEvent) -> None:
        """Take what an event says about more than the ticket itself."""
        self.events = event.n + 1
        if event.kind in ("accepted", "declined", "assigned", "transferred", "reopened"):
            self.accepted = event.kind == "accepted"
        if event.detail.get("source") == "report":
            who = event.detail.get("reporter") or event.actor
            self.reporters += [who] if who not in self.reporters else []
        self._remember_clocks(event)
        self._remember_people(event)

    def once(self, told: Notification, event: TicketEvent) -> Notification | None:
        """Leave out of a rung whom the same instant has told of the ticket already."""
        now_ms, to = event.received_ms, told.to or (DESK,)
        before = self.messages.to if self.messages.at_ms == now_ms else ()
        if event.kind == "told":
            to = tuple(one for one in to if one not in before)
        self.messages = Messages(now_ms, (*before, *to))
        if not to:
            return None
        return replace(told, to=to) if told.to else told

    def _remember_people(self, event: TicketEvent) -> None:
        self.climb.remember(event)
        detail = event.detail
        if event.kind == "reopened":
            self.declined.clear()
        elif event.kind == "declined":
            self.declined.append(detail["person"])
        elif event.kind == "transferred" and detail["from"]:
            self.declined.append(detail["from"])

    def _remember_clocks(self, event: TicketEvent) -> None:
        detail = event.detail
        match event.kind:
            case "breach":
                self.breached.append(detail["target"])
            case "breach_withdrawn":
                self.breached.remove(detail["target"])
            case "reopened":
                self.breached = [target for target in self.breached if target == "fix"]
                self.pauses.append(closed_gap(detail["stopped_ms"], event.at_ms))
                self.graver = None
            case "escalated":
                self.graver = Graver(event.at_ms, detail["promised"])
            case "reclassified":
                self.graver = None
            case "paused":
                clocks = tuple(detail["clocks"])
                lasting = Pause(event.at_ms, None, detail["limit_ms"], clocks, detail["reason"])
                self.pauses.append(lasting)
            case "resumed" | "pause_over" | "closed" | "refused":
                self._end_pause(event.at_ms)

    def _end_pause(self, at_ms: int) -> None:
        if (last := self.pause) is not None:
            self.pauses[self.pauses.index(last)] = last._replace(end_ms=max(at_ms, last.start_ms))

    def start_proof(self) -> None:
        """Begin to watch for the proof of the fix that was just reported."""
        proof, fixed_ms = self.rule and self.rule.proof, self.ticket.fixed_ms
        self.watch = ProofWatch(proof, self.interval_ms, fixed_ms) if proof and fixed_ms else None

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`save` returned, all but the ticket."""
        self.events, self.breached = state["events"], list(state["breached"])
        self.accepted, self.reporters = state["accepted"], list(state["reporters"])
        self.pauses = [_PAUSE.validate_python(one) for one in state["pauses"]]
        self.graver = Graver(*state["graver"]) if state["graver"] else None
        since_ms, to = state["messages"]
        self.messages = Messages(since_ms, tuple(to))
        self.climb, self.declined = Climb.load(state["climb"]), list(state["declined"])
        if state["watch"]:
            self.start_proof()
        if self.watch:
            self.watch.load(state["watch"])


def ticket_of(state: Mapping[str, Any]) -> Ticket:
    """Return the ticket that a saved state is about."""
    return _TICKET.validate_python(state["ticket"])


def cause_of(device: str, rule: str) -> str:
    """Return the cause of a ticket: one rule on one device."""
    return f"{device}#{rule}"


def alarm_id(cause: str, raised_ms: int) -> str:
    """Derive the id of an alarm from its cause and the instant it was raised."""
    return hashlib.sha256(f"{cause}|{raised_ms}".encode()).hexdigest()[:20]


def ticket_id(cause: str, opened_ms: int, zone: ZoneInfo, taken: Container[str]) -> str:
    """Derive the id of a ticket: the day it was opened and a few letters people can say.

    >>> ticket_id("a#b", 0, ZoneInfo("Asia/Shanghai"), ())
    '19700101-cbbdd7'
    """
    day = datetime.fromtimestamp(opened_ms / 1000, zone).strftime("%Y%m%d")
    letters = hashlib.sha256(f"{cause}|{opened_ms}".encode()).hexdigest()
    length = 6
    while f"{day}-{letters[:length]}" in taken:  # another cause has the same first letters
        length += 1
    return f"{day}-{letters[:length]}"
