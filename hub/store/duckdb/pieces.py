"""What is read in one go of much that is asked for: pieces of some readings, day after day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.store.duckdb import layout, order
from hub.store.duckdb.layout import Connection

PIECE_ROWS = 100_000
_COUNT = layout.SELECT_READINGS.replace("at_ms, value, quality", "count(*) AS rows", 1)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some points in start <= at < end, within one day."""

    points: list[int]
    start_ms: int
    end_ms: int


def pieces(
    cursor: Connection, points: Sequence[int], start_ms: int, end_ms: int
) -> Iterator[Piece]:
    """Cut readings into pieces of at most so many: by day, in it by point, at last by time."""
    for begin, end in order.days(cursor, "readings", "at_ms", start_ms, end_ms):
        yield from _of_one_day(cursor, points, begin, end)


def _of_one_day(
    cursor: Connection, points: Sequence[int], start_ms: int, end_ms: int
) -> Iterator[Piece]:
    asked = layout.asked(points, start_ms, end_ms)
    found = layout.columns_of(cursor, f"{_COUNT} GROUP BY point ORDER BY point", asked)
    begin, held = 0, 0
    for n, rows in enumerate(found["rows"].tolist()):
        if held + rows > PIECE_ROWS and n > begin:
            yield Piece(found["point"][begin:n].tolist(), start_ms, end_ms)
            begin, held = n, 0
        held += rows
        if held > PIECE_ROWS and end_ms - start_ms > 1:  # too much of one point
            middle = (start_ms + end_ms) // 2
            for half in ((start_ms, middle), (middle, end_ms)):
                yield from _of_one_day(cursor, found["point"][n : n + 1].tolist(), *half)
            begin, held = n + 1, 0
    if begin < len(found["point"]):
        yield Piece(found["point"][begin:].tolist(), start_ms, end_ms)
