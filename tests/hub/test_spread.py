"""Use laid out over steps: gaps are spread and bounded, and what nobody knows is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.energy.counter import CounterRule, MeterChange, intervals
from hub.energy.spread import Course
from tests.hub.per_step import per_step

MINUTE = 60_000
HOUR = 60 * MINUTE
MONDAY = 1_800_230_400_000 - 1_800_230_400_000 % (7 * 24 * HOUR) + 4 * 24 * HOUR  # 00:00 UTC
RULE = CounterRule(modulus=1e6, most_per_h=10.0, gap_ms=15 * MINUTE)


def hours(count: int) -> np.ndarray:
    return MONDAY + HOUR * np.arange(count + 1)


def test_a_gap_is_spread_evenly_and_every_step_says_its_bounds() -> None:
    at = [MONDAY, MONDAY + 10 * MINUTE, MONDAY + 3 * HOUR + 10 * MINUTE, MONDAY + 4 * HOUR]
    made = intervals(at, [100.0, 100.5, 112.5, 113.0], RULE)
    uses = per_step(made, hours(4))
    assert uses.measured.tolist() == [pytest.approx([0.5, 0, 0, 0], abs=1e-9)]
    assert uses.used.sum() == pytest.approx(13.0)
    assert uses.low[0, 1] == pytest.approx(0)
    assert uses.high[0, 1] == pytest.approx(10, abs=0.2)  # no more than it ever counts
    assert uses.low.sum() <= 13 <= uses.high.sum()
    whole = per_step(made, hours(4)[[0, -1]])
    assert whole.low[0, 0] == pytest.approx(13.0)
    assert whole.high[0, 0] == pytest.approx(13.0)


@given(st.data())
def test_what_was_truly_used_lies_within_the_bounds_of_every_span(data: st.DataObject) -> None:
    """A meter whose power changes every minute, read now and then to a digit of 0.1."""
    power = data.draw(st.lists(st.floats(0, 10 / 60), min_size=240, max_size=240))
    true = np.concatenate([[0.0], np.cumsum(power)])
    apart = st.integers(1, 40)  # now and then longer than a gap
    minutes = np.cumsum(data.draw(st.lists(apart, min_size=30, max_size=30)))
    minutes = minutes[minutes <= 240]
    shown = np.floor((100 + true[minutes]) * 10) / 10
    inner = data.draw(st.sets(st.integers(minutes[0], minutes[-1]), max_size=8))
    cuts = sorted({int(minutes[0]), int(minutes[-1]), *inner})
    if len(cuts) < 2:
        return
    rule = CounterRule(resolution=0.1, most_per_h=10.0, gap_ms=15 * MINUTE)
    made = intervals(MONDAY + MINUTE * minutes, shown, rule)
    uses = per_step(made, MONDAY + MINUTE * np.array(cuts), digit=0.1)
    low, high, doubt = uses.low[0], uses.high[0], uses.doubt[0]
    for first in range(len(cuts) - 1):
        for last in range(first + 1, len(cuts)):
            used = true[cuts[last]] - true[cuts[first]]
            ends = doubt[first] + doubt[last]  # what is in doubt between the steps cancels out
            assert low[first:last].sum() - ends <= used + 1e-6
            assert used <= high[first:last].sum() + ends + 1e-6


def test_nothing_is_in_doubt_but_the_last_digit_where_readings_stand_at_the_edges() -> None:
    made = intervals(MONDAY + 10 * MINUTE * np.arange(25), 5 + 0.1 * np.arange(25), RULE)
    assert per_step(made, hours(4), digit=0.01).doubt == pytest.approx(np.full((1, 5), 0.005))
    beside = per_step(made, hours(4) - MINUTE, digit=0.01).doubt
    assert beside[0, 1:] == pytest.approx(0.1 + 0.005)


def test_before_the_first_and_after_the_last_reading_it_is_missing() -> None:
    at = MONDAY + HOUR + MINUTE * np.arange(0, 91, 10)
    uses = per_step(intervals(at, 5 + 0.1 * np.arange(10), RULE), hours(4))
    assert uses.missing.tolist() == [pytest.approx([1, 0, 0.5, 1])]
    assert np.isnan(uses.used[0, [0, 3]]).all()
    assert uses.used[0, 1] == pytest.approx(0.6)
    nothing = per_step(intervals([], [], RULE), hours(4))
    assert (nothing.missing == 1).all()
    assert np.isnan(nothing.used).all()


def test_a_gap_in_which_the_counter_was_changed_without_record_has_bounds() -> None:
    at = [*(MONDAY + MINUTE * np.arange(0, 61, 10)), *(MONDAY + 3 * HOUR + MINUTE * np.arange(3))]
    level = [*(500 + np.arange(7) / 6), 7.0, 7.01, 7.02]
    uses = per_step(intervals(at, level, RULE), hours(4))
    assert uses.estimated[0, 1:3] == pytest.approx([1.0, 1.0], rel=0.1)
    assert (uses.low[0, 1:3] == 0).all()
    assert uses.high[0, 1:3] == pytest.approx([10, 10], abs=0.1)
    assert [one.finding.kind for one in uses.findings] == ["reset"]
    record = [MeterChange(MONDAY + 2 * HOUR, 502.0, 6.0)]
    exact = per_step(intervals(at, level, RULE, record), hours(4)[[0, -1]])
    assert exact.used[0, 0] == pytest.approx(1 + 1 + 1 + 0.02)
    assert exact.low[0, 0] == exact.high[0, 0] == pytest.approx(3.02)


def test_a_gap_is_spread_by_its_course() -> None:
    at = [MONDAY, MONDAY + 24 * HOUR]
    made = intervals(at, [0.0, 8.0], RULE)
    evening = MONDAY + HOUR * np.array([0, 10, 14, 24])
    course = Course(evening, np.array([0, 0, 1.0, 1]))
    uses = per_step(made, hours(24), {MONDAY: course})
    wanted = np.zeros(24)
    wanted[10:14] = 2.0
    assert uses.estimated[0] == pytest.approx(wanted)
    plain = per_step(made, hours(24))
    assert plain.estimated[0] == pytest.approx(np.full(24, 1 / 3))
    assert uses.low.tolist() == plain.low.tolist()
    assert uses.high.tolist() == plain.high.tolist()
    assert course.can_be(8.0, 240.0)
    assert not course.can_be(80.0, 240.0)  # 20 kWh in an hour in which 10 are possible


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1.5)), min_size=1, max_size=40),
    st.lists(st.integers(-100, 6000), min_size=2, max_size=9, unique=True),
    st.booleans(),
)
def test_however_time_is_cut_the_parts_add_up_inside_their_bounds(steps, cuts, shaped) -> None:
    at = MONDAY + MINUTE * np.cumsum([0, *(minutes for minutes, _ in steps)])
    made = intervals(at, 5 + np.cumsum([0, *(used for _, used in steps)]), RULE)
    edges = MONDAY + MINUTE * np.sort(np.array(cuts, np.int64))
    courses = {
        start: Course(np.array([start, (2 * start + end) // 3, end]), np.array([0, 0.1, 1]))
        for start, end in zip(made.start_ms.tolist(), made.end_ms.tolist(), strict=True)
        if shaped
    }
    fine = per_step(made, edges, courses)
    (whole,) = per_step(made, edges[[0, -1]], courses).used[0]
    assert np.nansum(fine.used) == pytest.approx(np.nan_to_num(whole), abs=1e-9)
    total = fine.measured + fine.estimated
    assert (fine.low <= total + 1e-9).all()
    assert (total <= fine.high + 1e-9).all()
    assert ((fine.missing >= 0) & (fine.missing <= 1) & (fine.gap + fine.missing <= 1 + 1e-9)).all()
