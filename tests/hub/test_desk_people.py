"""What people do to tickets: their own times, reports that join, closings with their evidence."""

from __future__ import annotations

import pytest

from hub.desk.problem import OFTEN
from hub.model import Entry, EntryKind, Problem, TicketEvent, TicketState
from tests.hub.fault_site import (
    BOILER,
    COLD,
    FAULT,
    HOT,
    MINUTE,
    START,
    action,
    core,
    play,
    reading,
    started,
    tick,
    ticket_in,
    told,
    with_ticket,
)

WORDS = {"zh": "没有热水", "en": "No hot water"}
DAY = 24 * 60


def report(minute: float, **more: object) -> Entry:
    """Return a report of no hot water in a room, by a person without an account."""
    at_ms = START + round(minute * MINUTE)
    opening = {"source": "report", "kind": "no-hot-water", "place": "dorm-07", "title": WORDS}
    said = {name: more.pop(name) for name in ("note", "reporter", "photos") if name in more}
    content = {"id": f"open-{minute}", "kind": "open", "actor": "reporter", "at_ms": at_ms}
    content |= {"reporter": "r1", **said, "opening": opening | more}
    return Entry(EntryKind.ACTION, at_ms, content=content)


def own(minute: float) -> dict[str, int]:
    return {"own_ms": START + round(minute * MINUTE)}


def reported(minute: float = 1, **more: object):
    one = core(COLD)
    return one, ticket_in(play(one, [started(), report(minute, **more)]))


def events(effects) -> list[TicketEvent]:
    return [effect for effect in effects if isinstance(effect, TicketEvent)]


@pytest.mark.parametrize(
    ("own_minute", "counts", "doubt"),
    [
        (34, 34, None),
        (30, 30, None),  # at the opening itself
        (29.9, 40, "before the step"),
        (40 + 50 / 60, 40, None),  # a clock that is a little ahead: not later than its receipt
        (41.1, 40, "in the future"),
        (40 - 241, 40, "too long ago"),
    ],
)
def test_what_a_phone_did_offline_counts_from_its_own_time_where_that_can_be(
    own_minute, counts, doubt
) -> None:
    one, ticket = with_ticket()
    effects = play(one, [tick(40), action(40, "acknowledge", ticket, **own(own_minute))])
    (seen,) = [event for event in events(effects) if event.kind == "acknowledged"]
    assert (seen.kind, (seen.at_ms - START) / MINUTE) == ("acknowledged", counts)
    assert seen.received_ms == START + 40 * MINUTE
    assert (seen.detail.get("doubt") is None) == (doubt is None)
    assert doubt is None or (doubt in seen.detail["doubt"] and "own_ms" in seen.detail)


def test_a_breach_that_was_none_is_withdrawn_and_both_stay_in_the_history() -> None:
    one, ticket = with_ticket()
    effects = play(one, [tick(60), action(60, "acknowledge", ticket, **own(35))])
    assert told(effects) == [
        ("breach", 35),
        ("breach", 50),
        ("acknowledged", 35),
        ("breach_withdrawn", 60),
    ]
    assert one._desk.book.works[ticket].breached == ["on_site"]


def test_steps_that_come_in_another_order_than_they_were_done_give_the_same_times() -> None:
    steps = [("acknowledge", 32), ("arrive", 45), ("fix", 60)]
    orders = ([0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1])
    found = []
    for order in orders:
        one, ticket = with_ticket()
        for n, which in enumerate(order):
            kind, at = steps[which]
            play(one, [action(100 + n, kind, ticket, **own(at))])
        left = one._desk.book.works[ticket].ticket
        found.append((left.responded_ms, left.on_site_ms, left.fixed_ms, left.state))
    expected = tuple(START + at * MINUTE for _, at in steps)
    assert found == [(*expected, TicketState.FIXED)] * len(orders)


def test_the_arrivals_of_a_large_repair_count_in_the_order_in_which_they_were() -> None:
    one = core(HOT)
    ticket = ticket_in(play(one, [started(), reading(1, 71)])).id
    play(one, [action(50, "arrive", ticket), action(60, "arrive", ticket, **own(40))])
    left = one._desk.book.works[ticket].ticket
    assert (left.on_site_ms, left.crew_ms) == (START + 40 * MINUTE, START + 50 * MINUTE)


def test_reports_of_one_cause_are_one_ticket_that_counts_its_reporters() -> None:
    one, ticket = reported()
    more = [report(2, reporter="r2", note="冷"), report(3, reporter="r2"), report(4)]
    effects = play(one, more)
    assert told(effects) == [("merged", 2), ("merged", 3), ("merged", 4)]
    assert (ticket.reports, ticket_in(effects).reports) == (1, 2)
    assert [event.detail["reporter"] for event in events(effects)] == ["r2", "r2", "r1"]
    other = ticket_in(play(one, [report(5, kind="leak")]))
    assert other.id != ticket.id


@pytest.mark.parametrize(
    ("where", "joins"),
    [
        ({"device": BOILER, "place": "dorm-07/plant", "rules": ["tank-cold"]}, True),
        ({"place": "dorm-07/plant", "rules": ["tank-cold"]}, True),
        ({"areas": ["dorm-07/plant"], "rules": ["tank-cold"]}, True),
        ({"rules": ["tank-cold"]}, False),
        ({"areas": ["dorm-07/plant"], "rules": ["tank-hot"]}, False),
    ],
)
def test_a_report_joins_the_alarm_that_it_plausibly_is(where, joins) -> None:
    one, ticket = with_ticket()
    effects = play(one, [report(31, **where)])
    assert (ticket_in(effects).id == ticket) == joins
    assert told(effects) == [("merged" if joins else "opened", 31)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"place": "dorm-99"}, "no such place"),
        ({"device": BOILER}, "no such device at dorm-07"),
        ({"title": {"zh": "x"}}, "title"),
        ({"source": "alarm"}, "source"),
    ],
)
def test_a_report_of_what_there_is_not_is_refused(wrong, said) -> None:
    one = core(COLD)
    assert play(one, [started(), report(1, **wrong)]) == []
    assert said in one.answer.refusal


def test_a_closing_without_evidence_is_refused_and_says_what_is_missing() -> None:
    one, ticket = with_ticket()
    assert play(one, [action(31, "close", ticket)]) == []
    assert "telemetry has not proven a fix" in one.answer.refusal
    other, room = reported()
    assert play(other, [action(2, "close", room.id)]) == []
    assert "no fix was reported" in other.answer.refusal
    closed = ticket_in(play(other, [action(3, "fix", room.id), action(4, "close", room.id)]))
    assert (closed.state, closed.closing) == (TicketState.CLOSED, "confirmed")


def test_an_alarm_is_closed_by_word_with_a_reason_and_refused_by_nobody() -> None:
    one, ticket = with_ticket()
    assert play(one, [action(31, "refuse", ticket, note="not ours")]) == []
    closed = events(play(one, [action(32, "close", ticket, note="the sensor is being replaced")]))[
        -1
    ]
    assert (closed.kind, closed.detail["closing"]) == ("closed", "confirmed")
    assert closed.detail["verdicts"]["response"] == "running"


def test_nobody_disputing_a_fix_for_seven_days_confirms_it() -> None:
    one, room = reported()
    play(one, [action(10, "fix", room.id)])
    assert "closed" not in dict(told(play(one, [tick(10 + 7 * DAY)])))
    closed = events(play(one, [tick(10 + 7 * DAY + 1)]))[-1]
    assert (closed.kind, closed.at_ms) == ("closed", START + (10 + 7 * DAY) * MINUTE)
    assert closed.detail["by"] == "silence"


def test_who_disputes_a_fix_opens_the_ticket_again_by_word_or_by_the_same_report() -> None:
    for dispute in ("word", "report"):
        one, room = reported()
        play(one, [action(10, "fix", room.id)])
        said = action(20, "reopen", room.id, note="still cold") if dispute == "word" else report(20)
        again = ticket_in(play(one, [said]))
        assert (again.id, again.state, again.reopened) == (room.id, TicketState.OPENED, 1)
        assert again.fix_by_ms == room.fix_by_ms + 10 * MINUTE


def test_a_closed_ticket_takes_what_still_makes_sense_and_refuses_the_rest() -> None:
    one, room = reported()
    play(one, [action(5, "fix", room.id), action(6, "close", room.id)])
    for kind in ("fix", "pause", "accept", "close"):
        section = {"pausing": {"reason": "parts"}} if kind == "pause" else {}
        assert play(one, [action(7, kind, room.id, note="x", **section)]) == []
        assert "it is closed; reopen it" in one.answer.refusal
    assert play(one, [action(8, "arrive", room.id)]) == []  # nobody arrives after the end
    late = play(one, [action(9, "arrive", room.id, **own(4))])
    assert told(late) == [("arrived", 4)]
    rated = play(one, [action(10, "rate", room.id, rating={"stars": 1}, reporter="r1")])
    assert events(rated)[-1].detail == {"action": "rate-10", "reporter": "r1", "stars": 1}
    play(one, [action(6 + 8 * DAY, "complain", room.id, note="x")])
    assert "closed long ago" in one.answer.refusal


def test_what_was_refused_is_not_opened_again_by_the_next_report() -> None:
    one, room = reported()
    play(one, [action(5, "refuse", room.id, note="the shop next door")])
    assert ticket_in(play(one, [report(6)])).id != room.id


def test_a_ticket_is_not_opened_again_beside_another_of_its_cause() -> None:
    one, room = reported()
    play(one, [action(5, "refuse", room.id, note="not ours"), report(6)])
    assert play(one, [action(7, "reopen", room.id, note="it is ours")]) == []
    assert "is open for the same cause" in one.answer.refusal


def test_a_cause_that_comes_often_has_a_problem_record() -> None:
    one = core(COLD)
    effects = play(one, [started()])
    for n in range(OFTEN + 1):
        at = 1 + n * 4 * DAY  # each time after the relapse has passed
        effects += play(one, [report(at)])
        ticket = ticket_in(effects).id
        effects += play(one, [action(at + 1, "close", ticket, note="done")])
    problems = [effect for effect in effects if isinstance(effect, Problem)]
    assert [problem.tickets for problem in problems] == [OFTEN, OFTEN + 1]
    assert len({problem.id for problem in problems}) == 1
    assert ticket_in(effects).problem == problems[0].id


def test_people_join_tickets_to_one_problem_give_it_an_owner_and_end_it() -> None:
    one, room = reported()
    leak = ticket_in(play(one, [report(2, kind="leak")]))
    effects = play(one, [action(3, "link", room.id, linking={"ticket": leak.id, "owner": "li"})])
    problem = next(effect for effect in effects if isinstance(effect, Problem))
    assert (problem.tickets, problem.owner) == (2, "li")
    assert told(effects) == [("linked", 3), ("linked", 3)]
    over = {"problem": problem.id, "over": True}
    ended = play(one, [action(4, "link", leak.id, linking=over)])[0]
    assert (ended.closed_ms, ended.tickets) == (START + 4 * MINUTE, 2)
    assert play(one, [action(5, "link", leak.id, linking=over)]) == []
    assert "it is over" in one.answer.refusal


def test_a_correction_shows_both_instants_and_what_it_makes_of_the_deadlines() -> None:
    one, ticket = with_ticket()
    play(one, [action(34, "acknowledge", ticket)])
    right = {"target": "response", "to_ms": START + 36 * MINUTE}
    effects = play(one, [action(40, "correct", ticket, note="wrong ticket", correction=right)])
    assert told(effects) == [("corrected", 40), ("breach", 35)]
    assert events(effects)[0].detail["from_ms"] == START + 34 * MINUTE
    right["to_ms"] = START + 35 * MINUTE
    effects = play(one, [action(41, "correct", ticket, note="to the minute", correction=right)])
    assert told(effects) == [("corrected", 41), ("breach_withdrawn", 41)]


def test_a_pause_moves_the_deadline_and_ends_at_its_limit() -> None:
    one, ticket = with_ticket()
    before = one._desk.book.works[ticket].ticket
    pause = {"pausing": {"reason": "access"}, "note": "the room is locked"}
    paused = ticket_in(play(one, [action(31, "pause", ticket, **pause)]))
    limit_ms = 12 * 60 * MINUTE
    assert paused.fix_by_ms == before.fix_by_ms + limit_ms
    resumed = ticket_in(play(one, [action(41, "resume", ticket)]))
    assert resumed.fix_by_ms == before.fix_by_ms + 10 * MINUTE
    assert resumed.on_site_by_ms == before.on_site_by_ms + 10 * MINUTE
    play(one, [action(42, "pause", ticket, **pause)])
    over = told(play(one, [tick(42 + 710 + 1)]))
    assert ("pause_over", 42 + 710) in over
    play(one, [action(800, "pause", ticket, **pause)])
    assert "as long as it may be" in one.answer.refusal


def test_a_scanned_label_proves_the_arrival_and_one_of_something_else_is_refused() -> None:
    one, ticket = with_ticket()
    assert play(one, [action(31, "arrive", ticket, proof="dorm-07/boiler-2")]) == []
    assert "the label is that of dorm-07/boiler-2" in one.answer.refusal
    assert (
        ticket_in(play(one, [action(32, "arrive", ticket, proof=BOILER)])).on_site_proof == "scan"
    )
    other, again = with_ticket()
    assert ticket_in(play(other, [action(32, "arrive", again)])).on_site_proof == ""


def test_what_became_graver_keeps_its_promise_through_a_pause() -> None:
    one, ticket = with_ticket()
    work = one._desk.book.works[ticket]
    fix_by_ms = work.ticket.fix_by_ms
    one._desk.escalated(work, "large", 1.0, START + 60 * MINUTE)
    assert work.ticket.fix_by_ms == fix_by_ms
    assert work.ticket.crew_by_ms == START + (60 + 48 * 60) * MINUTE
    pause = {"pausing": {"reason": "parts"}, "note": "valve"}
    play(one, [action(61, "pause", ticket, **pause), action(71, "resume", ticket)])
    assert work.ticket.fix_by_ms == fix_by_ms + 10 * MINUTE
    assert work.ticket.crew_by_ms == START + (60 + 48 * 60) * MINUTE


def test_an_open_ticket_is_taken_over_from_its_history_alone() -> None:
    one, ticket = with_ticket()
    steps = [action(31, "accept", ticket), tick(60)]
    effects = play(
        one, [*steps, action(61, "pause", ticket, pausing={"reason": "parts"}, note="x")]
    )
    told_ = events(play(core(), FAULT)) + events(effects)
    work = one._desk.book.works[ticket]
    fresh = core()
    fresh.adopt(work.ticket, [event for event in told_ if event.ticket == ticket])
    again = fresh._desk.book.works[ticket]
    assert (again.events, again.breached, again.pauses) == (
        work.events,
        work.breached,
        work.pauses,
    )
    assert again.accepted
    assert [kind for kind, _ in told(play(fresh, [tick(70)]))] == []  # no breach is told twice
