"""Intake while the journal cannot write: shown, heard, held in memory, and kept later."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hub import intake as intake_module
from hub.clock import VirtualClock, VirtualLoop
from hub.intake import RETRY_S, Intake
from hub.journal import Journal, Shedding, open_connection
from hub.live import Live
from hub.model import Batch, Entry, EntryKind
from tests.hub.full_disk import FullDisk

START_MS = 1_800_000_000_000


def batch(n: int, rows: int = 2, value: float = 1.0) -> Batch:
    return Batch.of(range(rows), [n] * rows, [value] * rows, [0] * rows, n)


class Bench:
    """An intake in virtual time on a disk that fills up when the test says so."""

    def __init__(self, path: Path) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START_MS, 1)
        self.disk = FullDisk(open_connection(path), lambda _: False)
        self.journal = Journal(cast("sqlite3.Connection", self.disk))
        self.live = Live(10)
        self.heard: list[tuple[int, Entry]] = []
        self.overheard: list[Entry] = []
        self.acknowledged: list[int] = []
        self.shedding = Shedding({0: "counter", 1: "gauge", 2: "state"})
        self.intake = Intake(
            self.journal, self.live, self.clock, [self.heard.extend],
            overhear=self.overheard.extend, shedding=self.shedding,
        )  # fmt: skip

    def fill_up(self) -> None:
        self.disk.full = lambda _: True

    def make_room(self) -> None:
        self.disk.full = lambda _: False

    def put(self, n: int, rows: int = 2) -> None:
        """Put what a broker wants acknowledged."""
        self.intake.put(batch(n, rows), lambda: self.acknowledged.append(n))

    def kept(self) -> list[int]:
        """Return the instants in the journal, one for each reading of point 0."""
        return [
            int(at)
            for _, entry in self.journal.read(0)
            if entry.batch is not None
            for at in entry.batch.at_ms[entry.batch.point == 0]
        ]

    def run(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def play() -> None:
            task = asyncio.create_task(self.intake.run())
            try:
                await story()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

        self.loop.run_until_complete(play())


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "journal")
    yield made
    made.journal.close()
    made.loop.close()


def test_while_the_disk_is_full_readings_are_shown_and_heard_but_not_acknowledged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        bench.fill_up()
        for n in range(1, 6):
            bench.put(n, rows=400)
            await bench.clock.sleep(10)
            assert bench.live.value(3) == (n, 1.0, 0, n)
            assert [int(e.batch.at_ms[0]) for e in bench.overheard if e.batch] == [*range(1, n + 1)]
        assert (bench.acknowledged, bench.heard, bench.kept()) == ([], [], [])
        assert bench.intake.counts["held"] == 2000
        bench.make_room()
        await bench.clock.sleep(RETRY_S + 1)
        assert bench.acknowledged == [1, 2, 3, 4, 5]

    bench.run(story)
    assert bench.kept() == [1, 2, 3, 4, 5]
    assert [seq for seq, _ in bench.heard] == [1, 2, 3, 4, 5]
    assert bench.intake.counts["held"] == bench.intake.counts["dropped"] == 0
    assert bench.intake.counts["repeats"] == 0, "what was shown already was taken for a repeat"
    assert 5 < bench.intake.counts["journal_failures"] < 15
    assert caplog.text.count("disk full") == 1
    assert caplog.text.count("journal back") == 1


def test_what_is_small_is_written_while_readings_are_held(bench: Bench) -> None:
    """The reserve is for actions, results and ticks: they are durable all the time."""

    async def story() -> None:
        bench.intake.enter(Entry(EntryKind.TICK, 1))
        await bench.clock.sleep(1)
        bench.disk.full = lambda n: n == bench.disk.writes and n == failing
        failing = bench.disk.writes + 1
        bench.put(2)
        await bench.clock.sleep(0.3)
        assert bench.intake.counts["journal_failures"] == 1
        bench.put(3)
        bench.intake.enter(Entry(EntryKind.ACTION, 3, content={"kind": "fix"}))
        await bench.clock.sleep(0.5)
        assert [entry.kind for _, entry in bench.heard] == [EntryKind.TICK, EntryKind.ACTION]
        assert bench.acknowledged == []
        await bench.clock.sleep(RETRY_S)
        assert bench.acknowledged == [2, 3]

    bench.run(story)
    assert [seq for seq, _ in bench.heard] == [1, 2, *range(3, 3 + len(bench.heard) - 2)]
    assert bench.kept() == [2, 3]


def test_when_not_even_an_action_can_be_written_it_is_heard_and_kept_later(bench: Bench) -> None:
    async def story() -> None:
        bench.fill_up()
        bench.put(1)
        await bench.clock.sleep(0.5)
        bench.intake.enter(Entry(EntryKind.ACTION, 2, content={"kind": "fix"}))
        await bench.clock.sleep(1)
        assert [e.kind for e in bench.overheard] == [EntryKind.READINGS, EntryKind.ACTION]
        assert bench.heard == []
        bench.make_room()
        await bench.clock.sleep(2 * RETRY_S)

    bench.run(story)
    assert [entry.kind for _, entry in bench.heard] == [EntryKind.READINGS, EntryKind.ACTION]
    assert [entry.kind for _, entry in bench.journal.read(0)] == [1, 3]


def test_a_device_that_repeats_itself_waits_for_the_acknowledgement_of_the_first(
    bench: Bench,
) -> None:
    async def story() -> None:
        bench.fill_up()
        bench.put(1)
        await bench.clock.sleep(1)
        bench.put(1)  # the same again: known to the live table, and yet nowhere kept
        await bench.clock.sleep(1)
        assert bench.acknowledged == []
        bench.make_room()
        await bench.clock.sleep(2 * RETRY_S)

    bench.run(story)
    assert bench.acknowledged == [1, 1]
    assert bench.kept() == [1]


def test_beyond_memory_the_oldest_polled_readings_go_and_are_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_ROWS", 1000)

    async def story() -> None:
        bench.fill_up()
        bench.put(1, rows=100)
        for n in range(2, 16):
            bench.intake.put(batch(n, rows=100))
            await bench.clock.sleep(1)
        assert bench.intake.counts["held"] == 1000
        bench.make_room()
        await bench.clock.sleep(2 * RETRY_S)

    bench.run(story)
    assert bench.acknowledged == [1]
    assert bench.kept() == [1, *range(7, 16)]
    assert bench.intake.counts["dropped"] == 500


def test_beyond_memory_while_an_append_hangs_the_oldest_polled_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "WAITING_ROWS", 1000)

    async def story() -> None:
        bench.put(1, rows=100)
        bench.intake.enter(Entry(EntryKind.ACTION, 3, content={"kind": "fix"}))
        for n in range(3, 14):
            bench.intake.put(batch(n, rows=100))
        await bench.clock.sleep(1)

    bench.run(story)
    assert bench.kept() == [1, *range(5, 14)]
    assert bench.intake.counts["dropped"] == 200


def test_a_stop_keeps_what_was_held_when_there_is_room_again(bench: Bench) -> None:
    async def story() -> None:
        bench.fill_up()
        bench.put(1)
        await bench.clock.sleep(1)
        bench.put(2)
        bench.make_room()

    bench.run(story)
    bench.loop.run_until_complete(bench.intake.flush())
    assert bench.acknowledged == [1, 2]
    assert bench.kept() == [1, 2]


@pytest.mark.parametrize("every", [2, 3, 5, 7])
def test_a_disk_that_is_full_at_every_nth_write_loses_nothing_and_doubles_nothing(
    bench: Bench, every: int
) -> None:
    bench.disk.full = lambda n: n % every == 0
    longest_s = 0.0

    async def story() -> None:
        nonlocal longest_s
        for n in range(1, 121):
            bench.put(n)
            if n % 10 == 0:
                bench.intake.enter(Entry(EntryKind.ACTION, n, content={"id": n}))
            await bench.clock.sleep(0.5)
            assert bench.live.value(0) == (n, 1.0, 0, n), "live values stand still"
        bench.make_room()
        back_s = bench.clock.monotonic()
        while len(bench.acknowledged) < 120:
            await bench.clock.sleep(0.1)
        longest_s = bench.clock.monotonic() - back_s

    bench.run(story)
    assert longest_s <= 10
    assert sorted(bench.acknowledged) == list(range(1, 121))
    assert bench.kept() == sorted(bench.kept()) == list(range(1, 121))
    actions = [e.content["id"] for _, e in bench.journal.read(0) if e.kind is EntryKind.ACTION]
    assert sorted(actions) == list(range(10, 121, 10))
    assert [seq for seq, _ in bench.heard] == list(range(1, bench.journal.last() + 1))
    assert bench.journal.check() is None
    assert bench.intake.counts["journal_failures"] > 3


@pytest.mark.parametrize(
    ("fill", "kept"),
    [(0.5, [0, 1, 2, 9]), (0.9, [0, 2]), (0.95, [0]), (1.0, [])],
)
def test_at_its_limit_the_journal_does_without_gauges_first_and_counters_last(
    bench: Bench, fill: float, kept: list[int]
) -> None:
    bench.journal.limit = int(bench.journal.size / fill)

    async def story() -> None:
        given = Batch.of([0, 1, 2, 9], [5] * 4, [1.0] * 4, [0] * 4, 5)
        bench.intake.put(given, lambda: bench.acknowledged.append(1))
        bench.intake.enter(Entry(EntryKind.ACTION, 5, content={"id": 1}))
        await bench.clock.sleep(1)

    bench.run(story)
    entries = bench.journal.read(0)
    assert [p for _, e in entries if e.batch is not None for p in e.batch.point] == kept
    assert entries[-1][1].kind is EntryKind.ACTION
    assert bench.acknowledged == [1], "a broker must not wait for what is shed"
    assert [bench.live.value(n) is not None for n in (0, 1, 2, 9)] == [True] * 4
    overheard = [p for e in bench.overheard if e.batch is not None for p in e.batch.point]
    assert sorted([*kept, *overheard]) == [0, 1, 2, 9], "a rule misses a reading, or hears it twice"
    counts = bench.intake.counts
    shed = counts["shed_gauge"] + counts["shed_state"] + counts["shed_counter"]
    assert counts["readings"] + shed == 4
