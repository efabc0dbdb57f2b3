"""How each device, bus and gateway answered, by civil day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import availability


class Availability(NamedTuple):
    """One day of one device, bus or gateway (``what``); time in which no hub ran is not observed.

    ``latency_s`` is the mean of the day; None where no latency is known.
    """

    day: str
    what: str
    subject: str
    online_ms: int
    observed_ms: int
    answers: int
    failures: int
    latency_s: float | None

    @property
    def share(self) -> float | None:
        """Return the share of the observed time in which it answered."""
        return self.online_ms / self.observed_ms if self.observed_ms else None


def put(database: Database, rows: Sequence[Availability]) -> None:
    """Keep days; one kept before is replaced, so that a day can be kept while it lasts."""
    if not rows:
        return
    statement = database.insert(availability)
    changing = Availability._fields[3:]
    statement = statement.on_conflict_do_update(
        index_elements=["day", "what", "subject"],
        set_={name: statement.excluded[name] for name in changing},
    )
    with database.write() as connection:
        connection.execute(statement, [row._asdict() for row in rows])


def of_day(database: Database, day: str) -> list[Availability]:
    """Return everything that is kept of a day."""
    query = sa.select(availability).where(availability.c.day == day)
    query = query.order_by(availability.c.what, availability.c.subject)
    with database.read() as connection:
        return [Availability(*row) for row in connection.execute(query)]


def of_kinds(
    database: Database, kinds: Sequence[str], first_day: str, last_day: str
) -> list[Availability]:
    """Return the days of every subject of some kinds, both ends included."""
    query = sa.select(availability).where(
        availability.c.what.in_(kinds), availability.c.day.between(first_day, last_day)
    )
    query = query.order_by(availability.c.what, availability.c.subject, availability.c.day)
    with database.read() as connection:
        return [Availability(*row) for row in connection.execute(query)]


def of(
    database: Database, what: str, subject: str, first_day: str, last_day: str
) -> list[Availability]:
    """Return the days of one device, bus or gateway, both ends included."""
    query = sa.select(availability).where(
        availability.c.what == what,
        availability.c.subject == subject,
        availability.c.day.between(first_day, last_day),
    )
    with database.read() as connection:
        rows = connection.execute(query.order_by(availability.c.day))
        return [Availability(*row) for row in rows]
