"""Exactly one effect, whatever breaks, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hub.database import effects as kept
from hub.database import outbox, records
from hub.database.connection import Database, open_database
from hub.engine import Engine
from hub.engine import edge as edge_module
from hub.journal import Journal, open_connection
from hub.model import TicketState
from tests.hub.engine_bench import STORY, Bench
from tests.hub.fault_site import log


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the once-a-second tick out of stories that bring their own, and wait less."""
    monkeypatch.setattr(edge_module, "TICK_S", 3600.0)
    monkeypatch.setattr(edge_module, "BACK_OFF_S", (0.01, 0.05))
    monkeypatch.setattr(Engine, "_tell_time", lambda *args: None)


class Crash(BaseException):
    """The process ends here; nothing after this line runs."""


def state_of(database: Database) -> tuple[object, ...]:
    tickets = records.tickets(database)
    events = [records.events(database, ticket.id) for ticket in tickets]
    return tickets, records.alarms(database), events, outbox.unsent(database)


class Mortal:
    """Makes every life of an engine end at its n-th write, before or after the commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, nth: int, *, after: bool) -> None:
        self.writes = 0
        self.nth, self.after = nth, after
        for name in ("apply", "save_snapshot"):
            monkeypatch.setattr(kept, name, self.wrapped(getattr(kept, name)))

    def wrapped(self, real: Callable[..., object]) -> Callable[..., object]:
        def write(*args: object) -> object:
            self.writes += 1
            if self.writes < self.nth:
                return real(*args)
            if self.writes == self.nth and self.after:
                real(*args)
            raise Crash  # the dead write nothing, not even while they fall

        return write

    async def live(self, bench: Bench) -> bool:
        """Let an engine live on its journal; return whether it came to the end."""
        self.writes = 0
        task = asyncio.create_task(bench.engine.run(bench.enter))
        settled = asyncio.create_task(bench.engine.settle())
        await asyncio.wait({task, settled}, return_when=asyncio.FIRST_COMPLETED)
        survived = not task.done()
        self.writes = self.nth  # no last snapshot either
        for one in (task, settled):
            one.cancel()
        await asyncio.gather(task, settled, return_exceptions=True)
        return survived


@pytest.mark.parametrize(("nth", "after"), [(2, True), (3, False), (3, True), (4, False)])
async def test_a_crash_at_any_step_and_a_replay_change_nothing(
    database, nth, after, monkeypatch
) -> None:
    monkeypatch.setattr(edge_module, "SNAPSHOT_S", 0.0)
    monkeypatch.setattr(edge_module, "CHUNK", 7)
    plain = open_database(":memory:")
    whole = Bench(plain)
    await whole.play(STORY)
    mortal, lives, said = Mortal(monkeypatch, nth, after=after), 1, []
    bench = Bench(database, whole.journal)
    while not await mortal.live(bench):
        said += bench.effects
        lives += 1
        bench = Bench(database, whole.journal)
    assert lives > 4
    assert state_of(database) == state_of(plain)
    assert [ticket.state for ticket in records.tickets(database)] == [TicketState.CLOSED]
    if not after:  # what was not committed was not said, so the log has no repeats
        assert log([*said, *bench.effects]) == log(whole.effects)
    plain.close()


async def test_a_restart_goes_on_from_the_snapshot_and_says_nothing_twice(database) -> None:
    journal = Journal(open_connection(":memory:"))
    entries = STORY
    whole = Bench(open_database(":memory:"))
    await whole.play(entries)
    said = []
    for start in range(0, len(entries), 9):
        bench = Bench(database, journal)
        await bench.play(entries[start : start + 9])
        said += bench.effects
    assert log(said) == log(whole.effects)
    assert state_of(database) == state_of(whole.database)
    whole.database.close()
