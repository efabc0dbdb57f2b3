"""What a store holds in memory of each point: its last reading and its open roll-up; pure.

Rows are dense: row n is point n. Only the newest step of a point changes with every reading; kept
here, it costs an append nothing. What is behind it is closed and stands in the store's tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Rollups
from hub.store import rollup

NEVER = np.iinfo(np.int64).min
_ROOM = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What readings newer than all before them change: steps that close, and what is newest."""

    closed: Rollups
    opened: Rollups
    last: Batch


class Newest:
    """The last reading and the open step of every point; ``kept_from`` is where raw begins.

    ``at_ms`` int64 (NEVER: no reading yet), ``value`` float64, ``quality`` uint8; ``kept_from``
    int64, NEVER where nothing was forgotten. Nothing at all lies before ``earliest_ms``.
    """

    def __init__(self, step_ms: int) -> None:
        self.step_ms = step_ms
        self.at_ms = np.empty(0, np.int64)
        self.value = np.empty(0, np.float64)
        self.quality = np.empty(0, np.uint8)
        self.kept_from = np.empty(0, np.int64)
        self.earliest_ms = rollup.LATEST_MS
        self.open = rollup.none(step_ms)
        self.make_room(_ROOM)

    def make_room(self, highest: int) -> None:
        """Have a row for every point up to a number."""
        have = len(self.at_ms)
        if highest < have:
            return
        more = max(highest + 1, 2 * have) - have
        self.at_ms = np.append(self.at_ms, np.full(more, NEVER, np.int64))
        self.value = np.append(self.value, np.full(more, np.nan))
        self.quality = np.append(self.quality, np.zeros(more, np.uint8))
        self.kept_from = np.append(self.kept_from, np.full(more, NEVER, np.int64))
        points = np.arange(have, have + more, dtype=np.int32)
        fresh = rollup.unrolled(self.step_ms, points, np.full(more, NEVER, np.int64))
        self.open = rollup.concatenated((self.open, fresh), self.step_ms)

    def change(self, batch: Batch) -> Change:
        """Find what readings change that are newer than all of their points, in order."""
        opened = rollup.rolled(batch, self.step_ms, self.open)
        if not len(batch):
            return Change(opened, opened, batch)
        final = _final(opened.point)
        if final.all():
            return Change(self._passed(opened), opened, _last(batch))
        first = rollup.taken(opened, np.roll(final, 1))
        closed = rollup.joined((self._passed(first), rollup.taken(opened, ~final)), self.step_ms)
        return Change(closed, rollup.taken(opened, final), _last(batch))

    def _passed(self, opened: Rollups) -> Rollups:
        """Return the open steps that the first steps of new readings come after."""
        start = self.open.start_ms[opened.point]
        passed = (start < opened.start_ms) & (start != NEVER)
        return rollup.taken(self.open, opened.point[passed])

    def reach(self, at_ms: NDArray[np.int64]) -> None:
        """Note instants at which there is something."""
        self.earliest_ms = int(at_ms.min(initial=self.earliest_ms))

    def apply(self, change: Change) -> bool:
        """Let a change be so; tell whether it goes on with a step that raw has not whole."""
        last, point = change.last, rollup.indices(change.last.point)
        self.at_ms[point] = last.at_ms
        self.value[point] = last.value
        self.quality[point] = last.quality
        self.put(change.opened)
        return bool((change.opened.start_ms < self.kept_from[change.opened.point]).any())

    def put(self, opened: Rollups) -> None:
        """Replace the open steps of points."""
        point = rollup.indices(opened.point)
        for name, column in rollup.columns_of(self.open).items():
            if name != "point":
                column[point] = getattr(opened, name)

    def correct(self, batch: Batch) -> None:
        """Take over what was said again of the very last instant of a point."""
        again = batch.taken(batch.at_ms == self.at_ms[batch.point])
        self.value[again.point], self.quality[again.point] = again.value, again.quality

    def rows(self, points: NDArray[np.int32], start_ms: int, end_ms: int) -> Rollups:
        """Return the open steps of points that begin in start <= step < end."""
        points = points[(points >= 0) & (points < len(self.at_ms))]
        start = self.open.start_ms[points]
        there = (start != NEVER) & (start >= start_ms) & (start < end_ms)
        return rollup.taken(self.open, points[there])

    def latest(self, points: NDArray[np.int32]) -> int:
        """Return the instant after which none of some points has a reading."""
        known = points[(points >= 0) & (points < len(self.at_ms))]
        return int(self.at_ms[known].max(initial=0))

    def last(self) -> Batch:
        """Return the last reading of every point."""
        points = np.flatnonzero(self.at_ms != NEVER).astype(np.int32)
        at_ms = self.at_ms[points]
        return Batch(
            points, at_ms, self.value[points], self.quality[points], int(at_ms.max(initial=0))
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return all that is known, to be written down: open steps and, beside them, the last."""
        known = np.flatnonzero((self.at_ms != NEVER) | (self.kept_from != NEVER))
        columns = rollup.columns_of(rollup.taken(self.open, known))
        return columns | {
            "at_ms": self.at_ms[known],
            "value": self.value[known],
            "quality": self.quality[known],
            "kept_from": self.kept_from[known],
        }

    def restore(self, columns: dict[str, NDArray[Any]]) -> None:
        """Take over what was written down."""
        points = columns["point"]
        self.make_room(int(points.max(initial=0)))
        for name in ("at_ms", "value", "quality", "kept_from"):
            getattr(self, name)[points] = columns[name]
        named = {name: columns[name] for name in rollup.COLUMNS}
        self.put(Rollups(self.step_ms, **named))


def _last(batch: Batch) -> Batch:
    final = _final(batch.point)
    return batch if final.all() else batch.taken(final)


def _final(point: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell the last row of each point, of rows in order of their points."""
    final = np.ones(len(point), np.bool_)
    final[:-1] = point[1:] != point[:-1]
    return final
