"""The tables of the file, and how numpy columns come in and out of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Rollups
from hub.store import rollup

Connection = duckdb.DuckDBPyConnection
Columns = Mapping[str, NDArray[Any]]

DAY_MS = 24 * 3_600_000

_ROLLUP = (
    "point INTEGER, start_ms BIGINT, count INTEGER, good INTEGER, min DOUBLE, max DOUBLE,"
    " sum DOUBLE, first DOUBLE, last DOUBLE, first_ms BIGINT, last_ms BIGINT, coverage_ms INTEGER"
)
# appends: one row for each, with the journal's sequence; the last is the cursor. newest: as they
# were at append marks.append; ordered: before which instant a table is in order.
TABLES = f"""
CREATE TABLE IF NOT EXISTS readings (
    point INTEGER, at_ms BIGINT, value DOUBLE, quality UTINYINT, append INTEGER);
CREATE TABLE IF NOT EXISTS appends (append INTEGER, seq BIGINT, received_ms BIGINT);
CREATE TABLE IF NOT EXISTS rollups ({_ROLLUP});
CREATE TABLE IF NOT EXISTS newest (
    {_ROLLUP}, at_ms BIGINT, value DOUBLE, quality UTINYINT, kept_from BIGINT);
CREATE TABLE IF NOT EXISTS marks (append INTEGER, step_ms BIGINT);
CREATE TABLE IF NOT EXISTS ordered (name VARCHAR, before_ms BIGINT);
"""
NAMES = ", ".join(rollup.COLUMNS)
INSERT_ROLLUPS = f"INSERT INTO rollups SELECT {NAMES} FROM new_rollups"  # noqa: S608
INSERT_NEWEST = (
    f"INSERT INTO newest SELECT {NAMES}, at_ms, value, quality, kept_from FROM new_newest"  # noqa: S608
)
# Bounds let DuckDB skip almost the whole table, whichever way it lies.
SELECT_READINGS = (
    "SELECT point, at_ms, value, quality FROM readings WHERE point BETWEEN ? AND ?"
    " AND point IN (SELECT unnest(?::INTEGER[])) AND at_ms >= ? AND at_ms < ?"
)
_SELECT_ROLLUPS = (
    "SELECT {} FROM rollups WHERE point BETWEEN ? AND ?"
    " AND point IN (SELECT unnest(?::INTEGER[])) AND start_ms >= ? AND start_ms < ?"
)
DELETE_READINGS = (
    "DELETE FROM readings USING gone WHERE readings.at_ms BETWEEN ? AND ?"
    " AND readings.point = gone.point AND readings.at_ms = gone.at_ms"
)
DELETE_ROLLUPS = (
    "DELETE FROM rollups USING gone WHERE rollups.start_ms BETWEEN ? AND ?"
    " AND rollups.point = gone.point AND rollups.start_ms = gone.start_ms"
)


def asked(points: Sequence[int], start_ms: int, end_ms: int) -> list[Any]:
    """Return the values of the questions above."""
    return [min(points, default=0), max(points, default=0), list(points), start_ms, end_ms]


def run_on(connection: Connection, sql: str, values: list[Any], **tables: Columns) -> None:
    """Run a statement over numpy columns that it may name as tables."""
    with _named(connection, tables):
        connection.execute(sql, values)


@contextlib.contextmanager
def _named(connection: Connection, tables: Mapping[str, Columns]) -> Iterator[None]:
    for name, columns in tables.items():
        connection.register(name, dict(columns))
    try:
        yield
    finally:
        for name in tables:
            connection.unregister(name)


def number(connection: Connection, sql: str) -> int:
    """Return the one number of an answer, 0 where there is none."""
    found = connection.execute(sql).fetchone()
    return int(found[0] or 0) if found else 0


def columns_of(
    connection: Connection, sql: str, values: list[Any], **tables: Columns
) -> dict[str, NDArray[Any]]:
    """Return the columns of an answer, to which numpy columns may be named as tables.

    A number that is none is NaN.
    """
    with _named(connection, tables):
        answer: dict[str, Any] = connection.execute(sql, values).fetchnumpy()
    return {
        name: column.filled(np.nan) if isinstance(column, np.ma.MaskedArray) else column
        for name, column in answer.items()
    }


def batch_of(connection: Connection, sql: str, values: list[Any], **tables: Columns) -> Batch:
    """Return the readings of an answer."""
    found = columns_of(connection, sql, values, **tables)
    received = int(found["at_ms"].max(initial=0))
    return Batch(found["point"], found["at_ms"], found["value"], found["quality"], received)


def rollups_of(
    connection: Connection,
    values: list[Any],
    step_ms: int,
    names: Sequence[str] = tuple(rollup.COLUMNS),
) -> Rollups:
    """Return the roll-ups that :func:`asked` asks for; columns that are not named say nothing.

    Each column is read from blocks of its own: of a year of one point, they are most of the work.
    """
    found = columns_of(connection, _SELECT_ROLLUPS.format(", ".join(names)), values)
    silent = rollup.unrolled(step_ms, found["point"], found["start_ms"])
    return Rollups(step_ms, **(rollup.columns_of(silent) | found))
