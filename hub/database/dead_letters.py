"""Messages that could not be used, kept for a person to look at; the oldest go first."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import dead_letters

KEPT = 10_000
LONGEST = 4096


class DeadLetter(NamedTuple):
    """One message that could not be used."""

    n: int
    at_ms: int
    source: str
    reason: str
    payload: bytes


def add(database: Database, at_ms: int, source: str, reason: str, payload: bytes) -> None:
    """Keep the beginning of a message and why it could not be used."""
    row = {
        "at_ms": at_ms,
        "source": source[:300],
        "reason": reason,
        "payload": payload[:LONGEST],
    }
    with database.write() as connection:
        (n,) = connection.execute(sa.insert(dead_letters).values(row)).inserted_primary_key or (0,)
        connection.execute(sa.delete(dead_letters).where(dead_letters.c.n <= n - KEPT))


def latest(database: Database, limit: int = 100) -> list[DeadLetter]:
    """Return the latest letters, the newest first."""
    query = sa.select(dead_letters).order_by(dead_letters.c.n.desc()).limit(limit)
    with database.read() as connection:
        return [DeadLetter(*row) for row in connection.execute(query)]
