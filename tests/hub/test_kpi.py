"""The figures of the service: each is right where it is known, and both ways to count agree."""

from __future__ import annotations

from hypothesis import settings

from hub.cli.sla_ground import NAME, laid
from hub.cli.sla_year import ProvenYear
from hub.desk import Desk
from hub.desk.action import action_of
from hub.kpi import BYS, MARKS, Figures, Lived, Period, counted, grouping, recounted
from hub.kpi.figure import Backlog, Mean, Share
from hub.model import Alarm, AlarmState, Effect, Text, Ticket, TicketEvent
from simulators.oracle.calendar import Minutes
from simulators.oracle.roster import Watches
from simulators.oracle.ticket import Oracle
from simulators.service_year import DAY, ServiceYear
from tests.hub.fault_site import MINUTE, START
from tests.hub.test_desk_life import RULE, Life, desk

CREWS = ("crew",)


def lives(tickets: list[Ticket], events: list[TicketEvent]) -> list[Lived]:
    marks: dict[str, list[TicketEvent]] = {}
    for event in events:
        if event.kind in MARKS:
            marks.setdefault(event.ticket, []).append(event)
    return [Lived(ticket, marks.get(ticket.id, ())) for ticket in tickets]


def agreed(tickets, events, period: Period) -> dict[str, Figures]:
    """Count both ways, by everything; return the figures of all."""
    known = lives(tickets, events)
    for by in (None, *BYS):
        of = grouping(by, CREWS)
        assert counted(known, period, of) == recounted(events, period, of), by
    return counted(known, period, grouping(None))


class Counting(Life):
    """The life of tickets, counted at every moment and over parts of its time."""

    def teardown(self) -> None:
        """Count what was lived."""
        events = [event for told in self.told.values() for event in told]
        known = {work.ticket.id: work.ticket for work in self.works()}
        past = [event for event in events if event.ticket in known]
        for now_ms in (self.now_ms, self.now_ms + 8 * DAY):
            middle_ms = (START + self.now_ms) // 2
            agreed(list(known.values()), past, Period(START, self.now_ms + 1, now_ms))
            agreed(list(known.values()), past, Period(START, middle_ms, now_ms))


TestCounting = Counting.TestCase
TestCounting.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


class Told(ProvenYear):
    """A stretch of service whose tickets and history are kept."""

    def _take(self, effects: list[Effect]) -> None:
        super()._take(effects)
        for effect in effects:
            if isinstance(effect, Ticket):
                self.rows[effect.id] = effect
            elif isinstance(effect, TicketEvent):
                self.events.append(effect)


def test_days_through_the_engine_are_counted_alike_both_ways():
    days, start_ms = 3, START
    ground = laid("Asia/Shanghai")
    minutes = Minutes(ground.calendar, "Asia/Shanghai", start_ms - DAY, start_ms + 130 * DAY)
    watches = Watches(ground.roster, minutes)
    year = ServiceYear(5, start_ms, days, ground.causes, 60)
    told = Told(ground, year, Oracle(ground.service, minutes, watches), watches, lambda _: None)
    told.rows, told.events = {}, []
    told.live()
    tickets = list(told.rows.values())
    for end in (1, 2, 130):
        period = Period(start_ms, start_ms + end * DAY, start_ms + 130 * DAY)
        figures = agreed(tickets, told.events, period)[""]
    assert figures.opened + figures.refused == days * 60
    assert figures.response.of > figures.response.n > 0
    assert figures.fix.of
    assert figures.crew.of
    assert figures.paused.total
    assert figures.reopened
    assert figures.backlog == Backlog(0, 0, 0)


def rises(one: Desk, at_ms: int) -> list[Effect]:
    words = Text("词", "word")
    alarm = Alarm(
        f"b-1/{at_ms}", RULE.id, "b-1", "dorm-07/plant", "ordinary", words,
        AlarmState.UNACKNOWLEDGED, at_ms, 45.0, 50.0,
    )  # fmt: skip
    return one.raised(alarm, RULE, MINUTE, at_ms)


def lived(*deeds: tuple[str, int, dict]) -> tuple[list[Ticket], list[TicketEvent]]:
    """Let an alarm open a ticket and people do things to it, each some minutes after."""
    one = desk()
    effects = rises(one, START)
    work = next(iter(one.book.works.values()))
    for n, (kind, minutes, more) in enumerate(deeds):
        at_ms = one.book.heard_ms = START + minutes * MINUTE
        one.pass_time(work, at_ms)
        content = {"id": f"a{n}", "kind": kind, "actor": "li", "at_ms": at_ms, "note": "a word"}
        action = action_of({**content, "ticket": work.ticket.id, **more})
        effects += one.report(work, action, at_ms)
    return [work.ticket], [effect for effect in effects if isinstance(effect, TicketEvent)]


MENDED = (
    ("acknowledge", 5, {}),
    ("arrive", 21, {}),
    ("pause", 30, {"pausing": {"reason": "parts"}}),
    ("resume", 90, {}),
    ("fix", 120, {}),
    ("close", 130, {}),
)


def test_each_figure_of_a_ticket_that_was_mended():
    one = agreed(*lived(*MENDED), Period(START, START + DAY, START + DAY))[""]
    assert one.response == Share(1, 1)  # at exactly its limit
    assert one.on_site == Share(0, 1)
    assert (one.fix, one.crew) == (Share(1, 1), Share(0, 0))
    assert (one.mtta, one.mttr) == (Mean(5 * MINUTE, 1), Mean(60 * MINUTE, 1))
    assert one.paused == Mean(60 * MINUTE, 1)
    assert (one.first_time, one.unproven) == (Share(1, 1), Share(1, 1))


def test_what_nobody_knows_yet_is_missing_and_not_zero():
    period = Period(START, START + DAY, START + MINUTE)
    one = agreed(*lived(), period)[""]
    assert one.opened == 1
    unknown = (one.response, one.fix, one.mtta, one.mttr, one.first_time, one.rework, one.rating)
    assert [figure.value for figure in unknown] == [None] * 7
    assert one.backlog == Backlog(1, 0, 0)


def test_a_fix_counts_as_in_time_only_once_it_has_held():
    period = Period(START, START + DAY, START + DAY)
    assert agreed(*lived(*MENDED[:-1]), period)[""].fix == Share(0, 0)


def test_a_corrected_instant_counts_both_ways():
    right = {"correction": {"target": "on_site", "to_ms": START + 20 * MINUTE}}
    told = lived(*MENDED, ("correct", 140, right))
    one = agreed(*told, Period(START, START + DAY, START + DAY))[""]
    assert one.on_site == Share(1, 1)


def test_what_is_opened_again_within_a_week_is_rework():
    told = lived(*MENDED, ("reopen", 200, {}))
    early = agreed(*told, Period(START, START + DAY, START + 6 * DAY))[""]
    assert (early.rework.value, early.reopened) == (None, 1)
    assert early.backlog == Backlog(1, 0, 0)
    late = agreed(*told, Period(START, START + DAY, START + 8 * DAY))[""]
    assert late.rework == Share(1, 1)


def test_silence_is_no_praise():
    quiet = agreed(*reported(), Period(START, START + DAY, START + DAY))[""]
    assert (quiet.rating.value, quiet.answered) == (None, Share(0, 1))
    rated = agreed(*reported(4, 2), Period(START, START + DAY, START + DAY))[""]
    assert (rated.rating, rated.answered) == (Mean(2, 1), Share(1, 1))  # the last word counts


def reported(*stars: int) -> tuple[list[Ticket], list[TicketEvent]]:
    """Let somebody report a leak, and rate the service when it is closed."""
    one = desk()
    opening = {"source": "report", "kind": "leak", "place": "dorm-07", "title": NAME}
    content = {"actor": "reporter", "reporter": "x", "at_ms": START}
    action = action_of({**content, "id": "o", "kind": "open", "opening": opening})
    work, effects = one.open(action, action.opening, START)
    deeds = [("close", {"note": "dry"}), *(("rate", {"rating": {"stars": n}}) for n in stars)]
    for n, (kind, more) in enumerate(deeds):
        said = {**content, "id": f"{n}", "kind": kind, "ticket": work.ticket.id, **more}
        effects += one.report(work, action_of(said), START + MINUTE)
    return [work.ticket], [effect for effect in effects if isinstance(effect, TicketEvent)]
