"""The pure half of the engine: journal entries in, alarms and tickets out.

Nothing here reads a clock or a file. The order of the readings and their own instants decide, not
the batches they came in; only ticks, actions and the like move the time forward.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import orjson

from hub.desk import Action, Desk, Work, cause_of
from hub.desk.duty import Duty
from hub.desk.section import Opening, Swapping
from hub.engine.agenda import Agenda
from hub.engine.alarms import Alarms, stands
from hub.engine.deeds import Answer, Deeds
from hub.engine.fault import Fault, faults_of, said_in
from hub.engine.hearing import Heard, Hearing
from hub.engine.holds import Holds
from hub.engine.modes import Modes
from hub.engine.outages import Outages
from hub.engine.planning import Planning
from hub.engine.proving import proof_rows
from hub.engine.roots import Roots
from hub.engine.topology import Topology
from hub.engine.why import why_of
from hub.model import Batch, Effect, Entry, EntryKind, Json, Quality, Swap, Ticket, TicketEvent
from hub.ports import Refused
from hub.site import Site
from rules.calendar import NO_CALENDAR, Calendar
from rules.load import Flood
from rules.machine import Transition
from rules.roster import Roster
from rules.service import Service
from rules.sla import Clocks
from rules.spec import Pack, Rule
from rules.told import Said
from rules.watch import Watch, Watched

VERSION = 5  # of the saved state
HOUR_MS = 3_600_000


class Core:
    """The rules of a site and the tickets they open, as one state that can be saved."""

    def __init__(
        self,
        site: Site,
        packs: Sequence[Pack],
        promise: Service,
        calendar: Calendar | None = None,
        roster: Roster | None = None,
    ) -> None:
        self._deeds = Deeds()
        self._site = site
        dates = calendar or Calendar(NO_CALENDAR, site.zone)
        duty = Duty(roster, site) if roster else None
        self._desk = Desk(Clocks(promise, dates), site.zone, duty)
        self._faults: dict[str, Fault] = {fault.cause: fault for fault in faults_of(site, packs)}
        faults = self._faults.values()
        proofs = {one.proof_point for one in faults if one.proof_point is not None}
        self._proof_points = sorted(proofs)
        beside = {number for one in faults for number in (one.proof_point, one.mode_point)}
        self._watch = Watch(
            [Watched(name, fault.machine, fault.points) for name, fault in self._faults.items()],
            [number for number in beside if number is not None],
        )
        self._modes = Modes(faults, self._watch.last)
        self._hearing = Hearing(self._faults)
        topology = Topology(site)
        self._roots = Roots(self._faults.values(), topology)
        self._outages = Outages(topology.within)
        holds = Holds(self._outages, calendar, self._modes, self._roots)
        self._alarms = Alarms(self._desk, holds, self._schedule)
        self._planning = Planning(site, self._outages, self._alarms, self._faults)
        self._agenda = Agenda()
        self._now_ms = 0
        self._listening = False

    @property
    def answer(self) -> Answer | None:
        """Return what became of the action that the last entry was; None when it was none."""
        return self._deeds.answer

    @property
    def late(self) -> int:
        """Count the readings that came too late for the rules."""
        return self._watch.late

    @property
    def flood(self) -> Flood:
        """Return whether alarms come faster than people can take them."""
        return self._alarms.floods.all

    @property
    def floods(self) -> Mapping[str, Flood]:
        """Return the same for each crew that has had alarms; none without a roster."""
        return self._alarms.floods.crews

    @property
    def roster(self) -> Roster | None:
        """Return the roster with the swaps that were made; None where the site has none."""
        return self._desk.duty.roster if self._desk.duty else None

    @property
    def failed_rules(self) -> Mapping[str, str]:
        """Return the causes whose rules failed while they ran, each with its error."""
        return self._watch.quarantined

    @property
    def now_ms(self) -> int:
        """Return how far the time has come."""
        return self._now_ms

    def step(self, seq: int, entry: Entry) -> list[Effect]:
        """Take one entry of the journal and return what it changes, in its order."""
        del seq  # the log must not depend on how the stream was cut into entries
        self._deeds.answer = None
        if entry.batch is not None:
            return self._read(entry.batch)  # what fails in it is told with the next tick
        begins = entry.kind is EntryKind.CONFIGURATION or "listening" in entry.content
        effects = self._listen(entry.at_ms) if begins or not self._listening else []
        effects += self._advance(entry.at_ms) + self._hear_failures()
        if entry.kind is EntryKind.ACTION:
            effects += self._deeds.take(entry.content, self._act)
        elif entry.kind is EntryKind.HEALTH:
            effects += self._hear(entry)
        elif entry.kind is EntryKind.JUDGEMENT:
            effects += self._heard(self._hearing.of_a_day(entry))
        return effects

    def next_due_ms(self) -> int | None:
        """Return when time alone changes something, None when only an entry can."""
        return self._agenda.next_due_ms(self._due_of)

    def adopt(self, ticket: Ticket, events: Iterable[TicketEvent]) -> None:
        """Take over an open ticket with its history, unless this state knows it."""
        if ticket.id in self._desk.book.works:
            return
        work = self._desk.book.adopt(Work(ticket, *self._rule_of(ticket.cause)))
        for event in events:
            work.remember(event)
        work.start_proof()
        self._schedule(ticket.id)

    def adopt_swaps(self, swaps: Iterable[Swap]) -> None:
        """Take over swaps of the roster that were made, unless this state knows them."""
        if self._desk.duty:
            self._desk.duty.adopt(swaps)

    def why(self, subject: str, rule: str) -> dict[str, Json] | None:
        """Return why a rule has or has not risen on a subject; None where there is none such.

        ``why`` is what its machine holds now, ``hold`` what holds an alarm back, ``alarm`` its id.
        """
        fault = self._faults.get(cause_of(subject, rule))
        if fault is None:
            return None
        now_ms = self._now_ms
        of_own = fault.told is not None
        held = fault.machine.why(now_ms) if of_own else self._watch.why(fault.cause, now_ms)
        hold = self._alarms.hold_on(fault, now_ms)
        return {
            "why": why_of(fault, held, now_ms),
            "hold": hold._asdict() if hold else None,
            "alarm": fault.alarm.id if fault.alarm else None,
        }

    def save(self) -> bytes:
        """Return the whole state as canonical JSON."""
        state = {
            "version": VERSION,
            "now": self._now_ms,
            "listening": self._listening,
            "watch": self._watch.save(),
            "acted": self._deeds.save(),
            "desk": self._desk.save(),
            "outages": self._outages.save(),
            "floods": self._alarms.floods.save(),
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
        self._now_ms, self._listening = saved["now"], saved["listening"]
        self._watch.load(saved["watch"])
        self._deeds.load(saved["acted"])
        self._desk.load(saved["desk"], self._rule_of)
        self._desk.book.heard_ms = self._now_ms
        self._outages.load(saved["outages"])
        self._alarms.floods.load(saved["floods"])
        self._planning.know(saved["faults"])
        for cause, fault in self._faults.items():
            fault.load(saved["faults"].get(cause, {}))
            if cause not in saved["watch"]["machines"]:  # a rule that is new, or of an outage
                fault.machine.listen(self._now_ms)
            self._alarms.adopt(fault)
        for name in (*self._faults, *self._desk.book.works, *self._outages.ids()):
            self._schedule(name)

    def _read(self, batch: Batch) -> list[Effect]:
        """Take readings, cut where a device turns to another mode: it is known from then on."""
        effects: list[Effect] = []
        start = 0
        for row, faults in self._modes.turns(batch):
            effects += self._read_piece(batch.taken(slice(start, row)))
            start = row + 1
            effects += self._read_piece(batch.taken(slice(row, start)))
            for fault in faults:
                at_ms = max(self._now_ms, int(batch.at_ms[row]))
                effects += self._alarms.turn_mode(fault, at_ms)
                self._schedule(fault.cause)
        return effects + self._read_piece(batch.taken(slice(start, None)) if start else batch)

    def _read_piece(self, batch: Batch) -> list[Effect]:
        """Take readings; those that may prove a fix are taken one by one, after the rules."""
        effects: list[Effect] = []
        start = 0
        works = self._desk.book.works.values()
        for row, waiting in proof_rows(batch, self._proof_points, works, self._faults):
            effects += self._transit_all(self._watch.read(batch.taken(slice(start, row))))
            number, at_ms = int(batch.point[row]), int(batch.at_ms[row])
            fresh = at_ms > self._watch.last_ms(number)
            start = row + 1
            effects += self._transit_all(self._watch.read(batch.taken(slice(row, start))))
            good = int(batch.quality[row]) & 3 == Quality.GOOD
            for work in waiting if fresh else ():
                if work.watch and work.watch.step(at_ms, float(batch.value[row]), good=good):
                    effects += self._settle(work, at_ms, work.watch.for_ms)
        return effects + self._transit_all(self._watch.read(batch.taken(slice(start, None))))

    def _transit_all(self, transitions: Iterable[tuple[str, Transition]]) -> list[Effect]:
        effects: list[Effect] = []
        for name, transition in transitions:
            effects += self._transit(self._faults[name], transition)
        return effects

    def _listen(self, at_ms: int) -> list[Effect]:
        """Count silence from now on: what was not heard before, nobody listened for.

        Rules that failed begin anew, and with them what they say.
        """
        self._listening = True
        begun_anew = [self._faults[name] for name in self._watch.quarantined]
        self._watch.listen(at_ms)
        for name in self._faults:
            self._schedule(name)
        effects: list[Effect] = []
        for fault in begun_anew:
            if fault.there:
                effects += self._transit(fault, Transition(raised=False, at_ms=at_ms, value=0.0))
        return effects + self._hear_own("rules", Said(at_ms, trouble=False))

    def _hear_failures(self) -> list[Effect]:
        """Say of the hub's own rules that some have failed; the others run on."""
        effects: list[Effect] = []
        failures, self._watch.failures = self._watch.failures, []
        for failure in failures:
            at_ms, failed = max(self._now_ms, failure.at_ms), len(self._watch.quarantined)
            effects += self._hear_own("rules", Said(at_ms, trouble=True, value=float(failed)))
        return effects

    def _advance(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        self._desk.book.heard_ms = max(self._desk.book.heard_ms, now_ms)
        while (due := self._agenda.pop_due(now_ms, self._due_of)) is not None:
            due_ms, name = due
            self._now_ms = max(self._now_ms, due_ms)
            effects += self._do_due(name, due_ms)
            self._schedule(name)
        self._now_ms = max(self._now_ms, now_ms)
        self._alarms.floods.pass_time(self._now_ms)
        return effects

    def _do_due(self, name: str, due_ms: int) -> list[Effect]:
        """Do what time alone brings: to a fault and its alarm, a ticket or an outage."""
        effects: list[Effect] = []
        if fault := self._faults.get(name):
            machine_ms = self._machine_due_ms(fault)
            if machine_ms is not None and machine_ms <= due_ms:
                transition = self._watch.tick(name, due_ms)
                effects += self._transit(fault, transition) if transition else []
            effects += self._alarms.pass_time(fault, self._now_ms)
            if done := self._desk.book.of_cause(name):
                effects += self._prove(done, self._now_ms)
        elif work := self._desk.book.works.get(name):
            effects += self._desk.pass_time(work, self._now_ms)
        elif name in self._outages:
            effects += self._planning.pass_time(name, self._now_ms)
        return effects

    def _hear(self, entry: Entry) -> list[Effect]:
        """Take a change of health; the loss of devices and lines is seen in their readings."""
        for fault in self._hearing.of_a_line(entry):
            self._schedule(fault.cause)
        return self._hear_own(str(entry.content.get("hub", "")), said_in(entry))

    def _hear_own(self, subject: str, said: Said) -> list[Effect]:
        return self._heard(self._hearing.of_itself(subject, said))

    def _heard(self, heard: Heard | None) -> list[Effect]:
        """Let a fault begin, become worse or end, as somebody said."""
        if heard is None:
            return []
        fault, transition = heard
        if transition.raised and fault.there:
            at_ms = max(self._now_ms, transition.at_ms)
            return self._alarms.worsen(fault, transition.value, at_ms)
        return self._transit(fault, transition)

    def _transit(self, fault: Fault, transition: Transition) -> list[Effect]:
        at_ms = max(self._now_ms, transition.at_ms)
        if transition.raised:
            fault.why = self._why_of(fault, transition.at_ms)
        change = self._alarms.rise if transition.raised else self._alarms.fall
        effects = change(fault, transition, at_ms)
        if not transition.raised and (work := self._desk.book.of_cause(fault.cause)):
            effects += self._prove(work, at_ms)
        self._schedule(fault.cause)
        return effects + (self._hear_lines(at_ms) if fault.rule.inhibits == "line" else [])

    def _why_of(self, fault: Fault, at_ms: int) -> dict[str, Json]:
        """Return what was known of a fault at the instant at which it began."""
        if fault.told:
            return why_of(fault, fault.machine.why(at_ms), at_ms)
        return why_of(fault, self._watch.held(fault.cause, at_ms), at_ms)

    def _hear_lines(self, at_ms: int) -> list[Effect]:
        """Say that the hub's own uplink is lost when every line is: one cause, one alarm."""
        lines, uplink = self._roots.lines(self._site.gateways), self._hearing.own("uplink")
        lost = lines.all > 1 and lines.lost == lines.all
        if uplink is None or uplink.machine.active == lost:  # several lines may fail in one instant
            return []
        said = Said(at_ms, lost, value=float(lines.lost), limit=float(lines.all))
        return self._hear_own("uplink", said)

    def _act(self, action: Action) -> tuple[str, list[Effect]]:
        """Do what somebody did, or raise Refused; return what it is about and what changed."""
        if action.alarm:
            fault = self._alarms.by_id.get(action.alarm)
            effects = self._alarms.act(action, self._now_ms)
            work = self._desk.book.of_cause(fault.cause) if fault else None
            return action.subject, effects + (self._prove(work, self._now_ms) if work else [])
        if action.planned:
            subject, effects = self._planning.plan(action, self._now_ms)
            self._schedule(subject)
            return subject, effects
        if action.outage:
            subject, effects = self._planning.end(action.outage, self._now_ms)
            self._schedule(subject)
            return subject, effects
        if action.opening:
            return self._open(action, action.opening)
        if action.swapping:
            return self._swap(action, action.swapping)
        return action.subject, self._report(action)

    def _open(self, action: Action, opening: Opening) -> tuple[str, list[Effect]]:
        """Take what somebody reports of a place, or of a device that stands there."""
        if opening.place not in self._site.places and opening.place != self._site.id:
            raise Refused(f"{opening.place}: there is no such place")
        device = self._site.devices.get(opening.device or "")
        if opening.device and (device is None or device.place != opening.place):
            raise Refused(f"{opening.device}: there is no such device at {opening.place}")
        work, effects = self._desk.open(action, opening, self._now_ms)
        self._schedule(work.ticket.id)
        return work.ticket.id, effects

    def _swap(self, action: Action, swapping: Swapping) -> tuple[str, list[Effect]]:
        if self._desk.duty is None:
            raise Refused("this site has no roster.yaml; there is nothing to swap")
        swaps = self._desk.duty.swap(action, swapping, self._now_ms)
        return swaps[0].id, [*swaps]

    def _report(self, action: Action) -> list[Effect]:
        work = self._desk.book.find(action.subject, self._now_ms)
        effects = self._desk.report(work, action, self._now_ms)
        if action.kind == "acknowledge" and (fault := self._faults.get(work.ticket.cause)):
            effects += self._alarms.acknowledge(fault, action.actor, self._now_ms)
        effects += self._prove(work, self._now_ms)
        self._schedule(action.subject)
        return effects

    def _settle(self, work: Work, at_ms: int, well_ms: int) -> list[Effect]:
        """Close what telemetry proves: its fault need not be over for longer than the proof."""
        fault = self._faults[work.ticket.cause]
        over = self._watch.settle(fault.cause, at_ms, well_ms)
        return self._transit(fault, over) if over else self._prove(work, at_ms)

    def _prove(self, work: Work, at_ms: int) -> list[Effect]:
        fault = self._faults.get(work.ticket.cause)
        active = fault is not None and (fault.machine.active or stands(fault))
        at_ms = max(at_ms, self._now_ms)
        return self._desk.prove(work, alarm_active=active, at_ms=at_ms)

    def _rule_of(self, cause: str) -> tuple[Rule | None, int]:
        fault = self._faults.get(cause)
        return (fault.rule, fault.subject.interval_ms) if fault else (None, HOUR_MS)

    def _due_of(self, name: str) -> int | None:
        if fault := self._faults.get(name):
            dues = (self._machine_due_ms(fault), self._alarms.due_ms(fault))
            return min((due for due in dues if due is not None), default=None)
        work = self._desk.book.works.get(name)
        return self._desk.due_ms(work) if work else self._outages.due_ms(name)

    def _machine_due_ms(self, fault: Fault) -> int | None:
        """Return when a machine is told the time; what the hub says of itself waits for no time."""
        return self._watch.due_ms(fault.cause) if self._listening and not fault.told else None

    def _schedule(self, name: str) -> None:
        self._agenda.put(name, self._due_of(name))
