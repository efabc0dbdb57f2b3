"""Who did what; lines are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import audit
from hub.model import Json


class AuditLine(NamedTuple):
    """One thing that somebody did or tried."""

    n: int
    at_ms: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Json]


def add(
    database: Database,
    at_ms: int,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Json] | None = None,
) -> int:
    """Add a line and return its number."""
    row = {
        "at_ms": at_ms,
        "actor": actor[:100],
        "action": action,
        "subject": subject[:300],
        "detail": dict(detail or {}),
    }
    with database.write() as connection:
        (n,) = connection.execute(sa.insert(audit).values(row)).inserted_primary_key or (0,)
    return int(n)


def latest(database: Database, limit: int = 100, before: int | None = None) -> list[AuditLine]:
    """Return the latest lines, the newest first; ``before`` a line's number pages back."""
    query = sa.select(audit).order_by(audit.c.n.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.n < before)
    with database.read() as connection:
        return [AuditLine(*row) for row in connection.execute(query)]
