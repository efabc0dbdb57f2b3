"""The columns of days: what is built from readings, and how the days are looked back on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model import Batch, Quality
from rules.day_builder import Builder, Counting
from rules.day_columns import DayColumns, History, Hours, Term

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE, HOUR = 60_000, 3_600_000
DAY = 24 * HOUR
FIRST = date(2026, 11, 20)
T0 = int(datetime(2026, 11, 20, tzinfo=ZONE).timestamp() * 1000)
METER, TANK, SPARE, OTHER = 3, 5, 6, 8
COUNTING = Counting(most_per_h=20.0, gap_ms=15 * MINUTE, rollover=1000.0)


def hours_at(at_ms: int, zone: ZoneInfo = ZONE) -> Hours:
    """Return the hours of the civil day of an instant; written for these tests alone."""
    day = datetime.fromtimestamp(at_ms / 1000, zone).date()
    start, end = (
        int(datetime(one.year, one.month, one.day, tzinfo=zone).timestamp() * 1000)
        for one in (day, day + timedelta(1))
    )
    edges = range(start, end + 1, HOUR)
    column = [datetime.fromtimestamp(edge / 1000, zone).hour for edge in edges[:-1]]
    return Hours(day, np.array(edges, np.int64), np.array(column, np.intp))


def builder() -> Builder:
    return Builder({METER: COUNTING}, [TANK, SPARE], hours_at)


def rows(start_ms: int, end_ms: int, step_ms: int = 5 * MINUTE):
    """Return readings of the meter, 6 kWh in every hour, and of the tank, as warm as the hour."""
    found = []
    for at in range(start_ms, end_ms, step_ms):
        found.append((METER, at, (900 + 6 * (at - T0) / HOUR) % 1000, Quality.GOOD))
        found.append((TANK, at, float((at - T0) // HOUR % 24), Quality.GOOD))
    return found


def batch(some) -> Batch:
    point, at, value, quality = zip(*some, strict=True)
    return Batch.of(point, at, value, quality, max(at))


def built(some, until_ms: int = T0 + 2 * DAY) -> list[DayColumns]:
    one = builder()
    some = sorted(some, key=lambda row: row[1])
    for n in range(0, len(some), 50):
        one.read(batch(some[n : n + 50]))
    return one.close(until_ms)


def test_a_day_of_readings_becomes_its_hours() -> None:
    first, second = built(rows(T0 - HOUR, T0 + 2 * DAY + HOUR))[-2:]
    assert (first.day, second.day) == (FIRST, FIRST + timedelta(1))
    assert first.use[0] == pytest.approx([6.0] * 24, rel=1e-5)
    assert first.total[0] == pytest.approx(144.0)  # over the roll-over at 1000
    assert first.mean[0].tolist() == first.low[0].tolist() == [float(n) for n in range(24)]


def test_only_days_that_are_over_are_told_and_each_once() -> None:
    one = builder()
    one.read(batch(rows(T0, T0 + DAY + 3 * HOUR)))
    assert one.close(T0 + DAY - 1) == []
    assert [columns.day for columns in one.close(T0 + DAY + 2 * HOUR)] == [FIRST]
    assert one.close(T0 + DAY + 2 * HOUR) == []
    one.read(batch([(SPARE, T0 + HOUR, 1.0, Quality.GOOD)]))  # what comes for it now is late
    assert [columns.day for columns in one.close(T0 + 9 * DAY)] == [FIRST + timedelta(1)]


def test_a_gap_inside_the_day_hides_its_hours_but_not_its_sum() -> None:
    some = [row for row in rows(T0 - HOUR, T0 + DAY + HOUR) if not 3 <= (row[1] - T0) / HOUR < 5]
    columns = built(some)[-2]
    assert np.flatnonzero(np.isnan(columns.use[0])).tolist() == [3, 4]
    assert np.flatnonzero(np.isnan(columns.mean[0])).tolist() == [3, 4]
    assert columns.total[0] == pytest.approx(144.0)


def test_a_gap_across_midnight_hides_the_sum_of_both_days() -> None:
    some = [row for row in rows(T0 - HOUR, T0 + 2 * DAY) if not 22 <= (row[1] - T0) / HOUR < 26]
    first, second = built(some)[-2:]
    assert np.isnan(first.total[0])
    assert np.isnan(second.total[0])
    assert np.isfinite(first.use[0, :22]).all()


def test_what_a_counter_cannot_have_counted_is_unknown() -> None:
    for jump in (+300.0, -5.0):
        some = [
            (point, at, value + jump * (point == METER and at >= T0 + 10 * HOUR), quality)
            for point, at, value, quality in rows(T0 - HOUR, T0 + DAY + HOUR)
            if (at - T0) / HOUR < 14  # before the roll-over
        ]
        columns = built(some, T0 + DAY)[-1]
        assert columns.use[0, 8] == pytest.approx(6.0, rel=1e-5)
        assert np.isnan(columns.use[0, 9])
        assert np.isnan(columns.total[0])


def test_a_glitch_that_could_have_been_used_makes_its_hour_and_its_day_unknown() -> None:
    some = [
        (point, at, value + 3.0 * (point == METER and at == T0 + 10 * HOUR + 15 * MINUTE), quality)
        for point, at, value, quality in rows(T0 - HOUR, T0 + DAY + HOUR)
    ]
    columns = built(some, T0 + DAY)[-1]
    assert np.flatnonzero(np.isnan(columns.use[0])).tolist() == [10]
    assert np.isnan(columns.total[0])


def test_bad_readings_clocks_never_set_and_other_points_are_passed_over() -> None:
    good = rows(T0 - HOUR, T0 + DAY + HOUR)
    spoilt = [
        *good,
        (METER, T0 + HOUR + MINUTE, 5.0, Quality.BAD),
        (TANK, T0 + HOUR + MINUTE, np.nan, Quality.GOOD),
        (OTHER, T0 + HOUR, 99.0, Quality.GOOD),
        (9_999, T0 + HOUR, 99.0, Quality.GOOD),
    ]
    for a, b in zip(built(good), built(spoilt), strict=True):
        assert_same(a, b)
    never_set = Batch.of([TANK], [1000], [99.0], [Quality.GOOD], T0)
    one = builder()
    one.read(never_set)
    assert one.close(T0) == []


@settings(max_examples=30)
@given(st.lists(st.integers(1, 500), max_size=12), st.booleans())
def test_cutting_the_stream_does_not_matter(cuts, repeat) -> None:
    some = rows(T0 - HOUR, T0 + DAY + 2 * HOUR, 13 * MINUTE)
    some = [row for n, row in enumerate(some) if n % 7]  # some are missing
    whole = built(some, T0 + DAY)
    one, edges = builder(), sorted({0, *(cut % len(some) for cut in cuts), len(some)})
    for first, last in pairwise(edges):
        one.read(batch(some[first:last]))
        if repeat:
            one.read(batch(some[first:last]))
    for a, b in zip(whole, one.close(T0 + DAY), strict=True):
        # The repeated readings of a gauge count twice in its mean, and that is the same mean.
        assert_same(a, b, rtol=1e-6)


def assert_same(a: DayColumns, b: DayColumns, rtol: float = 0.0) -> None:
    assert a.day == b.day
    for name in ("use", "total", "mean", "low", "high"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol)


def test_days_on_which_clocks_are_changed_have_24_columns_too() -> None:
    zone = ZoneInfo("Europe/Berlin")
    for day, missing in ((date(2026, 3, 29), [2]), (date(2026, 10, 25), [])):
        start = int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
        one = Builder({METER: COUNTING}, [TANK], lambda at: hours_at(at, zone))
        end = int(hours_at(start, zone).edges[-1])
        some = [
            (point, at, (at - start) / HOUR, Quality.GOOD)
            for at in range(start - HOUR, end + HOUR, 5 * MINUTE)
            for point in (METER, TANK)
        ]
        one.read(batch(some))
        columns = one.close(end)[-1]
        assert columns.use.shape == (1, 24)
        assert np.flatnonzero(np.isnan(columns.use[0])).tolist() == missing
        assert columns.total[0] == pytest.approx((end - start) / HOUR)
        if not missing:  # two hours are one column
            assert columns.use[0, 2] == pytest.approx(2.0)
            assert columns.low[0, 2] == 2.0
            assert columns.mean[0, 2] == pytest.approx(2.96, abs=0.01)


def history(days: int = 3) -> History:
    return History([METER, OTHER], [TANK], days, lambda day: "free" if day == FIRST else "work")


def columns(day: date, use: float, other: float = 1.0) -> DayColumns:
    of = np.full((2, 24), use, np.float32)
    of[1] = other
    tank = np.full((1, 24), 50.0, np.float32)
    numbers = np.array([METER, OTHER], np.int32), np.array([TANK], np.int32)
    return DayColumns(day, numbers[0], of, of.sum(axis=1), numbers[1], tank, tank - 1, tank + 1)


def test_the_past_is_in_order_and_days_that_are_not_there_are_unknown() -> None:
    one = history()
    one.add(columns(FIRST + timedelta(2), 3.0))
    one.add(columns(FIRST, 1.0))
    past = one.past(FIRST + timedelta(2), [Term(METER, 0.5)], "use", 3)
    assert past.total.tolist()[::2] == [12.0, 36.0]
    assert np.isnan(past.total[1])
    assert np.isnan(past.hours[1]).all()
    assert past.classes == ("free", "work", "work")
    assert past.weekdays.tolist() == [4, 5, 6]
    assert not one.holds(FIRST + timedelta(1))


def test_the_oldest_day_makes_room_and_is_not_taken_for_another() -> None:
    one = history()
    one.add(columns(FIRST, 1.0))
    one.add(columns(FIRST + timedelta(3), 4.0))
    assert not one.holds(FIRST)
    assert np.isnan(one.past(FIRST, [Term(METER)], "use", 1).total[0])


def test_a_sum_is_unknown_when_many_of_it_are_and_a_balance_when_one_is() -> None:
    one = history()
    one.add(columns(FIRST, np.nan))
    both = [Term(METER), Term(OTHER)]
    assert np.isnan(one.past(FIRST, both, "use", 1).total[0])
    assert np.isnan(one.whole(FIRST, both))
    assert one.whole(FIRST, both[1:]) == one.least(FIRST, both) == 24.0
    crowd = [Term(METER), *[Term(OTHER)] * 39]  # one of forty: as the others
    assert one.past(FIRST, crowd, "use", 1).total[0] == pytest.approx(40 * 24)
    assert np.isnan(one.whole(FIRST, crowd))


def test_columns_of_other_points_are_refused() -> None:
    other = columns(FIRST, 1.0)
    with pytest.raises(ValueError, match="are of other points"):
        History([METER], [TANK], 3, lambda _: "term").add(other)
