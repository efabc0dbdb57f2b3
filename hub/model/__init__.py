"""Values that move through the hub; nothing here does anything but hold them.

Instants are integer milliseconds since 1970-01-01 UTC and end in ``_ms``. They become aware
datetimes, in the site's zone, only at the edges (pages, API, reports).
"""

from hub.model.alarm import Alarm, AlarmEvent, AlarmState, Outage
from hub.model.command import Command, Outcome, Result
from hub.model.duty import Swap
from hub.model.effect import Effect, Notification
from hub.model.entry import Entry, EntryKind
from hub.model.reading import (
    Batch,
    Edges,
    Hold,
    Point,
    PointKind,
    Quality,
    Reading,
    Reason,
    Rollups,
    flag,
    quality_of,
    reason_of,
)
from hub.model.ticket import (
    Closing,
    OnSiteProof,
    Problem,
    Source,
    Ticket,
    TicketEvent,
    TicketState,
)
from hub.model.word import Json, Severity, Text, written_duration

__all__ = [
    "Alarm",
    "AlarmEvent",
    "AlarmState",
    "Batch",
    "Closing",
    "Command",
    "Edges",
    "Effect",
    "Entry",
    "EntryKind",
    "Hold",
    "Json",
    "Notification",
    "OnSiteProof",
    "Outage",
    "Outcome",
    "Point",
    "PointKind",
    "Problem",
    "Quality",
    "Reading",
    "Reason",
    "Result",
    "Rollups",
    "Severity",
    "Source",
    "Swap",
    "Text",
    "Ticket",
    "TicketEvent",
    "TicketState",
    "flag",
    "quality_of",
    "reason_of",
    "written_duration",
]
