"""What people are still to be told; written together with the effects, sent by hub.notify."""

from __future__ import annotations

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import outbox
from hub.model import Notification


def unsent(database: Database, limit: int = 100) -> list[Notification]:
    """Return what is not told yet, oldest first."""
    query = sa.select(outbox).where(outbox.c.sent_ms.is_(None))
    query = query.order_by(outbox.c.created_ms, outbox.c.key).limit(limit)
    with database.read() as connection:
        rows = connection.execute(query).all()
    return [
        Notification(row.key, row.ticket, row.subject, row.body, row.created_ms) for row in rows
    ]


def note_attempt(database: Database, key: str) -> None:
    """Count a failed attempt."""
    change = sa.update(outbox).where(outbox.c.key == key)
    with database.write() as connection:
        connection.execute(change.values(attempts=outbox.c.attempts + 1))


def note_sent(database: Database, key: str, at_ms: int) -> None:
    """Note that people were told; it is never told again."""
    change = sa.update(outbox).where(outbox.c.key == key, outbox.c.sent_ms.is_(None))
    with database.write() as connection:
        connection.execute(change.values(sent_ms=at_ms, attempts=outbox.c.attempts + 1))
