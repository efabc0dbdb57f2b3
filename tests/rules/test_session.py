"""Terminals whose valve does not open, or does not close."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import make, rule, run

SESSION = {"session": {"point": "state", "equals": 2}, "limit": 0.5}
FLOW, STATE = 0, 1


def minutes(*pairs: tuple[float, float]) -> list[tuple[int, int, float]]:
    """Return flow and state of each minute."""
    return [(minute, of, pair[of]) for minute, pair in enumerate(pairs, 1) for of in (STATE, FLOW)]


def opening(**keys: object):
    return make("session", valve="no_open", on_delay="PT1M", good=2, **SESSION, **keys)


def closing(**keys: object):
    return make("session", valve="no_close", on_delay="PT2M", off_delay="PT2M", **SESSION, **keys)


def test_a_session_without_flow_is_a_valve_that_does_not_open() -> None:
    assert run(opening(), minutes((0, 0), (0, 2), (0, 2))) == [(3, True)]
    assert run(opening(), minutes((0, 0), (0, 2), (5, 2), (0, 0), (0, 0))) == []


def test_two_sessions_with_flow_prove_that_it_opens() -> None:
    good = [(5, 2), (5, 2), (0, 0)]
    rows = minutes((0, 2), (0, 2), (0, 0), *good, (0, 2), (0, 0), *good)
    assert run(opening(), rows) == [(2, True), (9, False)]


def test_a_long_session_is_one() -> None:
    assert run(opening(), minutes((0, 2), (0, 2), *[(5, 2)] * 9)) == [(2, True)]


def test_flow_of_before_a_session_is_no_proof() -> None:
    rows = minutes((0, 2), (0, 2), (0, 0), (5, 2))  # a fault, and one session with flow
    rows += [(5, STATE, 0), (6, STATE, 2)]  # the flow is that of minute 4
    assert run(opening(), rows) == [(2, True)]
    assert run(opening(), [*rows, (6, FLOW, 5)]) == [(2, True), (6, False)]


def test_flow_without_a_session_is_a_valve_that_does_not_close() -> None:
    rows = minutes((5, 2), (5, 0), (5, 0), (5, 0), (0, 0), (0, 0), (0, 0))
    assert run(closing(), rows) == [(4, True), (7, False)]


def test_a_session_is_no_proof_that_it_closes() -> None:
    rows = minutes((5, 0), (5, 0), (5, 0), *[(5, 2)] * 5, (0, 0), (0, 2), (0, 0), (0, 0), (0, 0))
    assert run(closing(), rows) == [(3, True), (13, False)]


def test_a_state_that_is_not_known_of_now_decides_nothing() -> None:
    rows = [(1, STATE, 0), (1, FLOW, 0), *((m, FLOW, 9) for m in range(20, 40))]
    assert run(closing(), rows) == []
    assert run(closing(), [(m, FLOW, 9) for m in range(1, 40)]) == []


def test_what_was_not_known_for_a_while_begins_anew() -> None:
    rows = [(1, STATE, 0), (1, FLOW, 0), *((m, FLOW, 9) for m in range(2, 20))]
    later = [(m, of, (9, 0)[of]) for m in range(20, 30) for of in (STATE, FLOW)]
    assert run(closing(), [*rows, *later]) == [(22, True)]


@pytest.mark.parametrize(
    ("session", "why"),
    [
        ({"point": "state", "minus": "flow", "equals": 2}, "without minus"),
        ({"point": "a", "equals": 2}, "two points"),
    ],
)
def test_a_session_that_cannot_be_meant_is_refused(session, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule("session", valve="no_open", limit=1, session=session)
