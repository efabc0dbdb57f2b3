"""The Influx store at the size of the campus: what an append, the close of an hour, a start cost.

``python -m bench.influx [--points 55689] [--minutes 60]`` starts an InfluxDB 1.x on a free port and
tells of each step the wall time, the processor time of the hub's side and of the server, and the
most that this process has held in memory. An hour that was heard whole is closed from memory; after
a kill in mid-hour its readings are asked for again, once.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from hub.model import Batch, Point, Text
from hub.store.influx import InfluxStore
from hub.store.influx_server import Address
from tests.contract.servers import influxd

CAMPUS_POINTS = 55_689
START_MS = 1_800_000_000_000
MINUTE_MS = 60_000
NAMES = ["energy", "power", "voltage", "current", "flow", "level", "supply", "return", "a", "b"]
TIMEOUT_S = 120.0


def points_of(count: int) -> dict[int, Point]:
    """Make points of as many devices of ten as it takes."""
    return {
        number: Point(
            number, f"a/m{number // 10}/{name}", f"a/m{number // 10}", name, "", "gauge",
            Text(name, name),
        )
        for number in range(count)
        for name in [NAMES[number % 10]]
    }  # fmt: skip


class Campus:
    """A server and the stores that are opened on it, one after the other."""

    def __init__(self, url: str, folder: Path, points: int) -> None:
        self._address = Address(url, "campus", timeout_s=TIMEOUT_S)
        self.points = points_of(points)
        self._server = _server_of(folder)
        self._seq = 0
        self._draw = np.random.default_rng(7)
        self.store = self.opened()

    def opened(self) -> InfluxStore:
        """Open a store, as a hub does at its start."""
        return InfluxStore(self.points, self._address)

    def minute(self, n: int) -> None:
        """Append a reading of every point."""
        number = np.arange(len(self.points), dtype=np.int32)
        at_ms = START_MS + n * MINUTE_MS + number.astype(np.int64) % 60 * 1000
        value = self._draw.normal(200, 5, len(number)).round(1)
        self._append(Batch(number, at_ms, value, np.zeros(len(number), np.uint8), int(at_ms.max())))

    def close_hour(self, hour: int) -> None:
        """Append a single reading of such an instant that the hour before closes."""
        at_ms = START_MS + hour * 60 * MINUTE_MS + 6 * MINUTE_MS
        self._append(Batch.of([0], [at_ms], [1.0], [0], at_ms))

    def _append(self, batch: Batch) -> None:
        self._seq += 1
        self.store.append(batch, self._seq)

    def tell(self, what: str, do: Callable[[], object]) -> None:
        """Do something and print what it took."""
        wall, own, served = time.perf_counter(), time.process_time(), self._served_s()
        do()
        wall, own = time.perf_counter() - wall, time.process_time() - own
        most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        served = self._served_s() - served
        print(f"{what:>44} {wall:8.2f} {own:8.2f} {served:8.2f} {most_mb:9,.0f}", flush=True)

    def _served_s(self) -> float:
        spent = (self._server / "stat").read_text().rpartition(")")[2].split()
        return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


def _server_of(folder: Path) -> Path:
    """Find the process that was started with a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        if str(folder) in (process / "cmdline").read_text():
            return process
    raise SystemExit("the server is not found")


def run(campus: Campus, minutes: int) -> None:
    """Measure one thing after the other."""
    every = range(len(campus.points))
    print(f"{'':>44} {'s wall':>8} {'s hub':>8} {'s server':>8} {'MB at most':>9}")
    campus.tell("a minute, all series new", lambda: campus.minute(0))
    campus.tell(f"{minutes - 1} minutes", lambda: [campus.minute(n) for n in range(1, minutes)])
    campus.tell("an hour closed that was heard whole", lambda: campus.close_hour(1))
    campus.tell("30 minutes", lambda: [campus.minute(n) for n in range(67, 97)])
    campus.store = campus.opened()
    campus.tell("last readings after a kill", campus.store.last)
    campus.tell("an hour closed after a kill in it", lambda: campus.close_hour(2))
    span = (START_MS, START_MS + 120 * MINUTE_MS)
    campus.tell("roll-ups of all points, 2 hours", lambda: campus.store.rollups(every, *span))
    campus.tell("a stop", campus.store.close)
    campus.store = campus.opened()
    campus.tell("last readings after a stop", campus.store.last)
    campus.store.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=CAMPUS_POINTS)
    parser.add_argument("--minutes", type=int, default=60, help="of the first hour, at least 2")
    asked = parser.parse_args()
    program = shutil.which("influxd")
    if program is None:
        raise SystemExit("influxd is not installed")
    with tempfile.TemporaryDirectory(prefix="bench-influx-") as name:
        folder = Path(name)
        with influxd(program, folder) as url:
            httpx.post(f"{url}/query", params={"q": "CREATE DATABASE campus"}).raise_for_status()
            run(Campus(url, folder, asked.points), asked.minutes)


if __name__ == "__main__":
    main()
