"""Opens tickets, takes people's reports, keeps the clocks, and closes what telemetry proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hub.desk.action import Action
from hub.desk.book import HUB, Book, RuleOf
from hub.desk.duty import Duty
from hub.desk.escalation import Escalation
from hub.desk.event import Change
from hub.desk.problem import Problems
from hub.desk.report import OF_CLOSED, REPORTS, Deed, deed_of, said_in
from hub.desk.section import Linking, Opening
from hub.desk.work import Work, cause_of
from hub.model import Alarm, Effect, Json, Problem, Severity, Text, Ticket, TicketState
from hub.ports import Refused
from rules.service import Item
from rules.sla import Clocks, milliseconds, verdict
from rules.spec import Rule

HOUR_MS = 3_600_000
LEAVING = ("decline", "assign", "transfer")
"""What may leave a ticket to nobody, so that somebody else is chosen."""


class Desk:
    """The work of people. Every call returns what changed; nothing here reads a clock."""

    def __init__(self, clocks: Clocks, zone: ZoneInfo, duty: Duty | None = None) -> None:
        self.book = Book(clocks, zone)
        self.duty = duty
        self._escalation = Escalation(self.book, duty)
        self._service = clocks.service
        self._problems = Problems()

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
        fields = {"alarm": alarm.id}
        detail: dict[str, Json] = {"alarm": alarm.id, "value": alarm.value}
        detail |= {"why": why} if why else {}
        if work := self.book.of_cause(cause):
            return self.book.change(work, at_ms, Change(again, fields, detail))
        if relapsed := self._relapsed(cause, at_ms):
            return self._again(relapsed, at_ms, Change("reopened", fields, detail))
        work = self.book.adopt(Work(self._raised(alarm, rule, at_ms), rule, interval_ms))
        about = {name: getattr(alarm, name) for name in ("place", "device", "severity")}
        detail |= {"source": "alarm", "kind": rule.id, **about}
        return self._begin(work, at_ms, detail)

    def open(self, action: Action, opening: Opening, now_ms: int) -> tuple[Work, list[Effect]]:
        """Open a ticket for what a person reports, a round finds or a plan holds.

        Where the same is known already, it joins the open ticket, or opens the closed one again.
        """
        who = action.reporter or action.actor
        cause = cause_of(opening.device or opening.place, f"{opening.source}/{opening.kind}")
        detail = {**said_in(action), **opening.told()}
        known = self.book.of_cause(cause) or self._alike(opening)
        work = known or self._relapsed(cause, now_ms)
        if work is None:
            work = self.book.adopt(Work(self._reported(cause, opening, now_ms), None, HOUR_MS))
            return work, self._begin(work, now_ms, detail, action.actor)
        reports = work.ticket.reports
        reports += opening.source == "report" and who not in work.reporters
        change = Change("merged", {"reports": reports}, {**detail, "reports": reports})
        again = known is None or _waits(known.ticket)  # who reports it says that it is not mended
        tell = self._again if again else self.book.change
        return work, tell(work, now_ms, change, action.actor)

    def escalated(self, work: Work, severity: Severity, value: float, at_ms: int) -> list[Effect]:
        """Note on an open ticket that it is graver; what was promised before stays promised."""
        detail = {"value": value, "promised": self.book.plan(work).severity, "to": severity}
        change = Change("escalated", {"severity": severity}, detail)
        return self.book.change(work, at_ms, change)

    def listed(self, work: Work, members: Sequence[str], at_ms: int) -> list[Effect]:
        """List on a ticket what is an effect of its cause."""
        detail = {"count": len(members), "members": list(members)}
        return self.book.change(work, at_ms, Change("inhibits", detail=detail))

    def cleared(self, alarm: Alarm, value: float, at_ms: int) -> list[Effect]:
        """Note on the open ticket that its alarm is clear."""
        work = self.book.of_cause(cause_of(alarm.device, alarm.rule))
        change = Change("alarm_cleared", detail={"alarm": alarm.id, "value": value})
        return self.book.change(work, at_ms, change) if work else []

    def report(self, work: Work, action: Action, now_ms: int) -> list[Effect]:
        """Take a person's report on a ticket, or raise Refused with the reason."""
        ticket = work.ticket
        deed = self._deed(work, action, now_ms)
        if ticket.closed_ms is not None:
            late = action.kind in ("acknowledge", "arrive") and deed.at_ms > ticket.closed_ms
            if late or action.kind not in OF_CLOSED:
                raise Refused(f"ticket {ticket.id}: it is closed; reopen it first")
        if action.kind == "reopen":
            return self._reopened_by(work, action, now_ms)
        if action.linking:
            return self._link(work, action, action.linking, now_ms)
        change = REPORTS[action.kind](work, deed)
        change = change._replace(detail={**deed.said, **change.detail})
        if action.kind in ("close", "refuse"):
            return self.book.close(work, deed.at_ms, change, action.actor)
        effects: list[Effect] = []
        if action.kind == "fix" and ticket.paused_ms is not None:
            over = REPORTS["resume"](work, deed)
            effects += self.book.change(work, deed.at_ms, over, action.actor)
        effects += self.book.change(work, deed.at_ms, change, action.actor)
        if action.kind == "fix":
            work.start_proof()
        if action.kind in LEAVING and work.ticket.assignee is None:
            named = action.assignment.crew if action.assignment else None
            effects += self._escalation.assign(work, now_ms, named)
        effects += self._judge(work, now_ms)
        return effects + (self.pass_time(work, now_ms) if ticket.closed_ms is None else [])

    def prove(self, work: Work, *, alarm_active: bool, at_ms: int) -> list[Effect]:
        """Close a reported fix once its proof holds and its alarm is clear."""
        proven = work.watch is None or work.watch.held
        fixed = work.ticket.state is TicketState.FIXED and work.ticket.source == "alarm"
        if not fixed or not proven or alarm_active:
            return []
        return self.book.close(work, at_ms, Change("closed", {"closing": "proven"}))

    def pass_time(self, work: Work, now_ms: int) -> list[Effect]:
        """Note what time alone has brought: limits of pauses, breaches, and a wait that is over."""
        effects: list[Effect] = []
        pause, ticket = work.pause, work.ticket
        if pause and now_ms >= pause.over_ms:
            over = Change("pause_over", {"paused_ms": None, "pause": ""}, {"reason": pause.reason})
            effects += self.book.change(work, pause.over_ms, over)
        if ticket.prove_by_ms is not None and now_ms > ticket.prove_by_ms:
            effects += self._wait_is_over(work, ticket.prove_by_ms)
        for clock in list(work.clocks()) if work.ticket.closed_ms is None else ():
            late = clock.done_ms is None and now_ms > clock.by_ms
            if late and clock.target not in work.breached:
                missed = {"target": clock.target, "by_ms": clock.by_ms}
                effects += self.book.change(work, clock.by_ms, Change("breach", detail=missed))
        return effects + self._escalation.climb(work, now_ms)

    def due_ms(self, work: Work) -> int | None:
        """Return when time alone changes a ticket."""
        return self._escalation.due_ms(work)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        duty = self.duty.save() if self.duty else None
        return {**self.book.save(), "problems": self._problems.save(), "duty": duty}

    def load(self, state: Mapping[str, Any], rule_of: RuleOf) -> None:
        """Take back what :meth:`save` returned; ``rule_of`` a cause gives rule and interval."""
        self.book.load(state, rule_of)
        self._problems.load(state["problems"])
        if self.duty and state["duty"]:
            self.duty.load(state["duty"])

    def _begin(
        self, work: Work, at_ms: int, detail: Mapping[str, Json], actor: str = HUB
    ) -> list[Effect]:
        effects = self.book.change(work, at_ms, Change("opened", detail=detail), actor)
        effects += self._call(work, at_ms)
        if problem := self._problems.note(work.ticket):
            effects += [problem, *self._linked(work, problem, at_ms, {})]
        return effects

    def _again(self, work: Work, at_ms: int, change: Change, actor: str = HUB) -> list[Effect]:
        return self.book.reopen(work, at_ms, change, actor) + self._call(work, at_ms)

    def _call(self, work: Work, at_ms: int) -> list[Effect]:
        """Give a ticket that begins to somebody, and tell the rungs that are due at once."""
        effects = self._escalation.assign(work, at_ms)
        return effects + self._escalation.climb(work, at_ms)

    def _deed(self, work: Work, action: Action, now_ms: int) -> Deed:
        deed = deed_of(action, work, now_ms, self.book.clocks)
        if self.duty is None:
            return deed
        if action.assignment:
            self.duty.check(action.assignment)
        return deed._replace(person=self.duty.person(action.actor))

    def _relapsed(self, cause: str, at_ms: int) -> Work | None:
        """Return the ticket that a cause opens again; what was refused stays so."""
        since_ms = at_ms - milliseconds(self._service.relapse)
        work = self.book.past.of_cause(cause, since_ms)
        return work if work and work.ticket.closing != "refused" else None

    def _alike(self, opening: Opening) -> Work | None:
        """Return the open ticket of an alarm that what is reported most likely is, the nearest."""
        found = [
            (near, work)
            for work in (self.book.works.values() if opening.rules else ())
            if work.ticket.source == "alarm"
            and work.ticket.rule in opening.rules
            and (near := _near(opening, work.ticket)) is not None
        ]
        return min(found, key=lambda one: one[0])[1] if found else None

    def _reopened_by(self, work: Work, action: Action, now_ms: int) -> list[Effect]:
        """Open again what was closed, or what a person reported and whose fix is disputed."""
        ticket, other = work.ticket, self.book.of_cause(work.ticket.cause)
        if ticket.closed_ms is None and not _waits(ticket):
            raise Refused(f"ticket {ticket.id}: it is open; nothing to do")
        if other and other is not work:
            raise Refused(
                f"ticket {ticket.id}: ticket {other.ticket.id} is open for the same cause; use it"
            )
        change = Change("reopened", detail=said_in(action))
        effects = self._again(work, now_ms, change, action.actor)
        return effects + self.pass_time(work, now_ms)

    def _wait_is_over(self, work: Work, at_ms: int) -> list[Effect]:
        """End the wait after a fix report: unproven, or, where a person reported it, confirmed."""
        if work.ticket.source != "alarm":
            silence = Change("closed", {"closing": "confirmed"}, {"by": "silence"})
            return self.book.close(work, at_ms, silence)
        work.watch = None
        fields = {"state": TicketState.ON_SITE, "fixed_ms": None, "prove_by_ms": None}
        detail = {"fixed_ms": work.ticket.fixed_ms}
        return self.book.change(work, at_ms, Change("unproven", fields, detail))

    def _judge(self, work: Work, now_ms: int) -> list[Effect]:
        """Take back the breaches that were none, as is known now, and note those that were some."""
        effects: list[Effect] = []
        for clock in list(work.clocks()):
            known, done = clock.target in work.breached, clock.done_ms is not None
            breached = verdict(clock.by_ms, clock.done_ms, now_ms) == "breached"
            detail = {"target": clock.target, "by_ms": clock.by_ms, "done_ms": clock.done_ms}
            if known and not breached:
                change = Change("breach_withdrawn", detail=detail)
                effects += self.book.change(work, now_ms, change)
            elif breached and done and not known:  # what was said to be in time was not
                change = Change("breach", detail=detail)
                effects += self.book.change(work, clock.by_ms, change)
        return effects

    def _link(self, work: Work, action: Action, linking: Linking, now_ms: int) -> list[Effect]:
        """Join a ticket, and the other one that is named, to the record of a problem."""
        other = self.book.find(linking.ticket, now_ms) if linking.ticket else None
        if other is work:
            raise Refused(f"ticket {work.ticket.id}: it cannot be joined to itself")
        known = linking.problem or (other.ticket.problem if other else None)
        problem = self._problems.link(work.ticket, known, linking, now_ms)
        effects: list[Effect] = []
        said = {**said_in(action), "owner": problem.owner, "due_ms": problem.due_ms}
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
        return self.book.change(work, at_ms, change, actor)

    def _raised(self, alarm: Alarm, rule: Rule, at_ms: int) -> Ticket:
        cause = cause_of(alarm.device, alarm.rule)
        begun = self.book.begun(Item("alarm", rule.id, alarm.severity, alarm.place), at_ms)
        return Ticket(
            id=self.book.new_id(cause, at_ms),
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
            policy=begun.policy,
            skill=self.duty.skill(alarm.device) if self.duty else "",
            **begun.by._asdict(),
        )

    def _reported(self, cause: str, opening: Opening, now_ms: int) -> Ticket:
        severity = opening.severity
        begun = self.book.begun(Item(opening.source, opening.kind, severity, opening.place), now_ms)
        return Ticket(
            id=self.book.new_id(cause, now_ms),
            cause=cause,
            device=opening.device or "",
            place=opening.place,
            rule=opening.kind,
            severity=severity,
            title=opening.title.text(),
            guidance=Text("", ""),
            parts=(),
            state=TicketState.OPENED,
            opened_ms=now_ms,
            source=opening.source,
            policy=begun.policy,
            skill=opening.skill,
            reports=int(opening.source == "report"),
            **begun.by._asdict(),
        )


def _near(opening: Opening, ticket: Ticket) -> int | None:
    """Return how near to a ticket something was reported, least is nearest; None: elsewhere."""
    if opening.device and opening.device == ticket.device:
        return 0
    if opening.place == ticket.place:
        return 1
    return 2 if {ticket.place, ticket.device} & set(opening.areas) else None


def _waits(ticket: Ticket) -> bool:
    """Tell whether a fix waits for people to say that it is one: no telemetry speaks of it."""
    return ticket.state is TicketState.FIXED and ticket.source != "alarm"
