"""Readings, one by one and as columns, with their quality; points and roll-ups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hub.model.word import Text

PointKind = Literal["gauge", "counter", "state"]


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
