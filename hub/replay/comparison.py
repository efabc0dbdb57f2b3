"""What a replay says against what the database has kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import NamedTuple

import orjson

from hub.database import records, swaps
from hub.database.connection import Database
from hub.desk import cause_of
from hub.model import (
    Alarm,
    AlarmEvent,
    Effect,
    Json,
    Notification,
    Outage,
    Problem,
    Swap,
    Ticket,
    TicketEvent,
)
from hub.replay.log import Key, Log, key_of

_PAGE = 500


class Difference(NamedTuple):
    """One record that is not the same; of each key that differs, what is kept and replayed."""

    what: str
    id: str
    kept: Mapping[str, Json] | None
    replayed: Mapping[str, Json] | None

    def __str__(self) -> str:
        """Return the line that people read."""
        name = f"{self.what} {self.id}"
        if self.kept is None or self.replayed is None:
            where = "replay" if self.kept is None else "database"
            return f"{name}: only in the {where}"
        pairs = (
            f"{key} is {self.kept[key]!r}, replayed {self.replayed[key]!r}" for key in self.kept
        )
        return f"{name}: {'; '.join(pairs)}"


class Since(NamedTuple):
    """From when on a replay knows everything; 0: from the beginning of all.

    ``state_known`` tells that it also knew what was at work then: it went on from a snapshot.
    """

    at_ms: int = 0
    state_known: bool = True


def differences(database: Database, log: Log, since: Since) -> list[Difference]:
    """Return every record that is not the same in both, byte for byte.

    What was over before the replay began it cannot know, nor causes that were at work then and of
    which it has no state: these are left out.
    """
    kept = {key: record for record in _kept(database) if (key := key_of(record))}
    causes = _Causes((*kept.values(), *log.records.values()))
    unknown = set() if since.state_known else _at_work(kept.values(), since.at_ms)
    order = dict.fromkeys((*kept, *log.records))
    found = []
    for key in order:
        mine, its = kept.get(key), log.records.get(key)
        began = its is not None or (mine is not None and _began_ms(mine) > since.at_ms)
        if began and causes.of(mine or its) not in unknown:
            found.append(_difference(key, mine, its))
    return [one for one in found if one is not None]


class _Causes:
    """The causes of records; an event has that of its alarm or ticket, an outage has none."""

    def __init__(self, some: Iterable[Effect]) -> None:
        self._of: dict[str, str] = {}
        for one in some:
            if isinstance(one, Alarm):
                self._of[one.id] = cause_of(one.device, one.rule)
            elif isinstance(one, Ticket | Problem):
                self._of[one.id] = one.cause

    def of(self, record: Effect | None) -> str:
        """Return the cause of a record."""
        match record:
            case Alarm() | Ticket() | Problem():
                return self._of[record.id]
            case AlarmEvent():
                return self._of.get(record.alarm, "")
            case TicketEvent():
                return self._of.get(record.ticket, "")
        return ""


def _kept(database: Database) -> Iterator[Effect]:
    offset = 0
    while some := records.alarms(database, limit=_PAGE, offset=offset):
        for alarm in some:
            yield alarm
            yield from records.alarm_history(database, alarm.id)
        offset += len(some)
    offset = 0
    while tickets := records.tickets(database, limit=_PAGE, offset=offset):
        for ticket in tickets:
            yield ticket
            yield from records.events(database, ticket.id)
        offset += len(tickets)
    yield from records.outages(database)
    yield from swaps.every(database)


def _at_work(kept: Iterable[Effect], at_ms: int) -> set[str]:
    """Return the causes of what had begun and was not over at an instant."""
    causes = set()
    for one in kept:
        if isinstance(one, Alarm) and _lasted(one.raised_ms, one.cleared_ms, at_ms):
            causes.add(cause_of(one.device, one.rule))
        elif isinstance(one, Ticket) and _lasted(one.opened_ms, one.closed_ms, at_ms):
            causes.add(one.cause)
    return causes


def _lasted(began_ms: int, over_ms: int | None, at_ms: int) -> bool:
    return began_ms <= at_ms and (over_ms is None or over_ms > at_ms)


def _began_ms(record: Effect) -> int:
    match record:
        case Alarm():
            return record.raised_ms
        case Ticket():
            return record.opened_ms
        case Outage():
            return record.entered_ms
        case Problem():
            return record.opened_ms
        case AlarmEvent() | Swap() | TicketEvent():
            return record.at_ms
        case Notification():
            return record.created_ms


def _difference(key: Key, kept: Effect | None, replayed: Effect | None) -> Difference | None:
    if kept is None or replayed is None:
        return Difference(*key, None if kept is None else {}, None if replayed is None else {})
    mine, its = _plain(kept), _plain(replayed)
    wrong = [name for name in mine if orjson.dumps(mine[name]) != orjson.dumps(its[name])]
    if not wrong:
        return None
    return Difference(*key, {name: mine[name] for name in wrong}, {n: its[n] for n in wrong})


def _plain(record: Effect) -> dict[str, Json]:
    content: dict[str, Json] = orjson.loads(
        orjson.dumps(asdict(record), option=orjson.OPT_SORT_KEYS)
    )
    return content
