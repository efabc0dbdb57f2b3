"""The chain of the tickets' history: each event is sealed with the one before it.

A seal is the SHA-256 of the previous seal and of the event as canonical JSON. The head, the last
sequence with its seal, stands in a row of its own and is told outside of the database, too: so it
is found when events, and even head and events together, are cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import chain, ticket_events
from hub.ports import Refused

Row = Mapping[str, Any]
CONTENT = ("ticket", "n", "kind", "actor", "at_ms", "received_ms", "detail")
NOTHING = "0" * 64  # the seal before the first event
FILE = "ticket-chain.csv"  # of the heads, one a day, beside the daily reports
_HEAD = "tickets"
_AT_ONCE = 1000


class Head(NamedTuple):
    """The last link of the chain; 0 and NOTHING before the first."""

    seq: int = 0
    hash: str = NOTHING


class Trouble(NamedTuple):
    """Something that does not fit, and the event at which it shows; ``n`` counts in its ticket."""

    seq: int
    ticket: str
    n: int | None
    what: str

    def __str__(self) -> str:
        """Return the line that people read."""
        of = f" (ticket {self.ticket}, its {self.n})" if self.ticket else ""
        return f"event {self.seq}{of}: {self.what}"


class Finding(NamedTuple):
    """The last event that is there, and what does not fit."""

    last: Head
    troubles: Sequence[Trouble]


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
    kept = _kept(connection, rows)
    fresh = [row for row in rows if (row["ticket"], row["n"]) not in kept]
    for row in fresh:
        before = sealed(before, row)
        row.update(before._asdict())
    if fresh:
        connection.execute(sa.insert(ticket_events), fresh)
        statement = database.insert(chain).values(name=_HEAD, **before._asdict())
        known = statement.on_conflict_do_update(index_elements=["name"], set_=before._asdict())
        connection.execute(known)


def _kept(connection: sa.Connection, rows: Sequence[Row]) -> set[tuple[str, int]]:
    """Return which of some events are there, and others of their tickets that came after."""
    of = ticket_events.c
    tickets, first = {row["ticket"] for row in rows}, min(row["n"] for row in rows)
    query = sa.select(of.ticket, of.n).where(of.ticket.in_(sorted(tickets)), of.n >= first)
    return {(row.ticket, row.n) for row in connection.execute(query)}


def _head(connection: sa.Connection, *, for_update: bool = False) -> Head:
    query = sa.select(chain.c.seq, chain.c.hash).where(chain.c.name == _HEAD)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return Head() if row is None else Head(*row)


def _plain(detail: Mapping[str, Any]) -> Any:
    """Return a detail as the database gives it back: what is sealed is what can be read."""
    return orjson.loads(orjson.dumps(detail))


def verify(
    database: Database, told: Iterable[Head] = (), shown: Callable[[int], object] = int
) -> Finding:
    """Walk the whole chain, a page at a time, and say what does not fit and where.

    ``told`` are heads that were told outside of the database; ``shown`` is told how far it is.
    """
    wanted, kept = {one.seq: one.hash for one in told}, head(database)
    last, troubles = Head(), list[Trouble]()
    for row in _rows(database):
        link = Head(row["seq"], row["hash"])
        where = (link.seq, row["ticket"], row["n"])
        if link.seq <= last.seq:
            troubles.append(Trouble(*where, "it stands before the first event: it was added"))
            continue
        if link.seq > last.seq + 1:
            missing = link.seq - last.seq - 1
            troubles.append(Trouble(last.seq + 1, "", None, f"{missing} missing from here on"))
        elif sealed(last, row) != link:
            troubles.append(Trouble(*where, "it is not what was sealed after the one before"))
        if wanted.get(link.seq, link.hash) != link.hash:
            troubles.append(Trouble(*where, "its seal is not the one that was told: written anew"))
        last = link
        if last.seq % _AT_ONCE == 0:
            shown(last.seq)
    if last.seq > kept.seq:  # a hub that runs beside has written more meanwhile
        now = head(database)
        kept = last if now.seq > last.seq else now
    return Finding(last, [*troubles, *_at_the_end(last, kept, wanted)])


def _at_the_end(last: Head, kept: Head, told: Mapping[int, str]) -> Iterator[Trouble]:
    """Say what is cut off, or was added, behind the last event or the head."""
    known = max([kept.seq, *told])
    if known > last.seq:
        yield Trouble(last.seq + 1, "", None, f"{known - last.seq} missing from here to the end")
    if kept.seq < last.seq:
        yield Trouble(kept.seq + 1, "", None, "what stands from here on was added behind the head")
    if kept.seq == last.seq and kept != last:
        yield Trouble(kept.seq, "", None, "the head is not the seal of the last event")


def _rows(database: Database) -> Iterator[Row]:
    of = ticket_events.c
    query = sa.select(*(of[name] for name in (*CONTENT, "seq", "hash")))
    after = None
    while True:
        page = query if after is None else query.where(of.seq > after)
        with database.read() as connection:
            rows = connection.execute(page.order_by(of.seq).limit(_AT_ONCE)).mappings().all()
        if not rows:
            return
        yield from (dict(row) for row in rows)
        after = rows[-1]["seq"]


def tell(file: Path, day: str, told: Head) -> None:
    """Write the head of a day behind those of the days before."""
    with file.open("a", encoding="ascii") as out:
        out.write(f"{day},{told.seq},{told.hash}\n")


def told_in(file: Path) -> list[Head]:
    """Return the heads that :func:`tell` wrote, none where there is no file; Refused if damaged."""
    heads = []
    for n, line in enumerate(file.read_text("ascii").splitlines() if file.is_file() else (), 1):
        day, seq, hash_ = (*line.split(","), "", "")[:3]
        if not (day and seq.isdigit() and len(hash_) == len(NOTHING)):
            raise Refused(f"{file}:{n}: not a day, a sequence and a seal; take it from a backup")
        heads.append(Head(int(seq), hash_))
    return heads
