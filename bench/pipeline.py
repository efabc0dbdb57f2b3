"""Measure intake -> journal (synced) -> DuckDB beside a bare DuckDB append of the same readings.

``python -m bench.pipeline [--seconds N] [--rounds N]`` prints readings per second of wall time and
of CPU time, their ratio to the bare append of the same run, and how late the event loop was
meanwhile (p99); and the same for intake -> journal alone. Each round takes the shapes of input in
turn, so that a noisy machine disturbs all of them alike.

The lag stands twice: as it is, and without the time in which the loop could run and waited for a
CPU (Linux tells it). Where other work keeps the machine busy only the second speaks of the hub; so
does the row of the loop alone, that nothing but the watch runs in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np

from hub.cli.loop import new_loop, settled
from hub.clock import RealClock
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch
from hub.recorder import Recorder
from hub.store.duckdb import DuckStore

GOAL = 200_000
GOAL_JOURNAL_US = 0.5  # of wall time per reading from intake to the synced journal, 10,000 a put
GOAL_LAG_MS = 20.0
LOOK_S = 0.002
STEP_ROWS = 2_000  # after so many the feeder lets others go first: the lag is not its own
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
    lag_ms: float = 0.0
    own_lag_ms: float = 0.0

    def __add__(self, other: Measured) -> Measured:
        """Return both, one after the other."""
        return Measured(
            self.readings + other.readings, self.wall_s + other.wall_s, self.cpu_s + other.cpu_s
        )

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


class Lag:
    """How late the event loop gets to a timer, while it is watched; 99 of 100 looks are not later.

    ``own_ms`` leaves out the time in which the loop's thread waited for a CPU.
    """

    def __init__(self) -> None:
        self._late_ms: list[tuple[float, float]] = []

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        with waits_of_this_thread() as waited_s:
            while True:
                due, waited = time.perf_counter() + LOOK_S, waited_s()
                await asyncio.sleep(LOOK_S)
                late = time.perf_counter() - due
                own = max(late - (waited_s() - waited), 0.0)
                self._late_ms.append((late * 1000, own * 1000))

    def on(self, measured: Measured) -> Measured:
        """Return what was measured with the lag of all looks."""
        late, own = np.percentile(self._late_ms, 99, axis=0).tolist()
        return replace(measured, lag_ms=late, own_lag_ms=own)


@contextlib.contextmanager
def waits_of_this_thread() -> Iterator[Callable[[], float]]:
    """Give a function that tells how many seconds this thread has waited for a CPU so far."""
    path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    if not path.exists():  # not Linux: nobody knows
        yield float
        return
    with path.open("rb", buffering=0) as file:
        yield lambda: int(os.pread(file.fileno(), 100, 0).split()[1]) / 1e9


async def loop_alone(folder: Path, seconds: float, rows: int) -> Measured:  # noqa: ARG001 - a kind
    """Watch the loop while nothing else is done."""
    lag, watch = Lag(), Stopwatch()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await lag.watch()
    return lag.on(watch.stop(0))


async def feed(intake: Intake, room: asyncio.Event, seconds: float, rows: int) -> int:
    """Put batches of ``rows`` readings for so long, never too many at once; return how many."""
    watch, readings, stepped = Stopwatch(), 0, 0
    for batch in batches(rows):
        intake.put(batch)
        readings += rows
        if intake.counts["waiting"] >= WAITING_ROWS:
            if watch.wall_s() > seconds:
                break
            room.clear()
            await room.wait()
        elif readings - stepped >= STEP_ROWS:
            stepped = readings
            await asyncio.sleep(0)
    return readings


async def journal_only(folder: Path, seconds: float, rows: int) -> Measured:
    """Put batches of ``rows`` readings and wait until the journal has kept the last of them."""
    journal = Journal(open_connection(folder / "journal.sqlite"))
    room, lag = asyncio.Event(), Lag()
    intake = Intake(journal, Live(POINTS), RealClock(), [lambda _: room.set()])
    tasks = [asyncio.create_task(job) for job in (intake.run(), lag.watch())]
    watch = Stopwatch()
    readings = await feed(intake, room, seconds, rows)
    for task in tasks:
        task.cancel()
    await intake.flush()
    measured = watch.stop(readings)
    journal.close()
    return lag.on(measured)


async def pipeline(folder: Path, seconds: float, rows: int) -> Measured:
    """Put batches of ``rows`` readings and wait until the store has kept the last of them."""
    clock = RealClock()
    journal = Journal(open_connection(folder / "journal.sqlite"))
    store = DuckStore(folder / "telemetry.duckdb")
    recorder = Recorder(journal, store, clock)
    room, lag = asyncio.Event(), Lag()
    intake = Intake(journal, Live(POINTS), clock, [recorder.wake, lambda _: room.set()])
    jobs = (intake.run(), recorder.run(), lag.watch())
    tasks = [asyncio.create_task(job) for job in jobs]
    watch = Stopwatch()
    readings = await feed(intake, room, seconds, rows)
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
    return lag.on(measured)


def kept_in(path: Path) -> int:
    """Count the readings of a file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM readings").fetchall()[0][0])


Job = Callable[[Path, float, int], Coroutine[None, None, Measured]]
KINDS: dict[str, Job] = {"loop": loop_alone, "journal": journal_only, "store": pipeline}


def one_round(seconds: float) -> dict[str, Measured]:
    """Measure each shape once, the bare append first."""
    found = {}
    for name in ("bare", "loop 0", *(f"{kind} {n}" for n in SHAPES for kind in list(KINDS)[1:])):
        folder = Path(tempfile.mkdtemp(prefix="bench-pipeline-"))
        try:
            if name == "bare":
                found[name] = bare(folder, seconds)
                continue
            kind, rows = name.split()
            with settled(), asyncio.Runner(loop_factory=new_loop) as runner:
                found[name] = runner.run(KINDS[kind](folder, seconds, int(rows)))
        finally:
            shutil.rmtree(folder)
    return found


def tell(rounds: Sequence[dict[str, Measured]]) -> bool:
    """Print the medians; tell whether the goal holds for every shape."""
    head = (
        "readings/s",
        "us wall each",
        "us CPU each",
        "ratio to bare",
        "lag p99 ms",
        "own p99 ms",
    )
    print(f"{'to, readings per put':>22} " + " ".join(f"{word:>13}" for word in head))
    reached = True
    for name in rounds[0]:
        every = [found[name] for found in rounds]
        lags = [[one.lag_ms for one in every], [one.own_lag_ms for one in every]]
        late = " ".join(f"{statistics.median(lag):13.1f}" for lag in lags)
        if name == "loop 0":
            print(f"{'the loop alone':>22} {' ' * 55} {late}")
            continue
        rate = statistics.median(one.per_s for one in every)
        cpu = statistics.median(one.cpu_s / one.readings for one in every)
        ratio = statistics.median(found[name].per_s / found["bare"].per_s for found in rounds)
        figures = f"{rate:13,.0f} {1e6 / rate:13.3f} {cpu * 1e6:13.3f} {ratio:13.2f}"
        label, late = (f"bare append {BARE_ROWS}", "") if name == "bare" else (name, late)
        print(f"{label:>22} {figures} {late}".rstrip())
        reached &= not name.startswith("store") or rate >= GOAL
    print(f"goals: intake to journal {GOAL_JOURNAL_US} us, loop lag p99 {GOAL_LAG_MS:g} ms")
    return reached


def main() -> int:
    """Print the medians; return 0 when the goal holds for every shape."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    reached = tell([one_round(asked.seconds) for _ in range(asked.rounds)])
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"goal {GOAL:,} readings/s: {'reached' if reached else 'MISSED'}; peak RSS {rss:.0f} MB")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
