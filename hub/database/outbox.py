"""What people are to be told, row by row: one per notification and person.

Rows are written together with the effects that they tell of. A row that was told stays: after a
restart it is known, and never told again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import outbox
from hub.model import Notification, Text

WAITING, HELD, TOLD = "waiting", "held", "told"
DESK = "duty"  # who is told what is for nobody in particular
LONGEST_WAIT_MS = 10 * 60_000
LONGEST_HOLD_MS = 24 * 3_600_000
_OPEN = (WAITING, HELD)
_TEXTS = ("subject", "body")


@dataclass(frozen=True, slots=True)
class Row:
    """One notification for one person that is not told yet.

    ``message`` is the key of the message it goes out in; it is set before the first try and never
    changes, so that whoever gets it twice can tell.
    """

    key: str
    ticket: str
    n: int
    person: str
    subject: Text
    body: Text
    urgent: bool
    asks: bool
    created_ms: int
    message: str | None = None
    attempts: int = 0
    undelivered_ms: int | None = None


def rows_of(notification: Notification) -> list[dict[str, Any]]:
    """Return what is kept of a notification: a row for everybody it is for."""
    one = notification
    texts = {
        f"{name}_{language}": getattr(getattr(one, name), language)
        for name in _TEXTS
        for language in ("zh", "en")
    }
    return [
        {
            "key": f"{one.key}/{person}",
            "ticket": one.ticket,
            "n": int(one.key.rpartition("/")[2]),
            "person": person,
            **texts,
            "urgent": one.urgent,
            "asks": one.asks,
            "created_ms": one.created_ms,
            "state": WAITING,
            "attempts": 0,
            "next_ms": 0,
            "error": "",
        }
        for person in dict.fromkeys(one.to or (DESK,))
    ]


def due(
    database: Database, now_ms: int, busy: Collection[str] = (), limit: int = 5000
) -> list[Row]:
    """Return what may be told now, but not to who is ``busy``: by person and ticket, in order.

    With what is urgent comes what is held back of the same ticket, so that the order stays. What
    waits longer than anything does was written before the clock was put back.
    """
    later = sa.case(
        (outbox.c.state == HELD, now_ms + LONGEST_HOLD_MS), else_=now_ms + LONGEST_WAIT_MS
    )
    now = sa.or_(outbox.c.next_ms <= now_ms, outbox.c.next_ms > later)
    urgent = sa.select(outbox.c.ticket, outbox.c.person).where(
        outbox.c.state.in_(_OPEN), outbox.c.next_ms <= now_ms, outbox.c.urgent
    )
    beside = sa.tuple_(outbox.c.ticket, outbox.c.person).in_(urgent)
    query = sa.select(outbox).where(outbox.c.state.in_(_OPEN), sa.or_(now, beside))
    if busy:
        query = query.where(outbox.c.person.not_in(list(busy)))
    order = (outbox.c.person, outbox.c.ticket, outbox.c.n)
    with database.read() as connection:
        return [_row(one) for one in connection.execute(query.order_by(*order).limit(limit))]


def next_ms(database: Database, busy: Collection[str] = ()) -> int | None:
    """Return when something is due for somebody who is not ``busy``; None: nothing waits."""
    query = sa.select(sa.func.min(outbox.c.next_ms)).where(outbox.c.state.in_(_OPEN))
    if busy:
        query = query.where(outbox.c.person.not_in(list(busy)))
    with database.read() as connection:
        found: int | None = connection.execute(query).scalar_one()
    return found


def hold(database: Database, keys: Iterable[str], until_ms: int) -> None:
    """Hold rows back until the quiet hours of their person are over."""
    _change(database, keys, state=HELD, next_ms=until_ms)


def put_off(database: Database, keys: Iterable[str], until_ms: int) -> None:
    """Let rows wait that were not tried."""
    _change(database, keys, next_ms=until_ms)


def begin(database: Database, keys: Iterable[str], message: str) -> None:
    """Note, before a message goes out, what it holds, and that it is tried."""
    values = {"message": message, "state": WAITING, "attempts": outbox.c.attempts + 1}
    _change(database, keys, **values)


def fail(database: Database, keys: Iterable[str], until_ms: int, error: str, at_ms: int) -> None:
    """Note that nobody took a message, why, and when it is tried again."""
    first = sa.func.coalesce(outbox.c.undelivered_ms, at_ms)
    _change(database, keys, next_ms=until_ms, error=error, undelivered_ms=first)


def mark_told(database: Database, keys: Iterable[str], channel: str, at_ms: int) -> None:
    """Note that somebody was told, by which channel and when; it is never told again."""
    _change(database, keys, state=TOLD, channel=channel, sent_ms=at_ms, error="")


def _change(database: Database, keys: Iterable[str], **values: Any) -> None:
    change = sa.update(outbox).where(outbox.c.key == sa.bindparam("of"), outbox.c.state != TOLD)
    rows: Sequence[dict[str, str]] = [{"of": key} for key in keys]
    if rows:
        with database.write() as connection:
            connection.execute(change.values(**values), rows)


def _row(one: sa.Row[Any]) -> Row:
    return Row(
        key=one.key,
        ticket=one.ticket,
        n=one.n,
        person=one.person,
        subject=Text(one.subject_zh, one.subject_en),
        body=Text(one.body_zh, one.body_en),
        urgent=one.urgent,
        asks=one.asks,
        created_ms=one.created_ms,
        message=one.message,
        attempts=one.attempts,
        undelivered_ms=one.undelivered_ms,
    )
