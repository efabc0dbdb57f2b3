"""Durable ingest with roll-ups kept, beside a bare DuckDB append, InfluxDB 1.x and VictoriaMetrics.

``python -m bench.store [--readings N] [--rows 10000] [--rounds 3]`` appends the same noisy readings
to each store in turn, one synced commit (one request) per batch, and prints readings per second of
wall time and the ratios of the same run; then the bytes per reading that each keeps of them, and
what a year of the reference campus would come to. The bare append and the hub's store take turns
batch by batch, so that a busy machine or disk disturbs both alike.

The lines for the two servers are written before their time is taken, which favours them; the hub's
own time includes all it does. Goals: at least 0.6 of the bare append, 3 times InfluxDB (the append
alone 8 times), and as much as VictoriaMetrics.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import duckdb
import httpx
import numpy as np

from bench.pipeline import Measured, Stopwatch
from hub.model import Batch
from hub.store.duckdb import DuckStore
from tests.contract.servers import influxd, running
from tests.ports import free_port

START_MS = 1_793_491_200_000
MINUTE_MS = 60_000
CAMPUS_POINTS = 55_689
YEAR_MINUTES = 525_600
SETTLE_S = 3.0
GOALS = {
    ("hub", "bare"): 0.6,
    ("hub", "influx"): 3.0,
    ("bare", "influx"): 8.0,
    ("hub", "victoria"): 1.0,
}
NAMES = {
    "bare": "bare DuckDB append",
    "hub": "the hub's store, roll-ups kept",
    "influx": "InfluxDB 1.x",
    "victoria": "VictoriaMetrics",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What one store did with the readings, and the bytes it then keeps; None: not settled yet."""

    measured: Measured
    bytes_kept: int | None
    bytes_in_order: int | None = None

    @property
    def each(self) -> float:
        """Return the bytes per reading, NaN where they are not known."""
        return nan if self.bytes_kept is None else self.bytes_kept / self.measured.readings

    @property
    def each_in_order(self) -> float:
        """Return the bytes per reading once closed days are in order, NaN where none are."""
        return nan if self.bytes_in_order is None else self.bytes_in_order / self.measured.readings


def noisy(readings: int, rows: int) -> list[Batch]:
    """Return batches of a minute each: counters that move unevenly and gauges with noise."""
    draw = np.random.default_rng(11)
    point = np.arange(rows, dtype=np.int32)
    counter = point % 3 == 0
    level = draw.uniform(0, 50_000, rows).round(2)
    mean = draw.uniform(0, 400, rows)
    second_ms = (point % 60).astype(np.int64) * 1000  # every device is asked at its own second
    quality = np.zeros(rows, np.uint8)
    found = []
    for n in range(max(readings // rows, 1)):
        level = (level + draw.exponential(0.02, rows)).round(2)
        gauge = (mean + draw.normal(0, 2, rows)).round(1)
        at_ms = START_MS + n * MINUTE_MS + second_ms + draw.integers(0, 300, rows)
        value = np.where(counter, level, gauge)
        found.append(Batch(point, at_ms, value, quality, START_MS + (n + 1) * MINUTE_MS))
    return found


class Bare:
    """An append to DuckDB and nothing else."""

    def __init__(self, path: Path) -> None:
        self._connection = duckdb.connect(str(path))
        self._connection.execute(
            "CREATE TABLE readings (point INTEGER, at_ms BIGINT, value DOUBLE, quality UTINYINT)"
        )

    def append(self, batch: Batch, seq: int) -> None:  # noqa: ARG002 - as the hub's store has it
        """Keep a batch in a transaction of its own."""
        columns = {name: getattr(batch, name) for name in ("point", "at_ms", "value", "quality")}
        self._connection.begin()
        self._connection.register("columns", columns)
        self._connection.execute("INSERT INTO readings SELECT * FROM columns")
        self._connection.commit()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


def duckdbs(folder: Path, batches: Sequence[Batch]) -> dict[str, Kept]:
    """Append bare and to the hub's own store, which keeps cursor and roll-ups besides, in turns."""
    files = {name: folder / f"{name}.duckdb" for name in ("bare", "hub")}
    hub = DuckStore(files["hub"])
    stores: dict[str, Bare | DuckStore] = {"bare": Bare(files["bare"]), "hub": hub}
    spent = dict.fromkeys(stores, Measured(0, 0.0, 0.0))
    for seq, batch in enumerate(batches, 1):
        for name in sorted(stores, reverse=bool(seq % 2)):
            watch = Stopwatch()
            stores[name].append(batch, seq)
            spent[name] += watch.stop(len(batch))
    for store in stores.values():
        store.close()
    sizes = {name: file.stat().st_size for name, file in files.items()}
    return {
        "bare": Kept(spent["bare"], sizes["bare"]),
        "hub": Kept(spent["hub"], sizes["hub"], bytes_in_order(files["hub"], folder / "copy")),
    }


def bytes_in_order(file: Path, copy: Path) -> int:
    """Put all days of a store in order; return the bytes of a copy, which has no free room in it.

    What a store writes down once for each point, however many readings it has, does not count.
    """
    store = DuckStore(file)
    store.compact(START_MS + YEAR_MINUTES * MINUTE_MS, lambda: True)
    store.copy_to(copy)
    store.close()
    with duckdb.connect(str(copy)) as connection:
        connection.execute("DELETE FROM newest")
    with duckdb.connect(str(copy)) as connection:
        used = connection.execute("SELECT used_blocks * block_size FROM pragma_database_size()")
        return int(used.fetchall()[0][0])


def lines(batch: Batch) -> bytes:
    """Write a batch in the line protocol."""
    rows = zip(batch.point.tolist(), batch.at_ms.tolist(), batch.value.tolist(), strict=True)
    return "\n".join(f"r,p={point} v={value} {at}" for point, at, value in rows).encode()


def served(
    server: AbstractContextManager[str], batches: Sequence[Batch], params: dict[str, str]
) -> Measured:
    """Send the lines to a server, one request per batch on one connection."""
    bodies = [lines(batch) for batch in batches]
    with server as url, httpx.Client(base_url=url, timeout=60) as client:
        client.post("/query", params={"q": "CREATE DATABASE hub"})
        watch = Stopwatch()
        for body in bodies:
            client.post("/write", params=params, content=body).raise_for_status()
        measured = watch.stop(sum(map(len, batches)))
        client.get("/internal/force_flush")  # VictoriaMetrics; InfluxDB has no such path
        time.sleep(SETTLE_S)
        return measured


def influx(folder: Path, batches: Sequence[Batch]) -> Kept | None:
    """Write to InfluxDB, which has a write-ahead log."""
    program = shutil.which("influxd")
    if program is None:
        return None
    measured = served(influxd(program, folder), batches, {"db": "hub", "precision": "ms"})
    return Kept(measured, None)  # its log becomes data files only much later


def victoria(folder: Path, batches: Sequence[Batch]) -> Kept | None:
    """Write to VictoriaMetrics, which answers before anything is synced."""
    program = shutil.which("victoria-metrics")
    if program is None:
        return None
    port = free_port()
    command = [
        program,
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
    ]
    server = running(command, f"http://127.0.0.1:{port}", folder / "log")
    measured = served(server, batches, {"precision": "ms"})
    return Kept(measured, size_of(folder / "data"))


def size_of(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


SERVERS: dict[str, Callable[[Path, Sequence[Batch]], Kept | None]] = {
    "influx": influx,
    "victoria": victoria,
}


@contextmanager
def folder_of(name: str) -> Iterator[Path]:
    """Make a folder and take it away again."""
    folder = Path(tempfile.mkdtemp(prefix=f"bench-store-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def one_round(batches: Sequence[Batch]) -> dict[str, Kept]:
    """Measure each store once."""
    with folder_of("duckdb") as folder:
        found = duckdbs(folder, batches)
    for name, server in SERVERS.items():
        with folder_of(name) as folder:
            kept = server(folder, batches)
        if kept is not None:
            found[name] = kept
    return found


def tell(rounds: Sequence[dict[str, Kept]]) -> None:
    """Print the medians of all rounds, their ratios and what each store keeps."""
    print(f"{'':>32} {'readings/s':>12} {'us wall each':>13} {'bytes each':>11}")
    for name in rounds[0]:
        rate = statistics.median(found[name].measured.per_s for found in rounds)
        size = statistics.median(found[name].each for found in rounds)
        each = "not settled" if isnan(size) else f"{size:.2f}"
        print(f"{NAMES[name]:>32} {rate:12,.0f} {1e6 / rate:13.3f} {each:>11}")
    for absent in NAMES.keys() - rounds[0].keys():
        print(f"{NAMES[absent]:>32} is not installed")
    for (one, other), goal in GOALS.items():
        if other in rounds[0]:
            ratio = statistics.median(
                found[one].measured.per_s / found[other].measured.per_s for found in rounds
            )
            print(f"{NAMES[one]} / {NAMES[other]}: {ratio:.2f} (goal {goal:g})")
    ratio = statistics.median(
        found["bare"].measured.cpu_s / found["hub"].measured.cpu_s for found in rounds
    )
    print(f"{NAMES['hub']} / {NAMES['bare']}, of CPU time alone: {ratio:.2f}")
    year = CAMPUS_POINTS * YEAR_MINUTES
    print(f"a year of {CAMPUS_POINTS:,} points at 60 s, extrapolated from the bytes above:")
    for name in rounds[0]:
        for label, column in ((NAMES[name], "each"), ("its closed days in order", "each_in_order")):
            size = statistics.median(getattr(found[name], column) for found in rounds)
            if not isnan(size):
                print(f"{label:>32} {size:5.2f} bytes each, {size * year / 1e9:8,.0f} GB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=2_000_000, help="of each measurement")
    parser.add_argument("--rows", type=int, default=10_000, help="readings per commit")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    batches = noisy(asked.readings, asked.rows)
    count = sum(map(len, batches))
    print(f"{count:,} readings, {len(batches)} of each point, {asked.rows:,} a commit")
    tell([one_round(batches) for _ in range(asked.rounds)])


if __name__ == "__main__":
    main()
