"""The recorder: the store gets every reading once, and its troubles stay its own."""

import asyncio
import threading
from pathlib import Path

import pytest

from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.intake import Intake
from hub.journal import Journal, Room, open_connection
from hub.live import Live
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore
from hub.store.memory import MemoryStore

ALWAYS = (0, 10**15)


def readings(n: int, rows: int = 2) -> Entry:
    return Entry(
        EntryKind.READINGS, n, Batch.of(range(rows), [n] * rows, [n] * rows, [0] * rows, n)
    )


class SickStore(MemoryStore):
    """A store that refuses as often as it is told to; ``lies`` keeps the batch and refuses."""

    def __init__(self, refusals: int, *, lies: bool = False) -> None:
        super().__init__()
        self.refusals = refusals
        self.lies = lies
        self.rows = 0

    def append(self, batch: Batch, seq: int) -> None:
        if self.refusals:
            self.refusals -= 1
            if self.lies:
                self.kept(batch, seq)
            raise StoreError("the store is locked")
        self.kept(batch, seq)

    def kept(self, batch: Batch, seq: int) -> None:
        self.rows += len(batch)
        super().append(batch, seq)


@pytest.fixture
def journal() -> Journal:
    return Journal(open_connection(":memory:"))


def run(journal: Journal, store: MemoryStore, seconds: float) -> Recorder:
    loop = VirtualLoop()
    clock = VirtualClock(loop, 0, 1)

    async def play() -> Recorder:
        recorder = Recorder(journal, store, clock)
        task = asyncio.create_task(recorder.run())
        await clock.sleep(seconds)
        for n in range(100, 103):
            journal.append([readings(n)])
            recorder.wake()
        await clock.sleep(seconds)
        task.cancel()
        return recorder

    try:
        return loop.run_until_complete(play())
    finally:
        loop.close()


def test_while_the_disk_is_full_the_store_takes_no_more_room(journal: Journal) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, 0, 1)
    store, room = MemoryStore(), Room()

    async def play() -> None:
        recorder = Recorder(journal, store, clock, room=room)
        task = asyncio.create_task(recorder.run())
        room.give_up("a test")
        journal.append([readings(1)])
        recorder.wake()
        await clock.sleep(60)
        assert store.applied() == 0
        room.over()
        await clock.sleep(10)
        assert store.applied() == 1
        task.cancel()

    loop.run_until_complete(play())
    loop.close()


@pytest.mark.parametrize("lies", [False, True], ids=["refuses", "keeps and refuses"])
def test_a_locked_store_gets_everything_once_when_it_is_back(
    journal: Journal, caplog: pytest.LogCaptureFixture, lies: bool
) -> None:
    for n in range(1, 21):
        journal.append([readings(n), Entry(EntryKind.TICK, n)])
    store = SickStore(4, lies=lies)
    recorder = run(journal, store, 200)
    assert recorder.lag() == 0
    assert lies or recorder.failures == 4
    assert store.raw([0, 1], *ALWAYS).at_ms.tolist() == [*range(1, 21), 100, 101, 102] * 2
    assert store.rows == 46, "a reading was given to the store twice"
    assert lies or caplog.text.count("store lost") == 1
    assert caplog.text.count("store lost") == caplog.text.count("store back")


def test_begins_after_what_the_store_has_and_reads_in_pieces(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.journal.journal.READ_BYTES", 100)
    for n in range(1, 31):
        journal.append([readings(n)])
    store = MemoryStore()
    store.append(Batch.of([0], [1], [1.0], [0], 1), 10)
    recorder = run(journal, store, 5)
    assert store.raw([1], *ALWAYS).at_ms.tolist() == [*range(11, 31), 100, 101, 102]
    assert store.applied() == recorder.position == 33


def test_a_journal_younger_than_its_store_loses_nothing(journal: Journal) -> None:
    store = MemoryStore()
    store.append(Batch.of([5], [1], [1.0], [0], 1), 5000)
    run(journal, store, 5)
    assert store.raw([0], *ALWAYS).at_ms.tolist() == [100, 101, 102]


class StuckStore(DuckStore):
    """A store whose append stands still until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def append(self, batch: Batch, seq: int) -> None:
        self.begun.set()
        self.let_go.wait(10)
        super().append(batch, seq)


async def test_a_store_that_stands_still_delays_neither_journal_nor_engine(tmp_path: Path) -> None:
    clock = RealClock()
    journal = Journal(open_connection(tmp_path / "journal"))
    store = StuckStore(tmp_path / "telemetry")
    recorder = Recorder(journal, store, clock, gather_s=0.01)
    heard: list[tuple[int, Entry]] = []
    came = asyncio.Event()
    intake = Intake(journal, Live(10), clock, [recorder.wake, heard.extend, lambda _: came.set()])
    tasks = [asyncio.create_task(intake.run()), asyncio.create_task(recorder.run())]
    for n in range(1, 4):
        durable = asyncio.Event()
        came.clear()
        intake.put(Batch.of([1], [n], [float(n)], [0], n), durable.set)
        async with asyncio.timeout(5):
            await durable.wait()
            await came.wait()
        await asyncio.to_thread(store.begun.wait, 5)
    assert store.begun.is_set()
    assert len(heard) == 3
    assert recorder.lag() == 3
    assert len(store.raw([1], *ALWAYS)) == 0, "a reader waits for nobody"
    store.let_go.set()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await intake.flush()
    await recorder.flush()
    assert store.raw([1], *ALWAYS).at_ms.tolist() == [1, 2, 3]
    recorder.close()
    store.close()
    journal.close()


def test_a_virtual_day_of_small_puts_goes_the_same_way() -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, 1_800_000_000_000, 1)
    journal = Journal(open_connection(":memory:"))
    store = DuckStore(threads=1)
    puts = 2000

    async def play() -> Recorder:
        recorder = Recorder(journal, store, clock, gather_s=300)
        intake = Intake(journal, Live(20), clock, [recorder.wake])
        tasks = [asyncio.create_task(intake.run()), asyncio.create_task(recorder.run())]
        for n in range(puts):
            at_ms = clock.now_ms()
            intake.put(Batch.of(range(12), [at_ms] * 12, [float(n)] * 12, [0] * 12, at_ms))
            await clock.sleep(43.2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await intake.flush()
        await recorder.flush()
        return recorder

    recorder = loop.run_until_complete(play())
    loop.close()
    assert recorder.lag() == 0
    assert store.raw([3], *ALWAYS).value.tolist() == [float(n) for n in range(puts)]
    store.close()
