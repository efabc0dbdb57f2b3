"""How much is in the database."""

from __future__ import annotations

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import metadata


def rows(database: Database) -> dict[str, int]:
    """Return how many rows every table has."""
    with database.read() as connection:
        return {
            table.name: int(
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            )
            for table in metadata.sorted_tables
        }
