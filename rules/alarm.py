"""The life cycle of an alarm after ISA-18.2, as a table.

Four of the states hold an alarm back: ``shelved`` (a person, for a while), ``suppressed`` (planned
outage, calendar, mode), ``inhibited`` (the effect of another alarm) and ``out_of_service``. In
these the fault may come and go; what counts is whether it is there when the hold is over: then the
alarm is raised again (``release``), else it is over (``lapse``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from hub.model import AlarmState

Event = Literal[
    "raise",  # the fault began; what was clear but still there gives way to a new alarm
    "clear",  # the fault is over
    "latch",  # the fault is over, and its rule wants a person to say so
    "acknowledge",
    "reset",  # a person says that what was latched is over
    "shelve",
    "suppress",
    "inhibit",
    "remove",  # taken out of service
    "release",  # a hold is over and the fault is there
    "lapse",  # a hold is over and the fault is not there
]
EVENTS: tuple[Event, ...] = get_args(Event)

HOLDS = (
    AlarmState.SHELVED,
    AlarmState.SUPPRESSED,
    AlarmState.INHIBITED,
    AlarmState.OUT_OF_SERVICE,
)
STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
_OPEN = (*STANDING, AlarmState.CLEARED_UNACKNOWLEDGED)

LIFE: Mapping[tuple[AlarmState, Event], AlarmState] = {
    (AlarmState.CLEARED, "raise"): AlarmState.UNACKNOWLEDGED,
    (AlarmState.CLEARED, "suppress"): AlarmState.SUPPRESSED,
    (AlarmState.CLEARED, "inhibit"): AlarmState.INHIBITED,
    (AlarmState.CLEARED_UNACKNOWLEDGED, "raise"): AlarmState.CLEARED,
    (AlarmState.LATCHED, "raise"): AlarmState.CLEARED,
    (AlarmState.UNACKNOWLEDGED, "acknowledge"): AlarmState.ACKNOWLEDGED,
    (AlarmState.UNACKNOWLEDGED, "clear"): AlarmState.CLEARED_UNACKNOWLEDGED,
    (AlarmState.ACKNOWLEDGED, "clear"): AlarmState.CLEARED,
    (AlarmState.CLEARED_UNACKNOWLEDGED, "acknowledge"): AlarmState.CLEARED,
    (AlarmState.LATCHED, "reset"): AlarmState.CLEARED,
    **{(state, "latch"): AlarmState.LATCHED for state in STANDING},
    **{(state, "shelve"): AlarmState.SHELVED for state in _OPEN},
    **{(state, "remove"): AlarmState.OUT_OF_SERVICE for state in (*_OPEN, AlarmState.SHELVED)},
    **{(state, "suppress"): AlarmState.SUPPRESSED for state in HOLDS},
    **{(state, "inhibit"): AlarmState.INHIBITED for state in HOLDS},
    **{(state, "release"): AlarmState.UNACKNOWLEDGED for state in HOLDS},
    **{(state, "lapse"): AlarmState.CLEARED for state in HOLDS},
}
"""What is not in the table changes nothing."""


def following(state: AlarmState, event: Event) -> AlarmState | None:
    """Return the state after an event; None when the event changes nothing."""
    after = LIFE.get((state, event))
    return None if after is state else after
