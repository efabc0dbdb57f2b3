"""What holds a hub's data, opened in order and closed in the reverse of it."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from hub import archive
from hub.database import dead_letters, effects, numbers
from hub.database.connection import MEMORY, Database, open_database
from hub.energy.backlog import Backlog, resume
from hub.energy.consumption import Consumption
from hub.energy.hot_water import Delivery
from hub.energy.hot_water_query import HotWater
from hub.energy.kept_days import KeptDays
from hub.energy.ledger import Ledger
from hub.energy.meter_changes import MeterChanges
from hub.journal import Journal, Room, open_connection
from hub.judge import DailyLook, Look, Reader
from hub.lock import held
from hub.model import Batch, Entry, Hold, Point
from hub.ports import Clock, Refused, StoreError, TimeSeriesStore, Worker
from hub.secret import Secret, kept_secret
from hub.settings import Settings, build_site
from hub.settings.spec import DuckdbStoreSpec, InfluxStoreSpec
from hub.settings.storage import HoldSpec
from hub.site import Site
from hub.store import open_store
from hub.store.rollup import base_step
from hub.store.upkeep import Keep, Upkeep
from rules.calendar import Calendar

log = logging.getLogger(__name__)

SET_BACK_MS = 2 * 86_400_000  # so far a machine's clock may go back between two starts
Enter = Callable[[Entry], None]


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What holds data: the database, the journal and the time-series store.

    ``days`` is the folder of what the ledger has worked out, None: kept in memory; ``source`` names
    the store whose readings these days are made of. ``secret`` signs links and labels.
    """

    database: Database
    journal: Journal
    room: Room
    store: TimeSeriesStore
    site: Site
    days: Path | None
    source: str
    secret: Secret


class Meters(NamedTuple):
    """The ledger, its days on disk where they may be used, and the changes that it goes by."""

    ledger: Ledger
    days: KeptDays | None
    changes: MeterChanges


def open_kept(settings: Settings, clock: Clock, stack: AsyncExitStack, *, memory: bool) -> Kept:
    """Open what holds data, in a folder that no other hub uses; ``stack`` closes it.

    ``memory`` keeps all of it in memory and takes no folder.
    """
    if not memory:
        stack.enter_context(held(settings.lock_file))
    database = open_database(_database_place(settings, memory=memory))
    stack.callback(database.close)
    site = build_site(settings, lambda ids: numbers.number_points(database, ids))
    journal = _open_journal(settings, memory=memory)
    stack.callback(journal.close)
    room = Room() if memory else Room(settings.data)
    stack.callback(room.close)
    store = _open_store(settings, site, database, clock, memory=memory)
    stack.callback(store.close)
    # A journal that was lost or restored goes on above what its consumers have passed.
    journal.begin_after(max(_passed(store, journal, clock), effects.applied(database)))
    _go_on(journal, clock)
    return Kept(
        database=database, journal=journal, room=room, store=store, site=site,
        days=None if memory else settings.ledger_folder,
        source=settings.store.model_dump_json(exclude={"keep"}),
        secret=_secret(settings, clock, memory=memory),
    )  # fmt: skip


def meters_of(kept: Kept) -> Meters:
    """Return the ledger of the data that is kept, and the changes of meters that it goes by."""
    ledger = Ledger(kept.site, kept.store)
    days = KeptDays(kept.days, f"{ledger.key} {kept.source}") if kept.days else None
    if days is not None and not resume(ledger, days, kept.journal, kept.store):
        days = None
    # Last: it tells the ledger of every change that the days did not go by yet.
    return Meters(ledger, days, MeterChanges(kept.site, kept.database, ledger))


def backlog_of(kept: Kept, meters: Meters, clock: Clock) -> Backlog:
    """Return what works out the days of a ledger before anybody asks."""
    return Backlog(meters.ledger, meters.days, kept.room, clock)


def consumption_of(kept: Kept, ledger: Ledger | None = None) -> Consumption:
    """Return what answers questions about use from the data that is kept."""
    return Consumption(kept.site, ledger or meters_of(kept).ledger)


def hot_water_of(kept: Kept, consumption: Consumption, delivery: Delivery) -> HotWater:
    """Return what answers questions about hot water from the data that is kept."""
    return HotWater(kept.site, kept.store, consumption, delivery)


def _go_on(journal: Journal, clock: Clock) -> None:
    """Let the time go on where the journal ends, though the machine's clock was set back."""
    last_ms = max((entry.at_ms for _, entry in journal.read(journal.last() - 1, 1)), default=0)
    ahead_ms = last_ms - clock.now_ms()
    if ahead_ms > SET_BACK_MS:
        log.warning("the journal ends %.0f s from now: nothing is judged before", ahead_ms / 1000)
    elif ahead_ms > 0:
        log.info("the time goes on from the end of the journal, %s ms ahead", ahead_ms)
        clock.go_on_from(last_ms)


def _passed(store: TimeSeriesStore, journal: Journal, clock: Clock) -> int:
    """Return a sequence that the store has not gone beyond; a server may be away."""
    try:
        return store.applied()
    except StoreError as error:
        log.warning("store away at the start, readings wait in the journal: %s", error)
    # Of an empty journal nobody knows what the store has passed; no journal counts a thousand
    # entries a second, so the milliseconds since 1970 are above all that was ever counted.
    return 0 if journal.last() else clock.now_ms()


def daily_look_of(
    settings: Settings, kept: Kept, ledger: Ledger, clock: Clock, worker: Worker, enter: Enter
) -> DailyLook | None:
    """Return what judges the days that are over; None where no rule looks back over days."""
    look = Look(kept.site, settings.packs, Calendar(settings.calendar, kept.site.zone))
    if not len(look):
        return None
    reader = Reader(kept.site, ledger, kept.store, look)
    return DailyLook(look, reader, clock, worker, enter)


def last_readings(store: TimeSeriesStore) -> Batch:
    """Return the last reading of every point; none where the store cannot be asked now."""
    try:
        return store.last()
    except StoreError as error:
        log.warning("store away at the start, no last values are known: %s", error)
        return Batch.of([], [], [], [], 0)


def _database_place(settings: Settings, *, memory: bool) -> str:
    if settings.database != "sqlite":
        return settings.database
    return MEMORY if memory else str(settings.database_file)


def _secret(settings: Settings, clock: Clock, *, memory: bool) -> Secret:
    if memory:
        return Secret(clock.token("secret"))
    return kept_secret(settings.secret_file, clock)


def _open_journal(settings: Settings, *, memory: bool) -> Journal:
    limit = int(settings.journal.limit)
    if memory:
        return Journal(open_connection(MEMORY), limit=limit)
    # A second connection for who catches up: reading never holds up an append.
    file = settings.journal_file
    return Journal(open_connection(file), open_connection(file), limit)


def _open_store(
    settings: Settings, site: Site, database: Database, clock: Clock, *, memory: bool
) -> TimeSeriesStore:
    spec = settings.store
    if isinstance(spec, InfluxStoreSpec):
        influx = spec.model_dump(include={"url", "bucket", "org", "rollup_bucket"})
        influx["token"] = settings.secret(spec.token_file) or ""

        def dead(reason: str, line: bytes) -> None:
            dead_letters.add(database, clock.now_ms(), "store", reason, line)

        step_ms = base_step(site.zone)
        return open_store("influx", points=site.points, influx=influx, dead=dead, step_ms=step_ms)
    path = MEMORY if memory else settings.readings_file
    threads = 1 if clock.virtual else None
    return open_store(spec.kind, path, threads=threads, step_ms=base_step(site.zone))


def upkeep_of(settings: Settings, kept: Kept, clock: Clock) -> Upkeep | None:
    """Return what keeps the store in order; None where a server, or nobody, does that."""
    if not isinstance(settings.store, DuckdbStoreSpec):
        return None
    gauges, counters = settings.store.keep.gauges, settings.store.keep.counters
    keep = Keep(_ms(gauges), _ms(counters))
    holds = held_readings(settings, kept.site)
    return Upkeep(kept.store, kept.site, keep, holds, clock, lambda: kept.room.full)


def held_readings(settings: Settings, site: Site) -> list[Hold]:
    """Return the holds of the settings with the numbers of their points, in civil days."""
    return [
        Hold(
            frozenset(point.number for point in _points_of(hold, site)),
            _midnight_ms(hold.from_, site),
            _midnight_ms(hold.until, site),
        )
        for hold in settings.holds
    ]


def back_up(settings: Settings, kept: Kept, clock: Clock, file: Path) -> archive.Contents:
    """Write a backup of what is kept, beside its use.

    Refused when there is no room on the disk of the data for its copies, or they do not fit.
    """
    files = (settings.journal_file, settings.database_file, settings.readings_file)
    wanted = sum(one.stat().st_size for one in files if one.exists())
    free = kept.room.free()
    if kept.room.full or (free is not None and free < wanted):
        raise Refused(
            f"the copies need {wanted / 1e6:.0f} MB on the disk of {settings.data}"
            f" and {(free or 0) / 1e6:.0f} MB are free; make room first"
        )
    with tempfile.TemporaryDirectory(prefix="backup-", dir=settings.data) as name:
        folder = Path(name)
        absent = archive.copy(settings.journal_file, kept.database, kept.store, folder)
        facts = archive.look(folder)
        if problems := facts.problems():
            raise Refused(f"the copies do not fit together, try again: {'; '.join(problems)}")
        contents = archive.Contents(
            site=settings.site.id,
            settings_hash=settings.content_hash,
            taken_ms=clock.now_ms(),
            facts=facts,
            files=archive.described(folder),
            absent=absent,
        )
        archive.write(folder, file, contents)
    return contents


def _points_of(hold: HoldSpec, site: Site) -> list[Point]:
    if hold.point is not None:
        return [site.points[site.numbers[hold.point]]] if hold.point in site.numbers else []
    if hold.device is not None:
        return list(site.devices[hold.device].points)
    return [point for device in site.below(hold.place or "") for point in device.points]


def _midnight_ms(day: date, site: Site) -> int:
    return int(datetime.combine(day, time(), site.zone).timestamp() * 1000)


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
