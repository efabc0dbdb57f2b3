"""Tickets: stories of readings and reports, and the events they must give."""

from __future__ import annotations

import itertools
from zoneinfo import ZoneInfo

import pytest

from hub.desk.work import ticket_id
from hub.model import Alarm, AlarmEvent, AlarmState, Entry, Notification, Ticket, TicketState
from tests.hub.fault_site import (
    COLD,
    FAULT,
    HOT,
    MINUTE,
    SILENT,
    START,
    action,
    alarm_in,
    core,
    minutes,
    play,
    reading,
    started,
    tick,
    ticket_in,
    told,
    with_ticket,
)


def test_the_golden_timeline_is_met_to_the_minute() -> None:
    one, ticket = with_ticket()
    opened = one._desk.book.works[ticket].ticket
    assert opened.id.startswith("20261121-")
    assert (opened.opened_ms - START) / MINUTE == 30  # 19:30
    effects = play(one, [action(35, "acknowledge", ticket), action(45, "arrive", ticket)])
    effects += play(one, [*minutes(31, 89, 45), action(90, "fix", ticket, part="heating-element")])
    effects += play(one, minutes(91, 110, 55))
    assert told(effects) == [
        ("acknowledged", 35),
        ("arrived", 45),
        ("fix_reported", 90),
        ("alarm_cleared", 101),
        ("closed", 101),
    ]
    closed = ticket_in(effects)
    assert closed.state is TicketState.CLOSED
    assert (closed.fixed_ms - closed.opened_ms) / MINUTE == 60
    verdicts = effects[-2].detail["verdicts"]
    assert verdicts == {"response": "met", "on_site": "met", "fix": "met"}


def test_a_wrong_fix_stays_open_and_goes_back_to_the_site() -> None:
    one, ticket = with_ticket()
    story = [action(33, "acknowledge", ticket), action(40, "arrive", ticket)]
    story += [action(60, "fix", ticket, part="sensor"), *minutes(61, 400, 45)]
    effects = play(one, story)
    assert told(effects)[2:] == [("fix_reported", 60), ("unproven", 300)]
    left = ticket_in(effects)
    assert left.state is TicketState.ON_SITE
    assert left.fixed_ms is None
    assert left.closed_ms is None


def test_an_unproven_report_never_stopped_the_fix_clock() -> None:
    one, ticket = with_ticket()
    effects = play(one, [*minutes(31, 660, 45), action(660, "fix", ticket)])
    effects = play(one, minutes(661, 910, 45))  # fix_by is minute 750; unproven at minute 900
    assert told(effects) == [("unproven", 900), ("breach", 750)]
    assert effects[-2].detail["target"] == "fix"


def test_what_is_done_at_exactly_the_deadline_is_met() -> None:
    one, ticket = with_ticket()
    effects = play(one, [tick(35), action(35, "acknowledge", ticket)])
    effects += play(one, [tick(50), action(50, "arrive", ticket), tick(51)])
    assert told(effects) == [("acknowledged", 35), ("arrived", 50)]


@pytest.mark.parametrize("when", [35 + 1 / MINUTE, 36, 500])
def test_a_missed_deadline_is_a_breach_at_its_own_instant_whenever_the_tick_comes(when) -> None:
    one, _ = with_ticket()
    breach = told(play(one, [tick(when)]))[0]
    assert breach == ("breach", 35)


def test_each_breach_is_said_once() -> None:
    one, _ = with_ticket()
    effects = play(one, minutes(31, 60 * 24, 45))
    assert told(effects) == [("breach", 35), ("breach", 50), ("breach", 750)]


def test_a_large_repair_has_an_arrival_clock_for_the_extra_crew_and_no_fix_clock() -> None:
    one = core(HOT)
    ticket = ticket_in(play(one, [started(), reading(1, 71)]))
    assert ticket.fix_by_ms is None
    assert (ticket.crew_by_ms - ticket.opened_ms) / MINUTE == 48 * 60
    story = [action(2, "acknowledge", ticket.id), action(3, "arrive", ticket.id), tick(60 * 47)]
    effects = play(one, [*story, action(60 * 48, "arrive", ticket.id), tick(60 * 100)])
    assert told(effects)[2:] == [("crew_arrived", 60 * 48)]
    assert ticket_in(effects).on_site_ms == START + 3 * MINUTE


def test_a_cause_has_one_open_ticket_however_often_its_alarm_comes_and_goes() -> None:
    one = core(COLD)
    waves = [
        minutes(40 * n, 40 * n + 19, 45) + minutes(40 * n + 20, 40 * n + 39, 55) for n in range(3)
    ]
    effects = play(one, [started(), *itertools.chain(*waves)])
    assert [kind for kind, _ in told(effects) if kind != "breach"] == [
        "opened",
        "alarm_cleared",
        "raised_again",
        "alarm_cleared",
        "raised_again",
        "alarm_cleared",
    ]
    assert len({effect.id for effect in effects if isinstance(effect, Ticket)}) == 1
    alarms = {effect.id: effect.state for effect in effects if isinstance(effect, Alarm)}
    assert list(alarms.values()) == [
        AlarmState.CLEARED,  # nobody acknowledged it, but the next one took its place
        AlarmState.CLEARED,
        AlarmState.CLEARED_UNACKNOWLEDGED,
    ]


def test_an_alarm_that_is_clear_is_no_proof_by_itself() -> None:
    one, ticket = with_ticket(COLD | {"off_delay": "PT0S"})
    effects = play(one, [action(31, "fix", ticket), *minutes(32, 41, 55)])
    assert told(effects) == [("fix_reported", 31), ("alarm_cleared", 32)]
    assert told(play(one, [reading(42, 55)])) == [("closed", 42)]


def test_a_proof_that_holds_ends_the_alarm_before_its_off_delay() -> None:
    one, ticket = with_ticket(COLD | {"off_delay": "PT30M"})
    effects = play(one, [action(31, "fix", ticket), *minutes(32, 62, 55)])
    assert told(effects) == [("fix_reported", 31), ("alarm_cleared", 42), ("closed", 42)]


def test_a_fault_that_comes_back_soon_opens_its_ticket_again() -> None:
    one, ticket = with_ticket()
    closed = ticket_in(play(one, [action(31, "fix", ticket), *minutes(32, 50, 55)]))
    again = ticket_in(play(one, minutes(51, 70, 45)))
    assert (again.id, again.state, again.reopened) == (ticket, TicketState.OPENED, 1)
    assert again.respond_by_ms == again.reopened_ms + 5 * MINUTE
    assert again.fix_by_ms == closed.fix_by_ms + again.reopened_ms - closed.fixed_ms
    assert (again.responded_ms, again.fixed_ms, again.closed_ms) == (None, None, None)


def test_a_fault_that_comes_back_late_is_a_new_ticket() -> None:
    one, ticket = with_ticket()
    play(one, [action(31, "fix", ticket), *minutes(32, 50, 55)])
    days = 3 * 24 * 60
    again = ticket_in(play(one, minutes(51 + days, 70 + days, 45)))
    assert again.id != ticket
    assert again.reopened == 0


def test_a_silent_device_is_fixed_when_it_speaks_again() -> None:
    one = core(SILENT)
    ticket = ticket_in(play(one, [started(0), tick(10)])).id
    effects = play(one, [action(12, "fix", ticket), *minutes(13, 16, 55)])
    assert told(effects) == [("fix_reported", 12), ("alarm_cleared", 15), ("closed", 15)]


def test_acknowledging_a_ticket_acknowledges_its_alarm() -> None:
    one, ticket = with_ticket()
    effects = play(one, [action(31, "acknowledge", ticket)])
    assert alarm_in(effects).state is AlarmState.ACKNOWLEDGED
    assert play(one, minutes(32, 50, 55))[0].state is AlarmState.CLEARED


def test_an_alarm_is_acknowledged_by_itself_and_only_once() -> None:
    one = core(COLD)
    alarm = alarm_in(play(one, FAULT)).id
    effects = play(one, [action(31, "acknowledge_alarm", alarm)])
    assert [type(effect) for effect in effects] == [Alarm, AlarmEvent]
    assert play(one, [action(32, "acknowledge_alarm", alarm)]) == []
    assert "needs no acknowledgement" in one.answer.refusal


def test_a_fix_without_arrival_is_taken_and_stands_for_response_and_arrival() -> None:
    one, ticket = with_ticket()
    fixed = ticket_in(play(one, [action(33, "fix", ticket)]))
    assert fixed.responded_ms == fixed.on_site_ms == fixed.fixed_ms == START + 33 * MINUTE


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (action(40, "acknowledge", "TICKET"), "acknowledged before"),
        (action(40, "arrive", "TICKET"), "reported before"),
        (action(40, "fix", "20261121-none"), "no such ticket"),
        (action(40, "note", "TICKET"), "empty note"),
        (action(40, "dance", "TICKET"), "kind"),
        (action(40, "fix", "TICKET", note="x" * 2001), "note"),
        (action(40, "fix", "TICKET", colour="red"), "colour"),
        (action(40, "fix", "TICKET", actor=""), "actor"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_with_the_reason(entry, reason) -> None:
    one, ticket = with_ticket()
    play(one, [action(31, "acknowledge", ticket), action(32, "arrive", ticket)])
    content = {k: ticket if v == "TICKET" else v for k, v in entry.content.items()}
    assert play(one, [Entry(entry.kind, entry.at_ms, content=content)]) == []
    assert reason in one.answer.refusal


def test_the_same_report_told_twice_has_one_effect() -> None:
    one, ticket = with_ticket()
    once = action(31, "note", ticket, note="pump is loud")
    assert len(told(play(one, [once]))) == 1
    assert play(one, [once]) == []
    assert one.answer.refusal is None


def test_people_are_told_with_keys_that_derive_from_the_event() -> None:
    one, ticket = with_ticket()
    notes = [effect for effect in play(one, [tick(60)]) if isinstance(effect, Notification)]
    assert [note.key for note in notes] == [f"{ticket}/1", f"{ticket}/2"]
    assert "响应超时" in notes[0].subject.zh


def test_two_causes_with_the_same_first_letters_get_different_tickets() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    first = ticket_id("a", START, zone, ())
    other = ticket_id("a", START, zone, (first,))
    assert other.startswith(first)
    assert len(other) == len(first) + 1


def test_the_day_in_a_ticket_id_is_that_of_the_site() -> None:
    midnight = START + 5 * 60 * MINUTE  # 19:00 + 5 h
    zone = ZoneInfo("Asia/Shanghai")
    assert ticket_id("a", midnight - 1, zone, ()).startswith("20261121-")
    assert ticket_id("a", midnight, zone, ()).startswith("20261122-")


def test_a_fault_heard_late_is_reported_when_it_is_heard() -> None:
    """Nobody could respond to what lay in a queue: the clocks begin when the hub knows."""
    one = core(HOT)
    effects = play(one, [started(), tick(20), reading(5, 71)])
    assert alarm_in(effects).raised_ms == START + 5 * MINUTE
    assert ticket_in(effects).opened_ms == START + 20 * MINUTE


def test_a_ticket_closes_when_the_hub_learns_of_the_proof() -> None:
    one, ticket = with_ticket(COLD | {"off_delay": "PT0S"})
    late = [reading(minute, 55) for minute in range(32, 43)]
    effects = play(one, [action(31, "fix", ticket), tick(60), *late])
    assert ticket_in(effects).closed_ms == START + 60 * MINUTE
