"""Civil time: every instant lies in exactly one hour, day and month, in every zone there is."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.energy.calendar import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    day_of,
    day_start,
    earlier_year,
    edges,
    local,
    month_start,
    previous,
    span_of_days,
    year_before,
)

ZONES = sorted(zoneinfo.available_timezones())
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.dates(date(1971, 1, 1), date(2037, 12, 31))


def at(text: str, zone: ZoneInfo) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def lengths(zone: str, day: date, step: str, count: int = 1) -> list[float]:
    place = ZoneInfo(zone)
    found = edges(*span_of_days(day, day + timedelta(count - 1), place), step, place)
    return [(end - start) / HOUR_MS for start, end in pairwise(found)]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Shanghai", date(2026, 11, 20), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # there was no midnight
        ("America/Havana", date(2024, 11, 3), 25),  # there were two
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/Toronto", date(1919, 3, 31), 23.5),  # from 23:30 on the clock went to 00:30
        ("Asia/Kathmandu", date(2026, 1, 1), 24),
    ],
)
def test_a_day_has_the_hours_that_its_zone_gives_it(zone: str, day: date, hours: float) -> None:
    assert lengths(zone, day, "day") == [hours]
    assert sum(lengths(zone, day, "hour")) == hours
    assert lengths(zone, day, "quarter") == [0.25] * round(hours * 4)


def test_an_hour_that_comes_twice_is_two_hours_and_one_left_out_is_none() -> None:
    assert lengths("Europe/Berlin", date(2026, 10, 25), "hour") == [1.0] * 25
    assert lengths("Europe/Berlin", date(2026, 3, 29), "hour") == [1.0] * 23
    assert lengths("Australia/Lord_Howe", date(2026, 10, 4), "hour").count(0.5) == 1


def test_a_date_that_was_left_out_has_no_length() -> None:
    apia = ZoneInfo("Pacific/Apia")  # crossed the date line: no 30th of December 2011
    assert day_start(date(2011, 12, 30), apia) == day_start(date(2011, 12, 31), apia)
    assert lengths("Pacific/Apia", date(2011, 12, 29), "day", 3) == [24, 24]


@given(zones, days, st.integers(0, DAY_MS), st.integers(1, 40 * DAY_MS))
def test_steps_follow_each_other_without_a_hole_in_every_zone(
    zone: ZoneInfo, day: date, into_ms: int, length_ms: int
) -> None:
    start_ms = max(day_start(day, zone) + into_ms, 0)
    end_ms = start_ms + length_ms
    for step in ("quarter", "hour", "day", "week", "month", "year", "total"):
        found = edges(start_ms, end_ms, step, zone)
        assert (found[0], found[-1]) == (start_ms, end_ms)
        assert all(begin < end for begin, end in pairwise(found))
    hours = set(edges(start_ms, end_ms, "hour", zone))
    every_day = set(edges(start_ms, end_ms, "day", zone))
    assert hours <= set(edges(start_ms, end_ms, "quarter", zone))
    assert set(edges(start_ms, end_ms, "month", zone)) <= every_day
    assert set(edges(start_ms, end_ms, "week", zone)) <= every_day


@given(zones, days, st.integers(0, DAY_MS - 1))
def test_the_edges_are_those_that_the_clock_on_the_wall_shows(
    zone: ZoneInfo, day: date, into_ms: int
) -> None:
    start_ms = max(day_start(day, zone), 0)
    inside = edges(start_ms, start_ms + DAY_MS, "hour", zone)[1:-1]
    for edge in inside:
        before, after = local(edge - 1, zone), local(edge, zone)
        assert after.minute == 0 or before.utcoffset() != after.utcoffset()
    instant = start_ms + into_ms
    begin = max(edge for edge in [start_ms, *inside] if edge <= instant)
    for moment in range(begin, instant, 15 * MINUTE_MS):  # no clock hour begins unnoticed
        assert local(moment, zone).minute != 0 or moment == begin or moment % MINUTE_MS


@given(zones, days, st.integers(0, DAY_MS - 1))
def test_every_instant_lies_in_its_day(zone: ZoneInfo, day: date, into_ms: int) -> None:
    instant = day_start(day, zone) + into_ms
    held = day_of(instant, zone)
    assert day_start(held, zone) <= instant < day_start(held + timedelta(1), zone)


def test_all_days_of_a_year_fill_it_in_all_zones() -> None:
    assert len(ZONES) > 400
    first, last = date(2026, 1, 1), date(2026, 12, 31)
    for name in ZONES:
        zone = ZoneInfo(name)
        start_ms, end_ms = span_of_days(first, last, zone)
        found = edges(start_ms, end_ms, "day", zone)
        assert len(found) == 366, name
        assert {end - start for start, end in pairwise(found)} <= {
            hours * HOUR_MS // 2
            for hours in (44, 46, 47, 48, 49, 50, 52)  # Troll: 22 and 26
        }, name
        midnights = [local(edge, zone) for edge in found]
        assert [one.date() for one in midnights] == [first + timedelta(n) for n in range(366)], name
        assert len(edges(start_ms, end_ms, "month", zone)) == 13, name


def test_an_end_that_is_not_after_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="not after"):
        edges(5, 5, "hour", SHANGHAI)


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        ("2026-11-20", "2026-11-21", ("2026-11-19", "2026-11-20")),
        ("2026-11-20", "2026-11-20T15:00", ("2026-11-19", "2026-11-19T15:00")),
        ("2026-11-16", "2026-11-23", ("2026-11-09", "2026-11-16")),
        ("2026-11-01", "2026-12-01", ("2026-10-01", "2026-11-01")),
        ("2026-11-01", "2026-11-12T08:00", ("2026-10-01", "2026-10-12T08:00")),
        ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-03-01")),
        ("2026-01-01", "2027-01-01", ("2025-01-01", "2026-01-01")),
        ("2026-11-20T10:00", "2026-11-20T13:00", ("2026-11-20T07:00", "2026-11-20T10:00")),
    ],
)
def test_the_period_before_is_of_the_same_civil_length(
    start: str, end: str, before: tuple[str, str]
) -> None:
    found = previous(at(start, SHANGHAI), at(end, SHANGHAI), SHANGHAI)
    assert found == (at(before[0], SHANGHAI), at(before[1], SHANGHAI))


def test_the_day_before_a_long_one_is_a_day() -> None:
    span = span_of_days(date(2026, 10, 25), date(2026, 10, 25), BERLIN)
    assert previous(*span, BERLIN) == span_of_days(date(2026, 10, 24), date(2026, 10, 24), BERLIN)
    span = span_of_days(date(2026, 10, 26), date(2026, 10, 26), BERLIN)
    assert previous(*span, BERLIN) == span_of_days(date(2026, 10, 25), date(2026, 10, 25), BERLIN)


def test_the_year_before_has_the_same_dates() -> None:
    assert year_before(at("2028-02-01", BERLIN), at("2028-03-01", BERLIN), BERLIN) == (
        at("2027-02-01", BERLIN),
        at("2027-03-01", BERLIN),
    )
    assert earlier_year(date(2028, 2, 29)) == date(2027, 2, 28)
    assert month_start(date(2026, 1, 31), -1) == date(2025, 12, 1)


@given(zones, days, st.integers(1, 400), st.integers(0, DAY_MS))
def test_a_period_and_the_one_before_never_overlap(
    zone: ZoneInfo, day: date, count: int, off_ms: int
) -> None:
    start_ms = day_start(day, zone)
    end_ms = day_start(day + timedelta(count), zone) + off_ms
    begin, end = previous(start_ms, end_ms, zone)
    assert begin < end <= start_ms
    begin, end = year_before(start_ms, end_ms, zone)
    assert begin < end
    assert local(begin, UTC).year in (local(start_ms, UTC).year - 1, local(start_ms, UTC).year)
