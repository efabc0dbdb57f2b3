"""Which scheduled jobs have run, by job and period; so a missed run is made up exactly once."""

from __future__ import annotations

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import runs


def mark(database: Database, job: str, period: str, done_ms: int) -> None:
    """Note that a job has run for a period; the first note stays."""
    row = {"job": job, "period": period, "done_ms": done_ms}
    with database.write() as connection:
        connection.execute(database.insert(runs).on_conflict_do_nothing(), [row])


def last(database: Database, job: str) -> str | None:
    """Return the latest period that a job has run for."""
    query = sa.select(sa.func.max(runs.c.period)).where(runs.c.job == job)
    with database.read() as connection:
        period = connection.execute(query).scalar_one()
    return None if period is None else str(period)
