"""The pure half of the engine: journal entries in, alarms and tickets out.

Nothing here reads a clock or a file. The order of the readings and their own instants decide, not
the batches they came in; only ticks, actions and the like move the time forward.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import orjson

from hub.desk import Action, Desk, Work
from hub.desk.action import action_of
from hub.desk.work import alarm_id
from hub.engine.agenda import Agenda
from hub.engine.fault import Fault, faults_of, said_in
from hub.model import Alarm, AlarmState, Batch, Effect, Entry, EntryKind, Quality, Ticket
from hub.ports import Refused
from hub.site import Site
from rules.alarm import following
from rules.machine import Transition
from rules.sla import Promise
from rules.spec import Pack, Rule

VERSION = 1  # of the saved state
REMEMBERED_ACTIONS = 1000
HOUR_MS = 3_600_000


class Answer(NamedTuple):
    """What became of an action: its ticket or alarm, or why it was refused."""

    action: str
    subject: str
    refusal: str | None = None


class Core:
    """The rules of a site and the tickets they open, as one state that can be saved."""

    def __init__(self, site: Site, packs: Sequence[Pack], promise: Promise) -> None:
        self.answer: Answer | None = None
        self.late = 0
        self._desk = Desk(promise, site.zone)
        self._faults: Mapping[str, Fault] = {fault.cause: fault for fault in faults_of(site, packs)}
        self._ruled: dict[int, list[Fault]] = {}
        self._proving: dict[int, list[Fault]] = {}
        self._own: dict[str, Fault] = {}  # by what the hub says something about
        for fault in self._faults.values():
            if fault.rule.kind == "health":
                self._own[fault.rule.subject] = fault
            if fault.point is not None:
                self._ruled.setdefault(fault.point, []).append(fault)
            if fault.proof_point is not None:
                self._proving.setdefault(fault.proof_point, []).append(fault)
        watched = self._ruled.keys() | self._proving.keys()
        self._watched = np.zeros(max(watched, default=0) + 1, np.bool_)
        self._watched[sorted(watched)] = True
        self._last_ms: dict[int, int] = {}
        self._alarms: dict[str, str] = {}  # of each alarm in force, its cause
        self._acted: dict[str, str] = {}  # of the latest actions, what they were about
        self._agenda = Agenda()
        self._now_ms = 0
        self._listening = False

    @property
    def now_ms(self) -> int:
        """Return how far the time has come."""
        return self._now_ms

    def step(self, seq: int, entry: Entry) -> list[Effect]:
        """Take one entry of the journal and return what it changes, in its order."""
        del seq  # the log must not depend on how the stream was cut into entries
        self.answer = None
        if entry.batch is not None:
            return self._read(entry.batch)
        begins = entry.kind is EntryKind.CONFIGURATION or "listening" in entry.content
        if begins or not self._listening:
            self._listen(entry.at_ms)
        effects = self._advance(entry.at_ms)
        if entry.kind is EntryKind.ACTION:
            effects += self._act(entry.content)
        elif entry.kind is EntryKind.HEALTH:
            effects += self._hear(entry)
        return effects

    def next_due_ms(self) -> int | None:
        """Return when time alone changes something, None when only an entry can."""
        return self._agenda.next_due_ms(self._due_of)

    def adopt(self, ticket: Ticket, events: int) -> None:
        """Take over an open ticket with that many events, unless this state knows it."""
        if ticket.id in self._desk.works:
            return
        work = self._desk.adopt(Work(ticket, *self._rule_of(ticket.cause), events))
        work.start_proof()
        self._schedule(ticket.id)

    def save(self) -> bytes:
        """Return the whole state as canonical JSON."""
        state = {
            "version": VERSION,
            "now": self._now_ms,
            "listening": self._listening,
            "late": self.late,
            "last": [[number, self._last_ms[number]] for number in sorted(self._last_ms)],
            "acted": list(self._acted.items()),
            "desk": self._desk.save(),
            "faults": {
                fault.cause: saved for fault in self._faults.values() if (saved := fault.save())
            },
        }
        return orjson.dumps(state, option=orjson.OPT_SORT_KEYS)

    def load(self, state: bytes) -> None:
        """Take back what :meth:`save` returned; rules that are no longer in force are left out."""
        saved = orjson.loads(state)
        if saved.get("version") != VERSION:
            raise ValueError(f"version {saved.get('version')} is not {VERSION}")
        self._now_ms, self._listening, self.late = saved["now"], saved["listening"], saved["late"]
        self._last_ms = dict(saved["last"])
        self._acted = dict(saved["acted"])
        self._desk.load(saved["desk"], self._rule_of)
        for cause, fault in self._faults.items():
            if fault_state := saved["faults"].get(cause):
                fault.load(fault_state)
            else:  # a rule that is new, or that nothing has happened to
                fault.machine.listen(self._now_ms)
            if fault.alarm:
                self._alarms[fault.alarm.id] = cause
        for name in (*self._faults, *self._desk.works):
            self._schedule(name)

    def _read(self, batch: Batch) -> list[Effect]:
        inside = batch.point < len(self._watched)
        mask = inside & self._watched[np.where(inside, batch.point, 0)]
        effects: list[Effect] = []
        rows = zip(
            batch.point[mask].tolist(),
            batch.at_ms[mask].tolist(),
            batch.value[mask].tolist(),
            batch.quality[mask].tolist(),
            strict=True,
        )
        for number, at_ms, value, quality in rows:
            if at_ms <= self._last_ms.get(number, -1):
                self.late += 1
                continue
            self._last_ms[number] = at_ms
            good = quality & 3 == Quality.GOOD
            for fault in self._ruled.get(number, ()):
                if transition := fault.machine.step(at_ms, value, good=good):
                    effects += self._transit(fault, transition)
            for fault in self._proving.get(number, ()):
                work = self._desk.of_cause(fault.cause)
                if work and work.watch and work.watch.step(at_ms, value, good=good):
                    effects += self._prove(work, at_ms)
        return effects

    def _listen(self, at_ms: int) -> None:
        """Count silence from now on: what was not heard before, nobody listened for."""
        self._listening = True
        for fault in self._faults.values():
            fault.machine.listen(at_ms)
            self._schedule(fault.cause)

    def _advance(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        while (due := self._agenda.pop_due(now_ms, self._due_of)) is not None:
            due_ms, name = due
            self._now_ms = max(self._now_ms, due_ms)
            if fault := self._faults.get(name):
                if transition := fault.machine.tick(due_ms):
                    effects += self._transit(fault, transition)
            elif work := self._desk.works.get(name):
                effects += self._desk.pass_time(work, self._now_ms)
            self._schedule(name)
        self._now_ms = max(self._now_ms, now_ms)
        return effects

    def _hear(self, entry: Entry) -> list[Effect]:
        """Take a change of health; those of devices have rules of their own."""
        fault = self._own.get(str(entry.content.get("hub", "")))
        transition = fault.told.hear(said_in(entry)) if fault and fault.told else None
        if fault is None or transition is None:
            return []
        if transition.raised and fault.alarm and fault.alarm.cleared_ms is None:
            return self._worsen(fault, transition)
        return self._transit(fault, transition)

    def _worsen(self, fault: Fault, transition: Transition) -> list[Effect]:
        """Note that what there is an alarm for cannot wait any more."""
        now = {"value": transition.value, "limit": fault.limit, "severity": fault.severity}
        effects = self._to_state(fault, now)
        if work := self._desk.of_cause(fault.cause):
            at_ms = max(self._now_ms, transition.at_ms)
            effects += self._desk.escalated(work, fault.severity, transition.value, at_ms)
            self._schedule(work.ticket.id)
        return effects

    def _transit(self, fault: Fault, transition: Transition) -> list[Effect]:
        begin = self._raise if transition.raised else self._clear
        effects = begin(fault, transition)
        self._schedule(fault.cause)
        return effects

    def _raise(self, fault: Fault, transition: Transition) -> list[Effect]:
        effects: list[Effect] = []
        if fault.alarm:  # clear but never acknowledged: the new alarm takes its place
            effects += self._to_state(fault, {"state": AlarmState.CLEARED})
        fault.alarm = alarm = Alarm(
            id=alarm_id(fault.cause, transition.at_ms),
            rule=fault.rule.id,
            device=fault.device.id,
            place=fault.device.place,
            severity=fault.severity,
            title=fault.rule.title.text(),
            state=AlarmState.UNACKNOWLEDGED,
            raised_ms=transition.at_ms,
            value=transition.value,
            limit=fault.limit,
        )
        self._alarms[alarm.id] = fault.cause
        at_ms = max(self._now_ms, transition.at_ms)
        effects += [alarm, *self._desk.raised(alarm, fault.rule, fault.interval_ms, at_ms)]
        if work := self._desk.of_cause(fault.cause):
            self._schedule(work.ticket.id)
        return effects

    def _clear(self, fault: Fault, transition: Transition) -> list[Effect]:
        if not (alarm := fault.alarm):
            return []
        state = following(alarm.state, "clear") or alarm.state
        effects = self._to_state(fault, {"state": state, "cleared_ms": transition.at_ms})
        at_ms = max(self._now_ms, transition.at_ms)
        effects += self._desk.cleared(alarm, transition.value, at_ms)
        if work := self._desk.of_cause(fault.cause):
            effects += self._prove(work, at_ms)
        return effects

    def _to_state(self, fault: Fault, fields: Mapping[str, Any]) -> list[Effect]:
        if not fault.alarm:
            return []
        fault.alarm = alarm = replace(fault.alarm, **fields)
        if alarm.state is AlarmState.CLEARED:
            fault.alarm = None
            del self._alarms[alarm.id]
        return [alarm]

    def _act(self, content: Mapping[str, Any]) -> list[Effect]:
        action_id = str(content.get("id", ""))
        if subject := self._acted.get(action_id):  # told twice: it has its effect already
            self.answer = Answer(action_id, subject)
            return []
        try:
            action = action_of(content)
            effects = self._acknowledge_alarm(action) if action.alarm else self._report(action)
        except Refused as refusal:
            self.answer = Answer(action_id, "", str(refusal))
            return []
        self._acted[action.id] = action.subject
        if len(self._acted) > REMEMBERED_ACTIONS:
            del self._acted[next(iter(self._acted))]
        self.answer = Answer(action.id, action.subject)
        return effects

    def _report(self, action: Action) -> list[Effect]:
        work = self._desk.works.get(action.subject)
        if work is None:
            raise Refused(f"ticket {action.subject}: it is closed, or there is no such ticket")
        effects = self._desk.report(work, action, self._now_ms)
        if action.kind == "acknowledge" and (fault := self._faults.get(work.ticket.cause)):
            effects += self._acknowledged(fault)
        effects += self._prove(work, self._now_ms)
        self._schedule(action.subject)
        return effects

    def _acknowledge_alarm(self, action: Action) -> list[Effect]:
        fault = self._faults.get(self._alarms.get(action.subject, ""))
        effects = self._acknowledged(fault) if fault else []
        if not effects:
            raise Refused(f"alarm {action.subject}: it needs no acknowledgement (any more)")
        return effects

    def _acknowledged(self, fault: Fault) -> list[Effect]:
        state = fault.alarm and following(fault.alarm.state, "acknowledge")
        if not state:
            return []
        return self._to_state(fault, {"state": state, "acknowledged_ms": self._now_ms})

    def _prove(self, work: Work, at_ms: int) -> list[Effect]:
        fault = self._faults.get(work.ticket.cause)
        active = fault is not None and fault.machine.active
        at_ms = max(at_ms, self._now_ms)
        return self._desk.prove(work, alarm_active=active, at_ms=at_ms)

    def _rule_of(self, cause: str) -> tuple[Rule | None, int]:
        fault = self._faults.get(cause)
        return (fault.rule, fault.interval_ms) if fault else (None, HOUR_MS)

    def _due_of(self, name: str) -> int | None:
        if fault := self._faults.get(name):
            return fault.machine.due_ms() if self._listening else None
        work = self._desk.works.get(name)
        return work.due_ms() if work else None

    def _schedule(self, name: str) -> None:
        self._agenda.put(name, self._due_of(name))


def log_line(effect: Effect) -> bytes:
    """Return one line of the alarm and ticket log: canonical JSON without any wall clock."""
    content = {"what": type(effect).__name__.lower(), **asdict(effect)}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
