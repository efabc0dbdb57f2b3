"""Closed days put in order of (point, at), and days forgotten: slice by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hub.model import Hold
from hub.store.duckdb.layout import DAY_MS, Connection
from hub.store.rollup import EARLIEST_MS

# An append waits for one slice at most.
SLICE_ROWS = 1_000_000
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Ordering:
    """One table to be put in order, piece of time by piece of time."""

    table: str
    at: str
    span_ms: int


# A week of roll-ups: a year of one point is fifty looks, and a day of all of them is one piece.
ORDERINGS = (
    Ordering("readings", "at_ms", DAY_MS),
    Ordering("rollups", "start_ms", WEEK_MS),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Points from..to of one span of time; the last piece of a span says that it is done."""

    ordering: Ordering
    span: tuple[int, int]
    points: tuple[int, int]
    last: bool


def days(
    connection: Connection, table: str, at: str, start_ms: int, end_ms: int, span_ms: int = DAY_MS
) -> Iterator[tuple[int, int]]:
    """Yield the days (or longer spans) of start..end in which a table has rows, cut to it."""
    found = connection.execute(
        f"SELECT DISTINCT {at} // {int(span_ms)} AS day FROM {table}"  # noqa: S608 - own words
        f" WHERE {at} >= ? AND {at} < ? ORDER BY day",
        [start_ms, end_ms],
    ).fetchall()
    for (day,) in found:
        yield max(day * span_ms, start_ms), min((day + 1) * span_ms, end_ms)


def pieces(database: Connection, before_ms: int) -> Iterator[Piece]:
    """Find what is to be put in order before an instant, in pieces of some rows."""
    with database.cursor() as cursor:
        for ordering in ORDERINGS:
            done = cursor.execute(
                "SELECT max(before_ms) FROM ordered WHERE name = ?", [ordering.table]
            ).fetchall()[0][0]
            end = before_ms // ordering.span_ms * ordering.span_ms
            spans = days(
                cursor, ordering.table, ordering.at, done or EARLIEST_MS, end, ordering.span_ms
            )
            for span in list(spans):
                yield from _slices(cursor, ordering, span)


def _slices(cursor: Connection, ordering: Ordering, span: tuple[int, int]) -> Iterator[Piece]:
    found = cursor.execute(
        f"SELECT point, count(*) AS rows FROM {ordering.table}"  # noqa: S608 - own words
        f" WHERE {ordering.at} >= ? AND {ordering.at} < ? GROUP BY point ORDER BY point",
        list(span),
    ).fetchnumpy()
    part = np.cumsum(found["rows"]) // SLICE_ROWS
    for number in (parts := np.unique(part).tolist()):
        points = found["point"][part == number]
        limits = int(points[0]), int(points[-1])
        yield Piece(ordering, span, limits, last=number == parts[-1])


def put_in_order(writer: Connection, piece: Piece) -> int:
    """Move the rows of a piece to the end of their table, in order; return how many."""
    ordering = piece.ordering
    where = f"{ordering.at} >= ? AND {ordering.at} < ? AND point BETWEEN ? AND ?"
    limits = [*piece.span, *piece.points]
    writer.begin()
    writer.execute(
        f"CREATE TEMP TABLE piece AS FROM {ordering.table} WHERE {where}",
        limits,
    )
    writer.execute(f"DELETE FROM {ordering.table} WHERE {where}", limits)  # noqa: S608
    moved = writer.execute(
        f"INSERT INTO {ordering.table} FROM piece ORDER BY point, {ordering.at}"
    ).fetchall()[0][0]
    writer.execute("DROP TABLE piece")
    if piece.last:
        writer.execute("DELETE FROM ordered WHERE name = ?", [ordering.table])
        writer.execute("INSERT INTO ordered VALUES (?, ?)", [ordering.table, piece.span[1]])
    writer.commit()
    return int(moved)


def forget(
    writer: Connection, points: Sequence[int], span: tuple[int, int], holds: Sequence[Hold]
) -> int:
    """Delete the readings of points in a span of time, but those held; return how many."""
    held = [hold for hold in holds if hold.start_ms < span[1] and hold.end_ms > span[0]]
    but = " AND NOT (at_ms >= ? AND at_ms < ? AND point IN (SELECT unnest(?::INTEGER[])))"
    values: list[object] = [list(points), *span]
    for hold in held:
        values += [hold.start_ms, hold.end_ms, sorted(hold.points)]
    found = writer.execute(
        "DELETE FROM readings WHERE point IN (SELECT unnest(?::INTEGER[]))"  # noqa: S608
        " AND at_ms >= ? AND at_ms < ?" + but * len(held),
        values,
    ).fetchall()
    return int(found[0][0])
