"""Jumps: steps that are larger than they can be."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import make, point, rule, run

BREAKER = point(most_per_h=60.0)  # one a minute


@pytest.mark.parametrize(
    ("direction", "expected"), [("both", [(2, True)]), ("up", [(2, True)]), ("down", [(3, True)])]
)
def test_a_step_that_is_too_large_is_a_fault(direction, expected) -> None:
    one = make("jump", step=10, direction=direction, off_delay="PT10M")
    assert run(one, [(1, 50), (2, 61), (3, 50), (4, 60)]) == expected


def test_it_ends_when_no_step_was_too_large_for_a_while() -> None:
    one = make("jump", step=10, off_delay="PT3M")
    rows = [(1, 0), (2, 11), (3, 11), (4, 30), (5, 30), (6, 30), (7, 30)]
    assert run(one, rows) == [(2, True), (7, False)]


def test_a_counter_may_count_as_much_as_the_time_allows() -> None:
    assert run(make("jump", per_hour=60), [(1, 0), (2, 1), (12, 11), (13, 12.1)]) == [(13, True)]


def test_what_the_profile_says_about_a_point_can_be_the_measure() -> None:
    rows = [(1, 0), (2, 1.2), (3, 2.5)]
    assert run(make("jump", BREAKER, rated=1.2), rows) == [(3, True)]
    assert run(make("jump", point(), rated=1.2), rows) == []  # it says nothing


def test_it_may_take_several_within_a_time() -> None:
    keys = {"step": 10, "times": 2, "off_delay": "PT1H"}
    rows = [(1, 0), (2, 11), (3, 11), (4, 11), (5, 22)]
    assert run(make("jump", **keys), rows) == [(5, True)]
    assert run(make("jump", on_delay="PT3M", **keys), rows) == [(5, True)]
    assert run(make("jump", on_delay="PT2M", **keys), rows) == []


def test_after_a_gap_only_what_is_held_against_the_time_is_a_jump() -> None:
    rows = [(1, 0), (5, 100)]
    assert run(make("jump", step=10), rows) == []
    assert run(make("jump", step=10, per_hour=60), rows) == [(5, True)]


def test_a_bad_reading_is_no_step() -> None:
    assert run(make("jump", step=10), [(1, 50), (2, None), (3, 55)]) == []


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, "one of step, per_hour and rated"),
        ({"per_hour": 1, "rated": 1}, "one of per_hour and rated"),
    ],
)
def test_a_jump_that_cannot_be_meant_is_refused(keys, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule("jump", **keys)
