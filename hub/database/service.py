"""The tickets that figures of the service are made of, with what is asked of their history."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby

import sqlalchemy as sa

from hub.database import chain
from hub.database.connection import Database
from hub.database.records import ticket_of
from hub.database.schema import ticket_events, tickets
from hub.model import Ticket, TicketEvent


def lived(
    database: Database, start_ms: int, last_ms: int, kinds: Collection[str]
) -> Iterator[tuple[Ticket, list[TicketEvent]]]:
    """Yield the tickets that were opened since an instant, or open at or after another.

    Each comes with its events of some kinds, in their order.
    """
    of = ticket_events.c
    query = sa.select(*(of[name] for name in chain.CONTENT)).where(of.kind.in_(list(kinds)))
    query = query.where(of.ticket.in_(sa.select(tickets.c.id).where(_asked(start_ms, last_ms))))
    rows = sa.select(tickets).where(_asked(start_ms, last_ms)).order_by(tickets.c.id)
    with database.read() as connection:
        found = connection.execute(query.order_by(of.ticket, of.n)).mappings()
        marks = {id_: list(some) for id_, some in groupby(_events(found), lambda one: one.ticket)}
        known = [ticket_of(dict(row)) for row in connection.execute(rows).mappings()]
    for ticket in known:
        yield ticket, marks.get(ticket.id, [])


def histories(database: Database, start_ms: int, last_ms: int) -> list[TicketEvent]:
    """Return the whole history of the tickets of :func:`lived`, each from its first event on."""
    of = ticket_events.c
    asked = sa.select(tickets.c.id).where(_asked(start_ms, last_ms))
    query = sa.select(*(of[name] for name in chain.CONTENT)).where(of.ticket.in_(asked))
    with database.read() as connection:
        return list(_events(connection.execute(query.order_by(of.ticket, of.n)).mappings()))


def _events(rows: sa.MappingResult) -> Iterator[TicketEvent]:
    return (TicketEvent(**row) for row in rows)


def _asked(start_ms: int, last_ms: int) -> sa.ColumnElement[bool]:
    of = tickets.c
    return sa.or_(of.opened_ms >= start_ms, of.closed_ms.is_(None), of.closed_ms > last_ms)
