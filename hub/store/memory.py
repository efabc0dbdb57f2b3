"""Readings in memory, for tests and demonstrations."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from hub.model import Batch
from hub.ports import Aggregate
from hub.store.steps import Found, Series, count_steps, laid_out, last_said

_EMPTY = Batch.of([], [], [], [], 0)


class MemoryStore:
    """Keeps batches as they come and puts them in order when somebody asks."""

    def __init__(self) -> None:
        self._ordered = _EMPTY
        self._new: list[Batch] = []
        self._applied = 0
        self._lock = threading.Lock()

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
                rows = last_said(joined)
                self._ordered = Batch(
                    joined.point[rows],
                    joined.at_ms[rows],
                    joined.value[rows],
                    joined.quality[rows],
                    joined.received_ms,
                )
                self._new.clear()
            return self._ordered

    def _between(self, points: Sequence[int], start_ms: int, end_ms: int) -> Batch:
        everything = self._all()
        return everything.taken(
            np.isin(everything.point, np.asarray(points, np.int32))
            & (everything.at_ms >= start_ms)
            & (everything.at_ms < end_ms)
        )

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
        """Return per point and aggregate one number per step; None where no good reading."""
        steps = count_steps(start_ms, end_ms, step_ms)
        found = self._between(points, start_ms, end_ms)
        good = found.taken(found.quality & 3 == 0)
        return laid_out(points, steps, aggregates, _reduced(good, start_ms, step_ms, aggregates))

    def last(self) -> Batch:
        """Return the last reading of every point."""
        everything = self._all()
        newest = np.ones(len(everything), np.bool_)
        newest[:-1] = everything.point[1:] != everything.point[:-1]
        return everything.taken(newest)

    def close(self) -> None:
        """Have nothing to write down."""


def _reduced(
    good: Batch, start_ms: int, step_ms: int, aggregates: Sequence[Aggregate]
) -> Iterator[Found]:
    if not len(good):
        return
    step = (good.at_ms - start_ms) // step_ms
    begins = np.flatnonzero(
        np.append(True, (good.point[1:] != good.point[:-1]) | (step[1:] != step[:-1]))
    )
    ends = np.append(begins[1:], len(good))
    columns = {
        "count": ends - begins,
        "min": np.minimum.reduceat(good.value, begins),
        "max": np.maximum.reduceat(good.value, begins),
        "mean": np.add.reduceat(good.value, begins) / (ends - begins),
        "first": good.value[begins],
        "last": good.value[ends - 1],
    }
    wanted = [columns[aggregate].tolist() for aggregate in aggregates]
    for n, begin in enumerate(begins.tolist()):
        yield int(good.point[begin]), int(step[begin]), [numbers[n] for numbers in wanted]
