"""Sensors that say themselves that they have no value."""

from __future__ import annotations

from hub.model import Reason
from tests.rules.making import MINUTE, make

GOOD, MARKER, RANGE, NOTHING = 0, Reason.INVALID_MARKER, Reason.OUT_OF_RANGE, Reason.NO_ANSWER


def run(one, *reasons: int) -> list[tuple[int, bool]]:
    steps = [
        one.step(minute * MINUTE, 1.0, good=reason == GOOD, reason=reason)
        for minute, reason in enumerate(reasons, 1)
    ]
    return [(step.at_ms // MINUTE, step.raised) for step in steps if step]


def test_three_in_a_row_are_a_fault() -> None:
    assert run(make("invalid"), MARKER, RANGE, MARKER) == [(3, True)]
    assert run(make("invalid"), MARKER, MARKER, GOOD, MARKER, MARKER) == []


def test_ten_good_ones_in_a_row_end_it() -> None:
    bad = [MARKER] * 3
    assert run(make("invalid"), *bad, *[GOOD] * 10) == [(3, True), (13, False)]
    assert run(make("invalid"), *bad, *[GOOD] * 9, MARKER, *[GOOD] * 9) == [(3, True)]


def test_no_answer_says_nothing_about_the_sensor() -> None:
    assert run(make("invalid"), MARKER, MARKER, NOTHING, MARKER) == [(4, True)]
    assert run(make("invalid"), *[NOTHING] * 9) == []
    rows = [MARKER] * 3 + [GOOD] * 5 + [NOTHING] + [GOOD] * 5
    assert run(make("invalid"), *rows) == [(3, True), (14, False)]


def test_a_rule_may_be_about_some_reasons_and_take_its_time() -> None:
    assert run(make("invalid", reasons=["out_of_range"]), *[MARKER] * 9) == []
    assert run(make("invalid", on_delay="PT5M"), *[MARKER] * 9) == [(6, True)]
