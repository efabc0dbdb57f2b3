"""Who is on duty: by rotation, shift, place and skill, over midnight and changed clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from hub.model import Swap
from rules.calendar import CalendarFile
from rules.roster import Roster
from tests.rules.rostering import ALL_DAY, CREWS, DAY, NAMES, NIGHT, at, roster

BERLIN = ZoneInfo("Europe/Berlin")


def on_duty(one: Roster, text: str, place: str = "dorm-07", skill: str = "") -> list[str]:
    return [found.person for found in one.on_duty(at(one, text), place, skill)]


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("2026-01-04T12:00", []),  # it has not begun
        ("2026-01-05T07:59:59", []),
        ("2026-01-05T08:00", ["a"]),
        ("2026-01-05T19:59:59", ["a"]),
        ("2026-01-06T08:00", ["b"]),
        ("2026-01-06T20:00", ["a"]),  # the second turn of a group is the second shift
        ("2026-01-07T07:59:59", ["a"]),  # over midnight
        ("2026-01-07T08:00", ["c"]),
        ("2026-01-09T08:00", ["a"]),  # four groups: two turns of work, two of rest
    ],
)
def test_groups_go_from_shift_to_shift_and_then_rest(when: str, who: list[str]) -> None:
    one = roster({"shifts": [DAY, NIGHT], "order": [["a"], ["b"], ["c"], ["d"]]})
    assert on_duty(one, when) == who


def test_a_turn_may_last_weeks_and_a_rotation_ends() -> None:
    keys = {"every": "P7D", "order": [["a"], ["b", "c"]], "until": "2026-01-18"}
    one = roster({"shifts": [DAY], **keys})
    days = ("2026-01-05", "2026-01-11", "2026-01-12", "2026-01-18", "2026-01-19")
    found = [on_duty(one, f"{day}T12:00") for day in days]
    assert found == [["a"], ["a"], ["b", "c"], ["b", "c"], []]


def test_the_same_week_again_and_again_with_days_off_and_made_up_days() -> None:
    holiday = {"name": NAMES, "from": "2026-01-08", "to": "2026-01-08", "makeup": ["2026-01-10"]}
    calendar = CalendarFile.model_validate({"version": 1, "holidays": [holiday]})
    week = {"mon": ["a"], "thu": ["b"], "sat": ["c"]}
    one = roster({"shifts": [DAY | {"days": ["workdays"]}], "week": week}, calendar=calendar)
    days = ("2026-01-05", "2026-01-06", "2026-01-08", "2026-01-10", "2026-01-15", "2026-01-17")
    assert [on_duty(one, f"{day}T12:00") for day in days] == [["a"], [], [], ["c"], ["b"], []]


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 11), ("2026-10-24", 13), ("2026-06-01", 12)]
)
def test_a_night_over_a_change_of_the_clock_is_as_long_as_it_really_is(
    day: str, hours: int
) -> None:
    one = roster({"shifts": [NIGHT], "order": [["a"]]}, zone="Europe/Berlin")
    turn = one.turn(f"duty/night/{day}")
    assert turn is not None
    assert (turn.end_ms - turn.start_ms) / 3_600_000 == hours


def test_shifts_that_meet_in_the_hour_that_is_left_out_meet_at_one_instant() -> None:
    early = {"name": "early", "from": "01:00", "to": "02:30"}
    late = {"name": "late", "from": "02:30", "to": "01:00"}
    one = roster({"shifts": [early, late], "order": [["a"]]}, zone="Europe/Berlin")
    first, second = one.turn("duty/early/2026-03-29"), one.turn("duty/late/2026-03-29")
    assert first is not None
    assert second is not None
    changed = datetime(2026, 3, 29, 1, tzinfo=UTC)  # 02:00 becomes 03:00
    assert first.end_ms == second.start_ms == round(changed.timestamp()) * 1000


def crews() -> Roster:
    members = {"duty": "a", "firm": "d", "all-water": "b", "house": "c"}
    rotations = [ALL_DAY | {"crew": crew, "order": [[who]]} for crew, who in members.items()]
    return roster(**CREWS, rotations=rotations)


@pytest.mark.parametrize(
    ("place", "skill", "who"),
    [
        ("x/1", "water", ["b", "d", "a"]),  # c has other skills of their own; own before contracted
        ("x", "lifts", ["c", "a"]),
        ("y", "lifts", ["a"]),
        ("x-2/1", "water", ["b", "a"]),  # x is no part of x-2
        ("x/1", "", ["a", "c", "b", "d"]),  # first who takes anything
    ],
)
def test_the_fittest_come_first(place: str, skill: str, who: list[str]) -> None:
    assert on_duty(crews(), "2026-02-02T12:00", place, skill) == who


def test_a_place_and_a_skill_belong_to_a_crew_whoever_is_on_duty() -> None:
    one = crews()
    found = [one.crew_of(*asked) for asked in (("x", "water"), ("y", "water"), ("y", "lifts"))]
    assert [crew and crew.id for crew in found] == ["house", "all-water", "duty"]
    assert (one.skill_of("boiler"), one.skill_of("meter")) == ("water", "")


def test_a_user_is_a_person_and_a_person_is_of_crews() -> None:
    one = crews()
    anna = one.person_of("anna")
    assert anna is not None
    assert [crew.id for crew in one.crews_of(anna.id)] == ["duty"]
    assert one.person_of("") is None
    assert one.person_of("a") is None  # the id of a person is no user


def test_a_swap_changes_one_turn_and_another_swap_goes_on_from_it() -> None:
    plan = {"shifts": [DAY], "order": [["a"]]}
    turn = "duty/day/2026-01-05"
    one = roster(plan, swaps=(Swap(turn, "a", "b"), Swap(turn, "b", "c"), Swap(turn, "a", "d")))
    assert on_duty(one, "2026-01-05T12:00") == ["c"]
    assert on_duty(one, "2026-01-06T12:00") == ["a"]
    assert on_duty(one.with_swaps(()), "2026-01-05T12:00") == ["a"]


def test_a_turn_that_is_not_there_has_no_people() -> None:
    one = roster({"shifts": [DAY], "order": [["a"]]})
    wrong = ("duty/day/2026-01-04", "duty/night/2026-01-05", "duty/day", "", "duty/day/2026-02-30")
    assert [one.turn(id_) for id_ in wrong] == [None] * len(wrong)


def test_every_instant_has_the_turns_that_a_look_at_the_wall_clock_finds() -> None:
    plans = [
        {"shifts": [DAY, NIGHT], "order": [["a"], ["b"], ["c"]]},
        {"shifts": [{"name": "extra", "from": "22:15", "to": "06:45"}], "order": [["d"], ["a"]]},
    ]
    one = roster(*plans, zone="Europe/Berlin")
    start = datetime(2026, 3, 27, tzinfo=UTC)
    for n in range(0, 4 * 1440, 7):
        now = start + timedelta(minutes=n)
        found = {p for turn in one.working(round(now.timestamp()) * 1000) for p in turn.people}
        assert found == looked_up(plans, now.astimezone(BERLIN)), now


def looked_up(plans: list[dict], now: datetime) -> set[str]:
    """Find who works by the hands of the clock alone."""
    found: set[str] = set()
    for plan in plans:
        for n, shift in enumerate(plan["shifts"]):
            for back in (0, 1):
                day = now.date() - timedelta(back)
                turn = (day - date(2026, 1, 5)).days
                hands = f"{now:%H:%M}"
                over = shift["to"] <= shift["from"]
                until = "24:00" if over else shift["to"]
                inside = (
                    shift["from"] <= hands < until if back == 0 else over and hands < shift["to"]
                )
                if inside:
                    found |= set(plan["order"][(turn - n) % len(plan["order"])])
    return found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"order": [["a"]], "week": {"mon": ["a"]}}, "write one of order"),
        ({}, "write one of order"),
        ({"order": [["a"]], "every": "PT12H"}, "whole days"),
        ({"order": [["a"]], "every": "P0D"}, "whole days"),
        ({"order": [["a"]], "until": "2026-01-01"}, "before starts"),
        ({"order": [[]]}, "at least 1"),
    ],
)
def test_a_rotation_that_says_nothing_clear_is_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        roster({"shifts": [DAY], **keys})
