"""An engine on a journal, and a whole story for it; for the tests of its edges."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from hub.clock import RealClock
from hub.database.connection import Database
from hub.engine import Core, Engine
from hub.journal import Journal, open_connection
from hub.model import Effect, Entry
from hub.ports import Clock
from tests.hub.fault_site import COLD, SILENT, action, core, minutes, play, started, tick, ticket_in

FAULT = [started(), *minutes(0, 9, 55), *minutes(10, 20, 45)]
TICKET = ticket_in(play(core(COLD, SILENT), FAULT)).id
STORY = [
    *FAULT,
    action(20.2, "acknowledge", TICKET),
    action(20.4, "arrive", TICKET),
    *minutes(21, 29, 45),
    action(30, "fix", TICKET, part="heating-element"),
    *minutes(31, 60, 55),
    tick(61),
]


class Bench:
    """An engine on a journal, with an intake that appends at once."""

    def __init__(
        self,
        database: Database,
        journal: Journal | None = None,
        clock: Clock | None = None,
        of: Core | None = None,
    ) -> None:
        self.database = database
        self.journal = journal or Journal(open_connection(":memory:"))
        self.effects: list[Effect] = []
        clock = clock or RealClock()
        self.core = of or core(COLD, SILENT)
        self.engine = Engine(self.core, self.journal, database, clock, self.effects.append)
        self.entered: list[Entry] = []

    def enter(self, entry: Entry) -> None:
        """Append and hand on, as intake does."""
        self.entered.append(entry)
        seq = self.journal.append([entry])
        self.engine.hear([(seq, entry)])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.engine.run(self.enter))
        try:
            while not self.engine.ready:  # noqa: ASYNC110 - it has no event of its own
                await asyncio.sleep(0.001)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def play(self, entries: Iterable[Entry]) -> None:
        async with self.running():
            for entry in entries:
                self.enter(entry)
            await asyncio.wait_for(self.engine.settle(), 10)
