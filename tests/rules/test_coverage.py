"""What nobody is on duty for, and how the work is shared: swept by edges, counted by minutes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model import Swap
from rules.calendar import CalendarFile
from rules.coverage import clashes, gaps, shares
from rules.roster import Roster
from tests.rules.rostering import ALL_DAY, CREWS, DAY, NAMES, NIGHT, at, roster

MINUTE = 60_000
HOUR = 60 * MINUTE
PLACES = ("x", "x/1", "x/2", "y")
TWO = {"shifts": [DAY, NIGHT], "order": [["a"], ["b"], ["c"], ["d"]]}


def found(one: Roster, start: str, end: str) -> list[tuple[str, str, str, str]]:
    rows = gaps(one, PLACES, at(one, start), at(one, end))
    return [(row.place, row.skill, *(civil(one, ms) for ms in row[2:4])) for row in rows]


def civil(one: Roster, at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, one.zone):%m-%dT%H:%M}"


def test_two_shifts_round_the_clock_leave_no_gap_also_where_the_clock_changes() -> None:
    for zone in ("Asia/Shanghai", "Europe/Berlin", "America/New_York"):
        one = roster(TWO, zone=zone)
        assert found(one, "2026-01-06T00:00", "2027-01-05T00:00") == []


def test_a_swap_that_gives_a_turn_to_nobody_who_is_there_changes_no_cover() -> None:
    one = roster(TWO, swaps=(Swap("duty/day/2026-02-01", "d", "a"),))
    assert found(one, "2026-02-01T00:00", "2026-02-02T00:00") == []


def test_a_gap_has_its_edges_its_promise_and_who_could_fill_it() -> None:
    late = {"name": "night", "from": "20:30", "to": "08:00"}
    one = roster({"shifts": [DAY, late], "order": [["a"], ["b"], ["c"], ["d"]]})
    (gap,) = gaps(one, PLACES, at(one, "2026-02-02T00:00"), at(one, "2026-02-03T00:00"))
    assert (civil(one, gap.start_ms), civil(one, gap.end_ms)) == ("02-02T20:00", "02-02T20:30")
    assert gap[:2] == ("", "")
    assert (gap.on_duty, gap.least, gap.crews) == ((), 1, ("duty",))


def test_only_who_has_the_skill_and_serves_the_place_covers_it() -> None:
    people = {"duty": "a", "firm": "d", "all-water": "b", "house": "c"}
    rotations = [ALL_DAY | {"crew": crew, "order": [[who]]} for crew, who in people.items()]
    del rotations[0]  # without the stationed duty
    cover = [{"skill": "lifts"}, {"skill": "water", "place": "x", "least": 2}]
    one = roster(**CREWS, rotations=rotations, cover=cover)
    day = ("02-02T00:00", "02-03T00:00")
    assert found(one, "2026-02-02T00:00", "2026-02-03T00:00") == [
        ("", "lifts", *day),  # y too: stands for all that is served as the whole campus is
        ("x", "water", *day),  # b alone: c has lifts only; x/1 has d as well
    ]


def test_hours_of_the_calendar_are_promised_and_no_others() -> None:
    window = {"from": "18:00", "to": "21:30"}
    calendar = CalendarFile.model_validate({"version": 1, "hours": {"evening": [window]}})
    plan = {"shifts": [DAY], "order": [["a"]]}
    one = roster(plan, calendar=calendar, cover=[{"hours": "evening"}])
    day = ("2026-02-02T00:00", "2026-02-03T00:00")
    assert found(one, *day) == [("", "", "02-02T20:00", "02-02T21:30")]


@settings(max_examples=25)
@given(
    zone=st.sampled_from(("Asia/Shanghai", "Europe/Berlin")),
    edges=st.lists(st.integers(0, 24 * 12 - 1), min_size=2, max_size=6),
    least=st.integers(1, 2),
    groups=st.integers(1, 3),
)
def test_the_sweep_finds_the_minutes_that_counting_finds(
    zone: str, edges: list[int], least: int, groups: int
) -> None:
    clock = [f"{edge // 12:02}:{edge % 12 * 5:02}" for edge in edges]
    shifts = [
        {"name": f"s{n}", "from": start, "to": end}
        for n, (start, end) in enumerate(zip(clock[::2], clock[1::2], strict=False))
    ]
    order = [["a"], ["b"], ["c", "d"]][:groups]
    one = roster({"shifts": shifts, "order": order}, zone=zone, cover=[{"least": least}])
    start = round(datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()) * 1000
    end = start + 26 * HOUR
    swept = gaps(one, PLACES, start, end)
    for at_ms in range(start, end, 5 * MINUTE):
        on = len(one.on_duty(at_ms, "x"))
        inside = [gap for gap in swept if gap.start_ms <= at_ms < gap.end_ms]
        assert len(inside) == (on < least)
        assert all(len(gap.on_duty) == on for gap in inside)


def test_somebody_on_two_turns_at_once_is_found() -> None:
    long = {"name": "long", "from": "19:00", "to": "09:00"}
    one = roster({"shifts": [DAY, long], "order": [["a"], ["b"]]})
    start = at(one, "2026-01-05T00:00")
    rows = clashes(one.turns(start, start + 48 * HOUR))
    assert [row[:3] for row in rows] == [("b", "duty/long/2026-01-05", "duty/day/2026-01-06")]


def test_what_the_roster_asks_of_each_is_counted() -> None:
    one = roster(TWO)
    start = at(one, "2026-01-05T00:00")  # a Monday
    by = {row.person: row[1:] for row in shares(one, start, start + 28 * 24 * HOUR)}
    assert by["a"] == (14, 168.0, 7, 4)
    assert sum(row[1] for row in by.values()) == 28 * 24
    assert sum(row[2] for row in by.values()) == 28
    assert sum(row[3] for row in by.values()) == 16


def test_a_year_of_a_large_campus_with_a_crew_per_building_has_no_gap() -> None:
    buildings = [f"dorm-{n:02}" for n in range(27)]
    people = [{"id": f"p{n}", "name": f"p{n}"} for n in range(60)]
    crews = [{"id": "duty", "name": NAMES, "members": [f"p{n}" for n in range(6)]}]
    plan = {"starts": "2026-01-05", "shifts": [DAY, NIGHT]}
    rotations = [{"crew": "duty", "order": [[f"p{n}"] for n in range(6)], **plan}]
    for n, house in enumerate(buildings):
        who = [f"p{6 + 2 * n}", f"p{7 + 2 * n}"]
        crews.append({"id": house, "name": NAMES, "members": who, "places": [house]})
        rotations.append({"crew": house, "order": [[one] for one in who], **plan})
    one = roster(people=people, crews=crews, rotations=rotations)
    rooms = [f"{house}/{n}" for house in buildings for n in range(150)]
    start = at(one, "2026-02-01T00:00")
    assert gaps(one, [*buildings, *rooms], start, start + 365 * 24 * HOUR) == []


def minutes_without(one: Roster, start: datetime, days: int) -> int:
    instants = (start + timedelta(minutes=n) for n in range(days * 1440))
    return sum(not one.on_duty(round(now.timestamp()) * 1000, "x") for now in instants)


def test_the_minutes_of_a_week_are_those_that_a_count_finds() -> None:
    short = {"name": "short", "from": "09:17", "to": "16:03"}
    one = roster({"shifts": [short | {"days": ["workdays"]}, NIGHT], "order": [["a"], ["b"]]})
    start = datetime(2026, 1, 7, tzinfo=UTC)
    start_ms = round(start.timestamp()) * 1000
    rows = gaps(one, PLACES, start_ms, start_ms + 7 * 24 * HOUR)
    swept = sum(row.end_ms - row.start_ms for row in rows) // MINUTE
    assert swept == minutes_without(one, start, 7) > 0
