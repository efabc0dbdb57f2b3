"""Alarms, tickets and their events as values; written only by hub.database.effects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa

from hub.database import chain
from hub.database.connection import Database
from hub.database.schema import alarm_events as alarm_event_table
from hub.database.schema import alarms as alarm_table
from hub.database.schema import outages as outage_table
from hub.database.schema import problems as problem_table
from hub.database.schema import ticket_events
from hub.database.schema import tickets as ticket_table
from hub.model import (
    Alarm,
    AlarmEvent,
    AlarmState,
    Outage,
    Problem,
    Text,
    Ticket,
    TicketEvent,
    TicketState,
)

Row = Mapping[str, Any]
STANDING = (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
_AT_ONCE = 500


class Filter(NamedTuple):
    """Which records are wanted; None means all. ``places`` also mean everything below them.

    ``since_ms`` <= opening or raising < ``until_ms``. ``root``: alarms that are
    effects of it; ``rootless``: those that are no effect of a known one. ``values`` are those that
    columns may have; ``late_ms``: open tickets of which a deadline lies before it.
    """

    states: Collection[str] | None = None
    places: Collection[str] | None = None
    device: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    root: str | None = None
    rootless: bool = False
    values: Mapping[str, Collection[str]] = MappingProxyType({})
    late_ms: int | None = None


ALL = Filter()


def tickets(
    database: Database, wanted: Filter = ALL, *, limit: int = 100, offset: int = 0
) -> list[Ticket]:
    """Return tickets, the latest first."""
    query = _filtered(sa.select(ticket_table), ticket_table, wanted)
    query = query.order_by(ticket_table.c.opened_ms.desc(), ticket_table.c.id)
    return [ticket_of(row) for row in _rows(database, query.limit(limit).offset(offset))]


def count_tickets(database: Database, wanted: Filter = ALL) -> int:
    """Count the tickets that :func:`tickets` finds with the same filter."""
    query = sa.select(sa.func.count()).select_from(ticket_table)
    return _count(database, _filtered(query, ticket_table, wanted))


def open_tickets(database: Database) -> list[Ticket]:
    """Return every ticket that is not closed, the earliest first."""
    query = sa.select(ticket_table).where(ticket_table.c.closed_ms.is_(None))
    query = query.order_by(ticket_table.c.opened_ms, ticket_table.c.id)
    return [ticket_of(row) for row in _rows(database, query)]


def ticket(database: Database, id_: str) -> Ticket | None:
    """Return one ticket."""
    rows = _rows(database, sa.select(ticket_table).where(ticket_table.c.id == id_))
    return ticket_of(rows[0]) if rows else None


def problems(database: Database, *, limit: int = 100, offset: int = 0) -> list[Problem]:
    """Return the records of problems: those that are not over first, then the latest."""
    of = problem_table.c
    query = sa.select(problem_table).order_by(of.closed_ms.is_not(None), of.opened_ms.desc(), of.id)
    return [_problem_of(row) for row in _rows(database, query.limit(limit).offset(offset))]


def count_problems(database: Database) -> int:
    """Count the records of problems."""
    return _count(database, sa.select(sa.func.count()).select_from(problem_table))


def events(database: Database, ticket_id: str) -> list[TicketEvent]:
    """Return the history of a ticket, oldest first."""
    query = sa.select(*(ticket_events.c[name] for name in chain.CONTENT))
    query = query.where(ticket_events.c.ticket == ticket_id).order_by(ticket_events.c.n)
    return [TicketEvent(**row) for row in _rows(database, query)]


def count_events(database: Database, tickets: Collection[str]) -> Mapping[str, int]:
    """Count the lines of the history of each of some tickets."""
    of = ticket_events.c
    query = sa.select(of.ticket, sa.func.count().label("n")).where(of.ticket.in_(tickets))
    return {row["ticket"]: row["n"] for row in _rows(database, query.group_by(of.ticket))}


def alarms(
    database: Database, wanted: Filter = ALL, *, limit: int = 100, offset: int = 0
) -> list[Alarm]:
    """Return alarms, the latest first."""
    query = _filtered(sa.select(alarm_table), alarm_table, wanted)
    query = query.order_by(alarm_table.c.raised_ms.desc(), alarm_table.c.id)
    return [alarm_of(row) for row in _rows(database, query.limit(limit).offset(offset))]


def count_alarms(database: Database, wanted: Filter = ALL) -> int:
    """Count the alarms that :func:`alarms` finds with the same filter."""
    query = sa.select(sa.func.count()).select_from(alarm_table)
    return _count(database, _filtered(query, alarm_table, wanted))


def alarm(database: Database, id_: str) -> Alarm | None:
    """Return one alarm."""
    rows = _rows(database, sa.select(alarm_table).where(alarm_table.c.id == id_))
    return alarm_of(rows[0]) if rows else None


def effects(database: Database) -> Mapping[str, str]:
    """Return of each device, gateway and place that is inhibited the alarm that inhibits it."""
    table = alarm_table
    query = sa.select(table.c.device, table.c.root).where(table.c.root.is_not(None))
    rows = _rows(database, query.where(table.c.state == str(AlarmState.INHIBITED)))
    return {row["device"]: row["root"] for row in rows}


def count_effects(database: Database, roots: Collection[str]) -> Mapping[str, int]:
    """Count the alarms that are effects of each of some alarms."""
    table = alarm_table
    query = sa.select(table.c.root, sa.func.count().label("n")).where(table.c.root.in_(roots))
    rows = _rows(database, query.group_by(table.c.root))
    return {row["root"]: row["n"] for row in rows}


def alarms_of(database: Database, ids: Collection[str]) -> list[Alarm]:
    """Return some alarms, and all that stand; in order of their ids."""
    standing = alarm_table.c.state.in_([str(state) for state in STANDING])
    found = {row["id"]: row for row in _rows(database, sa.select(alarm_table).where(standing))}
    missing = sorted(set(ids) - found.keys())
    for first in range(0, len(missing), _AT_ONCE):
        chunk = missing[first : first + _AT_ONCE]
        query = sa.select(alarm_table).where(alarm_table.c.id.in_(chunk))
        found |= {row["id"]: row for row in _rows(database, query)}
    return [alarm_of(found[id_]) for id_ in sorted(found)]


def alarm_history(database: Database, alarm_id: str) -> list[AlarmEvent]:
    """Return what happened to an alarm, oldest first."""
    query = sa.select(alarm_event_table).where(alarm_event_table.c.alarm == alarm_id)
    rows = _rows(database, query.order_by(alarm_event_table.c.n))
    return [AlarmEvent(**row) for row in rows]


def alarm_events(database: Database, since_ms: int, until_ms: int) -> list[AlarmEvent]:
    """Return what happened to all alarms at since <= at < until, in order of time."""
    table = alarm_event_table
    query = sa.select(table).where(table.c.at_ms >= since_ms, table.c.at_ms < until_ms)
    rows = _rows(database, query.order_by(table.c.at_ms, table.c.alarm, table.c.n))
    return [AlarmEvent(**row) for row in rows]


def outages(database: Database, *, not_before_ms: int | None = None) -> list[Outage]:
    """Return the planned outages that are not over at an instant, or all; the latest first."""
    query = sa.select(outage_table).order_by(outage_table.c.start_ms.desc(), outage_table.c.id)
    if not_before_ms is not None:
        query = query.where(outage_table.c.ended_ms.is_(None))
        query = query.where(outage_table.c.end_ms > not_before_ms)
    return [_outage_of(row) for row in _rows(database, query)]


def outage(database: Database, id_: str) -> Outage | None:
    """Return one planned outage."""
    rows = _rows(database, sa.select(outage_table).where(outage_table.c.id == id_))
    return _outage_of(rows[0]) if rows else None


def _outage_of(row: Row) -> Outage:
    return Outage(**{**row, "rules": tuple(row["rules"])})


def _problem_of(row: Row) -> Problem:
    values = dict(row)
    values["title"] = Text(values.pop("title_zh"), values.pop("title_en"))
    return Problem(**values)


def ticket_of(row: Row) -> Ticket:
    """Make a ticket of its row."""
    values = dict(row)
    values["title"] = Text(values.pop("title_zh"), values.pop("title_en"))
    values["guidance"] = Text(values.pop("guidance_zh"), values.pop("guidance_en"))
    values["parts"] = tuple(values["parts"])
    values["state"] = TicketState(values["state"])
    return Ticket(**values)


def alarm_of(row: Row) -> Alarm:
    """Make an alarm of its row."""
    values = dict(row)
    values["title"] = Text(values.pop("title_zh"), values.pop("title_en"))
    values["state"] = AlarmState(values["state"])
    return Alarm(**values)


def _filtered(query: sa.Select[Any], table: sa.Table, wanted: Filter) -> sa.Select[Any]:
    if wanted.states is not None:
        query = query.where(table.c.state.in_([str(state) for state in wanted.states]))
    if wanted.places is not None:
        places = (_below(table.c.place, place) for place in wanted.places)
        query = query.where(sa.or_(sa.false(), *places))
    if wanted.device is not None:
        query = query.where(table.c.device == wanted.device)
    if wanted.root is not None:
        query = query.where(table.c.root == wanted.root)
    if wanted.rootless:
        query = query.where(table.c.root.is_(None))
    for name, values in wanted.values.items():
        query = query.where(table.c[name].in_(values))
    if wanted.late_ms is not None:
        query = query.where(_late(wanted.late_ms))
    began = table.c.opened_ms if "opened_ms" in table.c else table.c.raised_ms
    if wanted.since_ms is not None:
        query = query.where(began >= wanted.since_ms)
    return query if wanted.until_ms is None else query.where(began < wanted.until_ms)


def _late(now_ms: int) -> sa.ColumnElement[bool]:
    """Return what is true of an open ticket of which a clock runs that is past its deadline."""
    of = ticket_table.c
    clocks = (
        (of.respond_by_ms, of.responded_ms),
        (of.on_site_by_ms, of.on_site_ms),
        (of.fix_by_ms, of.fixed_ms),
        (of.crew_by_ms, sa.func.coalesce(of.crew_ms, of.fixed_ms)),
    )
    missed = (sa.and_(done.is_(None), by < now_ms) for by, done in clocks)
    return sa.and_(of.closed_ms.is_(None), sa.or_(*missed))


def _below(column: sa.Column[str], place: str) -> sa.ColumnElement[bool]:
    return sa.or_(column == place, column.startswith(place + "/", autoescape=True))


def _rows(database: Database, query: sa.Select[Any]) -> Sequence[Row]:
    with database.read() as connection:
        return connection.execute(query).mappings().all()  # type: ignore[return-value]  # RowMapping


def _count(database: Database, query: sa.Select[Any]) -> int:
    with database.read() as connection:
        return int(connection.execute(query).scalar_one())
