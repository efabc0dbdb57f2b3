"""The chain of the tickets' history: each event is sealed with the one before it.

A seal is the SHA-256 of the previous seal and of the event as canonical JSON. The head, the last
sequence with its seal, stands in a row of its own and is told outside of the database, too: so it
is found when events, and even head and events together, are cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import chain, ticket_events

Row = Mapping[str, Any]
CONTENT = ("ticket", "n", "kind", "actor", "at_ms", "received_ms", "detail")
NOTHING = "0" * 64  # the seal before the first event
_HEAD = "tickets"


class Head(NamedTuple):
    """The last link of the chain; 0 and NOTHING before the first."""

    seq: int = 0
    hash: str = NOTHING


def sealed(before: Head, event: Row) -> Head:
    """Return the link that an event makes after another.

    >>> one = dict.fromkeys(CONTENT, 1)
    >>> sealed(Head(), one).hash == sealed(Head(), one | {"kind": "forged"}).hash
    False
    """
    content = [before.seq + 1, *(event[name] for name in CONTENT)]
    written = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Head(before.seq + 1, hashlib.sha256(before.hash.encode() + written).hexdigest())


def head(database: Database) -> Head:
    """Return the head as it is kept."""
    with database.read() as connection:
        return _head(connection)


def add(database: Database, connection: sa.Connection, events: Iterable[Row]) -> None:
    """Add events that are not there yet to the chain, in the transaction of a caller."""
    rows = [{**event, "detail": _plain(event["detail"])} for event in events]
    if not rows:
        return
    before = _head(connection, for_update=True)
    kept = _kept(connection, {row["ticket"] for row in rows})
    fresh = [row for row in rows if (row["ticket"], row["n"]) not in kept]
    for row in fresh:
        before = sealed(before, row)
        row.update(before._asdict())
    if fresh:
        connection.execute(sa.insert(ticket_events), fresh)
        statement = database.insert(chain).values(name=_HEAD, **before._asdict())
        known = statement.on_conflict_do_update(index_elements=["name"], set_=before._asdict())
        connection.execute(known)


def _kept(connection: sa.Connection, tickets: Iterable[str]) -> set[tuple[str, int]]:
    query = sa.select(ticket_events.c.ticket, ticket_events.c.n)
    rows = connection.execute(query.where(ticket_events.c.ticket.in_(sorted(tickets))))
    return {(row.ticket, row.n) for row in rows}


def _head(connection: sa.Connection, *, for_update: bool = False) -> Head:
    query = sa.select(chain.c.seq, chain.c.hash).where(chain.c.name == _HEAD)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return Head() if row is None else Head(*row)


def _plain(detail: Mapping[str, Any]) -> Any:
    """Return a detail as the database gives it back: what is sealed is what can be read."""
    return orjson.loads(orjson.dumps(detail))
