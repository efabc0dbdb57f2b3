"""The life of tickets: whatever people, phones and time do in whatever order, the laws hold."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.desk import Desk, Work
from hub.desk.action import action_of
from hub.model import Alarm, AlarmState, Effect, Text, TicketEvent, TicketState
from hub.ports import Refused
from rules.calendar import NO_CALENDAR, Calendar
from rules.sla import Clocks, verdict
from tests.hub.fault_site import COLD, MINUTE, PROMISE, START, ZONE, pack

HOUR = 60 * MINUTE
RULE = pack(COLD).rules[0]
OTHERS = ("decline", "note", "complain", "rate", "assign", "transfer", "link")
SECTIONS = {
    "rate": {"rating": {"stars": 2}},
    "assign": {"assignment": {"person": "li"}},
    "transfer": {"assignment": {"person": "wang", "crew": "east"}},
    "link": {"linking": {"new": True}},
}
NEXT = {  # where a line of the history may lead, besides staying
    TicketState.OPENED: {TicketState.RESPONDED, TicketState.ON_SITE, TicketState.FIXED},
    TicketState.RESPONDED: {TicketState.ON_SITE, TicketState.FIXED},
    TicketState.ON_SITE: {TicketState.FIXED},
    TicketState.FIXED: {TicketState.ON_SITE, TicketState.OPENED},
    TicketState.CLOSED: {TicketState.OPENED},
}


class Life(RuleBasedStateMachine):
    """Two alarms and two reported causes, four people, phones that are offline for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = desk()
        self.now_ms, self.n = START, 0
        self.told: dict[str, list[TicketEvent]] = {}
        self.states: dict[str, TicketState] = {}

    def hear(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, TicketEvent):
                known = self.told.setdefault(effect.ticket, [])
                assert effect.n == len(known)
                assert effect.at_ms <= effect.received_ms == self.now_ms
                known.append(effect)
        for work in self.works():
            before = self.states.setdefault(work.ticket.id, TicketState.OPENED)
            after = self.states[work.ticket.id] = work.ticket.state
            assert after in (before, TicketState.CLOSED) or after in NEXT[before]

    def works(self) -> list[Work]:
        return [*self.desk.book.works.values(), *self.desk.book.past]

    def act(self, kind: str, **content: object) -> None:
        self.n += 1
        whole = {"id": f"a{self.n}", "kind": kind, "at_ms": self.now_ms, **content}
        action, saved = action_of(whole), self.desk.save()
        try:
            if action.opening:
                _, effects = self.desk.open(action, action.opening, self.now_ms)
            else:
                work = self.desk.book.find(action.subject, self.now_ms)
                effects = self.desk.report(work, action, self.now_ms)
        except Refused:
            assert self.desk.save() == saved
        else:
            self.hear(effects)

    @initialize()
    def begin(self) -> None:
        self.time_passes(0)

    @rule(device=st.sampled_from(["b-1", "b-2"]))
    def an_alarm_rises(self, device: str) -> None:
        words = Text("词", "word")
        alarm = Alarm(
            f"{device}/{self.now_ms}", RULE.id, device, "dorm-07/plant", "ordinary", words,
            AlarmState.UNACKNOWLEDGED, self.now_ms, 45.0, 50.0,
        )  # fmt: skip
        self.hear(self.desk.raised(alarm, RULE, MINUTE, self.now_ms))

    @rule(place=st.sampled_from(["dorm-07", "dorm-08"]), who=st.sampled_from(["x", "y"]))
    def a_person_reports(self, place: str, who: str) -> None:
        opening = {"source": "report", "kind": "leak", "place": place, "severity": "small"}
        opening["title"] = {"zh": "漏水", "en": "Leak"}
        self.act("open", actor="reporter", reporter=who, opening=opening)

    def does(self, kind: str, which: int, own: int | None = None, **content: object) -> None:
        works = self.works()
        if not works:
            return
        if own is not None:
            content["own_ms"] = self.now_ms + own * MINUTE
        self.act(kind, ticket=works[which % len(works)].ticket.id, **content)

    @rule(
        kind=st.sampled_from(["acknowledge", "accept", "arrive", "fix", "fix", "resume"]),
        which=st.integers(0, 5),
        actor=st.sampled_from(["li", "wang"]),
        own=st.none() | st.integers(-300, 5),
    )
    def the_crew_works(self, kind, which, actor, own) -> None:
        self.does(kind, which, own, actor=actor)

    @rule(
        reason=st.sampled_from(["parts", "access", "ghosts"]),
        which=st.integers(0, 5),
        own=st.none() | st.integers(-300, 5),
    )
    def work_waits(self, reason, which, own) -> None:
        self.does("pause", which, own, actor="li", note="a word", pausing={"reason": reason})

    @rule(severity=st.sampled_from(["small", "ordinary", "large"]), which=st.integers(0, 5))
    def it_is_of_another_severity(self, severity, which) -> None:
        classing = {"severity": severity}
        self.does("reclassify", which, actor="duty", note="a word", classing=classing)

    @rule(
        clock=st.sampled_from(["response", "on_site", "fix"]),
        which=st.integers(0, 5),
        ago=st.integers(-1, 30),
    )
    def an_instant_is_corrected(self, clock, which, ago) -> None:
        correction = {"target": clock, "to_ms": self.now_ms - ago * MINUTE}
        self.does("correct", which, actor="duty", note="a word", correction=correction)

    @rule(kind=st.sampled_from(["close", "refuse", "reopen", "reopen"]), which=st.integers(0, 5))
    def the_desk_decides(self, kind, which) -> None:
        self.does(kind, which, actor="duty", note="a word")

    @rule(kind=st.sampled_from(OTHERS), which=st.integers(0, 5))
    def people_say_more(self, kind, which) -> None:
        self.does(kind, which, actor="li", note="a word", **SECTIONS.get(kind, {}))

    @rule(device=st.sampled_from(["b-1", "b-2"]), held=st.booleans())
    def telemetry_speaks(self, device: str, held: bool) -> None:
        work = self.desk.book.of_cause(f"{device}#{RULE.id}")
        if work and work.watch:
            work.watch.held = held
            self.hear(self.desk.prove(work, alarm_active=not held, at_ms=self.now_ms))

    @rule(minutes=st.sampled_from([0, 1, 4, 5, 15, 60, 240, 3000, 11000]))
    def time_passes(self, minutes: int) -> None:
        self.now_ms += minutes * MINUTE
        self.desk.book.heard_ms = self.now_ms
        for work in list(self.desk.book.works.values()):
            self.hear(self.desk.pass_time(work, self.now_ms))

    @invariant()
    def one_open_ticket_per_cause(self) -> None:
        open_ = [work.ticket for work in self.desk.book.works.values()]
        assert len({ticket.cause for ticket in open_}) == len(open_)
        assert all(ticket.closed_ms is None and not ticket.closing for ticket in open_)
        for work in self.desk.book.past:
            assert work.ticket.closed_ms is not None
            assert work.ticket.closing

    @invariant()
    def a_breach_stands_exactly_where_a_deadline_was_missed(self) -> None:
        for work in self.desk.book.works.values():
            for clock in work.clocks():
                breached = verdict(clock.by_ms, clock.done_ms, self.now_ms) == "breached"
                assert (clock.target in work.breached) == breached, (clock, work.ticket)

    @invariant()
    def the_steps_stand_in_their_order(self) -> None:
        for work in self.works():
            one = work.ticket
            began = one.opened_ms if one.reopened_ms is None else one.reopened_ms
            done = [ms for ms in (one.responded_ms, one.on_site_ms) if ms is not None]
            assert all(began <= ms <= self.now_ms for ms in done)
            if one.state in (TicketState.ON_SITE, TicketState.FIXED):
                assert len(done) == 2
            assert (one.state is TicketState.FIXED) <= (one.fixed_ms is not None)
            assert (one.paused_ms is None) == (work.pause is None) == (one.pause == "")

    @invariant()
    def the_history_tells_all_that_is_known(self) -> None:
        for work in self.works():
            again = Work(work.ticket, work.rule, work.interval_ms)
            for event in self.told[work.ticket.id]:
                again.remember(event)
            live = {"watch": work.watch, "messages": work.messages}  # of the moment alone
            assert replace(again, **live) == work

    def teardown(self) -> None:
        """Check at the end that the state can be saved and loaded."""
        saved = self.desk.save()
        other = desk()
        rules = {f"{device}#{RULE.id}": (RULE, MINUTE) for device in ("b-1", "b-2")}
        other.load(saved, lambda cause: rules.get(cause, (None, HOUR)))
        assert other.save() == saved


def desk() -> Desk:
    return Desk(Clocks(PROMISE, Calendar(NO_CALENDAR, ZONE)), ZONE)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
