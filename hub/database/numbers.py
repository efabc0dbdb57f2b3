"""Point numbers: given once, kept with the data, never reused."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import points


def number_points(database: Database, ids: Sequence[str]) -> dict[str, int]:
    """Return the number of each point, giving new ones in the order of ``ids``."""
    with database.write() as connection:
        known = _numbers(connection)
        missing = [{"id": one} for one in dict.fromkeys(ids) if one not in known]
        if missing:
            connection.execute(database.insert(points).on_conflict_do_nothing(), missing)
            known = _numbers(connection)
    return {one: known[one] for one in ids}


def names(database: Database) -> dict[int, str]:
    """Return the id of each point by its number."""
    with database.read() as connection:
        return {number: id_ for id_, number in _numbers(connection).items()}


def _numbers(connection: sa.Connection) -> dict[str, int]:
    return dict(connection.execute(sa.select(points.c.id, points.c.number)).all())
