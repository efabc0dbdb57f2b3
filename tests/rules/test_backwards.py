"""Counters that go back."""

from __future__ import annotations

from tests.rules.making import make, point, run


def test_two_readings_below_where_it_was_are_a_fault() -> None:
    assert run(make("backwards"), [(1, 100), (2, 101), (3, 50), (4, 51)]) == [(4, True)]


def test_a_single_low_reading_is_none() -> None:
    assert run(make("backwards"), [(1, 100), (2, 50), (3, 101), (4, 102)]) == []


def test_one_is_enough_where_the_rule_says_so() -> None:
    assert run(make("backwards", times=1), [(1, 100), (2, 99.9)]) == [(2, True)]
    assert run(make("backwards", times=1, tolerance=0.5), [(1, 100), (2, 99.9)]) == []


def test_starting_again_at_the_rollover_is_none() -> None:
    rows = [(1, 999_990), (2, 999_999), (3, 4), (4, 5)]
    assert run(make("backwards"), rows) == [(4, True)]
    assert run(make("backwards", rollover=1_000_000), rows) == []
    assert run(make("backwards", point(rollover=1_000_000.0)), rows) == []
    assert run(make("backwards", point(rollover=1_000_000.0)), [(1, 500_000), (2, 4), (3, 5)])


def test_it_ends_when_it_has_not_gone_back_for_a_while() -> None:
    one = make("backwards", off_delay="PT10M")
    rows = [(1, 100), (2, 50), (3, 51), *((m, 40 + m) for m in range(4, 8)), (8, 20)]
    rows += [(m, 12 + m) for m in range(9, 30)]
    assert run(one, rows) == [(3, True), (18, False)]


def test_bad_readings_and_gaps_are_no_step_back() -> None:
    assert run(make("backwards"), [(1, 100), (2, None), (3, None), (4, 101)]) == []
    assert run(make("backwards"), [(1, 100), (600, 90), (601, 91)]) == [(601, True)]
