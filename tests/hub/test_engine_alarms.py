"""What becomes of an alarm in the engine: shelved, latched, removed, chattering, in a flood."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.engine import Core
from hub.model import Alarm, AlarmEvent, AlarmState, Effect, Entry
from rules.alarm import HOLDS, STANDING
from tests.hub.fault_site import (
    HOT,
    MINUTE,
    START,
    action,
    alarm_in,
    core,
    log,
    play,
    reading,
    started,
    tick,
    told,
)

S = AlarmState
DANGER = {**HOT, "suppressible": False}
LATCHED = {**HOT, "latched": True}
HOUR = 60


def hot(minute: float) -> Entry:
    return reading(minute, 80)


def cool(minute: float) -> Entry:
    return reading(minute, 55)


def alarmed(rule: dict[str, object] = HOT) -> tuple[Core, str]:
    """Return a core with one alarm, raised at minute 1."""
    one = core(rule)
    return one, alarm_in(play(one, [started(), hot(1), tick(1)])).id


def shelved(minute: float, alarm: str, until: float) -> Entry:
    until_ms = START + round(until * MINUTE)
    return action(minute, "shelve", alarm, note="part is ordered", until_ms=until_ms)


def history(effects: Iterable[Effect]) -> list[tuple[str, float]]:
    return [
        (effect.kind, (effect.at_ms - START) / MINUTE)
        for effect in effects
        if isinstance(effect, AlarmEvent)
    ]


def test_a_shelved_alarm_is_raised_again_when_its_time_is_over_and_it_is_still_there() -> None:
    one, alarm = alarmed()
    effects = play(one, [shelved(2, alarm, 62), tick(61.99)])
    assert (alarm_in(effects).state, alarm_in(effects).owner) == (S.SHELVED, "li")
    effects = play(one, [tick(62)])
    assert alarm_in(effects).state is S.UNACKNOWLEDGED
    assert history(effects) == [("released", 62)]
    assert ("returned", 62) in told(effects)  # and people are told


def test_a_shelved_alarm_that_is_gone_by_then_is_over() -> None:
    one, alarm = alarmed()
    effects = play(one, [shelved(2, alarm, 62), cool(30), hot(31), cool(32), tick(70)])
    assert alarm_in(effects).state is S.CLEARED
    assert history(effects)[-1] == ("lapsed", 62)
    assert not [kind for kind, _ in told(effects) if kind in ("opened", "returned")]


def test_what_comes_back_on_the_shelf_stays_there_and_is_raised_at_the_end() -> None:
    one, alarm = alarmed()
    effects = play(one, [shelved(2, alarm, 62), cool(30), hot(40), tick(61)])
    assert {effect.id for effect in effects if isinstance(effect, Alarm)} == {alarm}
    assert "raised_again" not in dict(told(effects))
    assert alarm_in(play(one, [tick(62)])).state is S.UNACKNOWLEDGED


def test_a_person_ends_the_shelving_early() -> None:
    one, alarm = alarmed()
    play(one, [shelved(2, alarm, 62)])
    effects = play(one, [action(5, "unshelve", alarm)])
    assert alarm_in(effects).state is S.UNACKNOWLEDGED
    assert history(play(one, [tick(62)])) == []


def test_what_warns_of_danger_is_never_held_back() -> None:
    one, alarm = alarmed(DANGER)
    for wish in (shelved(2, alarm, 62), action(2, "remove", alarm, note="x")):
        assert play(one, [wish]) == []
        assert "danger" in one.answer.refusal


@pytest.mark.parametrize("until", [1, 2, 7 * 24 * HOUR + 3])
def test_a_shelf_has_an_end_within_a_week(until) -> None:
    one, alarm = alarmed()
    assert play(one, [shelved(2, alarm, until)]) == []
    assert "seven days" in one.answer.refusal


def test_a_hold_without_a_reason_is_refused() -> None:
    one, alarm = alarmed()
    assert play(one, [action(2, "remove", alarm)]) == []
    assert "says nothing" in one.answer.refusal


def test_out_of_service_lasts_until_somebody_returns_it() -> None:
    one, alarm = alarmed()
    effects = play(one, [action(2, "remove", alarm, note="rebuilt"), cool(9), hot(9000)])
    assert alarm_in(effects).state is S.OUT_OF_SERVICE
    effects = play(one, [action(9001, "return_to_service", alarm)])
    assert alarm_in(effects).state is S.UNACKNOWLEDGED


def test_a_latched_alarm_waits_for_a_person_and_its_ticket_with_it() -> None:
    one, alarm = alarmed(LATCHED)
    ticket = next(iter(one._desk.book.works))
    effects = play(one, [cool(5), action(6, "fix", ticket), tick(90)])
    assert alarm_in(effects).state is S.LATCHED
    assert "closed" not in dict(told(effects))
    effects = play(one, [action(91, "reset", alarm)])
    assert alarm_in(effects).state is S.CLEARED
    assert told(effects) == [("closed", 91)]


def test_a_latched_alarm_that_comes_back_gives_way_to_a_new_one() -> None:
    one, alarm = alarmed(LATCHED)
    effects = play(one, [cool(5), hot(30)])
    states = {effect.id: effect.state for effect in effects if isinstance(effect, Alarm)}
    assert states.pop(alarm) is S.CLEARED
    assert list(states.values()) == [S.UNACKNOWLEDGED]


def test_the_history_of_an_alarm_counts_from_0_without_a_gap() -> None:
    one, alarm = alarmed()
    story = [action(2, "acknowledge_alarm", alarm), shelved(3, alarm, 62), cool(5), tick(62)]
    one = core(HOT)
    effects = play(one, [started(), hot(1), tick(1), *story])
    lines = [effect for effect in effects if isinstance(effect, AlarmEvent)]
    assert [line.n for line in lines] == list(range(5))
    assert [line.kind for line in lines] == [
        "raised", "acknowledged", "shelved", "went", "lapsed",
    ]  # fmt: skip
    assert [line.actor for line in lines] == ["hub", "li", "li", "hub", "hub"]


# Chattering


def chatter(times: int, every: float = 2.0) -> list[Entry]:
    pairs = [(hot(1 + n * every), cool(2 + n * every)) for n in range(times)]
    return [started(), *(entry for pair in pairs for entry in pair)]


def test_what_comes_three_times_in_ten_minutes_is_one_alarm_until_it_is_quiet() -> None:
    one = core(HOT)
    effects = play(one, chatter(20))
    assert len({effect.id for effect in effects if isinstance(effect, Alarm)}) == 3
    held = alarm_in(effects)
    assert (held.chattering, held.state) == (True, S.UNACKNOWLEDGED)
    assert "3 times in 10 minutes" in held.reason
    assert [kind for kind, _ in told(effects)].count("raised_again") == 2
    assert history(play(one, [tick(49.9)])) == []  # the last went at minute 40
    effects = play(one, [tick(50)])
    assert history(effects) == [("settled", 50), ("cleared", 50)]
    assert alarm_in(effects).cleared_ms == START + 40 * MINUTE


def test_what_chattered_and_stays_is_an_alarm_like_any_other() -> None:
    one = core(HOT)
    effects = play(one, [*chatter(4), hot(9), tick(18.9), tick(19)])
    assert history(effects)[-1] == ("settled", 19)
    assert (alarm_in(effects).chattering, alarm_in(effects).state) == (False, S.UNACKNOWLEDGED)


def test_three_times_in_an_hour_is_no_chattering() -> None:
    effects = play(core(HOT), chatter(6, every=6))
    assert not any(effect.chattering for effect in effects if isinstance(effect, Alarm))


def test_a_chattering_alarm_can_be_shelved_and_is_over_when_it_was_gone() -> None:
    one = core(HOT)
    alarm = alarm_in(play(one, chatter(5))).id
    effects = play(one, [shelved(12, alarm, 72), tick(72)])
    assert history(effects) == [("shelved", 12), ("lapsed", 72)]


# Floods


def test_more_than_ten_alarms_in_ten_minutes_are_a_flood_until_fewer_than_five() -> None:
    one = core(HOT, boilers=12)
    play(one, [started(), *(reading(n / 2, 80, 2 * n + 1) for n in range(10))])
    assert one.flood.since_ms is None
    play(one, [reading(5, 80, 21)])
    assert (one.flood.since_ms, one.flood.count) == (START + 5 * MINUTE, 11)
    play(one, [tick(13)])  # those of minute 3.5 to 5 are left
    assert (one.flood.since_ms, one.flood.count) == (None, 4)


# Whatever happens, in any order


STEPS = st.sampled_from(
    ["hot", "cool", "tick", "acknowledge_alarm", "shelve", "unshelve", "remove",
     "return_to_service", "reset"]
)  # fmt: skip


def story(steps) -> Iterable[tuple[str, float]]:
    minute = 1.0
    for name, wait in steps:
        minute += wait
        yield name, minute


def entry_of(name: str, minute: float, alarm: str) -> Entry:
    if name in ("hot", "cool"):
        return hot(minute) if name == "hot" else cool(minute)
    if name == "tick":
        return tick(minute)
    if name == "shelve":
        return shelved(minute, alarm, minute + 15)
    more = {"note": "x"} if name == "remove" else {}
    return action(minute, name, alarm, **more)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(STEPS, st.sampled_from([0.5, 1.0, 4.0, 20.0])), max_size=40),
    st.booleans(),
    st.integers(0, 40),
)
def test_no_path_loses_an_alarm_and_a_restart_changes_nothing(steps, latched, where) -> None:
    rule = LATCHED if latched else HOT
    one, other = core(rule), core(rule)
    logs: list[list[Effect]] = [[], []]
    fault = next(iter(one._faults.values()))
    alarm = "none"
    for entry in (started(), hot(1)):
        logs[0] += one.step(0, entry)
        logs[1] += other.step(0, entry)
    for n, (name, minute) in enumerate(story(steps)):
        alarm = fault.alarm.id if fault.alarm else alarm
        entry = entry_of(name, minute, alarm)
        if n == where:
            saved = other.save()
            other = core(rule)
            other.load(saved)
            assert other.save() == saved
        logs[0] += one.step(n, entry)
        logs[1] += other.step(n, entry)
        state = fault.alarm.state if fault.alarm else S.CLEARED
        if fault.machine.active:
            assert state in (*STANDING, *HOLDS)
        elif not (fault.alarm and fault.alarm.chattering):
            assert state not in STANDING
    assert log(logs[0]) == log(logs[1])
    seen: dict[str, int] = {}
    for effect in logs[0]:
        if isinstance(effect, AlarmEvent):
            assert effect.n == seen.get(effect.alarm, -1) + 1
            seen[effect.alarm] = effect.n
