"""Registers that devices turned out not to have, so that a restart does not look for them again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import holes
from hub.ports import Hole, StoreError, Worker

log = logging.getLogger(__name__)


def known(database: Database) -> dict[tuple[str, str], tuple[int, list[Hole]]]:
    """Return by device and profile the instant when holes were found, and the holes in order."""
    query = sa.select(holes).order_by(holes.c.register_table, holes.c.address, holes.c.words)
    found: dict[tuple[str, str], tuple[int, list[Hole]]] = {}
    with database.read() as connection:
        for row in connection.execute(query):
            _, there = found.setdefault((row.device, row.profile), (row.found_ms, []))
            there.append(Hole(row.register_table, row.address, row.words))
    return found


def keep(
    database: Database, device: str, profile: str, found_ms: int, there: Sequence[Hole]
) -> None:
    """Keep the holes of a device in place of those known; with none it is forgotten."""
    rows = [
        {
            "device": device,
            "profile": profile,
            "register_table": hole.table,
            "address": hole.address,
            "words": hole.words,
            "found_ms": found_ms,
        }
        for hole in there
    ]
    with database.write() as connection:
        connection.execute(sa.delete(holes).where(holes.c.device == device))
        if rows:
            connection.execute(database.insert(holes), rows)


class KeptHoles:
    """The holes as drivers know them: read once at the start, written down in a worker."""

    def __init__(self, database: Database, worker: Worker) -> None:
        self._database = database
        self._worker = worker
        self._known: Mapping[tuple[str, str], tuple[int, list[Hole]]] = known(database)
        self._writing: set[asyncio.Task[None]] = set()

    def known(self, device: str, profile: str) -> tuple[int, Sequence[Hole]]:
        """Return the instant when they were found and the holes; 0 and none at first."""
        return self._known.get((device, profile), (0, ()))

    def keep(self, device: str, profile: str, found_ms: int, there: Sequence[Hole]) -> None:
        """Write down, in the worker, what takes the place of the holes known."""
        task = asyncio.ensure_future(self._write(device, profile, found_ms, there))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, device: str, profile: str, found_ms: int, there: Sequence[Hole]) -> None:
        try:
            await self._worker.run(lambda: keep(self._database, device, profile, found_ms, there))
        except StoreError as error:
            log.warning("holes of %s not kept, they will be looked for again: %s", device, error)
