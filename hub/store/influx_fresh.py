"""What this process has heard of steps that are not closed: their roll-ups cost no question."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Rollups
from hub.store import rollup
from hub.store.newest import NEVER, Newest

# Rows of steps further ahead are not held: a clock that is far ahead must not fill the memory.
AHEAD_MS = 24 * 3_600_000


class Fresh:
    """The last reading of every point, and the roll-ups since ``closed_ms`` of what came in order.

    ``last`` is what was known before. A step of a point is whole here when all of it was heard,
    in order, by this process; of the others, called torn, only the server knows what they came to.
    Any thread may ask.
    """

    def __init__(self, step_ms: int, closed_ms: int, last: Batch) -> None:
        self._newest = Newest(step_ms)
        self._newest.make_room(int(last.point.max(initial=0)))
        self._newest.at_ms[last.point] = last.at_ms
        self._newest.value[last.point] = last.value
        self._newest.quality[last.point] = last.quality
        self._whole_from = np.full(len(self._newest.at_ms), NEVER, np.int64)
        self._passed = rollup.none(step_ms)
        self._closed_ms = closed_ms
        self._lock = threading.Lock()
        self._tear(last.point, last.at_ms)

    def hear(self, batch: Batch) -> int:
        """Take readings in order of (point, at); return the earliest instant of a newest one.

        What was heard before may come again. Where nothing is newest: rollup.LATEST_MS.
        """
        with self._lock:
            self._make_room(int(batch.point.max(initial=0)))
            batch = batch.taken(rollup.plausible(batch.at_ms))
            known_ms = self._newest.at_ms[batch.point]
            behind = batch.taken(batch.at_ms <= known_ms)
            again = self._again(behind)
            self._tear(behind.point[~again], behind.at_ms[~again])
            self._newest.correct(behind)
            change = self._newest.change(batch.taken(batch.at_ms > known_ms))
            self._newest.apply(change)
            self._pass(change.closed)
            return int(batch.at_ms.min(where=batch.at_ms >= known_ms, initial=rollup.LATEST_MS))

    def _make_room(self, highest: int) -> None:
        self._newest.make_room(highest)
        more = len(self._newest.at_ms) - len(self._whole_from)
        self._whole_from = np.append(self._whole_from, np.full(more, NEVER, np.int64))

    def _again(self, behind: Batch) -> NDArray[np.bool_]:
        """Tell which readings say nothing else than the newest of their points."""
        point, newest = behind.point, self._newest
        known = Batch(point, newest.at_ms[point], newest.value[point], newest.quality[point], 0)
        nothing = np.isnan(behind.value) & np.isnan(known.value)
        same = (behind.at_ms == known.at_ms) & (behind.quality == known.quality)
        again: NDArray[np.bool_] = same & (nothing | (behind.value == known.value))
        return again

    def _tear(self, point: NDArray[np.int32], at_ms: NDArray[np.int64]) -> None:
        """Let the steps of instants, and all before them, be the server's to know."""
        step_ms = self._newest.step_ms
        np.maximum.at(self._whole_from, point, at_ms - at_ms % step_ms + step_ms)

    def _pass(self, closed: Rollups) -> None:
        near = closed.start_ms < self._closed_ms + AHEAD_MS
        self._tear(closed.point[~near], closed.start_ms[~near])
        kept = near & (closed.start_ms >= self._closed_ms)
        self._passed = rollup.joined(
            (self._passed, rollup.taken(closed, kept)), self._newest.step_ms
        )

    def since_closed(
        self, points: Sequence[int], start_ms: int, end_ms: int
    ) -> tuple[int, Rollups, list[int]]:
        """Return where the closed steps end, and what is known of those in start..end after that.

        The third: the points that are torn there, of which the second has nothing.
        """
        with self._lock:
            begin_ms = max(start_ms, self._closed_ms)
            numbers = np.unique(np.asarray(points, np.int32))
            numbers = numbers[(numbers >= 0) & (numbers < len(self._whole_from))]
            torn = self._whole_from[numbers] > begin_ms
            rows = self._rows(numbers[~torn], begin_ms, end_ms)
            return self._closed_ms, rows, numbers[torn].tolist()

    def of_step(self, start_ms: int) -> tuple[Rollups, list[int]]:
        """Return the roll-ups of a step that are whole, and the points that are torn there."""
        with self._lock:
            torn = self._whole_from > start_ms
            whole = np.flatnonzero(~torn & (self._newest.at_ms != NEVER)).astype(np.int32)
            rows = self._rows(whole, start_ms, start_ms + self._newest.step_ms)
            return rows, np.flatnonzero(torn).tolist()

    def _rows(self, points: NDArray[np.int32], start_ms: int, end_ms: int) -> Rollups:
        passed = self._passed
        asked = (passed.start_ms >= start_ms) & (passed.start_ms < end_ms)
        asked &= np.isin(passed.point, points)
        opened = self._newest.rows(points, start_ms, end_ms)
        return rollup.joined((rollup.taken(passed, asked), opened), self._newest.step_ms)

    def close(self, before_ms: int) -> None:
        """Let go of steps that are closed; where steps open again, only the server knows them."""
        with self._lock:
            if before_ms < self._closed_ms:
                known = np.flatnonzero(self._newest.at_ms != NEVER).astype(np.int32)
                self._tear(known, self._newest.at_ms[known])
            self._closed_ms = before_ms
            self._passed = rollup.taken(self._passed, self._passed.start_ms >= before_ms)

    def last(self) -> Batch:
        """Return the last reading of every point."""
        with self._lock:
            return self._newest.last()
