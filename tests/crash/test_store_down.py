"""The store is down for an hour of full load: nothing is lost, memory stays, and it catches up.

5,000 readings a second are put as fast as they are taken, in ticks as a live hub has them.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hub.clock import RealClock
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch
from hub.ports import StoreError
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore

PER_S = 5000  # full load: 5,000 devices of ten points every ten seconds
TICK_ROWS = 1000  # what a tick of 200 ms brings
START_MS = 1_800_000_000_000
GROWTH_MB = 50
CATCH_UP = 10  # times the live rate
LATE_S = 1.0
WARM_S = 60
WAITING_ROWS = 50_000


class DownStore(DuckStore):
    """DuckDB that refuses while it is down, and counts what it is given afterwards."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.down = True
        self.rows = 0
        self.sum = 0.0

    def append(self, batch: Batch, seq: int) -> None:
        if self.down:
            raise StoreError("the store does not answer")
        super().append(batch, seq)
        self.rows += len(batch)
        self.sum += float(batch.value.sum())


def ticks(seconds: int, after: int = 0) -> Iterator[Batch]:
    """Make a batch for each tick: every point in its turn, values that add up exactly."""
    numbers = np.arange(50_000, dtype=np.int32)
    for n in range(after * PER_S // TICK_ROWS, (after + seconds) * PER_S // TICK_ROWS):
        first = n * TICK_ROWS % len(numbers)
        at_ms = START_MS + n * 1000 * TICK_ROWS // PER_S
        yield Batch(
            numbers[first : first + TICK_ROWS],
            np.full(TICK_ROWS, at_ms, np.int64),
            np.full(TICK_ROWS, float(n % 1024)),
            np.zeros(TICK_ROWS, np.uint8),
            at_ms,
        )


def resident_mb() -> float:
    """Return what this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


async def test_an_hour_without_the_store_loses_nothing_and_is_caught_up_beside_live_readings(
    tmp_path: Path, full_scale: bool
) -> None:
    seconds = 3600 if full_scale else 240
    clock, store = RealClock(), DownStore(tmp_path / "telemetry")
    path = tmp_path / "journal"
    journal = Journal(open_connection(path), open_connection(path))
    recorder = Recorder(journal, store, clock, gather_s=0.01)
    came = asyncio.Event()
    intake = Intake(journal, Live(50_000), clock, [recorder.wake, lambda _: came.set()])
    tasks = [asyncio.create_task(intake.run()), asyncio.create_task(recorder.run())]
    wanted = 0.0

    async def put(batches: Iterator[Batch]) -> None:
        nonlocal wanted
        for batch in batches:
            intake.put(batch)
            wanted += float(batch.value.sum())
            while intake.counts["waiting"] > WAITING_ROWS:
                came.clear()
                await came.wait()

    await put(ticks(WARM_S))
    before_mb = resident_mb()
    await put(ticks(seconds, WARM_S))
    grown_mb = resident_mb() - before_mb
    while intake.counts["waiting"]:
        came.clear()
        await came.wait()
    assert store.rows == 0
    backlog = journal.last()

    store.down = False
    began_s = clock.monotonic()
    live_s: list[float] = []
    while recorder.position < backlog:
        live_s.append(await _taken_s(intake, clock, len(live_s)))
    caught_up_s = clock.monotonic() - began_s
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await intake.flush()
    await recorder.flush()

    put_rows = (WARM_S + seconds) * PER_S + len(live_s)
    rate = put_rows / caught_up_s
    print(
        f"{put_rows:,} readings, memory +{grown_mb:.0f} MB, caught up at {rate:,.0f}/s "
        f"({rate / PER_S:.0f} x live), live readings durable after "
        f"{statistics.median(live_s):.2f} s, at most {max(live_s):.2f} s"
    )
    assert store.rows == put_rows
    assert store.sum == wanted + sum(range(len(live_s)))
    assert grown_mb <= GROWTH_MB
    assert rate >= CATCH_UP * PER_S
    assert statistics.median(live_s) <= LATE_S
    of_one = store.raw([7], 0, 1 << 60)
    assert len(of_one) == len(set(of_one.at_ms.tolist())) == (WARM_S + seconds) // 10
    recorder.close()
    store.close()
    journal.close()


async def _taken_s(intake: Intake, clock: RealClock, n: int) -> float:
    """Put one live reading and return how long it took to be durable."""
    began_s = clock.monotonic()
    durable = asyncio.Event()
    at_ms = START_MS + 10_000_000 + n
    intake.put(Batch.of([49_999], [at_ms], [float(n)], [0], at_ms), durable.set)
    await durable.wait()
    return clock.monotonic() - began_s
