"""The last reading of every point, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch

_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The last readings of points as columns; a point that was never read has no row.

    ``point`` int32, ``at_ms`` and ``received_ms`` int64 UTC, ``value`` float64 in the point's unit,
    ``quality`` uint8, packed.
    """

    point: NDArray[np.int32]
    at_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    received_ms: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the points that were read."""
        return len(self.point)


class Live:
    """One row per point number, as columns; ``version`` grows with every update."""

    def __init__(self, size: int = 0) -> None:
        """Make room for point numbers up to ``size``; it grows when a higher one comes."""
        self.version = 0
        self._at = np.full(size + 1, _NEVER, np.int64)
        self._value = np.full(size + 1, np.nan)
        self._quality = np.zeros(size + 1, np.uint8)
        self._received = np.zeros(size + 1, np.int64)
        self._changed = np.zeros(size + 1, np.int64)

    def _make_room(self, highest: int) -> None:
        more = max(highest + 1, 2 * len(self._at)) - len(self._at)
        self._at = np.append(self._at, np.full(more, _NEVER, np.int64))
        self._value = np.append(self._value, np.full(more, np.nan))
        self._quality = np.append(self._quality, np.zeros(more, np.uint8))
        self._received = np.append(self._received, np.zeros(more, np.int64))
        self._changed = np.append(self._changed, np.zeros(more, np.int64))

    def update(self, batch: Batch) -> None:
        """Take over the readings that are not older than what is known; of equals the last."""
        if not len(batch):
            return
        points = batch.point
        if (highest := int(points.max())) >= len(self._at):
            self._make_room(highest)
        np.maximum.at(self._at, points, batch.at_ms)
        newest = batch.at_ms == self._at[points]
        if not newest.all():
            points, batch = points[newest], batch.taken(newest)
        self.version += 1
        self._value[points] = batch.value
        self._quality[points] = batch.quality
        self._received[points] = batch.received_ms
        self._changed[points] = self.version

    def restore(self, batch: Batch) -> None:
        """Begin with what a store knows as last."""
        self.update(batch)

    def repeats(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell which readings say again exactly what is known: point, time, value and quality."""
        known = batch.point < len(self._at)
        points = np.where(known, batch.point, 0)
        same: NDArray[np.bool_] = (self._at[points] == batch.at_ms) & known
        if not same.any():
            return same
        value = self._value[points]
        same &= (value == batch.value) | (np.isnan(value) & np.isnan(batch.value))
        same &= self._quality[points] == batch.quality
        return same

    def value(self, number: int) -> tuple[int, float, int, int] | None:
        """Return (at_ms, value, packed quality, received_ms) of a point, None if never read."""
        if not 0 <= number < len(self._at) or self._at[number] == _NEVER:
            return None
        return (
            int(self._at[number]),
            float(self._value[number]),
            int(self._quality[number]),
            int(self._received[number]),
        )

    def snapshot(self, numbers: NDArray[np.int32] | None = None) -> Snapshot:
        """Return a copy of what is known of some points, in their order, or of all of them."""
        if numbers is None:
            rows = np.flatnonzero(self._at != _NEVER)
        else:
            rows = numbers[(numbers >= 0) & (numbers < len(self._at))].astype(np.intp)
            rows = rows[self._at[rows] != _NEVER]
        return Snapshot(
            rows.astype(np.int32),
            self._at.take(rows),
            self._value.take(rows),
            self._quality.take(rows),
            self._received.take(rows),
        )

    def changed_since(self, version: int, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return which of some points, all known to the table, were updated after ``version``."""
        return numbers[self._changed[numbers] > version]
