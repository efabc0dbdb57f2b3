"""When a rule is not in force: calendar and planned outages; and expected alarms that miss."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
import yaml
from pydantic import ValidationError

from hub.engine import Core
from hub.model import Alarm, AlarmEvent, AlarmState, Effect, Entry, Outage, Quality
from rules.calendar import Calendar, CalendarFile
from rules.form import When
from rules.spec import Pack
from tests.hub.fault_site import (
    COLD,
    CONFIG,
    HOT,
    MINUTE,
    PROMISE,
    SILENT,
    START,
    SUPPLY,
    TANK,
    action,
    alarm_in,
    core,
    pack,
    play,
    reading,
    readings,
    site,
    started,
    tick,
    told,
)
from tests.rules.making import INVALID

S = AlarmState
WUHAN = ZoneInfo("Asia/Shanghai")
FILE = CalendarFile.model_validate(yaml.safe_load((CONFIG / "calendar.yaml").read_text()))
CALENDAR = Calendar(FILE, WUHAN)
NAME = {"zh": "假", "en": "holiday"}


def at(day: str, clock: str = "12:00", zone: ZoneInfo = WUHAN) -> int:
    return round(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).timestamp() * 1000)


def when(**keys: str) -> When:
    return When.model_validate(keys)


# The calendar itself


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-11-20", True),  # a Friday
        ("2026-11-21", False),
        ("2026-10-01", False),  # National Day, a Thursday
        ("2026-10-10", True),  # a Saturday that is worked for it
        ("2026-09-20", True),  # a Sunday that is worked for it
    ],
)
def test_make_up_days_are_worked_and_holidays_are_not(day, worked) -> None:
    assert CALENDAR.is_workday(date.fromisoformat(day)) is worked


def test_the_first_and_the_last_day_of_a_vacation_belong_to_it() -> None:
    days = {"2026-07-12": "term", "2026-07-13": "vacation", "2026-08-30": "vacation"}
    days["2026-08-31"] = "term"
    assert {day: CALENDAR.season(date.fromisoformat(day)) for day in days} == days


def test_a_window_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    thursday, friday = "2026-11-19", "2026-11-20"
    assert CALENDAR.within("night-cut", at(thursday, "23:30"))
    assert CALENDAR.within("night-cut", at(friday, "05:59"))
    assert not CALENDAR.within("night-cut", at(friday, "06:00"))
    assert not CALENDAR.within("night-cut", at(friday, "23:45"))  # Friday night there is none
    assert not CALENDAR.within("night-cut", at("2026-11-21", "03:00"))


def test_what_is_held_says_until_when() -> None:
    held = CALENDAR.held(when(hours="hot-water"), at("2026-11-20", "23:00"))
    assert held == ("outside hot-water", at("2026-11-21", "06:00"))
    assert CALENDAR.held(when(hours="hot-water"), at("2026-11-20", "22:59")) is None
    held = CALENDAR.held(when(outside="night-cut"), at("2026-11-19", "23:30"))
    assert held == ("night-cut", at("2026-11-20", "06:00"))
    held = CALENDAR.held(when(**{"in": "term"}), at("2026-07-20"))
    assert held == ("vacation", at("2026-08-31", "00:00"))


def test_all_that_is_written_under_when_must_hold() -> None:
    both = when(hours="hot-water", outside="night-cut")
    held = CALENDAR.held(both, at("2026-11-19", "23:45"))
    assert held == ("outside hot-water", at("2026-11-20", "06:00"))


def test_hours_that_this_calendar_does_not_have_set_no_condition() -> None:
    assert CALENDAR.held(when(hours="tea-time"), at("2026-11-20")) is None


def test_what_never_changes_is_held_without_an_end() -> None:
    nothing = Calendar(CalendarFile(version=1), WUHAN)
    assert nothing.held(when(**{"in": "vacation"}), at("2026-11-20")) == ("term", None)


@pytest.mark.parametrize(
    ("day", "first", "last", "hours"),
    [("2026-03-29", "01:30", "03:30", 1), ("2026-10-25", "01:30", "03:30", 3)],
)
def test_hours_follow_the_wall_clock_when_summer_time_begins_and_ends(
    day, first, last, hours
) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = {"from": first, "to": last}
    file = CalendarFile.model_validate({"version": 1, "hours": {"cut": [window]}})
    calendar = Calendar(file, berlin)
    start, end = at(day, first, berlin), at(day, last, berlin)
    assert end - start == hours * 3_600_000
    assert [calendar.within("cut", t) for t in (start - 1, start, end - 1, end)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert calendar.held(when(outside="cut"), start) == ("cut", end)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vacations": [{"name": NAME, "from": "2026-02-02", "to": "2026-02-01"}]}, "before from"),
        ({"hours": {"cut": []}}, "at least 1"),
        ({"hours": {"cut": [{"from": "24:00", "to": "06:00"}]}}, "pattern"),
        ({"holidays": [{"name": NAME, "from": "2026-05-01", "to": "2026-05-03",
                        "makeup": ["2026-05-02"]}]}, "worked for a holiday"),
    ],
)  # fmt: skip
def test_a_calendar_that_contradicts_itself_is_refused(change, said) -> None:
    with pytest.raises(ValidationError, match=said):
        CalendarFile.model_validate({"version": 1, **change})


def test_what_warns_of_danger_has_no_condition() -> None:
    for key in ({"when": {"hours": "hot-water"}}, {"effect_of": ["supply"]}):
        with pytest.raises(ValidationError, match="not suppressible"):
            pack({**HOT, "suppressible": False, **key})


# In the engine; it is 19:00 at minute 0, a Saturday in term


def by_calendar(rule: dict[str, object]) -> Core:
    return Core(site(), [pack(rule)], PROMISE, CALENDAR)


def events(effects: list[Effect]) -> list[str]:
    return [effect.kind for effect in effects if isinstance(effect, AlarmEvent)]


def test_outside_its_hours_an_alarm_is_suppressed_with_its_cause() -> None:
    one = by_calendar({**HOT, "when": {"hours": "hot-water"}})
    raised = play(one, [started(), reading(5 * 60, 80), tick(5 * 60)])  # midnight
    alarm = alarm_in(raised)
    assert (alarm.state, alarm.reason) == (S.SUPPRESSED, "outside hot-water")
    assert told(raised) == []
    effects = play(one, [tick(10 * 60 + 59.9), tick(11 * 60)])  # until 06:00
    assert events(effects) == ["released"]
    assert told(effects) == [("opened", 11 * 60)]


def test_what_is_over_before_its_hours_begin_was_never_told() -> None:
    one = by_calendar({**HOT, "when": {"hours": "hot-water"}})
    effects = play(one, [started(), reading(300, 80), reading(310, 55), tick(700)])
    assert events(effects) == ["suppressed", "lapsed"]
    assert told(effects) == []


def test_what_stands_when_its_hours_end_stays() -> None:
    one = by_calendar({**HOT, "when": {"hours": "hot-water"}})
    play(one, [started(), reading(60, 80)])
    assert events(play(one, [tick(300)])) == []


# The mode of a device: its supply temperature plays it, 1 runs and 2 stands

RUNS = {**HOT, "when": {"mode": {"point": "supply_temperature", "equals": 1}}}


def turned(minute: float, mode: float, quality: int = Quality.GOOD) -> Entry:
    return reading(minute, mode, SUPPLY, quality)


def test_in_another_mode_an_alarm_is_suppressed_with_its_cause_until_the_mode_turns() -> None:
    one = core(RUNS)
    raised = play(one, [started(), turned(1, 2), reading(2, 80)])
    alarm = alarm_in(raised)
    assert (alarm.state, alarm.reason) == (S.SUPPRESSED, "mode supply_temperature=2")
    assert (alarm.until_ms, told(raised)) == (None, [])
    assert events(play(one, [turned(3, 2), tick(100)])) == []
    effects = play(one, [turned(101, 1)])
    assert events(effects) == ["released"]
    assert told(effects) == [("opened", 101)]


def test_what_is_over_before_its_mode_returns_was_never_told() -> None:
    story = [started(), turned(1, 2), reading(2, 80), reading(3, 55), turned(4, 1), tick(9)]
    assert events(play(core(RUNS), story)) == ["suppressed", "lapsed"]


def test_the_reason_follows_from_one_wrong_mode_to_the_next() -> None:
    effects = play(core(RUNS), [started(), turned(1, 2), reading(2, 80), turned(3, 4)])
    assert events(effects) == ["suppressed", "suppressed"]
    assert alarm_in(effects).reason == "mode supply_temperature=4"


def test_what_stands_when_its_mode_ends_stays() -> None:
    one = core(RUNS)
    play(one, [started(), turned(1, 1), reading(2, 80)])
    assert events(play(one, [turned(3, 2), tick(4)])) == []


def test_a_mode_that_nobody_has_heard_suppresses_nothing() -> None:
    assert events(play(core(RUNS), [started(), reading(2, 80)])) == ["raised"]
    bad = turned(1, 2, INVALID)
    assert events(play(core(RUNS), [started(), bad, reading(2, 80)])) == ["raised"]


def test_a_mode_that_is_heard_late_or_badly_changes_nothing() -> None:
    one = core(RUNS)
    play(one, [started(), turned(5, 2), reading(6, 80)])
    assert events(play(one, [turned(4, 1), turned(7, 1, INVALID)])) == []
    assert events(play(one, [turned(8, 1)])) == ["released"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_the_mode_at_the_instant_counts_however_the_stream_was_cut(size: int) -> None:
    rows = [(1, 2, SUPPLY), (2, 80, TANK), (3, 1, SUPPLY), (4, 55, TANK), (5, 80, TANK)]
    rows += [(6, 2, SUPPLY), (7, 55, TANK), (8, 80, TANK), (9, 1, SUPPLY)]
    whole = [(minute, value, point, Quality.GOOD) for minute, value, point in rows]
    one = core(RUNS)
    play(one, [started()])
    cut = [readings(whole[n : n + size]) for n in range(0, len(whole), size)]
    said = events(play(one, cut))
    assert said == [
        "suppressed", "released", "cleared", "replaced", "raised",
        "cleared", "replaced", "suppressed", "released",
    ]  # fmt: skip


def test_a_mode_is_known_after_a_restart() -> None:
    one, other = core(RUNS), core(RUNS)
    play(one, [started(), turned(1, 2)])
    other.load(one.save())
    assert events(play(other, [reading(2, 80)])) == ["suppressed"]


def test_only_a_device_has_a_mode_and_it_is_that_of_one_point() -> None:
    over = {"id": "any", "kind": "any", "point": "p", "above": 1, "over": {}, "severity": "small"}
    with pytest.raises(ValidationError, match="a gateway says none"):
        pack({**over, "when": RUNS["when"]}, kind="gateway")
    mode = {"point": "a", "minus": "b", "equals": 1}
    with pytest.raises(ValidationError, match="without minus"):
        pack({**HOT, "when": {"mode": mode}})


# Planned outages


def planned(minute: float, start: float, end: float, *rules: str, area: str = "dorm-07") -> Entry:
    wish = {
        "area": area, "start_ms": START + round(start * MINUTE),
        "end_ms": START + round(end * MINUTE), "reason": "new cable", "rules": list(rules),
    }  # fmt: skip
    return outage_action(minute, "plan_outage", planned=wish)


def outage_action(minute: float, kind: str, **more: object) -> Entry:
    entry = action(minute, kind, "")
    content = {key: value for key, value in entry.content.items() if key != "ticket"}
    return Entry(entry.kind, entry.at_ms, content=content | more)


def outage_in(effects: list[Effect]) -> Outage:
    return next(effect for effect in reversed(effects) if isinstance(effect, Outage))


def test_in_a_planned_outage_an_alarm_is_suppressed_with_its_cause() -> None:
    one = core(SILENT)
    outage = outage_in(play(one, [started(), reading(0, 55), planned(1, 5, 60)]))
    effects = play(one, [tick(10)])
    assert (alarm_in(effects).state, told(effects)) == (S.SUPPRESSED, [])
    assert alarm_in(effects).reason == f"outage {outage.id}: new cable"


def test_what_is_back_within_a_quarter_of_an_hour_after_an_outage_was_part_of_it() -> None:
    one = core(SILENT)
    story = [started(), reading(0, 55), planned(1, 5, 60), tick(60)]
    back = [entry for m in range(68, 73) for entry in (reading(m, 50), tick(m))]
    effects = play(one, [*story, *back, tick(80)])
    assert events(effects) == ["suppressed", "lapsed"]
    assert told(effects) == []


def test_what_stays_after_an_outage_is_raised() -> None:
    one = core(SILENT)
    effects = play(one, [started(), reading(0, 55), planned(1, 5, 60), tick(74.9)])
    assert events(effects) == ["suppressed"]
    effects = play(one, [tick(75)])
    assert told(effects) == [("opened", 75)]


def test_an_outage_elsewhere_suppresses_nothing() -> None:
    one = Core(site(2), [pack(SILENT)], PROMISE)
    story = [started(), reading(0, 55), planned(1, 5, 60, area="dorm-07/boiler-2"), tick(10)]
    states = {
        effect.device: effect.state for effect in play(one, story) if isinstance(effect, Alarm)
    }
    assert states == {"dorm-07/boiler-1": S.UNACKNOWLEDGED, "dorm-07/boiler-2": S.SUPPRESSED}


def test_what_stood_before_an_outage_stays_as_it_is() -> None:
    one = core(HOT)
    play(one, [started(), reading(1, 80), planned(2, 5, 60)])
    assert events(play(one, [tick(6), tick(61)])) == []


def test_danger_is_told_in_an_outage_as_ever() -> None:
    one = core({**HOT, "suppressible": False})
    effects = play(one, [started(), planned(1, 5, 60), tick(6), reading(7, 80)])
    assert alarm_in(effects).state is S.UNACKNOWLEDGED


def test_a_person_ends_an_outage_early_and_what_stays_follows() -> None:
    one = core(SILENT)
    outage = outage_in(play(one, [started(), reading(0, 55), planned(1, 5, 600), tick(10)]))
    effects = play(one, [outage_action(20, "end_outage", outage=outage.id)])
    assert outage_in(effects).ended_ms == START + 20 * MINUTE
    assert told(play(one, [tick(34.9)])) == []
    assert told(play(one, [tick(35)])) == [("opened", 35)]
    assert play(one, [outage_action(36, "end_outage", outage=outage.id)]) == []
    assert "over" in one.answer.refusal


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (planned(1, 5, 60, area="dorm-99"), "no such place"),
        (planned(1, 5, 60, "tank-odd"), "no rule tank-odd"),
        (planned(61, 5, 60), "passed"),
        (planned(1, 5, 5), "not after its start"),
        (outage_action(1, "end_outage", outage="x"), "no such outage"),
    ],
)
def test_an_outage_that_cannot_be_is_refused(entry, said) -> None:
    one = core(SILENT)
    assert [e for e in play(one, [started(), entry]) if isinstance(e, Outage)] == []
    assert said in one.answer.refusal


HUB = Pack.model_validate(yaml.safe_load((CONFIG / "rules" / "hub.yaml").read_text()))


def expecting() -> Core:
    one = Core(site(), [pack(COLD, SILENT), HUB], PROMISE)
    play(one, [started(), reading(0, 55), planned(1, 5, 60, "boiler-silent")])
    return one


def test_an_expected_alarm_that_came_is_nothing_to_tell() -> None:
    effects = play(expecting(), [tick(59), tick(60)])
    assert [alarm.rule for alarm in effects if isinstance(alarm, Alarm)] == ["boiler-silent"]


def test_an_expected_alarm_that_did_not_come_is_told_and_waits_for_a_person() -> None:
    one = expecting()
    story = [entry for m in range(2, 61) for entry in (reading(m, 55), tick(m))]
    effects = play(one, story)
    alarm = alarm_in(effects)
    assert (alarm.rule, alarm.device) == ("expected-alarm-missing", "dorm-07")
    assert (alarm.state, alarm.raised_ms) == (S.LATCHED, START + 60 * MINUTE)
    assert "no alarm of boiler-silent" in alarm.reason
    assert told(effects)[0] == ("opened", 60)
    again = Core(site(), [pack(COLD, SILENT), HUB], PROMISE)
    again.load(one.save())
    assert again.save() == one.save()
    assert alarm_in(play(again, [action(61, "reset", alarm.id)])).state is S.CLEARED


def test_of_an_outage_that_ended_early_no_alarm_is_expected() -> None:
    one = expecting()
    outage = one._outages.ids()[0]
    effects = play(one, [reading(8, 55), outage_action(9, "end_outage", outage=outage)])
    effects += play(one, [reading(m, 55) for m in range(10, 60)])
    effects += play(one, [tick(60)])
    assert not [alarm for alarm in effects if isinstance(alarm, Alarm)]


def test_a_saved_outage_goes_on_after_a_restart() -> None:
    one = core(SILENT)
    play(one, [started(), reading(0, 55), planned(1, 5, 60), tick(10)])
    other = core(SILENT)
    other.load(one.save())
    assert other.save() == one.save()
    assert told(play(other, [tick(75)])) == [("opened", 75)]
