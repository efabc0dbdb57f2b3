"""Readings on their way into their table, by one statement that is planned once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch
from hub.store.duckdb.layout import Connection

# Below DuckDB's own share of work (50 vectors): one thread reads, and the order stays.
ROOM_ROWS = 65_536
_PREPARE = (
    "PREPARE load AS INSERT INTO readings"
    " SELECT point, at_ms, value, quality, append FROM loading WHERE row < ?"
)


class Loading:
    """Columns of fixed room that a prepared statement reads: an append fills and runs it.

    To name new columns as a table and to plan the statement anew costs more than the rows do.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._room: dict[str, NDArray[Any]] = {
            "point": np.zeros(ROOM_ROWS, np.int32),
            "at_ms": np.zeros(ROOM_ROWS, np.int64),
            "value": np.zeros(ROOM_ROWS, np.float64),
            "quality": np.zeros(ROOM_ROWS, np.uint8),
            "append": np.zeros(ROOM_ROWS, np.int32),
            "row": np.arange(ROOM_ROWS, dtype=np.int32),
        }
        connection.register("loading", self._room)
        connection.execute(_PREPARE)

    def insert(self, batch: Batch, append: int) -> None:
        """Insert readings under the number of their append."""
        for begin in range(0, len(batch), ROOM_ROWS):
            part = slice(begin, begin + ROOM_ROWS)
            rows = len(batch.point[part])
            for name in ("point", "at_ms", "value", "quality"):
                self._room[name][:rows] = getattr(batch, name)[part]
            self._room["append"][:rows] = append
            self._connection.execute(f"EXECUTE load({rows})")
