"""The life cycle of an alarm after ISA-18.2, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hub.model import AlarmState

AlarmEvent = Literal["acknowledge", "clear"]

LIFE: Mapping[tuple[AlarmState, AlarmEvent], AlarmState] = {
    (AlarmState.UNACKNOWLEDGED, "acknowledge"): AlarmState.ACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, "clear"): AlarmState.CLEARED_UNACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, "clear"): AlarmState.CLEARED,
    (AlarmState.CLEARED_UNACKNOWLEDGED, "acknowledge"): AlarmState.CLEARED,
}


def following(state: AlarmState, event: AlarmEvent) -> AlarmState | None:
    """Return the state after an event; None when the event changes nothing."""
    return LIFE.get((state, event))
