"""Readings in InfluxDB: lines out by its client, InfluxQL in; roll-ups of our own beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Edges, Hold, Point, Rollups
from hub.ports import Aggregate, StoreError
from hub.store import edges, influx_lines, rollup, steps
from hub.store.influx_book import DAY_MS, Book, Page
from hub.store.influx_fresh import Fresh
from hub.store.influx_lines import ROLLUP_FIELDS, Heads
from hub.store.influx_reader import GONE, THERE, Reader
from hub.store.influx_sender import Dead, Sender, cut, nowhere
from hub.store.influx_server import Address, Server
from hub.store.steps import Series, in_order, last_of_each, last_said

# A base step is closed when no more of it is on its way: then its roll-ups become series.
GRACE_MS = 5 * 60_000
PIECE_MS = 3_600_000
# A line of a roll-up is longer than one of a reading.
ROLLUP_PIECE = 2_000
POINTS_PIECE = 1_000


class InfluxStore:
    """One measurement per name of a point, tagged with point number and device.

    An append writes readings, then the roll-ups they touch, then the cursor. Each of these may
    be written again without changing anything, so a crash between them doubles nothing.
    Roll-ups of closed steps are kept as series, which stay when the server forgets the readings.
    Those of later steps are held in memory where all their readings were heard in order, and made
    of the readings that the server has where not: after a start, and where readings come late.
    """

    def __init__(
        self,
        points: Mapping[int, Point],
        address: Address,
        dead: Dead = nowhere,
        step_ms: int = rollup.BASE_MS,
    ) -> None:
        self.step_ms = step_ms
        self._points = points
        self._heads = Heads(points)
        self._server = Server(address)
        lasting = address.rollup_bucket or address.bucket
        self._sender = Sender(self._server, address.bucket, dead)
        self._lasting = Sender(self._server, lasting, dead)
        self._reader = Reader(self._server, address.bucket, lasting, points)
        self._book = Book(self._server, lasting, step_ms)
        self._known: tuple[int, Fresh] | None = None
        self._lock = threading.RLock()

    @property
    def refused(self) -> int:
        """Count the readings that became dead letters."""
        return self._sender.refused

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch, what it changes of the roll-ups, then its sequence; or raise StoreError."""
        with self._turn():
            page, fresh = self._opened()
            if seq <= page.applied:
                return
            batch = self._kept(batch.taken(last_said(batch)))
            since_ms = fresh.hear(batch)
            closed_ms = self._closed(batch)
            after = page.turned(batch, seq, closed_ms, since_ms)
            begun = page.closed_ms or closed_ms
            self._roll_late(batch, begun, after)
            self._roll_closed(begun, after, fresh)
            self._write(after, fresh)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one thread at a time change anything; after a failure ask anew what is there."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._book.lose()
                raise

    def _opened(self) -> tuple[Page, Fresh]:
        """Return the book's page and what is known since; of a server gone back in time, anew."""
        page = self._book.page()
        if self._known is None or page.applied < self._known[0]:
            last = self._book.last()
            if page.since_ms < rollup.LATEST_MS:
                newer = self._reader.newest(page.since_ms, page.days)
                last = last_of_each(in_order(Batch.joined([last, newer], last.received_ms)))
            self._known = page.applied, Fresh(self.step_ms, page.closed_ms, last)
        return page, self._known[1]

    def _write(self, page: Page, fresh: Fresh) -> None:
        """Keep a page; with the last readings of all points, where a step closed."""
        if page.closed_ms == self._book.page().closed_ms:
            self._book.write(page)
        else:
            self._book.write_last(page, fresh.last())
            fresh.close(page.closed_ms)
        self._known = page.applied, fresh

    def _kept(self, batch: Batch) -> Batch:
        """Send the readings; return those that the server took."""
        refused = self._sender.send(
            (
                influx_lines.reading_lines(batch.taken(piece), self._heads)
                for piece in cut(len(batch))
            ),
            self._book.prove,
        )
        if not refused:
            return batch
        taken = np.ones(len(batch), np.bool_)
        taken[list(refused)] = False
        return batch.taken(taken)

    def _closed(self, batch: Batch) -> int:
        # By the hub's clock: the clock of one device must not close a step for all others.
        return (batch.received_ms - GRACE_MS) // self.step_ms * self.step_ms

    def _roll_late(self, batch: Batch, closed_ms: int, page: Page) -> None:
        """Make the roll-ups anew of the closed steps that readings came late for."""
        late = (batch.at_ms < closed_ms) & rollup.plausible(batch.at_ms)
        start = batch.at_ms[late] // self.step_ms * self.step_ms
        number = batch.point[late]
        for begin in np.unique(start).tolist():
            self._roll(number[start == begin].tolist(), begin, page)

    def _roll_closed(self, begin_ms: int, page: Page, fresh: Fresh) -> None:
        """Keep the roll-ups of the steps from one instant to where the page says they close."""
        for day in page.days:
            first = max(begin_ms, day * DAY_MS, rollup.EARLIEST_MS)
            last = min(page.closed_ms, (day + 1) * DAY_MS, rollup.LATEST_MS)
            for start in range(first, last, self.step_ms):
                whole, torn = fresh.of_step(start)
                self._keep(whole, THERE)
                self._roll(torn, start, page)

    def _roll(self, points: Sequence[int], start_ms: int, page: Page) -> None:
        """Make the roll-ups of one step of what the server has, and keep them as series."""
        span = (start_ms, start_ms + self.step_ms)
        numbers = np.unique(np.asarray(points, np.int32))
        # In pieces: an hour of a whole campus is millions of readings.
        for piece in cut(len(numbers), POINTS_PIECE):
            together = numbers[piece].tolist()
            found = self._reader.readings(together, *span, page.days)
            made = rollup.rolled(found, self.step_ms)
            known, _ = self._kept_rows(together, span, page, ("count", "good", "first_ms"))
            lost = _outlived(known, made, found)
            if lost:  # by the server's own retention
                self._move(rollup.together(*self._kept_rows(lost, span, page)[::-1]), made)
            self._keep(made, THERE)

    def _keep(self, rows: Rollups, kind: str) -> None:
        self._lasting.send(
            influx_lines.rollup_lines(rollup.taken(rows, piece), self._points, kind)
            for piece in cut(len(rows), ROLLUP_PIECE)
        )

    def _kept_rows(
        self,
        points: Sequence[int],
        span: tuple[int, int],
        page: Page,
        fields: Sequence[str] = ROLLUP_FIELDS,
    ) -> tuple[Rollups, Rollups]:
        return self._reader.rollups(points, span, page.days, self.step_ms, fields)

    def _move(self, gone: Rollups, there: Rollups) -> None:
        """Say at once what a step came to whose readings go, and what those left come to."""
        nothing = rollup.unrolled(self.step_ms, gone.point, gone.start_ms)
        rest = rollup.together(nothing, rollup.taken(there, np.isin(there.point, gone.point)))
        self._lasting.send(
            influx_lines.rollup_lines(rollup.taken(gone, piece), self._points, GONE)
            + influx_lines.rollup_lines(rollup.taken(rest, piece), self._points, THERE)
            for piece in cut(len(gone), ROLLUP_PIECE // 2)
        )

    def forget(self, points: Sequence[int], before_ms: int, holds: Sequence[Hold] = ()) -> int:
        """Forget readings before a whole base step, but those held; keep what they came to."""
        before_ms -= before_ms % self.step_ms
        with self._turn():
            page, fresh = self._opened()
            if page.closed_ms < before_ms:
                page, begun = replace(page, closed_ms=before_ms), page.closed_ms
                self._roll_closed(begun, page, fresh)
                self._write(page, fresh)
        forgotten = 0
        for day in page.days:
            for start in range(day * DAY_MS, min((day + 1) * DAY_MS, before_ms), self.step_ms):
                with self._turn():  # appends take their turn between two steps
                    forgotten += self._forget_step(points, start, holds)
        return forgotten

    def _forget_step(self, points: Sequence[int], start_ms: int, holds: Sequence[Hold]) -> int:
        page, span = self._book.page(), (start_ms, start_ms + self.step_ms)
        found = self._reader.readings(points, *span, page.days)
        gone = ~_held(found, holds)
        if not gone.any():
            return 0
        numbers = np.unique(found.point[gone]).tolist()
        known, before = self._kept_rows(numbers, span, page)
        # Where fewer readings are known than there are, an earlier call moved what they came to
        # and ended before it took them away.
        moved = _unfinished(rollup.rolled(found, self.step_ms), known, before)
        fresh = gone & ~np.isin(found.point, moved)
        came_to = rollup.rolled(found.taken(fresh), self.step_ms)
        if len(came_to) and rollup.plausible(came_to.start_ms).all():
            before = rollup.taken(before, np.isin(before.point, came_to.point))
            left = rollup.rolled(found.taken(~gone), self.step_ms)
            self._move(rollup.together(before, came_to), left)
        self._delete(found.taken(gone), set(found.point[~gone].tolist()), span)
        return int(gone.sum())

    def _delete(self, gone: Batch, stay: set[int], span: tuple[int, int]) -> None:
        """Take readings of one step away; of points that have others there, one by one."""
        self._reader.forget(sorted(set(gone.point.tolist()) - stay), *span)
        some = gone.taken(np.isin(gone.point, sorted(stay)))
        for number, at_ms in zip(some.point.tolist(), some.at_ms.tolist(), strict=True):
            self._reader.forget([number], at_ms, at_ms + 1)

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""
        with self._turn():
            return self._book.page().applied

    def _asked(self) -> tuple[Page, Fresh]:
        # Who reads does not wait for an append in hand, which may close an hour of the campus.
        page, known = self._book.known, self._known
        if page is not None and known is not None:
            return page, known[1]
        with self._turn():
            return self._opened()

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""
        page, _ = self._asked()
        found: list[Batch] = []
        room = limit
        for number in sorted(set(points)):
            for piece in self._reader.one_by_one(number, start_ms, end_ms, page.days):
                found.append(piece.taken(np.arange(len(piece)) < room))
                room -= len(found[-1])
                if room <= 0:
                    return _joined(found)
        return _joined(found)

    def _between(self, points: Sequence[int], start_ms: int, end_ms: int) -> Batch:
        return self._reader.readings(points, start_ms, end_ms, self._asked()[0].days)

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
        page, fresh = self._asked()
        start_ms, end_ms = (
            -(-min(max(at_ms, rollup.EARLIEST_MS), rollup.LATEST_MS) // self.step_ms) * self.step_ms
            for at_ms in (start_ms, end_ms)
        )
        closed_ms, heard, torn = fresh.since_closed(points, start_ms, end_ms)
        there, gone = self._kept_rows(points, (start_ms, end_ms), page)
        closed = rollup.taken(there, there.start_ms < closed_ms)
        begin_ms = max(closed_ms, start_ms)
        made = rollup.rolled(self._reader.readings(torn, begin_ms, end_ms, page.days), self.step_ms)
        return rollup.together(gone, rollup.joined((closed, heard, made), self.step_ms))

    def edges(self, points: Sequence[int], at_ms: int) -> Edges:
        """Return per point the usable readings on both sides of an instant."""
        return edges.edges(points, at_ms, self.step_ms, self._between, self.rollups)

    def export(self, points: Sequence[int], start_ms: int, end_ms: int) -> Iterator[Batch]:
        """Yield all readings of start <= at < end, one hour after the other."""
        for day in self._asked()[0].days:
            first, last = max(start_ms, day * DAY_MS), min(end_ms, (day + 1) * DAY_MS)
            for begin in range(first, last, PIECE_MS):
                found = self._between(points, begin, min(begin + PIECE_MS, last))
                if len(found):
                    yield found

    def last(self) -> Batch:
        """Return the last reading of every point."""
        return self._asked()[1].last()

    def compact(self, before_ms: int, more: Callable[[], bool]) -> int:  # noqa: ARG002 - the port's word
        """Have nothing to put in order: the server does that by itself."""
        return 0

    def close(self) -> None:
        """Write down what is known, where the server is there, and let go of the connections."""
        page, known = self._book.known, self._known
        if page is not None and known is not None and page.since_ms < rollup.LATEST_MS:
            with suppress(StoreError):  # the next start asks the server a little more
                self._book.write_last(page, known[1].last())
        self._server.close()


def _outlived(known: Rollups, made: Rollups, found: Batch) -> list[int]:
    """Return the points whose roll-up of one step was made of readings that are there no longer.

    It is of more readings than the one made anew, or names a first one that is not found. A step
    of which nothing is found at all is left as it is.
    """
    count = dict(zip(made.point.tolist(), made.count.tolist(), strict=True))
    there = set(zip(found.point.tolist(), found.at_ms.tolist(), strict=True))
    columns = (known.point, known.count, known.good, known.first_ms)
    return [
        number
        for number, readings, good, first_ms in zip(*(c.tolist() for c in columns), strict=True)
        if number in count
        and (count[number] < readings or (good > 0 and (number, first_ms) not in there))
    ]


def _unfinished(there: Rollups, known: Rollups, gone: Rollups) -> list[int]:
    """Return the points of one step that have more readings than are known, and some moved."""
    count = dict(zip(known.point.tolist(), known.count.tolist(), strict=True))
    moved = set(gone.point.tolist())
    return [
        number
        for number, readings in zip(there.point.tolist(), there.count.tolist(), strict=True)
        if number in moved and count.get(number, 0) < readings
    ]


def _held(batch: Batch, holds: Sequence[Hold]) -> NDArray[np.bool_]:
    held = np.zeros(len(batch), np.bool_)
    for hold in holds:
        inside = (batch.at_ms >= hold.start_ms) & (batch.at_ms < hold.end_ms)
        held |= inside & np.isin(batch.point, sorted(hold.points))
    return held


def _joined(batches: Sequence[Batch]) -> Batch:
    """Join what was found, in order of (point, at)."""
    if not batches:
        return Batch.of([], [], [], [], 0)
    return in_order(Batch.joined(batches, max(batch.received_ms for batch in batches)))
