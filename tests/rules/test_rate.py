"""Rates: how fast a point changes over a window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from tests.rules.making import make, point, rule, run

FALL = {"window": "PT10M", "fall": 12, "clear": 3}  # per hour: 2 in ten minutes


def story(*pairs: tuple[int, int, float], start: float = 50) -> list[tuple[int, float]]:
    """Return a reading a minute: from minute to minute the value moves by so much each."""
    rows, value = [], start
    for first, last, step in pairs:
        for minute in range(first, last + 1):
            value += step
            rows.append((minute, value))
    return rows


def test_a_fast_fall_is_a_fault_and_a_slow_one_ends_it() -> None:
    rows = story((1, 20, 0), (21, 35, -0.25), (36, 70, 0))
    assert run(make("rate", **FALL), rows) == [(29, True), (44, False)]


def test_a_slow_fall_and_a_rise_are_none() -> None:
    assert run(make("rate", **FALL), story((1, 60, -0.15))) == []
    assert run(make("rate", **FALL), story((1, 60, 1))) == []


def test_a_rise_is_the_mirror_of_a_fall() -> None:
    one = make("rate", window="PT10M", rise=12, clear=3)
    rows = story((1, 20, 0), (21, 35, 0.25), (36, 70, 0))
    assert run(one, rows) == [(29, True), (44, False)]


def test_nothing_is_said_before_a_window_is_full_nor_across_a_gap() -> None:
    assert run(make("rate", **FALL), [(minute, 50 - minute) for minute in range(1, 10)]) == []
    assert run(make("rate", **FALL), [*story((1, 20, 0)), (24, 10), (25, 10)]) == []


def test_a_single_bad_reading_changes_nothing() -> None:
    rows = story((1, 20, 0), (21, 35, -0.25))
    rows.insert(22, (23, None))
    del rows[23]
    assert run(make("rate", **FALL), rows)[0][1]


def test_it_shows_the_limit_of_the_side_that_it_watches() -> None:
    assert rule("rate", **FALL).shown_limit == -12
    assert rule("rate", window="PT1H", rise=5, clear=1).shown_limit == 5


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"fall": None}, "one or both of rise and fall"), ({"clear": 13}, "clear must not be above")],
)
def test_a_rate_that_cannot_be_meant_is_refused(changes, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule("rate", **(FALL | changes))


LEAK = {"window": "PT1H", "rise": 0.05, "clear": 0.02, "minus": "b"}  # m3 in, less m3 out


def counters(*hours: tuple[float, float]) -> list[tuple[int, int, float]]:
    """Return both counters of each minute; an hour adds so much to each."""
    rows, minute, values = [], 0, [100.0, 900.0]
    for adds in hours:
        for _ in range(60):
            minute += 1
            for of, add in enumerate(adds):
                values[of] += add / 60
                rows.append((minute, of, values[of]))
    return rows


def test_more_in_than_out_is_a_fault_however_much_flows() -> None:
    one = make("rate", **LEAK)
    assert run(one, counters((3, 3), (0.5, 0.5), (0.4, 0.1), (0, 0), (1, 1))) == [
        (132, True),
        (241, False),
    ]


def test_of_two_counters_that_are_reset_together_nothing_ran_out() -> None:
    reset = [(180 + minute, of, value) for minute, of, value in counters((1, 1), (1, 1))]
    rows = counters((1, 1), (1, 1), (1, 1)) + [(m, of, v - (100, 900)[of]) for m, of, v in reset]
    counted = [replace(point(n), kind="counter") for n in (1, 2)]
    assert run(make("rate", *counted, **LEAK), rows) == []


def test_minus_is_another_point() -> None:
    with pytest.raises(ValidationError, match="two points"):
        rule("rate", **LEAK | {"minus": "a"})
