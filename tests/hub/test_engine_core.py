"""The pure core of the engine: stories of readings and reports, and the log they must give."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.desk.work import ticket_id
from hub.engine import Core
from hub.model import Alarm, AlarmState, Batch, Entry, Notification, Quality, Ticket, TicketState
from hub.ports import ConfigError
from tests.hub.fault_site import (
    COLD,
    HOT,
    MINUTE,
    PROMISE,
    SILENT,
    START,
    TANK,
    action,
    core,
    log,
    minutes,
    pack,
    play,
    reading,
    readings,
    site,
    started,
    tick,
    told,
)

FAULT = [started(), *minutes(0, 19, 55), *minutes(20, 30, 45)]  # cold from 19:20, raised 19:30


def ticket_in(effects) -> Ticket:
    return next(effect for effect in reversed(effects) if isinstance(effect, Ticket))


def alarm_in(effects) -> Alarm:
    return next(effect for effect in reversed(effects) if isinstance(effect, Alarm))


def with_ticket(*rules):
    """Return a core with one open ticket, opened at minute 30."""
    one = core(*(rules or (COLD,)))
    return one, ticket_in(play(one, FAULT)).id


def test_the_golden_timeline_is_met_to_the_minute() -> None:
    one, ticket = with_ticket()
    opened = one._desk.works[ticket].ticket
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
    assert told(effects) == [("unproven", 900), ("breach", 900)]
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
    assert len({effect.id for effect in effects if isinstance(effect, Alarm)}) == 3


def test_a_fault_that_comes_back_after_closing_is_a_new_ticket() -> None:
    one, ticket = with_ticket()
    play(one, [action(31, "fix", ticket), *minutes(32, 50, 55)])
    again = ticket_in(play(one, minutes(51, 70, 45)))
    assert again.id != ticket
    assert again.state is TicketState.OPENED


def test_bad_readings_neither_raise_nor_clear() -> None:
    one = core(COLD)
    bad = [reading(m, 0, quality=Quality.BAD) for m in range(40)]
    nan = [reading(m, float("nan"), quality=Quality.MISSING) for m in range(40, 80)]
    assert play(one, [started(), *bad, *nan]) == []


def test_readings_that_come_late_are_ignored_and_counted() -> None:
    one = core(COLD)
    late = [reading(m, 45) for m in range(50)]
    assert play(one, [started(), reading(60, 55), *late]) == []
    assert one.late == 50


def test_silence_is_counted_from_when_the_hub_began_to_listen() -> None:
    one = core(SILENT)
    assert play(one, [started(0), tick(9.99)]) == []
    assert play(one, [started(30), tick(39.99)]) == []  # down from 9.99 to 30: nobody listened
    raised = play(one, [tick(41)])
    assert alarm_in(raised).raised_ms == START + 40 * MINUTE
    assert told(raised) == [("opened", 40)]


def test_a_silent_device_is_fixed_when_it_speaks_again() -> None:
    one = core(SILENT)
    ticket = ticket_in(play(one, [started(0), tick(10)])).id
    effects = play(one, [action(12, "fix", ticket), *minutes(13, 16, 55)])
    assert told(effects) == [("fix_reported", 12), ("alarm_cleared", 15), ("closed", 15)]


def test_next_due_is_where_the_next_tick_changes_something() -> None:
    one = core(SILENT)
    assert one.next_due_ms() is None
    play(one, [started(0), reading(3, 55), reading(4, 55)])
    assert one.next_due_ms() == START + 14 * MINUTE
    assert play(one, [tick(13.99)]) == []
    assert len(play(one, [tick(14)])) > 0
    assert one.next_due_ms() == START + 19 * MINUTE + 1  # response by minute 19


def test_acknowledging_a_ticket_acknowledges_its_alarm() -> None:
    one, ticket = with_ticket()
    effects = play(one, [action(31, "acknowledge", ticket)])
    assert alarm_in(effects).state is AlarmState.ACKNOWLEDGED
    assert play(one, minutes(32, 50, 55))[0].state is AlarmState.CLEARED


def test_an_alarm_is_acknowledged_by_itself_and_only_once() -> None:
    one = core(COLD)
    alarm = alarm_in(play(one, FAULT)).id
    effects = play(one, [action(31, "acknowledge_alarm", alarm)])
    assert [type(effect) for effect in effects] == [Alarm]
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
    assert "响应超时" in notes[0].subject


def test_two_packs_with_the_same_rule_for_one_device_are_an_error() -> None:
    with pytest.raises(ConfigError, match="tank-cold"):
        Core(site(), [pack(COLD), pack(COLD)], PROMISE)


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


# The same stream, however it is cut.

temperatures = st.sampled_from([40.0, 45.0, 50.0, 51.0, 52.0, 53.0, 55.0, 71.0])
rows = st.tuples(
    st.integers(0, 3),  # steps of a minute since the row before; 0 and late ones happen
    temperatures,
    st.integers(1, 6),
    st.sampled_from([Quality.GOOD] * 8 + [Quality.BAD, Quality.MISSING]),
)


@st.composite
def streams(draw):
    """Rows of readings with ticks and reports at fixed places among them."""
    parts: list[tuple[str, object]] = [("entry", started(0))]
    minute, tickets = 0, 0
    for step, value, point, quality in draw(st.lists(rows, min_size=10, max_size=80)):
        minute += step
        at = minute - (5 if step == 2 and value == 51.0 else 0)
        parts.append(("row", (at, value, point, quality)))
        if step == 3:
            parts.append(("entry", tick(minute)))
            tickets += 1
        if step == 1 and value >= 55.0:
            parts.append(
                ("report", (minute, draw(st.sampled_from(["acknowledge", "arrive", "fix"]))))
            )
    return parts


def run(parts, cuts) -> tuple[bytes, bytes]:
    """Play a stream with its neighbouring rows joined to batches as ``cuts`` says."""
    one = core(COLD, SILENT, HOT, boilers=3)
    effects, held, seq = [], [], itertools.count(1)

    def flush() -> None:
        if held:
            effects.extend(one.step(next(seq), readings(held)))
            held.clear()

    for part, cut in zip(parts, itertools.cycle(cuts), strict=False):
        kind, what = part
        if kind == "row":
            held.append(what)
            if cut:
                flush()
            continue
        flush()
        if kind == "report":
            minute, name = what
            first = next(iter(one._desk.works), "none")
            what = action(minute, name, first)
        effects.extend(one.step(next(seq), what))
    flush()
    return log(effects), one.save()


@settings(max_examples=60, deadline=None)
@given(streams(), st.lists(st.booleans(), min_size=1, max_size=7))
def test_the_log_is_the_same_bytes_however_the_stream_is_cut(parts, cuts) -> None:
    assert run(parts, cuts) == run(parts, [True]) == run(parts, [False])


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(0, 200))
def test_saved_and_loaded_anywhere_is_the_same_as_uninterrupted(parts, where) -> None:
    whole = core(COLD, SILENT, HOT, boilers=3)
    broken = core(COLD, SILENT, HOT, boilers=3)
    logs = [[], []]
    for n, (kind, what) in enumerate(parts):
        if kind == "report":
            entry = action(what[0], what[1], next(iter(whole._desk.works), "none"))
        else:
            entry = what if kind == "entry" else readings([what])
        if n == where % len(parts):
            saved = broken.save()
            broken = core(COLD, SILENT, HOT, boilers=3)
            broken.load(saved)
            assert broken.save() == saved
        logs[0] += whole.step(n, entry)
        logs[1] += broken.step(n, entry)
        assert whole.next_due_ms() == broken.next_due_ms()
    assert log(logs[0]) == log(logs[1])
    assert whole.save() == broken.save()


@settings(max_examples=40, deadline=None)
@given(streams())
def test_a_cause_never_has_two_open_tickets(parts) -> None:
    one = core(COLD, SILENT, HOT, boilers=3)
    open_: dict[str, str] = {}
    for n, (kind, what) in enumerate(parts):
        if kind == "report":
            continue
        for effect in one.step(n, what if kind == "entry" else readings([what])):
            if isinstance(effect, Ticket):
                assert open_.setdefault(effect.cause, effect.id) == effect.id
                if effect.closed_ms:
                    del open_[effect.cause]


def test_the_log_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib; from tests.hub.fault_site import *\n"
        "one = core(COLD, SILENT, HOT, boilers=3)\n"
        "story = [started(), *minutes(0, 30, 45), *minutes(31, 90, 71, 3), *minutes(91, 99, 45)]\n"
        "print(hashlib.sha256(log(play(one, story)) + one.save()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(hashes) == 1


def test_a_saved_state_of_another_version_is_not_taken() -> None:
    one = core()
    state = json.loads(one.save()) | {"version": 0}
    with pytest.raises(ValueError, match="version"):
        one.load(json.dumps(state).encode())


def test_a_rule_that_is_gone_leaves_its_ticket_workable() -> None:
    one, ticket = with_ticket(COLD)
    other = core(SILENT)
    other.load(one.save())
    effects = play(other, [action(33, "fix", ticket)])
    assert told(effects) == [("fix_reported", 33), ("closed", 33)]


def test_points_nobody_watches_cost_nothing_and_do_nothing() -> None:
    one = core(COLD)
    batch = Batch.of([2, 999, TANK], [START] * 3, [1.0, 1.0, 55.0], [0, 0, 0], START)
    play(one, [Entry(1, START, batch)])
    assert list(one._last_ms) == [TANK]
