"""Swaps of the roster as they were made; written only by hub.database.effects."""

from __future__ import annotations

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import swaps
from hub.model import Swap


def every(database: Database) -> list[Swap]:
    """Return all swaps, the earliest made first."""
    query = sa.select(swaps).order_by(swaps.c.n)
    with database.read() as connection:
        return [_swap(row) for row in connection.execute(query).mappings()]


def get(database: Database, id_: str) -> Swap | None:
    """Return one swap."""
    with database.read() as connection:
        query = sa.select(swaps).where(swaps.c.id == id_)
        row = connection.execute(query).mappings().one_or_none()
    return _swap(row) if row else None


def _swap(row: sa.RowMapping) -> Swap:
    return Swap(**{name: value for name, value in row.items() if name != "n"})
