"""Opens tickets, keeps their clocks, takes people's reports, and closes what telemetry proves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from hub.desk.action import Action
from hub.desk.report import REPORTS, Change
from hub.desk.telling import telling
from hub.desk.work import Work, cause_of, ticket_id, ticket_of
from hub.model import Alarm, Effect, Json, Severity, Ticket, TicketEvent, TicketState
from rules.service import Service
from rules.sla import deadlines, verdict
from rules.spec import Rule

HUB = "hub"  # the actor of what nobody did


class Desk:
    """The open tickets. Every call returns what changed; nothing here reads a clock."""

    def __init__(self, promise: Service, zone: ZoneInfo) -> None:
        self.works: dict[str, Work] = {}
        self._promise = promise
        self._zone = zone
        self._by_cause: dict[str, str] = {}
        self._day_ids: dict[str, None] = {}  # ids given on the latest day, in their order

    def of_cause(self, cause: str) -> Work | None:
        """Return the open ticket of a cause; there is at most one."""
        return self.works.get(self._by_cause.get(cause, ""))

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
        again: str = "raised_again",
        why: Mapping[str, Json] | None = None,
    ) -> list[Effect]:
        """Open a ticket for an alarm, or tell the open one of the same cause by ``again``.

        ``why`` is what the alarm rests on; it stays with the ticket.
        """
        detail: dict[str, Json] = {"alarm": alarm.id, "value": alarm.value}
        detail |= {"why": why} if why else {}
        if work := self.of_cause(cause_of(alarm.device, alarm.rule)):
            return self._change(work, at_ms, Change(again, {"alarm": alarm.id}), detail)
        work = self.adopt(Work(self._ticket(alarm, rule, at_ms), rule, interval_ms))
        return self._change(work, at_ms, Change("opened"), detail)

    def escalated(self, work: Work, severity: Severity, value: float, at_ms: int) -> list[Effect]:
        """Note on an open ticket that it is graver; what was promised before stays promised."""
        by = deadlines(self._promise, severity, at_ms)
        fields = {"severity": severity}
        for name in ("fix_by_ms", "crew_by_ms"):
            if getattr(work.ticket, name) is None:
                fields[name] = getattr(by, name)
        return self._change(work, at_ms, Change("escalated", fields), {"value": value})

    def listed(self, work: Work, members: Sequence[str], at_ms: int) -> list[Effect]:
        """List on a ticket what is an effect of its cause."""
        detail = {"count": len(members), "members": list(members)}
        return self._change(work, at_ms, Change("inhibits"), detail)

    def cleared(self, alarm: Alarm, value: float, at_ms: int) -> list[Effect]:
        """Note on the open ticket that its alarm is clear."""
        work = self.of_cause(cause_of(alarm.device, alarm.rule))
        detail = {"alarm": alarm.id, "value": value}
        return self._change(work, at_ms, Change("alarm_cleared"), detail) if work else []

    def report(self, work: Work, action: Action, at_ms: int) -> list[Effect]:
        """Take a person's report on an open ticket, or raise Refused with the reason."""
        change = REPORTS[action.kind](work, at_ms)
        said = {"action": action.id, "note": action.note, "part": action.part}
        detail = {name: value for name, value in said.items() if value}
        effects = self._change(work, at_ms, change, detail, action.actor)
        if action.kind == "fix":
            work.start_proof()
        return effects

    def prove(self, work: Work, *, alarm_active: bool, at_ms: int) -> list[Effect]:
        """Close a reported fix once its proof holds and its alarm is clear."""
        proven = work.watch is None or work.watch.held
        if work.ticket.state is not TicketState.FIXED or not proven or alarm_active:
            return []
        verdicts: dict[str, Json] = {
            clock.target: verdict(clock.by_ms, clock.done_ms, at_ms) for clock in work.clocks()
        }
        fields = {"state": TicketState.CLOSED, "closed_ms": at_ms, "prove_by_ms": None}
        del self.works[work.ticket.id], self._by_cause[work.ticket.cause]
        return self._change(work, at_ms, Change("closed", fields), {"verdicts": verdicts})

    def pass_time(self, work: Work, now_ms: int) -> list[Effect]:
        """Note the deadlines that lie before ``now_ms``: breaches, and a proof that never came."""
        effects: list[Effect] = []
        ticket = work.ticket
        if ticket.prove_by_ms is not None and now_ms > ticket.prove_by_ms:
            work.watch = None
            fields = {"state": TicketState.ON_SITE, "fixed_ms": None, "prove_by_ms": None}
            detail = {"fixed_ms": ticket.fixed_ms}
            effects += self._change(work, now_ms - 1, Change("unproven", fields), detail)
        for clock in list(work.clocks()):
            late = clock.done_ms is None and now_ms > clock.by_ms
            if late and clock.target not in work.breached:
                work.breached.append(clock.target)
                missed = {"target": clock.target, "by_ms": clock.by_ms}
                effects += self._change(work, now_ms - 1, Change("breach"), missed)
        return effects

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        works = [work.save() for work in self.works.values()]
        return {"works": works, "day_ids": list(self._day_ids)}

    def load(
        self, state: Mapping[str, Any], rule_of: Callable[[str], tuple[Rule | None, int]]
    ) -> None:
        """Take back what :meth:`save` returned; ``rule_of`` a cause gives rule and interval."""
        self._day_ids = dict.fromkeys(state["day_ids"])
        for saved in state["works"]:
            ticket = ticket_of(saved)
            self.adopt(Work(ticket, *rule_of(ticket.cause))).load(saved)

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

    def _change(
        self, work: Work, at_ms: int, change: Change, detail: Mapping[str, Json], actor: str = HUB
    ) -> list[Effect]:
        work.ticket = ticket = replace(work.ticket, **change.fields)
        event = TicketEvent(ticket.id, work.events, change.event, actor, at_ms, detail)
        work.events += 1
        told = telling(ticket, event, self._zone)
        return [ticket, event, *([told] if told else [])]
