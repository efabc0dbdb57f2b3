"""Readings in DuckDB: numpy columns in, the journal's cursor inside the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from hub.model import Batch
from hub.ports import Aggregate, StartError, StoreError
from hub.store.steps import Series, count_steps, laid_out, last_said

_TABLES = """
CREATE TABLE IF NOT EXISTS readings (
    point INTEGER, at_ms BIGINT, value DOUBLE, quality UTINYINT, received_ms BIGINT);
CREATE TABLE IF NOT EXISTS cursor (applied BIGINT);
INSERT INTO cursor SELECT 0 WHERE NOT EXISTS (FROM cursor);
"""
_INSERT = "INSERT INTO readings SELECT point, at_ms, value, quality, ? FROM columns"
# Bounds of the instants let DuckDB skip almost the whole table: it lies in order of arrival.
_REPLACE = """
DELETE FROM readings USING late
WHERE readings.at_ms BETWEEN ? AND ?
  AND readings.point = late.point AND readings.at_ms = late.at_ms
"""
_LAST = """
SELECT point, max(at_ms) AS at_ms, arg_max(struct_pack(v := value), at_ms).v AS value,
       arg_max(quality, at_ms) AS quality
FROM readings GROUP BY point ORDER BY point
"""
_NUMBERS = {
    "count": "count(*)",
    "min": "min(value)",
    "max": "max(value)",
    "mean": "avg(value)",
    "first": "arg_min(value, at_ms)",
    "last": "arg_max(value, at_ms)",
}
_NEVER = np.iinfo(np.int64).min


class DuckStore:
    """One file of one process; one writer, readers beside it.

    There is no primary key: it would cost twenty times the disk. A late reading, which may
    replace one of the same point and instant, is known by the newest instant of its point.
    """

    def __init__(self, path: Path | str = ":memory:", threads: int | None = None) -> None:
        try:
            self._database = duckdb.connect(str(path))
            self._writer = self._database.cursor()
            if threads:
                self._writer.execute(f"SET threads = {int(threads)}")
            self._writer.execute(_TABLES)
            self._applied = self._read_applied()
            self._newest = np.full(1, _NEVER, np.int64)
            self._note(self.last())
        except duckdb.Error as error:
            raise StartError(
                f"telemetry {path}: cannot be opened: {error}; is another hub using it?"
            ) from error
        self._lock = threading.Lock()

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch and its sequence in one transaction, or raise StoreError."""
        with self._lock:
            if seq <= self._applied:
                return
            try:
                self._writer.begin()
                self._insert(batch)
                self._writer.execute("UPDATE cursor SET applied = ?", [seq])
                self._writer.commit()
            except duckdb.Error as error:
                self._roll_back()
                raise StoreError(f"duckdb: {len(batch)} readings not kept: {error}") from error
            self._applied = seq
            self._note(batch)

    def _insert(self, batch: Batch) -> None:
        if not len(batch):
            return
        late = self._late(batch)
        if late.any():
            batch = self._replaced(batch, late)
        self._writer.register("columns", _columns(batch))
        self._writer.execute(_INSERT, [batch.received_ms])
        self._writer.unregister("columns")

    def _late(self, batch: Batch) -> NDArray[np.bool_]:
        """Tell which readings may meet one of the same point and instant: kept, or in the batch."""
        self._make_room(int(batch.point.max()))
        late = batch.at_ms <= self._newest[batch.point]
        if len(np.unique(batch.point)) == len(batch):
            return late
        order = np.lexsort((batch.at_ms, batch.point))
        point, at_ms = batch.point[order], batch.at_ms[order]
        same = (point[1:] == point[:-1]) & (at_ms[1:] == at_ms[:-1])
        late[order[1:][same]] = True
        return late

    def _replaced(self, batch: Batch, late: NDArray[np.bool_]) -> Batch:
        """Take away what the late readings correct; return the batch without its own repeats."""
        rows = batch.taken(late)
        self._writer.register("late", {"point": rows.point, "at_ms": rows.at_ms})
        self._writer.execute(_REPLACE, [int(rows.at_ms.min()), int(rows.at_ms.max())])
        self._writer.unregister("late")
        keep = np.zeros(len(batch), np.bool_)
        keep[last_said(batch)] = True
        return batch.taken(keep)

    def _roll_back(self) -> None:
        try:
            self._writer.rollback()
        except duckdb.Error:  # the transaction is over already
            self._writer = self._database.cursor()
        try:
            self._applied = self._read_applied()  # a commit may have held although it was refused
        except duckdb.Error:
            return

    def _read_applied(self) -> int:
        row = self._writer.execute("SELECT applied FROM cursor").fetchone()
        return int(row[0]) if row else 0

    def _make_room(self, highest: int) -> None:
        if highest >= len(self._newest):
            more = max(highest + 1, 2 * len(self._newest)) - len(self._newest)
            self._newest = np.append(self._newest, np.full(more, _NEVER, np.int64))

    def _note(self, batch: Batch) -> None:
        if len(batch):
            self._make_room(int(batch.point.max()))
            np.maximum.at(self._newest, batch.point, batch.at_ms)

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""
        return self._applied

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""
        return self._batch(
            "SELECT point, at_ms, value, quality FROM readings"
            " WHERE point IN (SELECT unnest(?::INTEGER[])) AND at_ms >= ? AND at_ms < ?"
            " ORDER BY point, at_ms LIMIT ?",
            [list(points), start_ms, end_ms, limit],
        )

    def last(self) -> Batch:
        """Return the last reading of every point."""
        return self._batch(_LAST, [])

    def _batch(self, sql: str, values: list[Any]) -> Batch:
        found = self._ask(sql, values)
        value = found["value"]
        if isinstance(value, np.ma.MaskedArray):
            value = value.filled(np.nan)
        received = int(found["at_ms"].max()) if len(value) else 0
        return Batch(found["point"], found["at_ms"], value, found["quality"], received)

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
        numbers = "".join(
            f", {_NUMBERS[aggregate]} AS n{n}" for n, aggregate in enumerate(aggregates)
        )
        found = self._ask(
            f"SELECT point, (at_ms - ?) // ? AS step{numbers} FROM readings"  # noqa: S608 - own words
            " WHERE point IN (SELECT unnest(?::INTEGER[])) AND at_ms >= ? AND at_ms < ?"
            " AND quality & 3 = 0 GROUP BY ALL",
            [start_ms, step_ms, list(points), start_ms, end_ms],
        )
        columns = [column.tolist() for column in found.values()]
        rows = ((row[0], row[1], row[2:]) for row in zip(*columns, strict=True))
        return laid_out(points, steps, aggregates, rows)

    def _ask(self, sql: str, values: list[Any]) -> dict[str, Any]:
        """Read with a cursor of its own, so that any thread may ask beside the writer."""
        try:
            with self._database.cursor() as cursor:
                answer: dict[str, Any] = cursor.execute(sql, values).fetchnumpy()
        except duckdb.Error as error:
            raise StoreError(f"duckdb: cannot be read: {error}") from error
        return answer

    def close(self) -> None:
        """Write everything down and let go of the file."""
        with self._lock:
            self._writer.close()
            self._database.close()


def _columns(batch: Batch) -> dict[str, NDArray[Any]]:
    return {
        "point": batch.point,
        "at_ms": batch.at_ms,
        "value": batch.value,
        "quality": batch.quality,
    }
