"""What the engine keeps: effects and the applied sequence in one transaction, and its snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from hub.database import chain, reports
from hub.database.connection import Database
from hub.database.outbox import rows_of
from hub.database.schema import (
    alarm_events,
    alarms,
    engine_state,
    outages,
    outbox,
    problems,
    swaps,
    tickets,
)
from hub.model import (
    Alarm,
    AlarmEvent,
    Effect,
    Notification,
    Outage,
    Problem,
    Swap,
    Ticket,
    TicketEvent,
)

Rows = list[dict[str, Any]]
_APPLIED, _SNAPSHOT = "applied", "snapshot"


def apply(database: Database, seq: int, effects: Sequence[Effect]) -> bool:
    """Keep the effects of one journal entry together with its sequence, exactly once.

    Returns False, and changes nothing, when the entry was applied before.
    """
    with database.write() as connection:
        if seq <= _sequence(connection, _APPLIED):
            return False
        _put(database, connection, effects)
        _put_state(database, connection, _APPLIED, seq, None)
    return True


def keep(database: Database, effects: Sequence[Effect]) -> None:
    """Keep the effects of what is not in the journal; what is there already stays as it is."""
    with database.write() as connection:
        _put(database, connection, effects)


def _put(database: Database, connection: sa.Connection, effects: Sequence[Effect]) -> None:
    _upsert(database, connection, alarms, _latest(effects, Alarm))
    _add(database, connection, alarm_events, effects, AlarmEvent)
    _upsert(database, connection, outages, _latest(effects, Outage))
    _upsert(database, connection, problems, _latest(effects, Problem))
    _upsert(database, connection, tickets, _latest(effects, Ticket))
    events = [one for one in effects if isinstance(one, TicketEvent)]
    chain.add(database, connection, map(_row, events))
    reports.add(database, connection, events)
    _add(database, connection, swaps, effects, Swap)
    told = [row for one in effects if isinstance(one, Notification) for row in rows_of(one)]
    _insert(database, connection, outbox, told)


def applied(database: Database) -> int:
    """Return the last journal sequence whose effects are kept, 0 at first."""
    with database.read() as connection:
        return _sequence(connection, _APPLIED)


def save_snapshot(database: Database, seq: int, state: bytes) -> None:
    """Keep the engine's state after ``seq``, of which all effects are kept."""
    with database.write() as connection:
        _put_state(database, connection, _SNAPSHOT, seq, state)
        _put_state(database, connection, _APPLIED, seq, None)


def snapshot(database: Database) -> tuple[int, bytes] | None:
    """Return the last snapshot with its sequence."""
    query = sa.select(engine_state.c.seq, engine_state.c.state)
    with database.read() as connection:
        row = connection.execute(query.where(engine_state.c.name == _SNAPSHOT)).one_or_none()
    return None if row is None else (int(row.seq), bytes(row.state))


def _sequence(connection: sa.Connection, name: str) -> int:
    query = sa.select(engine_state.c.seq).where(engine_state.c.name == name)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def _put_state(
    database: Database, connection: sa.Connection, name: str, seq: int, state: bytes | None
) -> None:
    _upsert(database, connection, engine_state, [{"name": name, "seq": seq, "state": state}])


def _latest(effects: Iterable[Effect], kind: type[Alarm | Outage | Problem | Ticket]) -> Rows:
    # Only the last state of each, in the order they came: a cause closes before it opens again.
    latest: dict[str, dict[str, Any]] = {}
    for effect in effects:
        if isinstance(effect, kind):
            latest[effect.id] = _row(effect)
    return list(latest.values())


def _row(effect: Effect) -> dict[str, Any]:
    row = asdict(effect)
    for name in ("title", "guidance"):
        if text := row.pop(name, None):
            row[f"{name}_zh"], row[f"{name}_en"] = text["zh"], text["en"]
    if "state" in row:
        row["state"] = str(row["state"])
    return row


def _upsert(database: Database, connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    if not rows:
        return
    statement = database.insert(table)
    keys = {column.name for column in table.primary_key}
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def _add(
    database: Database,
    connection: sa.Connection,
    table: sa.Table,
    effects: Iterable[Effect],
    kind: type[AlarmEvent | Swap],
) -> None:
    rows = [_row(effect) for effect in effects if isinstance(effect, kind)]
    _insert(database, connection, table, rows)


def _insert(database: Database, connection: sa.Connection, table: sa.Table, rows: Rows) -> None:
    if rows:
        connection.execute(database.insert(table).on_conflict_do_nothing(), rows)
