"""The kinds of line that the history of a ticket may have: one closed list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from hub.model import Json

EventKind = Literal[
    # of its cause
    "opened",
    "merged",  # somebody reports what is known
    "raised_again",
    "returned",  # held back no longer, and still there
    "alarm_cleared",
    "inhibits",
    "escalated",  # graver than it was
    "linked",  # to the record of a problem
    # of the people who work on it
    "acknowledged",
    "accepted",
    "declined",
    "assigned",
    "transferred",
    "arrived",
    "crew_arrived",
    "fix_reported",
    "unproven",  # the fix did not hold
    "note",
    "photo",
    "part_reserved",
    "part_issued",
    "part_returned",
    # of its clocks
    "paused",
    "resumed",
    "pause_over",  # by its limit
    "reclassified",
    "told",  # a rung of the ladder
    "undelivered",  # somebody cannot be reached
    "breach",
    "breach_withdrawn",  # what was done in time was heard of late
    "corrected",
    # of its end
    "closed",
    "refused",
    "reopened",
    "rated",
    "complained",
]


class Change(NamedTuple):
    """The kind of an event, what it changes on the ticket, and what it says beside."""

    event: EventKind
    fields: Mapping[str, Any] = MappingProxyType({})
    detail: Mapping[str, Json] = MappingProxyType({})
