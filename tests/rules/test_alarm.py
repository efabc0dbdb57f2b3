"""The life of an alarm: every state and event, and nothing beside the table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.model import AlarmState
from rules.alarm import EVENTS, HOLDS, LIFE, following

S = AlarmState
OVER = (S.CLEARED, S.CLEARED_UNACKNOWLEDGED, S.LATCHED)


def life(*events: str) -> list[AlarmState]:
    """Return the states that an alarm goes through; it begins as one that is not there."""
    states = [S.CLEARED]
    for event in events:
        states.append(following(states[-1], event) or states[-1])
    return states[1:]


@pytest.mark.parametrize(
    ("events", "states"),
    [
        (["raise", "acknowledge", "clear"], [S.UNACKNOWLEDGED, S.ACKNOWLEDGED, S.CLEARED]),
        (
            ["raise", "clear", "acknowledge"],
            [S.UNACKNOWLEDGED, S.CLEARED_UNACKNOWLEDGED, S.CLEARED],
        ),
        (["raise", "latch", "reset"], [S.UNACKNOWLEDGED, S.LATCHED, S.CLEARED]),
        (["raise", "shelve", "release"], [S.UNACKNOWLEDGED, S.SHELVED, S.UNACKNOWLEDGED]),
        (["suppress", "lapse"], [S.SUPPRESSED, S.CLEARED]),
        (["inhibit", "release"], [S.INHIBITED, S.UNACKNOWLEDGED]),
        (["inhibit", "remove", "lapse"], [S.INHIBITED, S.INHIBITED, S.CLEARED]),
        (["raise", "remove", "lapse"], [S.UNACKNOWLEDGED, S.OUT_OF_SERVICE, S.CLEARED]),
        (["inhibit", "suppress", "release"], [S.INHIBITED, S.SUPPRESSED, S.UNACKNOWLEDGED]),
    ],
)
def test_the_ways_of_an_alarm(events, states) -> None:
    assert life(*events) == states


def test_every_state_and_event_has_one_outcome_and_most_change_nothing() -> None:
    outcomes = {pair: following(*pair) for pair in itertools.product(S, EVENTS)}
    assert set(LIFE) <= set(outcomes)
    assert all(after is not state for (state, _), after in outcomes.items())
    assert sum(after is not None for after in outcomes.values()) == 33


def test_a_person_alone_never_ends_what_is_there() -> None:
    person = ("acknowledge", "shelve", "remove")
    for event in person:
        assert following(S.UNACKNOWLEDGED, event) not in OVER
        assert following(S.ACKNOWLEDGED, event) not in OVER
    assert following(S.UNACKNOWLEDGED, "reset") is None
    assert following(S.ACKNOWLEDGED, "reset") is None


def test_no_hold_ends_but_by_release_or_lapse() -> None:
    for state, event in itertools.product(HOLDS, EVENTS):
        after = following(state, event) or state
        assert (after in HOLDS) == (event not in ("release", "lapse"))
    assert all(following(state, "release") is S.UNACKNOWLEDGED for state in HOLDS)
    assert all(following(state, "lapse") is S.CLEARED for state in HOLDS)


@given(st.lists(st.sampled_from(EVENTS), max_size=30))
def test_no_path_loses_an_alarm(events) -> None:
    """The fault is there from raise on until clear or latch: so long the alarm is not over."""
    state, there = S.CLEARED, False
    for told in events:
        event = told
        if event in ("raise", "suppress", "inhibit"):
            if state is S.CLEARED:
                there = True
            elif event == "raise" and state in OVER:
                continue  # a new alarm takes its place
        elif event in ("clear", "latch"):
            there = False
        elif event in ("release", "lapse"):
            event = "release" if there else "lapse"
        state = following(state, event) or state
        if there:
            assert state not in OVER
        if state is S.CLEARED:
            there = False
