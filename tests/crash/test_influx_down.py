"""A real InfluxDB is down for an hour of full load: nothing is lost or doubled, and it catches up.

It is stopped, started again on what it has, killed while it catches up, and started once more.
5,000 readings a second are put as fast as they are taken, in ticks as a live hub has them.
"""

import asyncio
import contextlib
import resource
import statistics
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from hub.clock import RealClock
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch, Point, Text
from hub.recorder import Recorder
from hub.store.influx import InfluxStore
from hub.store.influx_server import Address
from tests.contract.servers import PATIENCE_S, influxd
from tests.ports import free_port

PER_S = 5000  # full load: 5,000 devices of ten points every ten seconds
TICK_ROWS = 1000  # what a tick of 200 ms brings
START_MS = 1_800_001_200_000  # 20 minutes past: of an hour's outage, 35 minutes close one
HOUR_MS = 3_600_000
GROWTH_MB = 50
CATCH_UP = 10  # times the live rate
LATE_S = 1.0
WARM_S = 10
WAITING_ROWS = 50_000
NAMES = ["energy", "power", "voltage", "current", "flow", "level", "supply", "return", "a", "b"]


def points_of(count: int) -> dict[int, Point]:
    """Make points of as many devices of ten as it takes."""
    return {
        number: Point(number, f"a/m{number // 10}/{name}", f"a/m{number // 10}", name, "",
                      "gauge", Text(name, name))
        for number in range(count) for name in [NAMES[number % 10]]
    }  # fmt: skip


class _Killed(Exception):  # noqa: N818 - leaves a server's block by SIGKILL
    pass


def ticks(points: int, seconds: int, after: int = 0) -> Iterator[Batch]:
    """Make a batch for each tick: every point in its turn, values that add up exactly."""
    numbers = np.arange(points, dtype=np.int32)
    for n in range(after * PER_S // TICK_ROWS, (after + seconds) * PER_S // TICK_ROWS):
        first = n * TICK_ROWS % points
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


class Hub:
    """Intake, journal and recorder of a hub whose store is at an address."""

    def __init__(self, folder: Path, url: str, points: int) -> None:
        self.clock = RealClock()
        self.store = InfluxStore(points_of(points), Address(url, "campus"))
        self.journal = Journal(open_connection(folder), open_connection(folder))
        self.recorder = Recorder(self.journal, self.store, self.clock, gather_s=0.01)
        self.came = asyncio.Event()
        self.intake = Intake(
            self.journal, Live(points), self.clock, [self.recorder.wake, lambda _: self.came.set()]
        )
        self.wanted = [0, 0.0]
        self.now_ms = START_MS
        self.live_s: list[float] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(part.run()) for part in (self.intake, self.recorder)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.intake.flush()

    def close(self) -> None:
        self.recorder.close()
        self.store.close()
        self.journal.close()

    async def put(self, batches: Iterator[Batch]) -> None:
        """Put readings and wait until the journal has them."""
        for batch in batches:
            self.intake.put(batch)
            self._want(batch)
            await self._until(WAITING_ROWS)
        await self._until(0)

    def _want(self, batch: Batch) -> None:
        self.wanted[0] += len(batch)
        self.wanted[1] += float(batch.value.sum())
        self.now_ms = max(self.now_ms, batch.received_ms + 1)

    async def _until(self, waiting: int) -> None:
        while self.intake.counts["waiting"] > waiting:
            self.came.clear()
            await self.came.wait()

    async def kept(self, seq: int) -> None:
        """Wait until the store has an entry of the journal; live readings come meanwhile."""
        while self.recorder.position < seq:
            began_s, durable = self.clock.monotonic(), asyncio.Event()
            n = len(self.live_s)
            at_ms = self.now_ms
            said = Batch.of([0], [at_ms], [float(n)], [0], at_ms)
            self._want(said)
            self.intake.put(said, durable.set)
            await durable.wait()
            self.live_s.append(self.clock.monotonic() - began_s)

    async def all_kept(self) -> None:
        """Wait until the store has everything that the journal has."""
        while self.recorder.lag():
            await self.clock.sleep(0.02)


@pytest.mark.timeout(3600)
async def test_an_hour_without_influxdb_loses_nothing_and_is_caught_up_beside_live_readings(
    tmp_path: Path,
    full_scale: bool,
    binary: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is measured is catching up, not how long the recorder waits before it tries again.
    monkeypatch.setattr("hub.recorder.BACK_OFF_S", (0.1, 0.5))
    program, port = binary("influxd", "/usr/sbin"), free_port()
    seconds, points = (3600, 50_000) if full_scale else (40, 5_000)
    data = tmp_path / "influx"
    data.mkdir()
    hub = Hub(tmp_path / "journal", f"http://127.0.0.1:{port}", points)
    async with hub.running():
        with influxd(program, data, port) as url:
            make_database(url)
            await hub.put(ticks(points, WARM_S))
            await hub.all_kept()
        up_mb = resident_mb()
        await hub.put(ticks(points, seconds, WARM_S))  # while it is stopped
        down_mb = resident_mb()
        before, backlog = hub.recorder.position, hub.journal.last()
        assert hub.recorder.lag() > 0

        began_s = hub.clock.monotonic()
        with contextlib.suppress(_Killed), influxd(program, data, port):
            await hub.kept((before + backlog) // 2)
            raise _Killed
        with influxd(program, data, port) as url:
            await hub.kept(backlog)
            rate = seconds * PER_S / (hub.clock.monotonic() - began_s)
            caught_up_mb = resident_mb()
            await hub.all_kept()
            found = counted(url)
            rolled = hub.store.rollups(range(points), START_MS - HOUR_MS, START_MS + 4 * HOUR_MS)
    late_s = statistics.median(hub.live_s)
    print(
        f"{seconds * PER_S:,} readings while it was down, memory +{down_mb - up_mb:.0f} MB, "
        f"+{caught_up_mb - up_mb:.0f} MB when caught up, at {rate:,.0f}/s with two starts and a "
        f"kill between ({rate / PER_S:.0f} x live); live readings durable after {late_s:.2f} s, "
        f"at most {max(hub.live_s):.2f} s"
    )
    assert found == hub.wanted
    assert [int(rolled.count.sum()), float(rolled.sum.sum())] == hub.wanted
    assert down_mb - up_mb <= GROWTH_MB
    assert late_s <= LATE_S
    if full_scale:  # in a few seconds the starts of the server would be measured
        assert rate >= CATCH_UP * PER_S
    hub.close()


def make_database(url: str) -> None:
    httpx.post(
        f"{url}/query", params={"q": "CREATE DATABASE campus"}, timeout=PATIENCE_S
    ).raise_for_status()


def counted(url: str) -> list[float]:
    """Ask the server itself how many readings it has, and for their sum."""
    found = [0, 0.0]
    for name in NAMES:
        query = f'SELECT count("value"), sum("value") FROM "{name}"'
        params = {"db": "campus", "q": query}
        (answer,) = httpx.get(f"{url}/query", params=params, timeout=120).json()["results"]
        _, count, total = answer["series"][0]["values"][0]
        found = [found[0] + count, found[1] + total]
    return found
