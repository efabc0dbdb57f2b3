"""Values that move through the hub; nothing here does anything but hold them.

Instants are integer milliseconds since 1970-01-01 UTC and end in ``_ms``. They become aware
datetimes, in the site's zone, only at the edges (pages, API, reports).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Json = Any
PointKind = Literal["gauge", "counter", "state"]
Severity = Literal["small", "ordinary", "large"]


class Quality(IntEnum):
    """How far a value can be trusted; it travels with every reading."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2
    MISSING = 3


class Reason(IntEnum):
    """Why a reading is not simply good."""

    NONE = 0
    RECEIPT_TIME = 1
    INVALID_MARKER = 2
    OUT_OF_RANGE = 3
    NOT_A_NUMBER = 4
    EXCEPTION_ANSWER = 5
    GARBAGE_ANSWER = 6
    NO_ANSWER = 7


def flag(quality: Quality, reason: Reason = Reason.NONE) -> int:
    """Pack quality and reason into the byte that a batch carries.

    >>> flag(Quality.BAD, Reason.INVALID_MARKER)
    10
    """
    return int(quality) | int(reason) << 2


def quality_of(packed: int) -> Quality:
    """Unpack the quality of a batch's byte."""
    return Quality(packed & 3)


def reason_of(packed: int) -> Reason:
    """Unpack the reason of a batch's byte."""
    return Reason(packed >> 2)


def written_duration(value: Json) -> Json:
    """Check that a duration is written as in ISO 8601, the one notation of all files."""
    if not (isinstance(value, timedelta) or (isinstance(value, str) and value.startswith("P"))):
        raise ValueError("a duration is written like PT30S, PT5M, PT2H or P7D")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """A word for people in both languages."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        """Return the English form for ``en``, else the Chinese one."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a device. ``number`` is assigned once, kept with the data and never reused.

    A counter starts again from 0 at ``rollover`` and never counts more than ``most_per_h``. Values
    come in steps of ``digit``, as far as that is known.
    """

    number: int
    id: str
    device: str
    name: str
    unit: str
    kind: PointKind
    label: Text
    writable: bool = False
    rollover: float | None = None
    most_per_h: float | None = None
    digit: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one point at one instant, in the unit of the point."""

    point: int
    at_ms: int
    value: float
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Readings as columns of equal length: the form that moves through the hub.

    ``point`` int32 numbers, ``at_ms`` int64, ``value`` float64 (NaN where nothing was read),
    ``quality`` uint8 packed by :func:`flag`; ``received_ms`` is one instant for the batch.
    """

    point: NDArray[np.int32]
    at_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    received_ms: int

    def __len__(self) -> int:
        """Count the readings."""
        return len(self.point)

    @classmethod
    def of(
        cls,
        point: Sequence[int],
        at_ms: Sequence[int],
        value: Sequence[float],
        quality: Sequence[int],
        received_ms: int,
    ) -> Batch:
        """Make a batch from plain sequences."""
        return cls(
            np.asarray(point, np.int32),
            np.asarray(at_ms, np.int64),
            np.asarray(value, np.float64),
            np.asarray(quality, np.uint8),
            received_ms,
        )

    @classmethod
    def joined(cls, batches: Sequence[Batch], received_ms: int) -> Batch:
        """Join batches in their order into one."""
        return cls(
            np.concatenate([batch.point for batch in batches]),
            np.concatenate([batch.at_ms for batch in batches]),
            np.concatenate([batch.value for batch in batches]),
            np.concatenate([batch.quality for batch in batches]),
            received_ms,
        )

    def taken(self, mask: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Batch:
        """Keep the rows where ``mask`` is true, or those it numbers or spans, in their order."""
        return Batch(
            self.point[mask],
            self.at_ms[mask],
            self.value[mask],
            self.quality[mask],
            self.received_ms,
        )

    def readings(self) -> list[Reading]:
        """Return the rows, for edges, rules and tests."""
        return [
            Reading(point, at_ms, value, Quality(quality & 3))
            for point, at_ms, value, quality in zip(
                self.point.tolist(),
                self.at_ms.tolist(),
                self.value.tolist(),
                self.quality.tolist(),
                strict=True,
            )
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Rollups:
    """What the readings of each point came to per base step; rows in order of (point, start).

    ``point`` int32, ``start_ms`` int64 (a multiple of ``step_ms``, UTC), ``count`` int32 of all
    readings, ``good`` int32 of those that are usable: good or uncertain, a number, of an instant
    that can be. Of these alone speak ``min``, ``max``, ``sum``, ``first``, ``last`` (float64, NaN
    where ``good`` is 0), ``first_ms``, ``last_ms`` (int64, 0 there) and ``coverage_ms`` (int32):
    the time between usable neighbours inside the step that are not too far apart.
    """

    step_ms: int
    point: NDArray[np.int32]
    start_ms: NDArray[np.int64]
    count: NDArray[np.int32]
    good: NDArray[np.int32]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    sum: NDArray[np.float64]
    first: NDArray[np.float64]
    last: NDArray[np.float64]
    first_ms: NDArray[np.int64]
    last_ms: NDArray[np.int64]
    coverage_ms: NDArray[np.int32]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.point)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The usable readings on both sides of an instant, one row per point as asked.

    ``before`` is the last at or before the instant, ``after`` the first at or after it: float64,
    NaN where there is none; ``before_ms`` and ``after_ms`` are their instants, 0 there.
    """

    point: NDArray[np.int32]
    before_ms: NDArray[np.int64]
    before: NDArray[np.float64]
    after_ms: NDArray[np.int64]
    after: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hold:
    """Points whose readings of start <= at < end are kept beyond their time: a dispute, say."""

    points: frozenset[int]
    start_ms: int
    end_ms: int


class EntryKind(IntEnum):
    """What a journal entry holds; the engine has no other input."""

    READINGS = 1
    TICK = 2
    ACTION = 3
    RESULT = 4
    HEALTH = 5
    CONFIGURATION = 6
    JUDGEMENT = 7


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of the journal: readings as a batch, everything else as JSON content."""

    kind: EntryKind
    at_ms: int
    batch: Batch | None = None
    content: Mapping[str, Json] = field(default_factory=dict)


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    BLOCKED = "blocked"
    NOT_CONFIRMED = "not_confirmed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to write one point, with who wants it, why, and until when it may be carried out."""

    id: str
    point: str
    value: float
    actor: str
    reason: str
    asked_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command; ``actual`` is the value read back, if any."""

    command: str
    outcome: Outcome
    reason: str
    at_ms: int
    actual: float | None = None


class AlarmState(StrEnum):
    """States of an alarm after ISA-18.2; ``inhibited`` is by another alarm, its root."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    CLEARED_UNACKNOWLEDGED = "cleared_unacknowledged"
    CLEARED = "cleared"
    LATCHED = "latched"
    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    INHIBITED = "inhibited"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that needs a person. ``id`` derives from rule, device and the raising instant.

    While it is held back ``reason`` says why, ``owner`` by whom and ``until_ms`` until when;
    ``root`` is the alarm that it is an effect of. ``chattering``: it comes and goes, and is taken
    for one alarm until it is quiet. ``cleared_ms`` is None while the fault is there.
    """

    id: str
    rule: str
    device: str
    place: str
    severity: Severity
    title: Text
    state: AlarmState
    raised_ms: int
    value: float
    limit: float
    acknowledged_ms: int | None = None
    cleared_ms: int | None = None
    reason: str = ""
    owner: str = ""
    until_ms: int | None = None
    root: str | None = None
    chattering: bool = False


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One line of an alarm's history; ``n`` counts from 0 within the alarm."""

    alarm: str
    n: int
    kind: str
    actor: str
    at_ms: int
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """A planned outage: what is expected to be off in an area for a while.

    ``area`` is a place, a gateway or a device; of ``rules`` alarms are expected. ``ended_ms`` is
    when a person or the time ended it.
    """

    id: str
    area: str
    start_ms: int
    end_ms: int
    reason: str
    rules: tuple[str, ...]
    actor: str
    entered_ms: int
    ended_ms: int | None = None


class TicketState(StrEnum):
    """Where the work on a ticket stands."""

    OPENED = "opened"
    RESPONDED = "responded"
    ON_SITE = "on_site"
    FIXED = "fixed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Work for people on one cause, with the instants that the service promise is judged by.

    ``fix_by_ms`` is None for large repairs, ``crew_by_ms`` (an arrival deadline) for the others.
    ``fixed_ms`` is the latest fix report; it counts once the proof has held (``closed_ms``).
    ``crew_ms`` is the arrival of the extra crew on a large repair.
    """

    id: str
    cause: str
    device: str
    place: str
    rule: str
    severity: Severity
    title: Text
    guidance: Text
    parts: tuple[str, ...]
    state: TicketState
    opened_ms: int
    respond_by_ms: int
    on_site_by_ms: int
    fix_by_ms: int | None
    crew_by_ms: int | None
    responded_ms: int | None = None
    on_site_ms: int | None = None
    fixed_ms: int | None = None
    closed_ms: int | None = None
    prove_by_ms: int | None = None
    alarm: str | None = None
    crew_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history; ``n`` counts from 0 within the ticket."""

    ticket: str
    n: int
    kind: str
    actor: str
    at_ms: int
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notification:
    """Something to tell people; ``key`` derives from the ticket's event, so it is told once."""

    key: str
    ticket: str
    subject: str
    body: str
    created_ms: int


Effect = Alarm | AlarmEvent | Outage | Ticket | TicketEvent | Notification
"""What the engine wants kept: alarms, outages, tickets as they now are; the others are added."""
