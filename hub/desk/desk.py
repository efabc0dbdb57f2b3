"""Opens tickets, keeps their clocks, takes people's reports, and closes what telemetry proves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.desk.action import Action
from hub.desk.event import Change
from hub.desk.kind import KINDS
from hub.desk.past import Past
from hub.desk.problem import Problems
from hub.desk.report import OF_CLOSED, REPORTS, deed_of
from hub.desk.section import Linking, Opening
from hub.desk.telling import telling
from hub.desk.work import Work, cause_of, ticket_id, ticket_of
from hub.model import (
    Alarm,
    Effect,
    Json,
    Problem,
    Severity,
    Text,
    Ticket,
    TicketEvent,
    TicketState,
)
from hub.ports import Refused
from rules.service import Service
from rules.sla import deadlines, verdict
from rules.spec import Rule

HUB = "hub"  # the actor of what nobody did
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
RELAPSE_MS = 3 * DAY_MS
CONFIRM_MS = 7 * DAY_MS
OFFLINE_MS = 4 * HOUR_MS


class Desk:
    """The tickets at work. Every call returns what changed; nothing here reads a clock.

    ``heard_ms`` is how far the time of the journal has come: the receipt of what happens now.
    """

    def __init__(self, promise: Service, zone: ZoneInfo) -> None:
        self.works: dict[str, Work] = {}
        self.past = Past(max(RELAPSE_MS, CONFIRM_MS))
        self.heard_ms = 0
        self._problems = Problems()
        self._promise = promise
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
        return work

    def raised(
        self,
        alarm: Alarm,
        rule: Rule,
        interval_ms: int,
        at_ms: int,
        again: Literal["raised_again", "returned"] = "raised_again",
        why: Mapping[str, Json] | None = None,
    ) -> list[Effect]:
        """Open a ticket for an alarm, open one again, or tell the open one by ``again``.

        ``why`` is what the alarm rests on; it stays with the ticket.
        """
        cause = cause_of(alarm.device, alarm.rule)
        detail: dict[str, Json] = {"alarm": alarm.id, "value": alarm.value}
        detail |= {"why": why} if why else {}
        if work := self.of_cause(cause):
            return self._change(work, at_ms, Change(again, {"alarm": alarm.id}, detail))
        if relapsed := self._relapsed(cause, at_ms):
            return self._reopen(relapsed, at_ms, {"alarm": alarm.id}, detail)
        work = self.adopt(Work(self._ticket(alarm, rule, at_ms), rule, interval_ms))
        return self._begin(work, at_ms, detail)

    def open(self, action: Action, opening: Opening, now_ms: int) -> tuple[Work, list[Effect]]:
        """Open a ticket for what a person reports, a round finds or a plan holds.

        Where the same is known already, it joins the open ticket, or opens the closed one again.
        """
        who = action.reporter or action.actor
        cause = cause_of(opening.device or opening.place, opening.kind)
        detail = {**_said(action), "reporter": who, **opening.model_dump(exclude_none=True)}
        if work := self.of_cause(cause) or self._alike(opening):
            count = work.ticket.reports + (who not in work.reporters)
            change = Change("merged", {"reports": count}, {**detail, "reports": count})
            return work, self._change(work, now_ms, change, action.actor)
        if relapsed := self._relapsed(cause, now_ms):
            count = relapsed.ticket.reports + (who not in relapsed.reporters)
            fields = {"reports": count}
            return relapsed, self._reopen(relapsed, now_ms, fields, detail, action.actor)
        work = self.adopt(Work(self._reported(cause, opening, now_ms), None, HOUR_MS))
        return work, self._begin(work, now_ms, detail, action.actor)

    def escalated(self, work: Work, severity: Severity, value: float, at_ms: int) -> list[Effect]:
        """Note on an open ticket that it is graver; what was promised before stays promised."""
        by = deadlines(self._promise, severity, at_ms)
        fields = {"severity": severity}
        for name in ("fix_by_ms", "crew_by_ms"):
            if getattr(work.ticket, name) is None:
                fields[name] = getattr(by, name)
        return self._change(work, at_ms, Change("escalated", fields, {"value": value}))

    def listed(self, work: Work, members: Sequence[str], at_ms: int) -> list[Effect]:
        """List on a ticket what is an effect of its cause."""
        detail = {"count": len(members), "members": list(members)}
        return self._change(work, at_ms, Change("inhibits", detail=detail))

    def cleared(self, alarm: Alarm, value: float, at_ms: int) -> list[Effect]:
        """Note on the open ticket that its alarm is clear."""
        work = self.of_cause(cause_of(alarm.device, alarm.rule))
        change = Change("alarm_cleared", detail={"alarm": alarm.id, "value": value})
        return self._change(work, at_ms, change) if work else []

    def report(self, work: Work, action: Action, now_ms: int) -> list[Effect]:
        """Take a person's report on a ticket, or raise Refused with the reason."""
        ticket = work.ticket
        deed = deed_of(action, work, now_ms, OFFLINE_MS)
        if ticket.closed_ms is not None:
            late = action.kind in ("acknowledge", "arrive") and deed.at_ms > ticket.closed_ms
            if late or action.kind not in OF_CLOSED:
                raise Refused(f"ticket {ticket.id}: it is closed; reopen it first")
        told = _said(action) | (
            {"own_ms": action.own_ms, "doubt": deed.doubt} if deed.doubt else {}
        )
        if action.kind == "reopen":
            return self._reopened_by(work, action, now_ms, told)
        if action.linking:
            return self._link(work, action, action.linking, now_ms)
        change = REPORTS[action.kind](work, deed)
        change = change._replace(detail={**told, **change.detail})
        if action.kind in ("close", "refuse"):
            return self._close(work, deed.at_ms, change, action.actor)
        effects = []
        if action.kind == "fix" and ticket.paused_ms is not None:
            over = Change("resumed", {"paused_ms": None, "pause": ""}, {"reason": ticket.pause})
            effects += self._change(work, deed.at_ms, over, action.actor)
        effects += self._change(work, deed.at_ms, change, action.actor)
        if action.kind == "fix":
            work.start_proof()
        return effects + self._judge(work, now_ms)

    def prove(self, work: Work, *, alarm_active: bool, at_ms: int) -> list[Effect]:
        """Close a reported fix once its proof holds and its alarm is clear."""
        proven = work.watch is None or work.watch.held
        fixed = work.ticket.state is TicketState.FIXED and work.ticket.source == "alarm"
        if not fixed or not proven or alarm_active:
            return []
        return self._close(work, at_ms, Change("closed", {"closing": "proven"}))

    def pass_time(self, work: Work, now_ms: int) -> list[Effect]:
        """Note the deadlines that lie before ``now_ms``: breaches, and a proof that never came."""
        effects: list[Effect] = []
        ticket = work.ticket
        if ticket.prove_by_ms is not None and now_ms > ticket.prove_by_ms:
            effects += self._wait_is_over(work, now_ms - 1)
        for clock in list(work.clocks()) if work.ticket.closed_ms is None else ():
            late = clock.done_ms is None and now_ms > clock.by_ms
            if late and clock.target not in work.breached:
                missed = {"target": clock.target, "by_ms": clock.by_ms}
                effects += self._change(work, now_ms - 1, Change("breach", detail=missed))
        return effects

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        works = [work.save() for work in self.works.values()]
        return {
            "works": works,
            "past": self.past.save(),
            "problems": self._problems.save(),
            "day_ids": list(self._day_ids),
        }

    def load(
        self, state: Mapping[str, Any], rule_of: Callable[[str], tuple[Rule | None, int]]
    ) -> None:
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
        self._problems.load(state["problems"])

    def _relapsed(self, cause: str, at_ms: int) -> Work | None:
        """Return the ticket that a cause opens again; what was refused stays so."""
        work = self.past.of_cause(cause, at_ms - RELAPSE_MS)
        return work if work and work.ticket.closing != "refused" else None

    def _reopened_by(
        self, work: Work, action: Action, now_ms: int, detail: Mapping[str, Json]
    ) -> list[Effect]:
        ticket = work.ticket
        if ticket.closed_ms is None:
            raise Refused(f"ticket {ticket.id}: it is open; nothing to do")
        if other := self.of_cause(ticket.cause):
            raise Refused(
                f"ticket {ticket.id}: ticket {other.ticket.id} is open for the same cause; use it"
            )
        return self._reopen(work, now_ms, {}, detail, action.actor)

    def _reopen(
        self,
        work: Work,
        at_ms: int,
        fields: Mapping[str, Any],
        detail: Mapping[str, Json],
        actor: str = HUB,
    ) -> list[Effect]:
        """Open a ticket again: people are asked anew, the fix clock goes on from the closing."""
        ticket = work.ticket
        by = deadlines(self._promise, ticket.severity, at_ms)
        gap_ms = at_ms - (ticket.closed_ms or at_ms)
        fix_by_ms = None if ticket.fix_by_ms is None else ticket.fix_by_ms + gap_ms
        self.past.take(work)
        self.adopt(work)
        cleared = dict.fromkeys(
            ("responded_ms", "on_site_ms", "crew_ms", "fixed_ms", "closed_ms", "prove_by_ms")
        )
        anew = {
            **cleared,
            **by._replace(fix_by_ms=fix_by_ms)._asdict(),
            "state": TicketState.OPENED,
            "on_site_proof": "",
            "closing": "",
            "reopened": ticket.reopened + 1,
            "reopened_ms": at_ms,
        }
        told = {**detail, "closed_ms": ticket.closed_ms}
        return self._change(work, at_ms, Change("reopened", {**anew, **fields}, told), actor)

    def _wait_is_over(self, work: Work, at_ms: int) -> list[Effect]:
        """End the wait after a fix report: unproven, or, where a person reported it, confirmed."""
        if work.ticket.source != "alarm":
            silence = Change("closed", {"closing": "confirmed"}, {"by": "silence"})
            return self._close(work, at_ms, silence)
        work.watch = None
        fields = {"state": TicketState.ON_SITE, "fixed_ms": None, "prove_by_ms": None}
        detail = {"fixed_ms": work.ticket.fixed_ms}
        return self._change(work, at_ms, Change("unproven", fields, detail))

    def _close(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
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
        del self.works[work.ticket.id], self._by_cause[work.ticket.cause]
        detail = {**change.detail, "closing": change.fields["closing"], "verdicts": verdicts}
        effects = self._change(work, at_ms, Change(change.event, fields, detail), actor)
        self.past.add(work, max(at_ms, self.heard_ms))
        return effects

    def _judge(self, work: Work, now_ms: int) -> list[Effect]:
        """Take back the breaches that were none, as is known now, and note those that were some."""
        effects: list[Effect] = []
        for clock in list(work.clocks()):
            known, done = clock.target in work.breached, clock.done_ms is not None
            breached = verdict(clock.by_ms, clock.done_ms, now_ms) == "breached"
            detail = {"target": clock.target, "by_ms": clock.by_ms, "done_ms": clock.done_ms}
            if known and not breached:
                change = Change("breach_withdrawn", detail=detail)
                effects += self._change(work, now_ms, change)
            elif breached and done and not known:  # what was said to be in time was not
                effects += self._change(work, now_ms, Change("breach", detail=detail))
        return effects

    def _link(self, work: Work, action: Action, linking: Linking, now_ms: int) -> list[Effect]:
        """Join a ticket, and the other one that is named, to the record of a problem."""
        other = self.find(linking.ticket, now_ms) if linking.ticket else None
        if other is work:
            raise Refused(f"ticket {work.ticket.id}: it cannot be joined to itself")
        known = linking.problem or (other.ticket.problem if other else None)
        problem = self._problems.link(work.ticket, known, linking, now_ms)
        effects: list[Effect] = []
        said = {**_said(action), "owner": problem.owner, "due_ms": problem.due_ms}
        if other and other.ticket.problem != problem.id:
            problem = self._problems.join(problem)
            effects += self._linked(other, problem, now_ms, said, action.actor)
        return [problem, *effects, *self._linked(work, problem, now_ms, said, action.actor)]

    def _linked(
        self, work: Work, problem: Problem, at_ms: int, said: Mapping[str, Json], actor: str = HUB
    ) -> list[Effect]:
        over = {"over": True} if problem.closed_ms is not None else {}
        detail = {**said, "problem": problem.id, "tickets": problem.tickets, **over}
        change = Change("linked", {"problem": problem.id}, detail)
        return self._change(work, at_ms, change, actor)

    def _begin(
        self, work: Work, at_ms: int, detail: Mapping[str, Json], actor: str = HUB
    ) -> list[Effect]:
        effects = self._change(work, at_ms, Change("opened", detail=detail), actor)
        if problem := self._problems.note(work.ticket):
            effects += [problem, *self._linked(work, problem, at_ms, {})]
        return effects

    def _alike(self, opening: Opening) -> Work | None:
        """Return the open ticket of an alarm that what is reported is most likely about."""
        for work in self.works.values() if opening.source != "planned" else ():
            ticket = work.ticket
            if ticket.source != "alarm":
                continue
            if opening.device and opening.device == ticket.device:
                return work
            told = work.rule is not None and opening.kind in work.rule.reported_as
            if told and opening.device is None and opening.place == ticket.place:
                return work
        return None

    def _reported(self, cause: str, opening: Opening, now_ms: int) -> Ticket:
        kind = KINDS.get(opening.kind)
        if kind is None:
            raise Refused(f"{opening.kind}: there is no such kind; take one of {', '.join(KINDS)}")
        severity = opening.severity or kind.severity
        by = deadlines(self._promise, severity, now_ms)
        return Ticket(
            id=self._new_id(cause, now_ms),
            cause=cause,
            device=opening.device or "",
            place=opening.place,
            rule=opening.kind,
            severity=severity,
            title=kind.title,
            guidance=Text("", ""),
            parts=(),
            state=TicketState.OPENED,
            opened_ms=now_ms,
            source=opening.source,
            skill=opening.skill or "",
            reports=int(opening.source == "report"),
            **by._asdict(),
        )

    def _ticket(self, alarm: Alarm, rule: Rule, at_ms: int) -> Ticket:
        cause = cause_of(alarm.device, alarm.rule)
        by = deadlines(self._promise, alarm.severity, at_ms)
        return Ticket(
            id=self._new_id(cause, at_ms),
            cause=cause,
            device=alarm.device,
            place=alarm.place,
            rule=rule.id,
            severity=alarm.severity,
            title=alarm.title,
            guidance=rule.guidance.text(),
            parts=rule.parts,
            state=TicketState.OPENED,
            opened_ms=at_ms,
            alarm=alarm.id,
            **by._asdict(),
        )

    def _new_id(self, cause: str, at_ms: int) -> str:
        id_ = ticket_id(cause, at_ms, self._zone, self._day_ids)
        if self._day_ids and next(iter(self._day_ids))[:8] != id_[:8]:
            self._day_ids.clear()
        self._day_ids[id_] = None
        return id_

    def _change(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
        work.ticket = ticket = replace(work.ticket, **change.fields)
        received_ms = max(self.heard_ms, at_ms)
        event = TicketEvent(
            ticket.id, work.events, change.event, actor, at_ms, received_ms, change.detail
        )
        work.remember(event)
        told = telling(ticket, event, self._zone)
        return [ticket, event, *([told] if told else [])]


def _said(action: Action) -> dict[str, Json]:
    """Return what a person said with an action, as it stands in the history."""
    said = {
        "action": action.id,
        **{name: getattr(action, name) for name in ("note", "part", "reporter")},
        "photos": list(action.photos),
    }
    return {name: value for name, value in said.items() if value}
