"""The life of an alarm: every state and event, and nothing beside the table."""

from __future__ import annotations

import itertools

import pytest

from hub.model import AlarmState
from rules.alarm import LIFE, following

S = AlarmState


@pytest.mark.parametrize(
    ("events", "states"),
    [
        (["acknowledge", "clear"], [S.ACKNOWLEDGED, S.CLEARED]),
        (["clear", "acknowledge"], [S.CLEARED_UNACKNOWLEDGED, S.CLEARED]),
    ],
)
def test_an_alarm_is_over_when_it_is_clear_and_acknowledged(events, states) -> None:
    state: AlarmState | None = S.UNACKNOWLEDGED
    for event, expected in zip(events, states, strict=True):
        assert state is not None
        state = following(state, event)
        assert state is expected


def test_what_is_not_in_the_table_changes_nothing() -> None:
    for state, event in itertools.product(S, ("acknowledge", "clear")):
        if (state, event) not in LIFE:
            assert following(state, event) is None
    assert following(S.CLEARED, "acknowledge") is None
    assert following(S.ACKNOWLEDGED, "acknowledge") is None
