"""The service clocks as arithmetic: exact at their limits, and true elapsed time in every zone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rules.calendar import Calendar, CalendarFile
from rules.service import SEVERITIES, Item, Policy, Rung, Service
from rules.sla import Clocks, Hours, Pause, Plan, closed_gap, deadline, elapsed, verdict

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
FILE = Path(__file__).parents[2] / "config" / "service.yaml"
RAW = yaml.safe_load(FILE.read_text())
SERVICE = Service.model_validate(RAW)
DATES = CalendarFile.model_validate(
    {
        "version": 1,
        "vacations": [
            {"name": {"zh": "假", "en": "V"}, "from": "2026-07-13", "to": "2026-08-30"},
        ],
        "holidays": [
            {
                "name": {"zh": "节", "en": "H"},
                "from": "2026-10-01",
                "to": "2026-10-07",
                "makeup": ["2026-09-20", "2026-10-10"],
            },
        ],
        "hours": {
            "daytime": [{"from": "06:00", "to": "20:00"}],
            "term": [
                {"from": "06:00", "to": "12:00", "in": "term"},
                {"from": "12:00", "to": "23:30", "in": "term"},
            ],
            "night": [{"from": "22:00", "to": "02:30"}],
            "turn": [{"from": "01:30", "to": "02:30"}, {"from": "02:10", "to": "03:10"}],
            "office": [{"from": "08:00", "to": "17:30", "days": ["workdays"]}],
        },
    }
)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York")
HOURS = {
    (zone, name): Hours(Calendar(DATES, ZoneInfo(zone)), name)
    for zone in ZONES
    for name in DATES.hours
}


def at(text: str, zone: str = "Asia/Shanghai") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


# Around both changes of the clocks in each zone, a leap day, the holidays and the vacation.
EDGES = [
    int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    for day in (
        "2026-03-08", "2026-03-29", "2026-04-04", "2026-10-03", "2026-10-25", "2026-11-01",
        "2028-02-28", "2026-07-12", "2026-08-30", "2026-09-30", "2026-12-31",
    )
]  # fmt: skip
INSTANT = st.builds(int.__add__, st.sampled_from(EDGES), st.integers(-DAY, 2 * DAY))
SPAN = st.one_of(st.integers(1, 4 * DAY), st.sampled_from([5 * MINUTE, 2 * HOUR, 48 * HOUR]))
CLOCK = st.one_of(st.none(), st.sampled_from(sorted(HOURS)).map(lambda key: HOURS[key]))
PAUSES = st.lists(
    st.builds(
        lambda since, start, lasts, limit: Pause(since + start, lasts, limit, ("fix",)),
        st.sampled_from(EDGES),
        st.integers(-DAY, 2 * DAY),
        st.none(),
        st.integers(0, DAY),
    ).flatmap(
        lambda one: st.one_of(
            st.just(one),
            st.integers(0, DAY).map(lambda lasts: one._replace(end_ms=one.start_ms + lasts)),
        )
    ),
    max_size=4,
)


def test_the_shipped_promise_is_the_written_one() -> None:
    small, ordinary, large = (promised(severity, 0) for severity in SEVERITIES)
    assert small == (5 * MINUTE, 20 * MINUTE, 2 * HOUR, None)
    assert ordinary == (5 * MINUTE, 20 * MINUTE, 12 * HOUR, None)
    assert large == (5 * MINUTE, 20 * MINUTE, None, 48 * HOUR)


def promised(severity, opened_ms: int, *pauses: Pause) -> tuple[int | None, ...]:
    plan = Plan(SERVICE.policy("default"), severity, opened_ms, pauses=pauses)
    return tuple(clocks(SERVICE).deadlines(plan))


def clocks(service: Service, zone: str = "Asia/Shanghai") -> Clocks:
    return Clocks(service, Calendar(DATES, ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("done", "now", "expected"),
    [
        (None, 100, "running"),
        (None, 101, "breached"),
        (100, 999, "met"),
        (101, 999, "breached"),
    ],
)
def test_a_target_met_at_exactly_its_limit_is_met(done, now, expected) -> None:
    assert verdict(100, done, now) == expected


@given(st.integers(0, 4_102_444_800_000), st.sampled_from(SEVERITIES))
def test_a_deadline_of_24_hours_a_day_is_true_elapsed_time(opened_ms, severity) -> None:
    zero, later = promised(severity, 0), promised(severity, opened_ms)
    assert [by and by - opened_ms for by in later] == list(zero)


@given(INSTANT, SPAN, CLOCK, PAUSES)
def test_a_deadline_is_the_first_instant_at_which_all_of_it_has_passed(
    since_ms, span_ms, hours, pauses
) -> None:
    by_ms = deadline(since_ms, span_ms, hours, pauses)

    assert elapsed(since_ms, by_ms, hours, pauses) == span_ms
    assert elapsed(since_ms, by_ms - 1, hours, pauses) == span_ms - 1


@given(INSTANT, st.lists(st.integers(0, 3 * DAY), min_size=2, max_size=5), CLOCK, PAUSES)
def test_what_has_passed_adds_up_however_it_is_split(since_ms, steps, hours, pauses) -> None:
    cuts = [since_ms + step for step in sorted(steps)]
    parts = [elapsed(a, b, hours, pauses) for a, b in pairwise(cuts)]

    assert sum(parts) == elapsed(cuts[0], cuts[-1], hours, pauses)
    assert all(0 <= part <= b - a for part, (a, b) in zip(parts, pairwise(cuts), strict=True))


@given(INSTANT, SPAN, st.integers(0, DAY), CLOCK, PAUSES, PAUSES)
def test_a_later_start_a_longer_span_and_another_pause_only_put_off(
    since_ms, span_ms, more_ms, hours, pauses, more
) -> None:
    by_ms = deadline(since_ms, span_ms, hours, pauses)

    assert by_ms <= deadline(since_ms + more_ms, span_ms, hours, pauses)
    assert by_ms + more_ms <= deadline(since_ms, span_ms + more_ms, hours, pauses)
    assert by_ms <= deadline(since_ms, span_ms, hours, pauses + more)


@given(
    INSTANT, SPAN, CLOCK, PAUSES.flatmap(lambda one: st.tuples(st.just(one), st.permutations(one)))
)
def test_the_order_of_pauses_does_not_matter(since_ms, span_ms, hours, both) -> None:
    one, other = (deadline(since_ms, span_ms, hours, pauses) for pauses in both)
    assert one == other


@settings(max_examples=40)
@given(st.sampled_from(sorted(HOURS)), INSTANT, st.integers(0, 2 * DAY))
@example(("Europe/Berlin", "turn"), at("2026-10-25T00:00", "Europe/Berlin"), DAY)
@example(("Europe/Berlin", "turn"), at("2026-03-29T00:00", "Europe/Berlin"), DAY)
@example(("Australia/Lord_Howe", "turn"), at("2026-04-05T00:00", "Australia/Lord_Howe"), DAY)
@example(("Australia/Lord_Howe", "turn"), at("2026-10-04T00:00", "Australia/Lord_Howe"), DAY)
def test_the_hours_are_those_that_the_wall_clock_shows(key, start_ms, length_ms) -> None:
    zone, name = key
    calendar = Calendar(DATES, ZoneInfo(zone))
    start_ms -= start_ms % MINUTE
    shown = sum(
        MINUTE
        for minute_ms in range(start_ms, start_ms + length_ms - length_ms % MINUTE, MINUTE)
        if calendar.within(name, minute_ms)
    )

    assert HOURS[key].between(start_ms, start_ms + length_ms - length_ms % MINUTE) == shown


@settings(max_examples=15)
@given(st.permutations(EDGES), st.sampled_from(sorted(HOURS)))
def test_hours_are_the_same_in_whatever_order_they_are_asked(order: Sequence[int], key) -> None:
    zone, name = key
    fresh = Hours(Calendar(DATES, ZoneInfo(zone)), name)
    assert [fresh.reach(one, DAY) for one in order] == [HOURS[key].reach(one, DAY) for one in order]


@pytest.mark.parametrize(
    ("name", "since", "span", "by"),
    [
        ("daytime", "2026-03-02T19:30", HOUR, "2026-03-03T06:30"),
        ("daytime", "2026-03-02T19:00", HOUR, "2026-03-02T20:00"),  # not 06:00: all has passed
        ("daytime", "2026-03-02T23:00", HOUR, "2026-03-03T07:00"),
        ("office", "2026-09-30T17:00", HOUR, "2026-10-08T08:30"),  # the holidays lie between
        ("office", "2026-09-19T12:00", HOUR, "2026-09-20T09:00"),  # a Sunday that is worked
        ("term", "2026-07-12T23:00", HOUR, "2026-08-31T06:30"),  # the vacation
        ("daytime", "2028-02-28T19:00", 20 * HOUR, "2028-03-01T11:00"),  # a leap day
    ],
)
def test_a_clock_counts_its_hours_only(name, since, span, by) -> None:
    assert deadline(at(since), span, HOURS["Asia/Shanghai", name], ()) == at(by)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Asia/Shanghai", "2026-03-29", 24),
    ],
)
def test_on_the_day_of_a_change_two_hours_are_two_hours(zone, day, hours) -> None:
    midnight, next_ms = at(f"{day}T00:00", zone), at(f"{day}T23:59", zone) + MINUTE

    assert next_ms - midnight == hours * HOUR
    assert deadline(midnight, 12 * HOUR, None, ()) == midnight + 12 * HOUR
    assert deadline(midnight, 10 * HOUR, HOURS[zone, "daytime"], ()) == at(f"{day}T16:00", zone)


def test_a_pause_is_planned_to_its_limit_and_counts_as_long_as_it_lasted() -> None:
    open_end = Pause(HOUR, None, 6 * HOUR, ("fix",), "parts")
    ended, overdue = open_end._replace(end_ms=2 * HOUR), open_end._replace(end_ms=DAY)
    by = [promised("small", 0, one)[2] for one in (open_end, ended, overdue)]

    assert by == [8 * HOUR, 3 * HOUR, 8 * HOUR]
    assert promised("small", 0, ended)[:2] == (5 * MINUTE, 20 * MINUTE)  # only the fix stood


def test_the_limit_of_a_reason_is_for_all_its_pauses_together() -> None:
    one = clocks(SERVICE)
    parts = [Pause(0, 40 * HOUR, 48 * HOUR, ("fix",), "parts")]

    assert one.limit_ms("parts", parts) == 8 * HOUR
    assert one.limit_ms("parts", [*parts, Pause(DAY * 2, None, 8 * HOUR, ("fix",), "parts")]) == 0
    assert (one.limit_ms("access", parts), one.limit_ms("rain", parts)) == (12 * HOUR, 0)


def test_another_class_is_planned_from_the_same_start_with_the_same_pauses() -> None:
    pause = Pause(HOUR, 3 * HOUR, DAY, ("fix",), "parts")
    plan = Plan(SERVICE.policy("default"), "small", 1000, pauses=(pause,))
    one = clocks(SERVICE)

    assert one.deadlines(plan).fix_by_ms == 1000 + 4 * HOUR
    assert one.deadlines(plan._replace(severity="ordinary")).fix_by_ms == 1000 + 14 * HOUR
    large = one.deadlines(plan._replace(severity="large"))
    assert (large.fix_by_ms, large.crew_by_ms) == (None, 1000 + 48 * HOUR)


def test_a_reopened_ticket_is_answered_anew_and_mended_in_the_rest_of_its_time() -> None:
    plan = Plan(SERVICE.policy("default"), "small", 0)
    again = plan._replace(reopened_ms=DAY, pauses=(closed_gap(HOUR, DAY),))
    one = clocks(SERVICE)

    assert one.deadlines(again) == (DAY + 5 * MINUTE, DAY + 20 * MINUTE, DAY + HOUR, None)
    assert one.left(again, "fix", DAY + 20 * MINUTE) == 40 * MINUTE
    assert one.left(again, "response", DAY + 6 * MINUTE) == -MINUTE
    assert one.left(again, "crew", DAY) is None


def test_the_rungs_of_a_ladder_are_counted_on_the_clock() -> None:
    raw = RAW | {"hours": "daytime"}
    one = clocks(Service.model_validate(raw))
    plan = Plan(one.service.policy("default"), "small", at("2026-03-02T19:58"))
    rungs = {rung: by for rung in one.service.ladder if (by := one.rung(plan, rung)) is not None}
    said = {rung.id: by for rung, by in rungs.items()}

    assert said["clock response at PT0S tell on_duty"] == at("2026-03-02T19:58")
    assert said["clock response before PT2M tell lead"] == at("2026-03-03T06:01")
    assert said["clock response after PT0S tell duty"] == at("2026-03-03T06:03") + 1
    assert said["clock fix before 25% tell lead"] == at("2026-03-03T07:28")
    assert not any(rung.clock == "crew" for rung in rungs)


def test_a_rung_that_would_be_before_the_start_is_due_at_the_start() -> None:
    rung = Rung.model_validate({"clock": "response", "before": "PT1H", "tell": "lead"})
    plan = Plan(SERVICE.policy("default"), "small", 7)
    assert clocks(SERVICE).rung(plan, rung) == 7


def policy(id_: str, **scope: object) -> dict[str, object]:
    targets = {"respond": "PT30M", "on_site": "P1D", "fix": dict.fromkeys(SEVERITIES, "P2D")}
    return {"id": id_, "for": scope, **targets}


def test_the_first_policy_that_is_for_the_work_counts() -> None:
    service = Service.model_validate(
        RAW
        | {
            "policies": [
                policy("lamps", sources=["report"], kinds=["lamp"], places=["dorm-07"]),
                policy("large", severities=["large"]),
                policy("reports", sources=["report"]),
            ]
        }
    )

    def chosen(source, kind, severity, place) -> str:
        return service.policy_for(Item(source, kind, severity, place)).id

    assert chosen("report", "lamp", "small", "dorm-07/3/312") == "lamps"
    assert chosen("report", "lamp", "small", "dorm-070") == "reports"
    assert chosen("report", "door", "large", "dorm-07") == "large"
    assert chosen("alarm", "lamp", "small", "dorm-07") == "default"
    assert service.policy("lamps").respond.total_seconds() == 1800
    assert service.policy("gone") == service.policy("default")


def test_the_keys_at_the_top_are_the_policy_default() -> None:
    top = SERVICE.policy("default")
    assert isinstance(top, Policy)
    assert (top.respond, top.fix, top.hours) == (SERVICE.respond, SERVICE.fix, None)


@pytest.mark.parametrize(
    "change",
    [
        {"fix": {"small": "PT2H"}},  # ordinary has no target
        {"crew": {"large": "PT48H", "small": "PT1H"}},  # small has two
        {"respond": "PT0S"},
        {"respond": "-PT5M"},
        {"reply": "PT5M"},
        {"version": 2},
        {"fix": {"small": "PT2H", "ordinary": "PT12H", "tiny": "PT1H"}},
    ],
)
def test_a_promise_with_a_mistake_is_refused(change) -> None:
    with pytest.raises(ValidationError):
        Service.model_validate(RAW | change)
