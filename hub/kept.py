"""What holds a hub's data, opened in order and closed in the reverse of it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from hub.database import effects, numbers
from hub.database.connection import MEMORY, Database, open_database
from hub.journal import Journal, open_connection
from hub.lock import held
from hub.ports import Clock, TimeSeriesStore
from hub.settings import Settings, build_site
from hub.settings.spec import InfluxStoreSpec
from hub.site import Site
from hub.store import open_store


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What holds data: the database, the journal and the time-series store."""

    database: Database
    journal: Journal
    store: TimeSeriesStore
    site: Site


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
    store = _open_store(settings, site, clock, memory=memory)
    stack.callback(store.close)
    # A journal that was lost or restored goes on above what its consumers have passed.
    journal.begin_after(max(store.applied(), effects.applied(database)))
    return Kept(database=database, journal=journal, store=store, site=site)


def _database_place(settings: Settings, *, memory: bool) -> str:
    if settings.database != "sqlite":
        return settings.database
    return MEMORY if memory else str(settings.database_file)


def _open_journal(settings: Settings, *, memory: bool) -> Journal:
    if memory:
        return Journal(open_connection(MEMORY))
    # A second connection for who catches up: reading never holds up an append.
    file = settings.journal_file
    return Journal(open_connection(file), open_connection(file))


def _open_store(settings: Settings, site: Site, clock: Clock, *, memory: bool) -> TimeSeriesStore:
    spec = settings.store
    if isinstance(spec, InfluxStoreSpec):
        token = settings.secret(spec.token_file)
        influx = {"url": spec.url, "bucket": spec.bucket, "org": spec.org}
        influx |= {"token": token} if token else {}
        return open_store("influx", points=site.points, influx=influx)
    path = MEMORY if memory else settings.readings_file
    return open_store(spec.kind, path, threads=1 if clock.virtual else None)
