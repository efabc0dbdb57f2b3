"""Changes of meters as people enter them: records are added and corrected, never removed."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from hub.database.connection import ConflictError, Database
from hub.database.schema import meter_changes
from hub.ports import Refused


@dataclass(frozen=True, slots=True)
class Entered:
    """What a person entered about a counter, in the unit and on the scale that it shows.

    At ``at_ms`` the old meter showed ``closing`` and the new one ``opening``; ``multiplier``, if
    any, holds from then on. ``corrects`` is the number of the record that this one takes the place
    of; ``void`` tells that there was no change at all.
    """

    point: str
    at_ms: int
    closing: float
    opening: float
    multiplier: float | None
    reason: str
    actor: str
    entered_ms: int
    corrects: int | None = None
    void: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A kept entry with its number; ``corrected_by`` is the record that took its place."""

    n: int
    entered: Entered
    corrected_by: int | None = None

    @property
    def stands(self) -> bool:
        """Tell whether the figures go by it."""
        return self.corrected_by is None and not self.entered.void


def add(database: Database, entered: Entered) -> int:
    """Keep a record and return its number; Refused when what it corrects is corrected already."""
    try:
        with database.write() as connection:
            statement = sa.insert(meter_changes).values(asdict(entered))
            (n,) = connection.execute(statement).inserted_primary_key or (0,)
    except ConflictError as error:
        raise Refused(
            f"meter change {entered.corrects} has been corrected already; correct the correction"
        ) from error
    return int(n)


def of_points(database: Database, points: list[str] | None = None) -> list[Record]:
    """Return the records of some points, or all, in the order in which they were entered."""
    query = sa.select(meter_changes).order_by(meter_changes.c.n)
    if points is not None:
        query = query.where(meter_changes.c.point.in_(points))
    with database.read() as connection:
        rows = [(row[0], Entered(*row[1:])) for row in connection.execute(query)]
    corrected = {entered.corrects: n for n, entered in rows if entered.corrects is not None}
    return [Record(n, entered, corrected.get(n)) for n, entered in rows]
