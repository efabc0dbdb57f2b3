"""Readings in memory, for tests and demonstrations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Edges, Hold, Rollups
from hub.ports import Aggregate
from hub.store import edges, rollup, steps
from hub.store.steps import Series, last_of_each, last_said

_EMPTY = Batch.of([], [], [], [], 0)
_EVERYTHING = 2**62
PIECE_MS = 24 * 3_600_000


class MemoryStore:
    """Keeps batches as they come and puts them in order when somebody asks."""

    def __init__(self, step_ms: int = rollup.BASE_MS) -> None:
        self.step_ms = step_ms
        self._ordered = _EMPTY
        self._new: list[Batch] = []
        self._forgotten = rollup.none(step_ms)  # what readings came to that are kept no more
        self._applied = 0
        self._lock = threading.RLock()

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch, unless its sequence has been passed already."""
        with self._lock:
            if seq > self._applied:
                self._new.append(batch)
                self._applied = seq

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""
        return self._applied

    def _all(self) -> Batch:
        with self._lock:
            if self._new:
                joined = Batch.joined([self._ordered, *self._new], self._new[-1].received_ms)
                self._ordered = joined.taken(last_said(joined))
                self._new.clear()
            return self._ordered

    def _between(self, points: Sequence[int], start_ms: int, end_ms: int) -> Batch:
        everything = self._all()
        return everything.taken(_asked(everything, points, start_ms, end_ms))

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""
        found = self._between(points, start_ms, end_ms)
        return found.taken(np.arange(len(found)) < limit)

    def series(
        self,
        points: Sequence[int],
        start_ms: int,
        end_ms: int,
        step_ms: int,
        aggregates: Sequence[Aggregate],
    ) -> Series:
        """Return per point and aggregate one number per step; None where no usable reading."""
        return steps.series(
            points,
            (start_ms, end_ms, step_ms),
            aggregates,
            self.step_ms,
            lambda begin, end: self._between(points, begin, end),
            lambda begin, end: self.rollups(points, begin, end),
        )

    def rollups(self, points: Sequence[int], start_ms: int, end_ms: int) -> Rollups:
        """Return the roll-ups whose base step begins in start <= step < end."""
        start_ms, end_ms = (rollup.next_step(at, self.step_ms) for at in (start_ms, end_ms))
        made = rollup.rolled(self._between(points, start_ms, end_ms), self.step_ms)
        made = rollup.taken(made, rollup.plausible(made.start_ms))
        with self._lock:
            old = self._forgotten
        if not len(old.point):
            return made
        asked = np.isin(old.point, np.asarray(points, np.int32))
        asked &= (old.start_ms >= start_ms) & (old.start_ms < end_ms)
        return rollup.together(rollup.taken(old, asked), made)

    def edges(self, points: Sequence[int], at_ms: int) -> Edges:
        """Return per point the usable readings on both sides of an instant."""
        return edges.edges(points, at_ms, self.step_ms, self._between, self.rollups)

    def export(self, points: Sequence[int], start_ms: int, end_ms: int) -> Iterator[Batch]:
        """Yield all readings of start <= at < end, one day after the other."""
        everything = self._all()
        start_ms = max(start_ms, int(everything.at_ms.min(initial=end_ms)))
        end_ms = min(end_ms, int(everything.at_ms.max(initial=start_ms)) + 1)
        for begin in range(start_ms, end_ms, PIECE_MS):
            found = self._between(points, begin, min(begin + PIECE_MS, end_ms))
            if len(found):
                yield found

    def forget(self, points: Sequence[int], before_ms: int, holds: Sequence[Hold] = ()) -> int:
        """Forget readings before a whole base step, but those held; keep what they came to."""
        before_ms -= before_ms % self.step_ms
        with self._lock:
            everything = self._all()
            gone = _asked(everything, points, -_EVERYTHING, before_ms)
            for hold in (rollup.widened(one, self.step_ms) for one in holds):
                gone &= ~_asked(everything, sorted(hold.points), hold.start_ms, hold.end_ms)
            came_to = rollup.rolled(everything.taken(gone), self.step_ms)
            came_to = rollup.taken(came_to, rollup.plausible(came_to.start_ms))
            self._forgotten = rollup.together(self._forgotten, came_to)
            self._ordered = everything.taken(~gone)
        return int(gone.sum())

    def compact(self, before_ms: int, more: Callable[[], bool]) -> int:  # noqa: ARG002 - the port's word
        """Have nothing to put in order: that is done when somebody asks."""
        return 0

    def last(self) -> Batch:
        """Return the last reading of every point."""
        everything = self._all()
        return last_of_each(everything.taken(rollup.plausible(everything.at_ms)))

    def close(self) -> None:
        """Have nothing to write down."""


def _asked(
    everything: Batch, points: Sequence[int], start_ms: int, end_ms: int
) -> NDArray[np.bool_]:
    there: NDArray[np.bool_] = (everything.at_ms >= start_ms) & (everything.at_ms < end_ms)
    there[there] = np.isin(everything.point[there], np.asarray(points, np.int32))
    return there
