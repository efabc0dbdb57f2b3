"""Readings that come behind others of their point: looked up, and their steps rolled up anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Rollups
from hub.store import rollup
from hub.store.duckdb import layout
from hub.store.duckdb.layout import DAY_MS, Connection
from hub.store.newest import Change, Newest
from hub.store.steps import in_order, last_said


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """Late readings, and the roll-ups of the steps they touch: of closed and of open steps.

    ``forgotten`` tells that some fell where raw is kept no more: they were added to what is known.
    """

    batch: Batch
    closed: Rollups
    opened: Rollups
    forgotten: bool

    def replace(self, writer: Connection) -> None:
        """Take away the rows of the closed steps as they were."""
        for rows in _by_day(self.closed.start_ms):
            start = self.closed.start_ms[rows]
            layout.run_on(
                writer,
                layout.DELETE_ROLLUPS,
                [int(start.min()), int(start.max())],
                gone={"point": self.closed.point[rows], "start_ms": start},
            )


def corrected(
    writer: Connection,
    newest: Newest,
    change: Change,
    batch: Batch,
    behind: NDArray[np.bool_],
) -> Late:
    """Take away what late readings replace; return their steps as they then are.

    ``behind`` tells the late ones of a batch in order; ``change`` is what the others change.
    """
    late = batch.taken(behind)
    made, forgotten = [], False
    for rows in _by_day(late.at_ms):
        some = late.taken(rows)
        kept = _kept(writer, some, newest.step_ms)
        _remove(writer, kept, some)
        some = some.taken(rollup.plausible(some.at_ms))
        whole = _whole(writer, newest, kept, some)
        made.append(_anew(kept, batch, some.taken(whole), newest.step_ms))
        if not whole.all():
            forgotten = True
            made.append(_added(writer, newest, change, kept, some.taken(~whole)))
    anew = rollup.joined(made, newest.step_ms)
    opening = newest.open.start_ms[anew.point]
    opens = np.searchsorted(change.opened.point, anew.point)
    if len(change.opened):
        opens = np.minimum(opens, len(change.opened) - 1)
        moved = change.opened.point[opens] == anew.point
        opening = np.where(moved, change.opened.start_ms[opens], opening)
    opened = anew.start_ms == opening
    return Late(late, rollup.taken(anew, ~opened), rollup.taken(anew, opened), forgotten)


def _by_day(at_ms: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Yield the rows of each day: one look over all days would go through all in between."""
    day = at_ms // DAY_MS
    for one in np.unique(day):
        yield np.flatnonzero(day == one)


def _kept(writer: Connection, some: Batch, step_ms: int) -> Batch:
    """Return what is kept of the steps that readings of one day fall in, and more."""
    start = int(some.at_ms.min()) // step_ms * step_ms
    end = (int(some.at_ms.max()) // step_ms + 1) * step_ms
    points = np.unique(some.point).tolist()
    return layout.batch_of(writer, layout.SELECT_READINGS, layout.asked(points, start, end))


def _remove(writer: Connection, kept: Batch, some: Batch) -> None:
    same = np.isin(_keys(kept.point, kept.at_ms), _keys(some.point, some.at_ms))
    if same.any():
        at_ms = kept.at_ms[same]
        layout.run_on(
            writer,
            layout.DELETE_READINGS,
            [int(at_ms.min()), int(at_ms.max())],
            gone={"point": kept.point[same], "at_ms": at_ms},
        )


def _anew(kept: Batch, batch: Batch, some: Batch, step_ms: int) -> Rollups:
    """Roll up the steps of some readings from what is kept and what comes now."""
    if not len(some):
        return rollup.none(step_ms)
    steps = np.unique(_keys(some.point, some.at_ms - some.at_ms % step_ms))
    parts = [
        part.taken(np.isin(_keys(part.point, part.at_ms - part.at_ms % step_ms), steps))
        for part in (kept, batch)
    ]
    whole = Batch.joined(parts, batch.received_ms)
    return rollup.rolled(whole.taken(last_said(whole)), step_ms)


def _whole(writer: Connection, newest: Newest, kept: Batch, some: Batch) -> NDArray[np.bool_]:
    """Tell of which readings the steps still have all that was read: not forgotten, or held."""
    start = some.at_ms - some.at_ms % newest.step_ms
    whole: NDArray[np.bool_] = start >= newest.kept_from[some.point]
    if whole.all():
        return whole
    before = _before(writer, newest, some)
    there = rollup.rolled(in_order(kept), newest.step_ms)
    known = dict(zip(_pairs(before), before.count.tolist(), strict=True))
    raw = dict(zip(_pairs(there), there.count.tolist(), strict=True))
    same = {pair for pair, count in known.items() if raw.get(pair) == count}
    pairs = zip(some.point.tolist(), start.tolist(), strict=True)
    return whole | np.array([pair in same for pair in pairs], np.bool_)


def _pairs(rows: Rollups) -> Iterator[tuple[int, int]]:
    return zip(rows.point.tolist(), rows.start_ms.tolist(), strict=True)


def _before(writer: Connection, newest: Newest, some: Batch) -> Rollups:
    """Return the roll-ups around readings of one day as they were, closed and open."""
    points = np.unique(some.point)
    start = int(some.at_ms.min()) // newest.step_ms * newest.step_ms
    asked = layout.asked(points.tolist(), start, int(some.at_ms.max()) + 1)
    closed = layout.rollups_of(writer, asked, newest.step_ms)
    return rollup.joined((closed, newest.rows(points, *asked[-2:])), newest.step_ms)


def _added(writer: Connection, newest: Newest, change: Change, kept: Batch, some: Batch) -> Rollups:
    """Add readings to the roll-ups of steps whose raw readings are kept no more.

    What is said again of a reading that came late itself is not added again.
    """
    before = rollup.joined(
        (_before(writer, newest, some), change.closed, change.opened), newest.step_ms
    )
    # Of an open step that goes on, the row with the new readings is the later one of the two.
    keys = _keys(before.point, before.start_ms)
    last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
    said = np.isin(_keys(some.point, some.at_ms), _keys(kept.point, kept.at_ms))
    rows = rollup.rolled(some.taken(~said), newest.step_ms)
    wanted = np.isin(keys, _keys(rows.point, rows.start_ms)) & last
    return rollup.together(rollup.taken(before, wanted), rows)


def _keys(point: NDArray[np.int32], at_ms: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Return one number for point and instant; both are exact in a float64."""
    keys = np.empty(len(point), np.complex128)
    keys.real, keys.imag = point, at_ms
    return keys
