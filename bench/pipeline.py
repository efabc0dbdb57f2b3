"""Measure intake -> journal (synced) -> DuckDB beside a bare DuckDB append of the same readings.

``python -m bench.pipeline [--seconds N] [--rounds N]`` prints readings per second of wall time and
of CPU time, and their ratio to the bare append of the same run. Each round takes the shapes of
input in turn, so that a noisy machine disturbs all of them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from hub.clock import RealClock
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore

GOAL = 200_000
POINTS = 60_000  # a multiple of every shape: no reading is said twice
BARE_ROWS = 60_000  # the largest append is the fastest: the hardest to be compared with
SHAPES = (12, 1_000, 10_000)
WAITING_ROWS = 100_000
START_MS = 1_800_000_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What one round did."""

    readings: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Return readings per second of wall time."""
        return self.readings / self.wall_s


class Stopwatch:
    """Wall and CPU time of this process since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def wall_s(self) -> float:
        """Return the seconds gone."""
        return time.perf_counter() - self._wall

    def stop(self, readings: int) -> Measured:
        """Return what was measured."""
        return Measured(readings, self.wall_s(), time.process_time() - self._cpu)


def batches(rows: int) -> Iterator[Batch]:
    """Return batches for ever: each point in its turn, counters and noisy gauges."""
    numbers = np.arange(POINTS, dtype=np.int32)
    noise = np.random.default_rng(7).normal(230, 1, POINTS).round(2)
    quality = np.zeros(rows, np.uint8)
    first, at_ms = 0, START_MS
    while True:
        yield Batch(
            numbers[first : first + rows],
            np.full(rows, at_ms, np.int64),
            noise[first : first + rows],
            quality,
            at_ms,
        )
        first = (first + rows) % POINTS
        if not first:
            at_ms += 60_000


def bare(folder: Path, seconds: float) -> Measured:
    """Append to DuckDB and nothing else, one synced commit per batch."""
    connection = duckdb.connect(str(folder / "bare.duckdb"))
    connection.execute(
        "CREATE TABLE readings (point INTEGER, at_ms BIGINT, value DOUBLE, quality UTINYINT)"
    )
    watch, readings = Stopwatch(), 0
    for batch in batches(BARE_ROWS):
        connection.begin()
        connection.register(
            "columns",
            {
                "point": batch.point,
                "at_ms": batch.at_ms,
                "value": batch.value,
                "quality": batch.quality,
            },
        )
        connection.execute("INSERT INTO readings SELECT * FROM columns")
        connection.commit()
        readings += len(batch)
        if watch.wall_s() > seconds:
            break
    connection.close()
    return watch.stop(readings)


async def pipeline(folder: Path, seconds: float, rows: int) -> Measured:
    """Put batches of ``rows`` readings and wait until the store has kept the last of them."""
    clock = RealClock()
    journal = Journal(open_connection(folder / "journal.sqlite"))
    store = DuckStore(folder / "telemetry.duckdb")
    recorder = Recorder(journal, store, clock)
    room = asyncio.Event()
    intake = Intake(journal, Live(POINTS), clock, [recorder.wake, lambda _: room.set()])
    tasks = [asyncio.create_task(intake.run()), asyncio.create_task(recorder.run())]
    watch, readings = Stopwatch(), 0
    for batch in batches(rows):
        intake.put(batch)
        readings += rows
        if intake.counts["waiting"] >= WAITING_ROWS:
            if watch.wall_s() > seconds:
                break
            room.clear()
            await room.wait()
    for task in tasks:
        task.cancel()
    await intake.flush()
    await recorder.flush()
    measured = watch.stop(readings)
    recorder.close()
    store.close()
    journal.close()
    if (kept := kept_in(folder / "telemetry.duckdb")) != readings:
        raise SystemExit(f"{readings} readings were put, {kept} are kept: this is no measurement")
    return measured


def kept_in(path: Path) -> int:
    """Count the readings of a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM readings").fetchall()[0][0])


def one_round(seconds: float) -> dict[str, Measured]:
    """Measure each shape once, the bare append first."""
    found = {}
    for name in ("bare", *map(str, SHAPES)):
        folder = Path(tempfile.mkdtemp(prefix="bench-pipeline-"))
        try:
            if name == "bare":
                found[name] = bare(folder, seconds)
            else:
                found[name] = asyncio.run(pipeline(folder, seconds, int(name)))
        finally:
            shutil.rmtree(folder)
    return found


def main() -> int:
    """Print the medians; return 0 when the goal holds for every shape."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    rounds = [one_round(asked.seconds) for _ in range(asked.rounds)]
    print(f"{'readings per put':>18} {'readings/s':>12} {'us CPU each':>12} {'ratio to bare':>14}")
    reached = True
    for name in rounds[0]:
        rate = statistics.median(found[name].per_s for found in rounds)
        cpu = statistics.median(found[name].cpu_s / found[name].readings for found in rounds)
        ratio = statistics.median(found[name].per_s / found["bare"].per_s for found in rounds)
        label = f"bare, {BARE_ROWS}" if name == "bare" else name
        print(f"{label:>18} {rate:12,.0f} {cpu * 1e6:12.3f} {ratio:14.2f}")
        reached &= name == "bare" or rate >= GOAL
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"goal {GOAL:,} readings/s: {'reached' if reached else 'MISSED'}; peak RSS {rss:.0f} MB")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
