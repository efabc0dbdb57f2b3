"""Intake: durable before acknowledged, in order, once; and never more than the memory holds."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch, Entry, EntryKind
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore

ROOT = Path(__file__).parents[2]
START_MS = 1_800_000_000_000
Heard = list[tuple[int, Entry]]


def batch(n: int, rows: int = 2, value: float = 1.0) -> Batch:
    return Batch.of(range(rows), [n] * rows, [value] * rows, [0] * rows, n)


class Bench:
    """An intake in virtual time, and what came out of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START_MS, 1)
        self.connection = connection
        self.journal = Journal(connection)
        self.live = Live(10)
        self.heard: Heard = []
        self.intake = Intake(self.journal, self.live, self.clock, [self.heard.extend])

    def run(self, story: Callable[[], Coroutine[Any, Any, None]], seconds: float = 1.0) -> None:
        async def play() -> None:
            task = asyncio.create_task(self.intake.run())
            await story()
            await self.clock.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.loop.run_until_complete(play())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(open_connection(tmp_path / "journal"))
    yield made
    made.journal.close()
    made.loop.close()


def test_a_reading_is_in_the_journal_before_it_is_acknowledged_and_shown_after(
    bench: Bench,
) -> None:
    seen: list[tuple[int, object, int]] = []

    async def story() -> None:
        bench.intake.put(
            batch(5),
            lambda: seen.append((bench.journal.last(), bench.live.value(1), len(bench.heard))),
        )
        assert bench.live.value(1) is None

    bench.run(story)
    assert seen == [(1, None, 0)]
    assert bench.live.value(1) == (5, 1.0, 0, 5)
    assert [seq for seq, _ in bench.heard] == [1]


def test_what_comes_within_a_tick_becomes_one_batch(bench: Bench) -> None:
    async def story() -> None:
        for n in range(10):
            bench.intake.put(batch(n))
            await bench.clock.sleep(0.019)
        await bench.clock.sleep(0.3)
        bench.intake.put(batch(99))

    bench.run(story)
    assert [len(entry.batch or ()) for _, entry in bench.heard] == [20, 2]
    assert bench.intake.counts["waiting"] == 0
    assert bench.intake.counts["readings"] == 22


@pytest.mark.parametrize(("messages", "waited_s"), [(15, 0.2), (16, 0.0)])
def test_a_tick_ends_early_when_the_broker_waits(
    bench: Bench, messages: int, waited_s: float
) -> None:
    at: list[float] = []

    async def story() -> None:
        for n in range(messages):
            bench.intake.put(batch(n), lambda: at.append(bench.clock.monotonic()))

    bench.run(story)
    assert at == [waited_s] * messages


def test_messages_of_one_batch_count_one_by_one(bench: Bench) -> None:
    at: list[float] = []

    async def story() -> None:
        bench.intake.put(batch(1), lambda: at.append(bench.clock.monotonic()), 16)

    bench.run(story)
    assert at == [0.0]


def test_a_tick_ends_early_when_it_is_full(bench: Bench) -> None:
    async def story() -> None:
        bench.intake.put(batch(1, rows=20_000))
        bench.intake.put(batch(2, rows=20_000))
        await bench.clock.sleep(0)
        await bench.clock.sleep(0.01)
        assert bench.intake.counts["readings"] == 20_000

    bench.run(story)
    assert [len(entry.batch or ()) for _, entry in bench.heard] == [20_000, 20_000]


def test_many_small_puts_are_taken_in_turns_without_a_pause(bench: Bench) -> None:
    async def story() -> None:
        for n in range(5000):
            bench.intake.put(batch(n))
        for _ in range(60):
            await bench.clock.sleep(0)
        assert bench.clock.monotonic() == 0.0
        assert bench.intake.counts["waiting"] == 0

    bench.run(story)
    assert [len(entry.batch or ()) for _, entry in bench.heard] == [2000] * 5


def test_entries_keep_their_place_among_the_readings(bench: Bench) -> None:
    async def story() -> None:
        bench.intake.put(batch(1))
        bench.intake.put(batch(2))
        bench.intake.enter(Entry(EntryKind.ACTION, 3, content={"kind": "fix"}))
        bench.intake.enter(Entry(EntryKind.TICK, 4))
        bench.intake.put(batch(5))

    bench.run(story)
    kinds = [EntryKind.READINGS, EntryKind.ACTION, EntryKind.TICK, EntryKind.READINGS]
    assert [entry.kind for _, entry in bench.heard] == kinds
    assert [entry.kind for _, entry in bench.journal.read(0)] == kinds
    assert [seq for seq, _ in bench.heard] == [1, 2, 3, 4]


def test_exact_repeats_are_acknowledged_counted_and_go_no_further(bench: Bench) -> None:
    acknowledged: list[int] = []

    async def story() -> None:
        bench.intake.put(batch(1), lambda: acknowledged.append(1))
        bench.intake.put(batch(1), lambda: acknowledged.append(2))  # within the tick
        await bench.clock.sleep(1)
        bench.intake.put(batch(1), lambda: acknowledged.append(3))  # in a later one
        await bench.clock.sleep(1)
        bench.intake.put(batch(1, value=2.0), lambda: acknowledged.append(4))  # a correction

    bench.run(story)
    assert acknowledged == [1, 2, 3, 4]
    assert bench.intake.counts["repeats"] == 4
    assert [len(entry.batch or ()) for _, entry in bench.heard] == [2, 2]


def test_one_consumer_that_fails_does_not_take_the_readings_from_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(open_connection(tmp_path / "other"))

    def broken(entries: Sequence[tuple[int, Entry]]) -> None:
        raise RuntimeError("a mistake")

    bench.intake = Intake(bench.journal, bench.live, bench.clock, [broken, bench.heard.extend])

    async def story() -> None:
        bench.intake.put(batch(1), lambda: broken([]))
        await bench.clock.sleep(1)
        bench.intake.put(batch(2))

    bench.run(story)
    assert [seq for seq, _ in bench.heard] == [1, 2]
    assert bench.intake.counts["consumer_errors"] == 3
    assert "a mistake" in caplog.text
    bench.journal.close()
    bench.loop.close()


def test_what_cannot_be_kept_is_refused_where_it_is_put(bench: Bench) -> None:
    with pytest.raises(ValueError, match="columns of a batch differ in length"):
        bench.intake.put(Batch.of([1, 2], [1], [1.0], [0], 1))
    with pytest.raises(TypeError):
        bench.intake.enter(Entry(EntryKind.ACTION, 1, content={"what": object()}))
    assert bench.intake.counts["waiting"] == 0


class SlowJournal(Journal):
    """A journal whose append stands still until it is let go."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def append(self, entries: Sequence[Entry]) -> int:
        self.begun.set()
        self.let_go.wait(5)
        return super().append(entries)


async def test_a_stop_in_the_middle_of_an_append_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    journal = SlowJournal(open_connection(tmp_path / "journal"))
    heard: Heard = []
    acknowledged: list[int] = []
    intake = Intake(journal, Live(10), RealClock(), [heard.extend])
    task = asyncio.create_task(intake.run())
    intake.put(batch(1), lambda: acknowledged.append(1))
    await asyncio.to_thread(journal.begun.wait, 5)
    intake.put(batch(2), lambda: acknowledged.append(2))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal.let_go.set()
    await intake.flush()
    kept = [entry.batch.at_ms.tolist() for _, entry in journal.read(0) if entry.batch]
    assert kept == [[1, 1], [2, 2]]
    assert [seq for seq, _ in heard] == [1, 2]
    assert acknowledged == [1, 2]
    journal.close()


async def test_a_stop_while_the_disk_is_full_ends_and_says_what_is_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_connection(tmp_path / "journal")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    journal = Journal(connection)
    acknowledged: list[int] = []
    intake = Intake(journal, Live(10), RealClock())
    intake.put(batch(1, rows=400), lambda: acknowledged.append(1))
    await intake.flush()
    assert acknowledged == []
    assert "journal lost at the end: 400 rows not kept" in caplog.text
    journal.close()


CHILD = """
import asyncio, sys
from pathlib import Path
from hub.clock import RealClock
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore

async def main(folder, n):
    clock = RealClock()
    journal = Journal(open_connection(folder / "journal"))
    recorder = Recorder(journal, DuckStore(folder / "telemetry"), clock, gather_s=0.02)
    intake = Intake(journal, Live(50), clock, [recorder.wake])
    tasks = [asyncio.create_task(intake.run()), asyncio.create_task(recorder.run())]
    def said(n):
        sys.stdout.write(f"{n}\\n")
        sys.stdout.flush()
    while True:
        rows = 1 + n % 40
        batch = Batch.of(range(rows), [n] * rows, [n + k / 8 for k in range(rows)], [0] * rows, n)
        intake.put(batch, lambda n=n: said(n))
        n += 1
        await clock.sleep(0.002)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


def test_no_acknowledged_reading_is_lost_or_doubled_when_the_hub_is_killed(
    tmp_path: Path, full_scale: bool
) -> None:
    random = RealClock().random("kill")
    acknowledged: set[int] = set()
    n = 1
    for _ in range(20 if full_scale else 3):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, tmp_path, str(n)], stdout=subprocess.PIPE, cwd=ROOT
        ) as child:
            assert child.stdout is not None
            for _ in range(random.randint(1, 150)):
                acknowledged.add(int(child.stdout.readline()))
            child.send_signal(signal.SIGKILL)
            acknowledged |= {int(line) for line in child.stdout if line.endswith(b"\n")}
        n = max(acknowledged) + 1000  # what was not acknowledged may be there or not
        kept = asyncio.run(kept_after_restart(tmp_path))
        assert acknowledged <= {at_ms for at_ms, _, _ in kept}
        expected = {
            (at_ms, k, at_ms + k / 8) for at_ms in acknowledged for k in range(1 + at_ms % 40)
        }
        assert expected <= set(kept)
        assert len(kept) == len(set(kept)), "a reading is kept twice"


async def kept_after_restart(folder: Path) -> list[tuple[int, int, float]]:
    journal = Journal(open_connection(folder / "journal"))
    store = DuckStore(folder / "telemetry")
    recorder = Recorder(journal, store, RealClock())
    await recorder.flush()
    assert recorder.lag() == 0
    found = store.raw(range(50), 0, 10**9, 10**7)
    recorder.close()
    store.close()
    journal.close()
    return list(zip(found.at_ms.tolist(), found.point.tolist(), found.value.tolist(), strict=True))
