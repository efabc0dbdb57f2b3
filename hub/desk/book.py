"""The book of tickets: which are open or were closed of late, and each line that is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hub.desk.event import Change
from hub.desk.past import Past
from hub.desk.telling import telling
from hub.desk.work import Work, ticket_id, ticket_of
from hub.model import Effect, Json, Ticket, TicketEvent, TicketState
from hub.ports import Refused
from rules.service import Item
from rules.sla import Clocks, Deadlines, Plan, milliseconds, verdict
from rules.spec import Rule

HUB = "hub"  # the actor of what nobody did
RuleOf = Callable[[str], tuple[Rule | None, int]]
PLANS = ("paused", "resumed", "escalated", "reclassified", "reopened")
"""The events after which the deadlines are others."""
DATED = ("opened", *PLANS)
"""The events that say which deadlines hold from then on."""
ANEW: Mapping[str, Any] = {
    **dict.fromkeys(("responded_ms", "on_site_ms", "crew_ms", "fixed_ms", "closed_ms")),
    "prove_by_ms": None,
    "state": TicketState.OPENED,
    "on_site_proof": "",
    "closing": "",
}
"""What is forgotten of a ticket that is opened again: it stands in its history."""


class Begun(NamedTuple):
    """What the clocks of a new ticket go by."""

    policy: str
    by: Deadlines


class Book:
    """Tickets and their history. Every call returns what changed; nothing here reads a clock.

    ``heard_ms`` is how far the time of the journal has come: the receipt of what happens now.
    ``loads`` are how many open tickets each person has yet to mend.
    """

    def __init__(self, clocks: Clocks, zone: ZoneInfo) -> None:
        self.clocks = clocks
        self.works: dict[str, Work] = {}
        self.loads: Counter[str] = Counter()
        service = clocks.service
        self.past = Past(milliseconds(max(service.relapse, service.confirm)))
        self.heard_ms = 0
        self._zone = zone
        self._by_cause: dict[str, str] = {}
        self._day_ids: dict[str, None] = {}  # ids given on the latest day, in their order

    def of_cause(self, cause: str) -> Work | None:
        """Return the open ticket of a cause; there is at most one."""
        return self.works.get(self._by_cause.get(cause, ""))

    def find(self, ticket: str, now_ms: int) -> Work:
        """Return a ticket that is open or was closed of late, or raise Refused."""
        work = self.works.get(ticket) or self.past.get(ticket, now_ms)
        if work is None:
            raise Refused(f"ticket {ticket}: it was closed long ago, or there is no such ticket")
        return work

    def adopt(self, work: Work) -> Work:
        """Take over a ticket as an open one."""
        self.works[work.ticket.id] = work
        self._by_cause[work.ticket.cause] = work.ticket.id
        self._load(work, 1)
        return work

    def begun(self, item: Item, at_ms: int) -> Begun:
        """Return the policy and the deadlines of a ticket that is opened now."""
        policy = self.clocks.service.policy_for(item)
        return Begun(policy.id, self.clocks.deadlines(Plan(policy, item.severity, at_ms)))

    def plan(self, work: Work) -> Plan:
        """Return what the clocks of a ticket go by."""
        ticket = work.ticket
        severity = work.graver.promised if work.graver else ticket.severity
        policy = self.clocks.service.policy(ticket.policy)
        pauses = tuple(work.pauses)
        return Plan(policy, severity, ticket.opened_ms, ticket.reopened_ms, pauses)

    def change(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
        """Write a line of a ticket's history, with what it changes."""
        if change.fields:
            is_open = work.ticket.id in self.works
            self._load(work, -is_open)
            work.ticket = replace(work.ticket, **change.fields)
            self._load(work, is_open)
        event = TicketEvent(
            work.ticket.id,
            work.events,
            change.event,
            actor,
            at_ms,
            max(self.heard_ms, at_ms),
            change.detail,
        )
        work.remember(event)
        if change.event in PLANS:
            work.ticket = replace(work.ticket, **self._deadlines(work))
        if change.event in DATED:
            event = replace(event, detail={**event.detail, "deadlines": _by(work.ticket)})
        told = telling(work.ticket, event, self._zone)
        told = told and work.once(told, event)
        return [work.ticket, event, *([told] if told else [])]

    def close(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
        """Close a ticket, with the verdict on each of its clocks."""
        verdicts: dict[str, Json] = {
            clock.target: verdict(clock.by_ms, clock.done_ms, at_ms) for clock in work.clocks()
        }
        fields = {
            "state": TicketState.CLOSED,
            "closed_ms": at_ms,
            "prove_by_ms": None,
            "paused_ms": None,
            "pause": "",
            **change.fields,
        }
        work.watch = None
        self._load(work, -1)
        del self.works[work.ticket.id], self._by_cause[work.ticket.cause]
        detail = {**change.detail, "closing": change.fields["closing"], "verdicts": verdicts}
        effects = self.change(work, at_ms, Change(change.event, fields, detail), actor)
        self.past.add(work, max(at_ms, self.heard_ms))
        return effects

    def reopen(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
        """Open a ticket again: people are asked anew, the fix clock goes on from where it stood."""
        ticket = work.ticket
        stopped_ms = ticket.closed_ms if ticket.fixed_ms is None else ticket.fixed_ms
        if ticket.closed_ms is not None:
            self.past.take(work)
            self.adopt(work)
        fields = {
            **ANEW,
            "policy": self.clocks.service.policy_for(item_of(ticket)).id,
            "reopened": ticket.reopened + 1,
            "reopened_ms": at_ms,
            **change.fields,
        }
        detail = {**change.detail, "closed_ms": ticket.closed_ms, "stopped_ms": stopped_ms}
        return self.change(work, at_ms, Change("reopened", fields, detail), actor)

    def new_id(self, cause: str, at_ms: int) -> str:
        """Return the id of a ticket that is opened now."""
        id_ = ticket_id(cause, at_ms, self._zone, self._day_ids)
        if self._day_ids and next(iter(self._day_ids))[:8] != id_[:8]:
            self._day_ids.clear()
        self._day_ids[id_] = None
        return id_

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        works = [work.save() for work in self.works.values()]
        return {"works": works, "past": self.past.save(), "day_ids": list(self._day_ids)}

    def load(self, state: Mapping[str, Any], rule_of: RuleOf) -> None:
        """Take back what :meth:`save` returned; ``rule_of`` a cause gives rule and interval."""

        def work_of(saved: Mapping[str, Any]) -> Work:
            ticket = ticket_of(saved)
            work = Work(ticket, *rule_of(ticket.cause))
            work.load(saved)
            return work

        self._day_ids = dict.fromkeys(state["day_ids"])
        for saved in state["works"]:
            self.adopt(work_of(saved))
        self.past.load(state["past"], work_of)

    def _load(self, work: Work, tickets: int) -> None:
        """Count a ticket for, or no more for, whose work it is; a reported fix is done."""
        if work.ticket.assignee and work.ticket.state is not TicketState.FIXED:
            self.loads[work.ticket.assignee] += tickets

    def _deadlines(self, work: Work) -> dict[str, Any]:
        """Return the deadlines; what became graver keeps what was promised before."""
        plan = self.plan(work)
        by = self.clocks.deadlines(plan)._asdict()
        if work.graver:
            graver = plan._replace(severity=work.ticket.severity, opened_ms=work.graver.since_ms)
            added = self.clocks.deadlines(graver)._asdict()
            by = {name: added[name] if by_ms is None else by_ms for name, by_ms in by.items()}
        return by


def _by(ticket: Ticket) -> dict[str, Json]:
    """Return the deadlines of a ticket (UTC ms) as its history says them."""
    return {name: getattr(ticket, name) for name in Deadlines._fields}


def item_of(ticket: Ticket) -> Item:
    """Return what the policy of a ticket is chosen by."""
    return Item(ticket.source, ticket.rule, ticket.severity, ticket.place)
