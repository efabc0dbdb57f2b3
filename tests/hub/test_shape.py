"""Long gaps follow the weeks before them, whatever came when and whatever is asked."""

from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.energy import calendar, ledger, shape
from hub.energy.counter import Intervals, Kind, MeterChange, intervals
from hub.energy.ledger import Ledger, rule_of
from hub.energy.spread import Course
from hub.model import Batch
from tests.hub.per_step import per_step
from tests.hub.test_ledger import DAY, HOUR, MINUTE, PARTS, Hub, Overtaken, site_of

WEEK = 7 * DAY
ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = calendar.day_start(date(2026, 11, 2), ZONE)
GAP = (MONDAY + 4 * WEEK + 12 * HOUR, MONDAY + 5 * WEEK)  # six and a half days
EVENING = range(18, 22)


def used_by(at_ms: int, zone: ZoneInfo) -> float:
    """Return what a room uses in the hour that begins then: most of it in the evening."""
    return 2.0 if calendar.local(at_ms, zone).hour in EVENING else 0.25


def room(start: int, end: int, zone: ZoneInfo = ZONE, interval: int = 15 * MINUTE):
    """Return the readings of a room's meter."""
    level, rows = 100.0, []
    for at in range(start, end, interval):
        rows.append((1, at, level, 0))
        level += used_by(at, zone) * interval / HOUR
    return rows


def without(rows, *gaps: tuple[int, int]):
    return [row for row in rows if not any(start < row[1] < end for start, end in gaps)]


@pytest.fixture(params=[0, 32])
def few(request, monkeypatch) -> int:
    """Read by days that are kept, or directly."""
    monkeypatch.setattr(ledger, "FEW", request.param)
    return request.param


def hours_of(start: int, end: int) -> list[int]:
    return list(range(start, end + 1, HOUR))


def test_a_night_without_readings_follows_the_nights_before() -> None:
    """The worked example of the manual: 12 h of a room, 13.5 kWh."""
    start = MONDAY + 4 * WEEK + 12 * HOUR
    gap = (start, start + 12 * HOUR)
    rows = without(room(MONDAY, MONDAY + 5 * WEEK), gap)
    rows = [(n, at, level + 3.5 * (at >= gap[1]), q) for n, at, level, q in rows]
    hub = Hub(site_of(1))
    hub.keep(rows)
    uses = hub.uses(hours_of(*gap))
    assert uses.estimated[0] == pytest.approx([0.3375] * 6 + [2.7] * 4 + [0.3375] * 2)
    assert uses.used.sum() == pytest.approx(13.5)
    assert uses.low[0] == pytest.approx(np.zeros(12))
    assert uses.high[0] == pytest.approx(np.full(12, 13.5))
    whole = hub.uses(gap)
    assert whole.low[0, 0] == whole.high[0, 0] == pytest.approx(13.5)
    early = Hub(site_of(1))  # two weeks before it are too few
    early.keep([row for row in rows if row[1] > MONDAY + 2 * WEEK])
    assert early.uses(hours_of(*gap)).estimated[0] == pytest.approx(np.full(12, 13.5 / 12))


def test_a_gap_of_a_week_and_one_of_two_hours(few: int) -> None:
    hub = Hub(site_of(1))
    short = (MONDAY + 4 * WEEK + 17 * HOUR, MONDAY + 4 * WEEK + 19 * HOUR)
    long = (MONDAY + 5 * WEEK + 12 * HOUR, MONDAY + 6 * WEEK + 20 * HOUR)
    end = MONDAY + 7 * WEEK
    rows = room(MONDAY, end + DAY)
    hub.keep(without(rows, short, long))
    edges = hours_of(MONDAY + 4 * WEEK, end)
    uses = hub.uses(edges)
    true = np.array([used_by(at, ZONE) for at in edges[:-1]])
    gap = np.array([short[0] <= at < short[1] for at in edges[:-1]])
    assert uses.used[0, ~gap] == pytest.approx(true[~gap])
    assert uses.used[0, gap] == pytest.approx([1.125, 1.125])  # evenly
    days = hub.uses(edges[::24])
    assert days.used[0] == pytest.approx(true.reshape(-1, 24).sum(axis=1))


def test_one_odd_week_does_not_bend_a_course(few: int) -> None:
    hub = Hub(site_of(1))
    rows, level = [], 0.0
    for at in range(MONDAY, MONDAY + 5 * WEEK + DAY, 15 * MINUTE):
        rows.append((1, at, level, 0))
        holiday = MONDAY + WEEK <= at < MONDAY + 2 * WEEK
        level += (5.0 if holiday else used_by(at, ZONE)) / 4
    hub.keep(without(rows, GAP))
    uses = hub.uses(hours_of(*GAP))
    assert uses.used[0] == pytest.approx([used_by(at, ZONE) for at in hours_of(*GAP)[:-1]])


def test_a_course_that_cannot_be_is_not_followed(few: int) -> None:
    """All use in one hour of the week, and a gap in which more was used than fits in it."""
    hub = Hub(site_of(1))  # at most 20 kWh in an hour
    rows, level = [], 0.0
    for at in range(MONDAY, MONDAY + 5 * WEEK, 15 * MINUTE):
        rows.append((1, at, level, 0))
        busy = calendar.local(at, ZONE).hour == 20
        level += (12.0 if at > GAP[0] else 2.0) * busy / 4
    start = MONDAY + 4 * WEEK + 12 * HOUR
    gap = (start, start + 12 * HOUR)
    hub.keep([(n, at, lv + 20 * (at > gap[0]), q) for n, at, lv, q in without(rows, gap)])
    uses = hub.uses(hours_of(*gap))
    assert uses.estimated[0] == pytest.approx(np.full(12, 32 / 12))
    assert (uses.used <= uses.high).all()


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("month", [3, 4, 10])
def test_the_hours_of_the_week_are_those_on_the_wall(zone: str, month: int, few: int) -> None:
    there = ZoneInfo(zone)
    first = calendar.day_start(date(2026, month, 2), there)
    end = calendar.day_start(date(2026, month, 2) + timedelta(35), there)
    hub = Hub(site_of(1, there))
    gap = (end - 3 * DAY, end - DAY)
    rows = room(first, end, there)
    hub.keep(without(rows, gap))
    edges = calendar.edges(*gap, "hour", there)
    uses = hub.uses(edges)
    lasts = np.diff(edges) / HOUR
    true = [used_by(at, there) * h for at, h in zip(edges[:-1], lasts, strict=True)]
    assert uses.used[0] == pytest.approx(true, rel=0.02)


def test_a_late_reading_in_the_weeks_before_recomputes_the_gap(few: int) -> None:
    hub = Hub(site_of(1))
    again = (MONDAY + 2 * WEEK + 12 * HOUR, MONDAY + 3 * WEEK)
    older = (MONDAY + WEEK + 12 * HOUR, MONDAY + 2 * WEEK)
    rows = room(MONDAY, MONDAY + 6 * WEEK)
    whole = without(rows, GAP)
    in_time = without(whole, again)
    hub.keep(without(in_time, older))
    edges = hours_of(*GAP)
    flat = hub.uses(edges).used[0]
    assert flat[0] == pytest.approx(flat.mean())  # two weeks are too few
    hub.keep(sorted({*whole} - {*in_time}))
    true = [used_by(at, ZONE) for at in edges[:-1]]
    assert hub.uses(edges).used[0] == pytest.approx(true)
    hub.ledger.change({1: [MeterChange(MONDAY + 2 * WEEK, 1.0, 1.0, multiplier=2.0)]})
    bent = hub.uses(edges)
    hub.ledger.change({})
    assert bent.used[0] == pytest.approx(2 * np.array(true))
    assert hub.uses(edges).used[0] == pytest.approx(true)


def test_what_comes_while_weeks_are_read_and_another_gap_is_learned_is_not_overlooked() -> None:
    other = (MONDAY + 5 * WEEK + 2 * HOUR, MONDAY + 5 * WEEK + 6 * HOUR)
    rows = without(room(MONDAY, MONDAY + 6 * WEEK), GAP, other)
    weeks = [(MONDAY + n * WEEK + 12 * HOUR, MONDAY + (n + 1) * WEEK) for n in (1, 2)]
    in_time = without(rows, *weeks)  # two weeks are too few
    hub = Hub(site_of(1))
    hub.store = Overtaken()
    hub.ledger = Ledger(hub.site, hub.store)
    hub.keep(in_time)

    def told(batch: Batch, seq: int) -> None:
        hub.uses(hours_of(*other))  # begins later, ends earlier
        hub.ledger.recorded(batch, seq)

    hub.store.told = told
    hub.store.late = Batch.of(*zip(*sorted({*rows} - {*in_time}), strict=True), GAP[1])
    edges = hours_of(*GAP)
    hub.uses(edges)
    assert hub.uses(edges).used[0] == pytest.approx([used_by(at, ZONE) for at in edges[:-1]])


def test_a_change_of_the_meter_in_the_weeks_before_recomputes_the_gap() -> None:
    hub = Hub(site_of(1))
    hub.keep(without(room(MONDAY, MONDAY + 6 * WEEK), GAP))
    edges = hours_of(*GAP)
    hub.uses(edges)
    thursday = MONDAY + 2 * WEEK + 3 * DAY
    hub.ledger.change({1: [MeterChange(thursday, 1.0, 1.0, multiplier=2.0)]})
    used = dict(zip(edges, hub.uses(edges).used[0], strict=False))
    wednesday = MONDAY + 4 * WEEK + 2 * DAY + 20 * HOUR  # as in weeks of 1, 1, 1 and 2
    assert used[wednesday + 2 * DAY] == pytest.approx(1.5 * used[wednesday])  # 1, 1, 2 and 2


def with_courses(made: Intervals) -> dict[int, Course]:
    """Work the courses out from all readings at once."""
    found = {}
    for n in np.flatnonzero(made.kind != Kind.MEASURED).tolist():
        gap = int(made.start_ms[n]), int(made.end_ms[n])
        if gap[1] - gap[0] <= shape.LONG_MS:
            continue
        seen = shape.whole_hours(gap[0] - 5 * WEEK, gap[0], ZONE)
        uses = per_step(made, seen.edges)
        measured = (uses.gap[0] < 1e-6) & (uses.missing[0] < 1e-6)
        course = shape.course(gap, seen, uses.measured[0], measured, ZONE)
        if course is not None and course.can_be(float(made.used[n]), float(made.most[n])):
            found[gap[0]] = course
    return found


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.booleans())
@pytest.mark.parametrize("few", [0, 32])
def test_any_order_of_arrival_gives_the_same_courses(few: int, seed: int, asked: bool) -> None:
    draw = Random(seed)
    gaps = [
        (start, start + draw.randrange(1, 60) * HOUR)
        for start in (MONDAY + draw.randrange(35 * 24) * HOUR for _ in range(8))
    ]
    rows = [
        (n, at, draw.uniform(0, 9e5) if draw.random() < 0.001 else level, q)
        for n, at, level, q in without(room(MONDAY, MONDAY + 5 * WEEK), *gaps)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "FEW", few)
        hub = Hub(site_of(1))
        batches = [[], [], []]
        for row in rows:
            late = draw.random() < 0.3 and row[1] // (5 * DAY) % 2
            batches[draw.randrange(1, 3) if late else 0].append(row)
        days = [MONDAY + n * DAY for n in range(14, 36)]
        for batch in batches:
            draw.shuffle(batch)
            if batch:
                hub.keep(batch)
            if asked:
                hub.uses(days)
                hub.uses(hours_of(MONDAY + 4 * WEEK, MONDAY + 5 * WEEK))
        (point,) = hub.points
        rule = rule_of(point, hub.site.devices[point.device])
        made = intervals([row[1] for row in rows], [row[2] for row in rows], rule)
        courses = with_courses(made)
        for edges in (days, days[::7], hours_of(MONDAY + 4 * WEEK, MONDAY + 5 * WEEK)):
            found = hub.uses(edges)
            wanted = per_step(made, np.array(edges), courses, point.number, rule.resolution)
            for part in PARTS:
                assert getattr(found, part) == pytest.approx(getattr(wanted, part), abs=1e-6), part
