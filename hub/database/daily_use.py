"""The energy of closed days by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import daily_use


class DailyUse(NamedTuple):
    """The energy of one place on one civil day; ``kwh`` is None where nothing was measured."""

    day: str
    place: str
    kwh: float | None
    coverage: float


def put(database: Database, rows: Sequence[DailyUse]) -> None:
    """Keep days; one kept before is replaced, so a day can be closed again."""
    if not rows:
        return
    statement = database.insert(daily_use)
    statement = statement.on_conflict_do_update(
        index_elements=["day", "place"],
        set_={"kwh": statement.excluded.kwh, "coverage": statement.excluded.coverage},
    )
    with database.write() as connection:
        connection.execute(statement, [row._asdict() for row in rows])


def get(database: Database, place: str, first_day: str, last_day: str) -> list[DailyUse]:
    """Return the closed days of a place from ``first_day`` to ``last_day``, both included."""
    query = sa.select(daily_use).where(
        daily_use.c.place == place, daily_use.c.day.between(first_day, last_day)
    )
    with database.read() as connection:
        return [DailyUse(*row) for row in connection.execute(query.order_by(daily_use.c.day))]
