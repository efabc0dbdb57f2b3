"""The engine hears what the journal cannot keep: alarms rise, once, also when it comes again."""

from __future__ import annotations

import asyncio

import pytest

from hub.database import effects as kept
from hub.database import records
from hub.database.connection import Database, open_database
from hub.engine import Engine
from hub.engine import edge as edge_module
from hub.model import Entry, Ticket, TicketState
from tests.hub.engine_bench import FAULT, Bench


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "TICK_S", 3600.0)
    monkeypatch.setattr(Engine, "_tell_time", lambda *args: None)


async def first_ticket(database: Database) -> Ticket:
    async with asyncio.timeout(20):
        while not (found := records.tickets(database)):  # noqa: ASYNC110 - it looks at a table
            await asyncio.sleep(0.01)
    return found[0]


async def test_a_ticket_rises_from_what_is_not_in_the_journal_and_only_one() -> None:
    database = open_database(":memory:")
    bench = Bench(database)
    async with bench.running():
        bench.engine.overhear(FAULT)
        ticket = await first_ticket(database)
        assert kept.applied(database) == bench.journal.last() == 0

        for entry in FAULT:  # the disk has room again: the same comes through the journal
            bench.enter(entry)
        await bench.engine.settle()
        assert records.tickets(database) == [ticket]
        assert [event.kind for event in records.events(database, ticket.id)] == ["opened"]
        assert kept.applied(database) <= bench.journal.last()
    database.close()


async def test_a_person_is_answered_while_the_journal_cannot_keep_the_action() -> None:
    database = open_database(":memory:")
    bench = Bench(database)
    held = []

    def hold(entry: Entry) -> None:
        held.append(entry)
        bench.engine.overhear([entry])

    task = asyncio.create_task(bench.engine.run(hold))
    bench.engine.overhear(FAULT)
    ticket = await first_ticket(database)
    action = {"kind": "acknowledge", "ticket": ticket.id, "actor": "li"}
    answer = await bench.engine.act(action)
    assert answer.state is TicketState.RESPONDED

    seq = bench.journal.append(held)  # it is kept after all, and is no second action
    bench.engine.hear(list(enumerate(held, seq - len(held) + 1)))
    await asyncio.wait_for(bench.engine.settle(), 10)
    events = [event.kind for event in records.events(database, answer.id)]
    assert events.count("acknowledged") == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    database.close()
