"""Exactly one effect, whatever breaks, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from hub.database import effects as kept
from hub.database import outbox, records
from hub.database.chain import verify
from hub.database.connection import Database, open_database
from hub.database.schema import metadata
from hub.engine import Core, Engine
from hub.engine import edge as edge_module
from hub.journal import Journal, open_connection
from hub.model import AlarmState, Batch, Entry, EntryKind, TicketState
from rules.load import TOLD
from tests.hub.engine_bench import STORY, Bench
from tests.hub.fault_site import MINUTE, PROMISE, START, action, log
from tests.hub.noisy_site import PACKS, noisy_site


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
    return tickets, records.alarms(database), events, outbox.due(database, 2**53)


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


LINE = noisy_site(buildings=1, buses=1, meters=64, terminals=0)
HISTORIES = 4  # one for each way to die


def lost_line(seed: int) -> list[Entry]:
    """A line with 64 meters is lost; in which order and batches they spoke, chance decides."""
    chance = random.Random(seed)
    entries = [Entry(EntryKind.CONFIGURATION, START)]
    for minute in range(3):
        at_ms = START + minute * MINUTE
        numbers = [number for number, point in LINE.points.items() if point.name == "energy"]
        chance.shuffle(numbers)
        cut = chance.randrange(1, 64)
        for part in (numbers[:cut], numbers[cut:]):
            flat = [len(part) * [one] for one in (at_ms, 100.0, 0)]
            entries.append(Entry(EntryKind.READINGS, at_ms, Batch.of(part, *flat, at_ms)))
        entries.append(Entry(EntryKind.TICK, at_ms))
    steps = [*sorted(chance.sample(range(4 * 60, 20 * 60), 8)), 20 * 60]
    return [*entries, *(Entry(EntryKind.TICK, START + second * 1000) for second in steps)]


@pytest.fixture
def histories(full_scale, database) -> range:
    """Return the seeds: all ways to die on each kind of database, or half of them on each."""
    if full_scale:
        return range(1000)
    return range(database.dialect == "postgresql", HISTORIES, 2)


def reports() -> list[Entry]:
    """Return what 64 people report of one cause at once, every fourth of them twice."""
    title = {"zh": "停电", "en": "No power"}
    opening = {"source": "report", "kind": "no-power", "place": "dorm-01", "title": title}
    people = [n for n in range(64) for _ in range(1 + (n % 4 == 0))]
    at_ms = START + 21 * MINUTE
    said = {"kind": "open", "actor": "reporter", "at_ms": at_ms, "opening": opening}
    told = [said | {"id": f"open-{n}", "reporter": f"r{n}"} for n in people]
    return [Entry(EntryKind.ACTION, at_ms, content=content) for content in told]


def emptied(database: Database) -> Database:
    """Return a database without its rows: making one anew takes longer than a history."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return database


@pytest.mark.timeout(3600)
async def test_64_triggers_of_one_fault_and_a_crash_at_every_step_give_exactly_one(
    monkeypatch, histories, database
) -> None:
    """Lost, seen by 64 meters at once, acknowledged by four, and what 64 people report."""
    monkeypatch.setattr(edge_module, "SNAPSHOT_S", 0.0)
    for seed in histories:
        monkeypatch.setattr(edge_module, "CHUNK", 1 + seed % 7)
        journal = Journal(open_connection(":memory:"))
        story = lost_line(seed)
        plain = Core(LINE, PACKS, PROMISE)
        alarm = next(
            effect.alarm
            for entry in story
            for effect in plain.step(0, entry)
            if getattr(effect, "kind", "") in TOLD
        )
        story += [action(21 + n / 1000, "acknowledge_alarm", alarm) for n in range(4)]
        story += reports()
        journal.append(story)
        emptied(database)
        nth, after = ((2, True), (3, False), (3, True), (4, False))[seed % 4]
        with pytest.MonkeyPatch.context() as patched:
            mortal, lives = Mortal(patched, nth, after=after), 1
            while not await mortal.live(Bench(database, journal, of=Core(LINE, PACKS, PROMISE))):
                lives += 1
        assert lives > 2
        reported, ticket = records.tickets(database)
        assert ticket.device == "gw-01-1"
        assert reported.reports == 64
        kinds = [event.kind for event in records.events(database, reported.id)]
        assert kinds == ["opened", *(63 * ["merged"])]
        assert verify(database).troubles == []
        told = [one for one in records.alarm_events(database, 0, 2**53) if one.kind in TOLD]
        assert [one.alarm for one in told] == [alarm]
        (root,) = [one for one in records.alarms(database, limit=999) if one.id == alarm]
        assert root.state is AlarmState.ACKNOWLEDGED
        kinds = [line.kind for line in records.alarm_history(database, alarm)]
        assert kinds == ["inhibited", "released", "acknowledged"]
        told = sorted(one.key for one in outbox.due(database, 2**53) if one.n == 0)
        assert told == sorted(f"{one.id}/0/duty" for one in (ticket, reported))
