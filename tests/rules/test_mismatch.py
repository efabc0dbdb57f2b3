"""When one thing holds another must hold too."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import MINUTE, make, rule, run

VALVE = {
    "must": {"point": "flow", "above": 0.5},
    "while": {"point": "valve", "equals": 1},
    "on_delay": "PT2M",
    "off_delay": "PT1M",
}
FLOW, OPEN = 0, 1


def both(*pairs: tuple[float | None, float | None]) -> list[tuple[int, int, float | None]]:
    """Return flow and valve of each minute."""
    return [(minute, of, pair[of]) for minute, pair in enumerate(pairs, 1) for of in (OPEN, FLOW)]


def test_open_and_no_flow_for_a_time_is_a_fault() -> None:
    assert run(make("mismatch", **VALVE), both((0, 0), (0, 1), (0, 1), (0, 1))) == [(4, True)]


def test_closed_and_no_flow_is_none_nor_is_flow() -> None:
    assert run(make("mismatch", **VALVE), both(*[(0, 0)] * 9)) == []
    assert run(make("mismatch", **VALVE), both(*[(3, 1)] * 9)) == []


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        ((3, 1), [(4, True), (6, False)]),
        ((0, 0), [(4, True), (6, False)]),  # the valve is shut: there is nothing to be said
    ],
)
def test_it_ends_when_it_holds_again_or_is_not_asked_any_more(then, expected) -> None:
    rows = both((0, 1), (0, 1), (0, 1), (0, 1), then, then)
    one = make("mismatch", **VALVE)
    assert run(one, rows) == [(3, True), expected[1]]


def test_where_idle_keeps_only_flow_ends_it() -> None:
    rows = both(*[(0, 1)] * 4, *[(0, 0)] * 5, *[(3, 0)] * 3, *[(3, 1)] * 3)
    assert run(make("mismatch", idle="keeps", **VALVE), rows) == [(3, True), (14, False)]


def test_clear_lies_further_inside() -> None:
    rows = both(*[(0, 1)] * 4, *[(0.9, 1)] * 5, *[(1.1, 1)] * 3)
    assert run(make("mismatch", clear=1, **VALVE), rows) == [(3, True), (11, False)]


def test_what_is_not_known_of_now_decides_nothing() -> None:
    one = make("mismatch", **VALVE)
    run(one, both((3, 1)))
    assert run(one, [(m, FLOW, 0.0) for m in range(20, 60)]) == []  # the valve is silent
    assert run(one, both(*[(None, 1)] * 90)[120:]) == []  # the flow is bad
    assert run(make("mismatch", **VALVE), [(m, OPEN, 1) for m in range(1, 20)]) == []


def test_what_was_not_known_for_a_while_begins_anew() -> None:
    rows = [(1, OPEN, 1), (1, FLOW, 3), *((m, FLOW, 0) for m in range(2, 20))]
    later = [(m, of, (0, 1)[of]) for m in range(20, 30) for of in (OPEN, FLOW)]
    assert run(make("mismatch", **VALVE), [*rows, *later]) == [(22, True)]


def test_command_and_feedback_are_one_question() -> None:
    must = {"point": "relay", "minus": "command", "equals": 0}
    one = make("mismatch", must=must, on_delay="PT1M")
    rows = [(m, of, value) for m in range(1, 5) for of, value in ((0, m > 1), (1, 0))]
    assert run(one, rows) == [(3, True)]


def test_a_difference_may_be_asked_for() -> None:
    must = {"point": "out", "minus": "in", "above": 2}
    rows = [
        (m, of, value) for m in range(1, 4) for of, value in ((0, 41), (1, 39 if m > 1 else 30))
    ]
    assert run(make("mismatch", must=must), rows) == [(2, True)]


def test_bits_of_a_status_word_may_be_asked_for() -> None:
    keys = {"must": {"point": "power", "below": 20}, "while": {"point": "status", "bits": 2}}
    one = make("mismatch", **keys)
    assert run(one, [(1, 1, 1), (1, 0, 500), (2, 1, 3), (2, 0, 500)]) == [(2, True)]


def test_it_tells_what_it_holds() -> None:
    one = make("mismatch", **VALVE)
    run(one, both((0, 1)))
    said = one.why(MINUTE)
    assert said["readings"] == [["flow", MINUTE, 0], ["valve", MINUTE, 1]]
    assert said["due_ms"] == 3 * MINUTE
    assert said["thresholds"]["while"] == {"point": "valve", "equals": 1.0, "within": 0.0}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"must": {"point": "flow"}}, "one of equals, above, below and bits"),
        ({"must": {"point": "flow", "above": 1, "below": 2}}, "one of equals"),
        ({"must": {"point": "flow", "above": 1, "within": 2}}, "within belongs to equals"),
        ({"must": {"point": "a", "minus": "b", "bits": 2}}, "without minus"),
        ({"clear": 0.4}, "clear must not be below above"),
        ({"must": {"point": "flow", "below": 1}, "clear": 2}, "clear must not be above below"),
        ({"must": {"point": "flow", "equals": 1}, "clear": 2}, "clear belongs to above or below"),
    ],
)
def test_a_mismatch_that_cannot_be_meant_is_refused(changes, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule("mismatch", **(VALVE | changes))


def test_two_that_change_together_break_no_delay_in_between() -> None:
    """Told on and runs, told off and stands: the feedback is read first, the command after it."""
    pump = {
        "must": {"point": "runs", "equals": 1}, "while": {"point": "told", "equals": 1},
        "off_delay": "PT10M",
    }  # fmt: skip
    one = make("mismatch", **pump)
    rows = [(1, 0, 0), (1, 1, 1), *((m, of, m // 3 % 2) for m in range(2, 20) for of in (0, 1))]
    assert run(one, rows) == [(1, True), (12, False)]


def test_one_that_alone_breaks_a_delay_does_so_when_no_other_comes_with_it() -> None:
    one = make("mismatch", **VALVE)
    assert run(one, both((0, 1), (0, 1), (3, 1), (0, 1), (0, 1), (0, 1))) == [(6, True)]
    one = make("mismatch", **VALVE)
    opened = [(minute, OPEN, 1) for minute in range(2, 12, 2)]
    flow = [(3, FLOW, 0), (5, FLOW, 3), (7, FLOW, 0), (9, FLOW, 0)]  # never read together
    assert run(one, sorted(opened + flow)) == [(10, True)]


PUMP = {
    "must": {"point": "state", "equals": 1},
    "while": {"point": "command", "equals": 1},
    "on_delay": "PT10M",
    "off_delay": "PT1H",
    "lag": "PT5M",
}
REFUSES, IDLE, RUNS = (0, 1), (0, 0), (1, 1)


def cycles(lag: int, count: int) -> list[tuple[int, int]]:
    """Return starts of a sound plant: it waits, runs five minutes and rests ten."""
    return [*[REFUSES] * lag, *[RUNS] * 5, *[IDLE] * 10] * count


def test_what_follows_within_the_lag_does_not_undo_what_has_cleared() -> None:
    rows = both(*[REFUSES] * 20, *[IDLE] * 5, *cycles(4, 10))
    assert run(make("mismatch", **PUMP), rows) == [(11, True), (81, False)]
    assert run(make("mismatch", **{**PUMP, "lag": "PT0S"}), rows) == [(11, True)]


def test_what_does_not_follow_within_the_lag_begins_the_off_delay_anew() -> None:
    rows = both(*[REFUSES] * 20, *[RUNS] * 50, *[REFUSES] * 7, *[RUNS] * 70)
    assert run(make("mismatch", **PUMP), rows) == [(11, True), (138, False)]


def test_nothing_is_over_while_it_has_yet_to_follow() -> None:
    rows = both(*[REFUSES] * 20, *[RUNS] * 58, *[REFUSES] * 4, *[RUNS] * 9)
    assert run(make("mismatch", **PUMP), rows) == [(11, True), (83, False)]
    rows = both(*[REFUSES] * 20, *[RUNS] * 58, *[REFUSES] * 40)
    assert run(make("mismatch", **PUMP), rows) == [(11, True)]


def test_how_long_it_has_to_follow_is_known_after_a_restart() -> None:
    rows = both(*[REFUSES] * 20, *[RUNS] * 50, *[REFUSES] * 3)
    rest = [(minute + 73, of, value) for minute, of, value in both(*[REFUSES] * 4, *[RUNS] * 70)]
    one, other = make("mismatch", **PUMP), make("mismatch", **PUMP)
    run(one, rows)
    other.load(one.save())
    other.recall([73 * MINUTE] * 2, [0, 1], None)
    assert run(other, rest) == [(138, False)]
