"""The engine at its edges: journal, database, crash, people waiting for an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.database import effects as kept
from hub.database import outbox, records
from hub.database.connection import Database, open_database
from hub.engine import Engine
from hub.engine import edge as edge_module
from hub.journal import Journal, open_connection
from hub.model import Alarm, AlarmState, Entry, TicketState
from hub.ports import Refused, StoreError
from tests.hub.engine_bench import FAULT, STORY, Bench
from tests.hub.fault_site import (
    COLD,
    SILENT,
    START,
    core,
    minutes,
    reading,
    started,
    told,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the once-a-second tick out of stories that bring their own, and wait less."""
    monkeypatch.setattr(edge_module, "TICK_S", 3600.0)
    monkeypatch.setattr(edge_module, "BACK_OFF_S", (0.01, 0.05))
    monkeypatch.setattr(Engine, "_tell_time", lambda *args: None)


@pytest.fixture
def memory() -> Iterator[Database]:
    database = open_database(":memory:")
    yield database
    database.close()


async def test_a_fault_in_the_journal_becomes_one_ticket_in_the_database(database) -> None:
    bench = Bench(database)
    await bench.play(FAULT)
    (ticket,) = records.tickets(database)
    (alarm,) = records.alarms(database)
    assert ticket.alarm == alarm.id
    assert alarm.state is AlarmState.UNACKNOWLEDGED
    assert [event.kind for event in records.events(database, ticket.id)] == ["opened"]
    assert [one.key for one in outbox.due(database, 2**53)] == [f"{ticket.id}/0/duty"]
    assert kept.applied(database) == bench.journal.last()


async def test_a_person_gets_the_ticket_as_it_is_after_the_action(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        for entry in FAULT:
            bench.enter(entry)
        await bench.engine.settle()
        (ticket,) = records.tickets(memory)
        answer = await bench.engine.act({"kind": "acknowledge", "ticket": ticket.id, "actor": "li"})
        assert answer == records.ticket(memory, ticket.id)
        assert answer.state is TicketState.RESPONDED
        with pytest.raises(Refused, match="acknowledged before"):
            await bench.engine.act({"kind": "acknowledge", "ticket": ticket.id, "actor": "wang"})
        alarm = await bench.engine.act(
            {"kind": "note", "ticket": ticket.id, "actor": "li", "note": "pump is loud"}
        )
        assert alarm.id == ticket.id


async def test_an_alarm_is_answered_with_the_alarm(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        for entry in FAULT:
            bench.enter(entry)
        await bench.engine.settle()
        (alarm,) = records.alarms(memory)
        asked = {"kind": "acknowledge_alarm", "alarm": alarm.id, "actor": "li"}
        answer = await bench.engine.act(asked)
    assert isinstance(answer, Alarm)
    assert answer.state is AlarmState.ACKNOWLEDGED


async def test_the_same_action_sent_twice_at_once_is_one_event(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        for entry in FAULT:
            bench.enter(entry)
        await bench.engine.settle()
        (ticket,) = records.tickets(memory)
        asked = {"id": "form-1", "kind": "note", "ticket": ticket.id, "actor": "li", "note": "x"}
        answers = [await bench.engine.act(asked)]
        answers += await asyncio.gather(*(bench.engine.act(asked) for _ in range(5)))
    assert len({answer.id for answer in answers}) == 1
    kinds = [event.kind for event in records.events(memory, ticket.id)]
    assert kinds.count("note") == 1


async def test_the_instant_of_an_action_is_the_hubs_own(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.enter(started())
        with pytest.raises(Refused, match="no such ticket"):
            await bench.engine.act(
                {"kind": "acknowledge", "ticket": "t", "actor": "li", "at_ms": 5}
            )
    assert bench.entered[-1].at_ms > 5
    assert bench.entered[-1].content["at_ms"] == bench.entered[-1].at_ms


async def test_a_malformed_action_never_reaches_the_journal(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.enter(started())
        await bench.engine.settle()
        with pytest.raises(Refused, match="note"):
            await bench.engine.act({"kind": "note", "ticket": "t", "actor": "li"})
    assert len(bench.entered) == 1


async def test_an_engine_that_does_not_run_refuses(memory) -> None:
    with pytest.raises(Refused, match="starting or stopping"):
        await Bench(memory).engine.act({"kind": "acknowledge", "ticket": "t", "actor": "li"})


async def test_the_database_away_for_a_while_loses_nothing(memory, monkeypatch, caplog) -> None:
    bench = Bench(memory)
    real = kept.apply
    failures = iter(range(6))

    def failing(*args):
        if next(failures, None) is not None:
            raise StoreError("database is locked")
        return real(*args)

    monkeypatch.setattr(kept, "apply", failing)
    await bench.play(STORY)
    assert [ticket.state for ticket in records.tickets(memory)] == [TicketState.CLOSED]
    assert bench.engine.counts["database_failures"] == 6
    waits = [r for r in caplog.records if "engine waits" in r.message]
    assert len(waits) == 1


async def test_what_is_heard_while_the_database_is_away_is_read_from_the_journal(
    memory, monkeypatch
) -> None:
    monkeypatch.setattr(edge_module, "HEARD", 5)
    bench = Bench(memory)
    await bench.play(STORY)
    assert [ticket.state for ticket in records.tickets(memory)] == [TicketState.CLOSED]


def test_what_is_heard_and_not_taken_does_not_fill_the_memory(memory) -> None:
    engine = Bench(memory).engine
    for seq, entry in enumerate(FAULT * 50, 1):
        engine.hear([(seq, entry)])
    assert len(engine._heard) <= edge_module.HEARD


async def test_an_engine_stopped_while_the_database_is_away_loses_nothing(
    memory, monkeypatch
) -> None:
    bench, real = Bench(memory), kept.apply

    def gone(*args: object) -> bool:
        raise StoreError("database is away")

    monkeypatch.setattr(kept, "apply", gone)  # but a snapshot would work: it must not be taken
    async with bench.running():
        for entry in FAULT:
            bench.enter(entry)
        while not bench.engine.counts["database_failures"]:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.001)
    monkeypatch.setattr(kept, "apply", real)
    await Bench(memory, bench.journal).play([])
    assert len(records.open_tickets(memory)) == 1


async def test_a_person_is_told_when_the_database_does_not_answer(memory, monkeypatch) -> None:
    monkeypatch.setattr(edge_module, "ANSWER_S", 0.05)
    bench = Bench(memory)
    await bench.play(FAULT)
    (ticket,) = records.tickets(memory)
    bench = Bench(memory, bench.journal)
    async with bench.running():
        await bench.engine.settle()
        monkeypatch.setattr(kept, "apply", lambda *args: (_ for _ in ()).throw(StoreError("gone")))
        with pytest.raises(StoreError, match="not applied yet"):
            await bench.engine.act({"kind": "acknowledge", "ticket": ticket.id, "actor": "li"})


async def test_a_journal_that_was_lost_leaves_the_open_tickets_workable(memory, caplog) -> None:
    await Bench(memory).play(FAULT)
    (ticket,) = records.tickets(memory)
    bench = Bench(memory, Journal(open_connection(":memory:")))
    await bench.play([started(30), *minutes(31, 50, 45)])
    assert "begins anew" in caplog.text
    assert [one.id for one in records.open_tickets(memory)] == [ticket.id]
    kinds = [event.kind for event in records.events(memory, ticket.id)]
    assert kinds == ["opened", "breach", "raised_again", "breach"]


async def test_a_damaged_journal_entry_at_the_edge_hides_none_after_it(memory) -> None:
    one = core(COLD, SILENT)
    raising = next(seq for seq, entry in enumerate(FAULT, 1) if one.step(seq, entry))
    connection = open_connection(":memory:")
    bench = Bench(memory, Journal(connection))
    bench.journal.append(FAULT)
    connection.execute("DELETE FROM journal WHERE seq = ?", (raising - 1,))
    kept.apply(memory, raising - 1, [])
    await bench.play([])
    assert len(records.open_tickets(memory)) == 1


async def test_a_snapshot_of_another_version_is_replaced_by_the_journal(memory, caplog) -> None:
    bench = Bench(memory)
    await bench.play(FAULT)
    kept.save_snapshot(memory, bench.journal.last(), b'{"version":0}')
    again = Bench(memory, bench.journal)
    await again.play([])
    assert "snapshot not used" in caplog.text
    assert again.core.save() == bench.core.save()
    assert again.effects == []


async def test_a_journal_on_disk_carries_the_story_over_a_restart(tmp_path: Path) -> None:
    database = open_database(tmp_path / "hub.db")
    entries = STORY
    first = Journal(open_connection(tmp_path / "journal.db"))
    await Bench(database, first).play(entries[:30])
    second = Journal(open_connection(tmp_path / "journal.db"))
    await Bench(database, second).play(entries[30:])
    assert [ticket.state for ticket in records.tickets(database)] == [TicketState.CLOSED]
    database.close()


# In virtual time.


def test_in_virtual_time_a_tick_comes_exactly_when_something_is_due(monkeypatch) -> None:
    monkeypatch.undo()
    database = open_database(":memory:")

    async def day(loop: VirtualLoop) -> Bench:
        clock = VirtualClock(loop, START, seed=7)
        bench = Bench(database, clock=clock)
        async with bench.running():
            bench.enter(started())
            for minute in range(30):
                bench.enter(reading(minute, 55))
                await clock.sleep(60)
            await clock.sleep(24 * 3600)
        return bench

    with contextlib.closing(VirtualLoop()) as loop:
        bench = loop.run_until_complete(day(loop))
    assert told(bench.effects) == [
        ("opened", 39),
        ("breach", 44),
        ("breach", 59),
        ("breach", 39 + 720),
    ]
    ticks = [entry for entry in bench.entered if entry.kind == 2]
    assert len(ticks) == 5  # start, silent, response, on site, fix: nothing else was due
    database.close()


def test_a_tick_that_is_on_its_way_is_not_entered_again(monkeypatch) -> None:
    monkeypatch.undo()
    database = open_database(":memory:")

    async def story(loop: VirtualLoop) -> int:
        clock, ticks = VirtualClock(loop, START, seed=7), 0
        bench = Bench(database, clock=clock)
        enter = bench.enter

        def slowly(entry: Entry) -> None:
            nonlocal ticks
            ticks += entry.kind == 2
            loop.call_later(0.2, enter, entry)

        bench.enter = slowly
        async with bench.running():
            await clock.sleep(599)
            for n in range(100):  # readings of another point, which keep the engine moving
                enter(reading(10 + n / 1000, 55, point=2))
                await clock.sleep(0.05)
        return ticks

    with contextlib.closing(VirtualLoop()) as loop:
        assert loop.run_until_complete(story(loop)) == 2  # at the start, and at ten minutes
    database.close()


def test_what_was_silent_while_the_hub_was_down_is_no_fault(monkeypatch) -> None:
    monkeypatch.undo()
    database = open_database(":memory:")

    async def two_lives(loop: VirtualLoop) -> list[tuple[str, float]]:
        clock = VirtualClock(loop, START, seed=7)
        first = Bench(database, clock=clock)
        async with first.running():
            first.enter(reading(0, 55))
            await clock.sleep(60)
        await clock.sleep(3600)  # down from minute 1 to minute 61
        second = Bench(database, first.journal, clock)
        async with second.running():
            await clock.sleep(9.9 * 60)
            assert second.effects == []
            await clock.sleep(60)
        return told(second.effects)

    with contextlib.closing(VirtualLoop()) as loop:
        ((kind, minute),) = loop.run_until_complete(two_lives(loop))
    assert (kind, round(minute)) == ("opened", 71)
    database.close()


async def test_in_real_time_the_time_is_told_every_second(memory, monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(edge_module, "TICK_S", 0.02)
    bench = Bench(memory)
    async with bench.running():
        await asyncio.sleep(0.2)
    assert len([entry for entry in bench.entered if entry.kind == 2]) >= 3
