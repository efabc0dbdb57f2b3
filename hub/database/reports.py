"""What people without an account reported: which ticket each report is part of, and its photos.

The rows follow from the history of the tickets and are kept with it, in the same transaction. Only
how a person can be reached is kept beside, so that it can be erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import reports, tickets
from hub.model import TicketEvent

BEGINNINGS = ("opened", "merged", "reopened")
MOST_MEASURED = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """One report; ``hash`` is the SHA-256 of the token of its progress page."""

    hash: str
    ticket: str
    kind: str
    place: str
    device: str
    words: str
    photos: tuple[str, ...]
    at_ms: int
    contact: str = ""


def add(database: Database, connection: sa.Connection, events: Iterable[TicketEvent]) -> None:
    """Add the reports that begin or join tickets; one that is there already stays as it is."""
    rows = [asdict(report) for event in events if (report := _report_of(event))]
    if rows:
        connection.execute(database.insert(reports).on_conflict_do_nothing(), rows)


def _report_of(event: TicketEvent) -> Report | None:
    detail = event.detail
    begins = event.kind in BEGINNINGS and detail.get("source") == "report"
    if not begins or not detail.get("reporter"):  # who has an account needs no page of its own
        return None
    return Report(
        hash=str(detail["reporter"]),
        ticket=event.ticket,
        kind=str(detail["kind"]),
        place=str(detail["place"]),
        device=str(detail.get("device") or ""),
        words=str(detail.get("note") or ""),
        photos=tuple(detail.get("photos") or ()),
        at_ms=event.at_ms,
    )


def get(database: Database, hash_: str) -> Report | None:
    """Return a report by the hash of its token."""
    rows = _rows(database, sa.select(reports).where(reports.c.hash == hash_))
    return rows[0] if rows else None


def of_ticket(database: Database, ticket: str) -> list[Report]:
    """Return the reports that a ticket is made of, the earliest first."""
    query = sa.select(reports).where(reports.c.ticket == ticket)
    return _rows(database, query.order_by(reports.c.at_ms, reports.c.hash))


def set_contact(database: Database, hash_: str, contact: str) -> None:
    """Keep how a person who reported something can be reached."""
    with database.write() as connection:
        own = sa.update(reports).where(reports.c.hash == hash_)
        connection.execute(own.values(contact=contact))


def erase_contacts(database: Database, closed_before_ms: int) -> int:
    """Forget how to reach the people whose tickets were closed before; return how many."""
    old = sa.select(tickets.c.id).where(tickets.c.closed_ms < closed_before_ms)
    theirs = sa.update(reports).where(reports.c.contact != "", reports.c.ticket.in_(old))
    with database.write() as connection:
        return int(connection.execute(theirs.values(contact="")).rowcount)


def lengths_ms(database: Database, kind: str, since_ms: int) -> list[int]:
    """Return how long what was reported as a kind took to fix, of what was fixed since."""
    length = (tickets.c.fixed_ms - reports.c.at_ms).label("length")
    query = sa.select(length).join(tickets, tickets.c.id == reports.c.ticket)
    query = query.where(reports.c.kind == kind, tickets.c.fixed_ms >= since_ms, length >= 0)
    query = query.order_by(tickets.c.fixed_ms.desc()).limit(MOST_MEASURED)
    with database.read() as connection:
        return [int(row.length) for row in connection.execute(query)]


def _rows(database: Database, query: sa.Select[Any]) -> list[Report]:
    with database.read() as connection:
        found: Sequence[Any] = connection.execute(query).mappings().all()
    return [Report(**{**row, "photos": tuple(row["photos"])}) for row in found]
