"""A connection to a journal whose disk is full when the test says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any

WRITES = ("BEGIN", "COMMIT", "INSERT", "DELETE")


class FullDisk:
    """A connection in which the writes that ``full`` names by their number find no room.

    ``full`` is asked once for every statement that writes, counted from 1, and for a ROLLBACK
    never: SQLite itself rolls back without room.
    """

    def __init__(self, connection: sqlite3.Connection, full: Callable[[int], bool]) -> None:
        self.real = connection
        self.full = full
        self.writes = 0

    def _look(self, statement: str) -> None:
        if statement.startswith(WRITES):
            self.writes += 1
            if self.full(self.writes):
                raise sqlite3.OperationalError("database or disk is full")

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        self._look(statement)
        return self.real.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Any]) -> sqlite3.Cursor:
        self._look(statement)
        return self.real.executemany(statement, rows)

    @property
    def in_transaction(self) -> bool:
        return self.real.in_transaction

    def close(self) -> None:
        self.real.close()
