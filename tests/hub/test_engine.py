"""The engine at its edges: journal, database, crash, people waiting for an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.database import effects as kept
from hub.database import outbox, records
from hub.database.connection import Database, open_database
from hub.engine import Engine
from hub.engine import edge as edge_module
from hub.journal import Journal, open_connection
from hub.model import Alarm, AlarmState, Effect, Entry, TicketState
from hub.ports import Refused, StoreError
from tests.hub.fault_site import (
    COLD,
    SILENT,
    START,
    action,
    core,
    log,
    minutes,
    reading,
    started,
    tick,
    told,
)

FAULT = [started(), *minutes(0, 9, 55), *minutes(10, 20, 45)]
MENDED = [*minutes(31, 60, 55)]


class Bench:
    """An engine on a journal, with an intake that appends at once."""

    def __init__(self, database: Database, journal: Journal | None = None, clock=None) -> None:
        self.database = database
        self.journal = journal or Journal(open_connection(":memory:"))
        self.effects: list[Effect] = []
        clock = clock or RealClock()
        self.core = core(COLD, SILENT)
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
            while not self.engine.ready:
                await asyncio.sleep(0.001)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def play(self, entries) -> None:
        async with self.running():
            for entry in entries:
                self.enter(entry)
            await asyncio.wait_for(self.engine.settle(), 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the once-a-second tick out of stories that bring their own, and wait less."""
    monkeypatch.setattr(edge_module, "TICK_S", 3600.0)
    monkeypatch.setattr(edge_module, "BACK_OFF_S", (0.01, 0.05))
    monkeypatch.setattr(Engine, "_tell_time", lambda self: None)


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
    assert [one.key for one in outbox.unsent(database)] == [f"{ticket.id}/0"]
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
    assert [event.kind for event in records.events(memory, ticket.id)] == ["opened", "note"]


async def test_the_instant_of_an_action_is_the_hubs_own(memory) -> None:
    bench = Bench(memory)
    async with bench.running():
        bench.enter(started())
        with pytest.raises(Refused, match="no such ticket"):
            await bench.engine.act(
                {"kind": "acknowledge", "ticket": "t", "actor": "li", "at_ms": START - 1}
            )
    assert bench.entered[-1].at_ms > START - 1
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


# Exactly one effect, whatever breaks.


class Crash(BaseException):
    """The process ends here; nothing after this line runs."""


STORY = [
    *FAULT,
    action(20.2, "acknowledge", "TICKET"),
    action(20.4, "arrive", "TICKET"),
    *minutes(21, 29, 45),
    action(30, "fix", "TICKET", part="heating-element"),
    *MENDED,
    tick(61),
]


def story() -> list[Entry]:
    ticket = told_ticket()
    return [
        Entry(
            e.kind,
            e.at_ms,
            e.batch,
            {**e.content, "ticket": ticket} if "ticket" in e.content else e.content,
        )
        for e in STORY
    ]


def told_ticket() -> str:
    one = core(COLD, SILENT)
    effects = [effect for n, entry in enumerate(FAULT) for effect in one.step(n, entry)]
    return next(effect.ticket for effect in effects if hasattr(effect, "ticket"))


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
    await whole.play(story())
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
    entries = story()
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


async def test_the_database_away_for_a_while_loses_nothing(memory, monkeypatch, caplog) -> None:
    bench = Bench(memory)
    real = kept.apply
    failures = iter(range(6))

    def failing(*args):
        if next(failures, None) is not None:
            raise StoreError("database is locked")
        return real(*args)

    monkeypatch.setattr(kept, "apply", failing)
    await bench.play(story())
    assert [ticket.state for ticket in records.tickets(memory)] == [TicketState.CLOSED]
    assert bench.engine.counts["database_failures"] == 6
    waits = [r for r in caplog.records if "engine waits" in r.message]
    assert len(waits) == 1


async def test_what_is_heard_while_the_database_is_away_is_read_from_the_journal(
    memory, monkeypatch
) -> None:
    monkeypatch.setattr(edge_module, "HEARD", 5)
    bench = Bench(memory)
    await bench.play(story())
    assert [ticket.state for ticket in records.tickets(memory)] == [TicketState.CLOSED]
    assert len(bench.engine._heard) <= 5


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
    entries = story()
    first = Journal(open_connection(tmp_path / "journal.db"))
    await Bench(database, first).play(entries[:30])
    second = Journal(open_connection(tmp_path / "journal.db"))
    await Bench(database, second).play(entries[30:])
    assert [ticket.state for ticket in records.tickets(database)] == [TicketState.CLOSED]
    database.close()


# In virtual time.


def test_in_virtual_time_a_tick_comes_exactly_when_something_is_due(monkeypatch) -> None:
    monkeypatch.undo()
    loop = VirtualLoop()
    database = open_database(":memory:")

    async def day() -> Bench:
        clock = VirtualClock(loop, START, seed=7)
        bench = Bench(database, clock=clock)
        async with bench.running():
            bench.enter(started())
            for minute in range(30):
                bench.enter(reading(minute, 55))
                await clock.sleep(60)
            await clock.sleep(24 * 3600)
        return bench

    bench = loop.run_until_complete(day())
    loop.close()
    assert told(bench.effects) == [
        ("opened", 39),
        ("breach", 44),
        ("breach", 59),
        ("breach", 39 + 720),
    ]
    ticks = [entry for entry in bench.entered if entry.kind == 2]
    assert len(ticks) == 4  # silent, response, on site, fix: nothing else was due
    database.close()


async def test_in_real_time_the_time_is_told_every_second(memory, monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(edge_module, "TICK_S", 0.02)
    bench = Bench(memory)
    async with bench.running():
        await asyncio.sleep(0.2)
    assert len([entry for entry in bench.entered if entry.kind == 2]) >= 3
