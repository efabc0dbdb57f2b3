"""Readings in DuckDB: numpy columns in, roll-ups and cursor inside the same transaction."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Edges, Hold, Rollups
from hub.ports import Aggregate, StartError, StoreError
from hub.store import edges, rollup, steps
from hub.store.duckdb import layout, opening, order
from hub.store.duckdb.late import Late, corrected
from hub.store.duckdb.loading import Loading
from hub.store.duckdb.pieces import pieces
from hub.store.newest import Change
from hub.store.steps import Series, in_order

# So many readings are looked at again after a crash, and the newest are written down that rarely.
MARK_ROWS = 4_000_000
# What DuckDB holds of the file; without a limit that becomes all of it, up to most of the memory.
MEMORY = "128MB"
EVER = (rollup.EARLIEST_MS, rollup.LATEST_MS)


class DuckStore:
    """One file of one process; one writer, readers beside it.

    There is no primary key: it would cost twenty times the disk. A reading that is not newer than
    all of its point may replace one and touches a closed step: such are looked up. All others go
    straight to the table, and their roll-ups wait in memory (:class:`Newest`) until they close.
    """

    def __init__(
        self,
        path: Path | str = ":memory:",
        threads: int | None = None,
        step_ms: int = rollup.BASE_MS,
        mark_rows: int = MARK_ROWS,
    ) -> None:
        try:
            self._database = duckdb.connect(str(path))
            self._writer = self._database.cursor()
            if str(path) != ":memory:":
                self._writer.execute(f"SET memory_limit = '{MEMORY}'")
            if threads:
                self._writer.execute(f"SET threads = {int(threads)}")
            self._newest = opening.prepared(self._writer, step_ms)
            self._append, self._applied = opening.last_append(self._writer)
            self._loading = Loading(self._writer)
        except duckdb.Error as error:
            raise StartError(
                f"telemetry {path}: cannot be opened: {error}; is another hub using it?"
            ) from error
        self.step_ms = self._newest.step_ms
        self._mark_rows = mark_rows
        self._unmarked = 0
        self._lock = threading.Lock()  # one writer
        self._instant = threading.Lock()  # what is committed and what is in memory are one

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch, its roll-ups and its sequence in one transaction, or raise StoreError."""
        with self._lock:
            if seq <= self._applied:
                return
            try:
                self._writer.begin()
                change, late = self._write(in_order(batch), seq)
                with self._instant:
                    self._writer.commit()
                    self._append, self._applied = self._append + 1, seq
                    self._newest.reach(batch.at_ms)
                    forgotten = self._newest.apply(change)
                    if late is not None:
                        self._newest.correct(late.batch)
                        self._newest.put(late.opened)
                        forgotten |= late.forgotten
                self._unmarked += len(batch)
                if forgotten or self._unmarked >= self._mark_rows:
                    self._mark()
            except duckdb.Error as error:
                self._roll_back()
                raise StoreError(f"duckdb: {len(batch)} readings not kept: {error}") from error

    def _write(self, batch: Batch, seq: int) -> tuple[Change, Late | None]:
        newest = self._newest
        newest.make_room(int(batch.point.max(initial=0)))
        behind = (batch.at_ms <= newest.at_ms[batch.point]) | ~rollup.plausible(batch.at_ms)
        if not behind.any():
            change, late = newest.change(batch), None
        else:
            change = newest.change(batch.taken(~behind))
            late = corrected(self._writer, newest, change, batch, behind)
        if len(batch):
            self._loading.insert(batch, self._append + 1)
        if len(change.closed):
            self._insert_rollups(change.closed)
        if late is not None and len(late.closed):
            late.replace(self._writer)
            self._insert_rollups(late.closed)
        self._writer.execute(
            "INSERT INTO appends VALUES (?, ?, ?)", [self._append + 1, seq, batch.received_ms]
        )
        return change, late

    def _insert_rollups(self, rows: Rollups) -> None:
        layout.run_on(self._writer, layout.INSERT_ROLLUPS, [], new_rollups=rollup.columns_of(rows))

    def _mark(self) -> None:
        """Write down the newest, so that the next start looks at what comes after only."""
        self._writer.begin()
        self._writer.execute("DELETE FROM newest")
        layout.run_on(self._writer, layout.INSERT_NEWEST, [], new_newest=self._newest.columns())
        self._writer.execute("UPDATE marks SET append = ?", [self._append])
        self._writer.commit()
        self._unmarked = 0

    def _roll_back(self) -> None:
        """Forget what was begun; a commit may have held although it was refused."""
        with contextlib.suppress(duckdb.Error):  # the transaction may be over already
            self._writer.rollback()
        with contextlib.suppress(duckdb.Error):
            writer = self._database.cursor()
            self._loading = Loading(writer)  # never on another connection than the writer's
            self._writer = writer
            if (last := opening.last_append(self._writer)) != (self._append, self._applied):
                with self._instant:
                    self._newest = opening.prepared(self._writer, self.step_ms)
                    self._append, self._applied = last

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""
        return self._applied

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""
        with self._reading() as cursor:
            return layout.batch_of(
                cursor,
                f"{layout.SELECT_READINGS} ORDER BY point, at_ms LIMIT ?",
                [*layout.asked(points, start_ms, end_ms), limit],
            )

    def _raw(self, points: Sequence[int], start_ms: int, end_ms: int) -> Batch:
        with self._reading() as cursor:
            return _readings(cursor, points, start_ms, end_ms)

    def last(self) -> Batch:
        """Return the last reading of every point."""
        with self._instant:
            return self._newest.last()

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
            lambda begin, end: self._raw(points, begin, end),
            lambda begin, end: self._rollups(points, begin, end, rollup.needed(aggregates)),
        )

    def rollups(self, points: Sequence[int], start_ms: int, end_ms: int) -> Rollups:
        """Return the roll-ups whose base step begins in start <= step < end."""
        return self._rollups(points, start_ms, end_ms, tuple(rollup.COLUMNS))

    def _rollups(
        self, points: Sequence[int], start_ms: int, end_ms: int, names: Sequence[str]
    ) -> Rollups:
        with self._reading() as cursor:
            with self._instant:
                layout.number(cursor, "SELECT step_ms FROM marks")  # what a first look sees, stays
                opened = self._newest.rows(_numbers(points), start_ms, end_ms)
            closed = layout.rollups_of(
                cursor, layout.asked(points, start_ms, end_ms), self.step_ms, names
            )
        return rollup.joined((closed, opened), self.step_ms)

    def edges(self, points: Sequence[int], at_ms: int) -> Edges:
        """Return per point the usable readings on both sides of an instant."""
        with self._instant:
            span = self._newest.earliest_ms, self._newest.latest(_numbers(points))
        return edges.edges(points, at_ms, self.step_ms, self._raw, self.rollups, span)

    def export(self, points: Sequence[int], start_ms: int, end_ms: int) -> Iterator[Batch]:
        """Yield all readings of start <= at < end in pieces of a bounded number of them."""
        with self._reading() as cursor:
            for piece in pieces(cursor, points, start_ms, end_ms):
                yield _readings(cursor, piece.points, piece.start_ms, piece.end_ms)

    def forget(self, points: Sequence[int], before_ms: int, holds: Sequence[Hold] = ()) -> int:
        """Forget readings before a whole base step, but those held; roll-ups stay."""
        before_ms -= before_ms % self.step_ms
        with self._lock, self._told("nothing forgotten"):
            numbers = np.asarray(points, np.int32)
            self._newest.make_room(int(numbers.max(initial=0)))
            self._newest.kept_from[numbers] = np.maximum(self._newest.kept_from[numbers], before_ms)
            self._mark()
        forgotten = 0
        holds = [rollup.widened(hold, self.step_ms) for hold in holds]
        with self._told("not all forgotten"):
            with self._reading() as cursor:
                days = list(order.days(cursor, "readings", "at_ms", -(2**62), before_ms))
            for begin, end in days:
                with self._lock:
                    forgotten += order.forget(self._writer, points, (begin, end), holds)
        return forgotten

    def compact(self, before_ms: int, more: Callable[[], bool]) -> int:
        """Put closed days in order of (point, at), slice by slice: nobody waits for long."""
        moved = 0
        with self._told("not all put in order"):
            for piece in order.pieces(self._database, before_ms):
                if not more():
                    break
                with self._lock:
                    moved += order.put_in_order(self._writer, piece)
        return moved

    def copy_to(self, file: Path) -> None:
        """Write a copy, as it is at one instant, to a new file; appends and readers go on."""
        name = str(file).replace("'", "''")
        with self._told("not copied"), self._database.cursor() as cursor:
            source = cursor.execute("SELECT current_database()").fetchall()[0][0]
            cursor.execute(f"ATTACH '{name}' AS copy")
            try:
                cursor.execute(f'COPY FROM DATABASE "{source}" TO copy')
            finally:
                cursor.execute("DETACH copy")

    def rows(self) -> dict[str, int]:
        """Return how many rows the tables have; that of roll-ups, with the open ones."""
        with self._reading() as cursor:
            with self._instant:
                readings = layout.number(cursor, "SELECT count(*) FROM readings")
                opened = self._newest.rows(self._newest.last().point, *EVER)
            closed = layout.number(cursor, "SELECT count(*) FROM rollups")
            return {"readings": readings, "rollups": closed + len(opened)}

    @contextlib.contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Read in a transaction of its own, so that any thread may ask beside the writer."""
        try:
            with self._database.cursor() as cursor:
                cursor.begin()
                yield cursor
        except duckdb.Error as error:
            raise StoreError(f"duckdb: cannot be read: {error}") from error

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            self._roll_back()
            raise StoreError(f"duckdb: {what}: {error}") from error

    def close(self) -> None:
        """Write everything down and let go of the file."""
        with self._lock:
            with contextlib.suppress(duckdb.Error):  # the next start looks further back instead
                self._mark()
            self._writer.close()
            self._database.close()


def _readings(
    cursor: duckdb.DuckDBPyConnection, points: Sequence[int], start_ms: int, end_ms: int
) -> Batch:
    return in_order(
        layout.batch_of(cursor, layout.SELECT_READINGS, layout.asked(points, start_ms, end_ms))
    )


def _numbers(points: Sequence[int]) -> NDArray[np.int32]:
    return np.unique(np.asarray(points, np.int32))
