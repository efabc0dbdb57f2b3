"""Measure a backtest over a store's history of one reference building, beside plain evaluation.

``python -m bench.backtest [--hours 24] [--rounds 3]`` fills a store with readings a minute of every
point of a building (as its twins show them, with noise and a few faults) and leads the shipped
packs through them. It prints readings per second of wall time, the CPU they took, what reading and
judging take alone, how much memory it grew by, and the ratio to machines that are fed one reading
after another, as plain objects, in the same run. ``--points all`` judges on every point and not
only on those that a rule looks at. Goal: 1.5 million readings a second on two cores.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.pipeline import Measured, Stopwatch
from hub.backtest import Trial, of_store, try_out
from hub.backtest.history import of_entries
from hub.cli.loop import settled
from hub.cli.virtual import site_of
from hub.clock import VirtualClock, VirtualLoop
from hub.engine.fault import faults_of
from hub.model import Batch, Entry
from hub.settings import Settings, load
from hub.site import Site
from hub.store.duckdb import DuckStore
from rules.backtest import Span
from rules.machine import Machine
from simulators.campus import Fleet, write_reference

GOAL = 1_500_000
START_MS = 1_793_491_200_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
BUILDING = "dorm-01"
FAULTY = 200  # one of so many gauges is wrong for half an hour of every three
PLAIN_READINGS = 300_000


def building() -> Settings:
    """Return the settings of one building of the reference campus."""
    with tempfile.TemporaryDirectory() as folder:
        write_reference(Path(folder))
        whole = load(Path(folder))
    devices = tuple(one for one in whole.devices if one.place.startswith(BUILDING))
    places = tuple(one for one in whole.places if one.id.startswith(BUILDING))
    behind = {one.gateway for one in devices}
    gateways = tuple(one for one in whole.gateways if one.id in behind)
    return replace(whole, devices=devices, places=places, gateways=gateways)


def shown(site: Site, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of all points, and what the twins show of them."""
    clock = VirtualClock(VirtualLoop(), START_MS, 1)
    fleet = Fleet(list(site.devices.values()), settings.profiles, clock, zone=site.zone)
    values = {
        f"{device}/{name}": value
        for device in site.devices
        for name, value in fleet.twin(device).values().items()
    }
    points = sorted(site.points.values(), key=lambda point: point.number)
    number = np.array([point.number for point in points], np.int32)
    return number, np.array([values[point.id] for point in points])


def fill(store: DuckStore, site: Site, settings: Settings, hours: int) -> None:
    """Write a reading of every point each minute: noise of a tenth of a percent, a few faults."""
    draw = np.random.default_rng(5)
    number, level = shown(site, settings)
    faulty = draw.random(len(number)) < 1 / FAULTY
    for n, minute in enumerate(range(0, hours * 60, 10)):
        values = []
        for one in range(minute, minute + 10):
            value = level * (1 + 0.001 * draw.standard_normal(len(level)))
            values.append(np.where(faulty & (one % 180 < 30), 0.8 * value, value))
        at = START_MS + MINUTE_MS * np.arange(minute, minute + 10)
        size = len(number) * 10
        batch = Batch(
            np.tile(number, 10),
            np.repeat(at, len(number)),
            np.concatenate(values),
            np.zeros(size, np.uint8),
            int(at[-1]),
        )
        store.append(batch, n + 1)


def measured(job: Callable[[], int]) -> Measured:
    """Measure a job that returns how many readings it took."""
    with settled():
        watch = Stopwatch()
        return watch.stop(job())


class Ground:
    """One building with its stored readings."""

    def __init__(self, folder: Path, hours: int, *, all_points: bool) -> None:
        self.settings = building()
        self.site = site_of(self.settings)
        self.store = DuckStore(folder / "telemetry.duckdb", None)
        self.span = Span(START_MS, START_MS + hours * HOUR_MS)
        fill(self.store, self.site, self.settings, hours)
        self.points = sorted(self.site.points if all_points else self.trial().points)

    def trial(self) -> Trial:
        """Return the shipped rules, as new."""
        return Trial(self.site, self.settings.packs, self.settings.promise)

    def entries(self) -> Iterator[Entry]:
        """Read the history."""
        yield from of_store(self.store, self.points, self.span).entries

    def whole(self) -> int:
        """Read and judge."""
        trial = self.trial()
        try_out([trial], of_store(self.store, self.points, self.span))
        return trial.readings

    def reading_alone(self) -> int:
        """Read, and judge nothing."""
        return sum(len(entry.batch or ()) for entry in self.entries())

    def judging_alone(self, entries: list[Entry]) -> Callable[[], int]:
        """Return what judges entries that are in memory."""

        def judge() -> int:
            trial = self.trial()
            history = of_entries("memory", entries, self.span)
            try_out([trial], replace(history, ordered=True))
            return trial.readings

        return judge

    def plain(self, entries: list[Entry]) -> Callable[[], int]:
        """Return what feeds every machine one reading after another."""
        machines: dict[int, list[tuple[int, Machine]]] = {}
        for fault in faults_of(self.site, self.settings.packs):
            for of, number in enumerate(fault.points):
                machines.setdefault(number, []).append((of, fault.machine))

        def feed() -> int:
            readings = 0
            for entry in entries:
                for one in entry.batch.readings() if entry.batch else ():
                    readings += 1
                    for of, machine in machines.get(one.point, ()):
                        machine.step(one.at_ms, one.value, good=one.quality == 0, of=of)
            return readings

        return feed


def some(entries: Iterator[Entry], readings: int) -> list[Entry]:
    """Return the first entries, of about so many readings."""
    found: list[Entry] = []
    count = 0
    while count < readings and (entry := next(entries, None)) is not None:
        found.append(entry)
        count += len(entry.batch or ())
    return found


def line(name: str, runs: list[Measured]) -> str:
    """Return one row: the median of the rounds."""
    speed = statistics.median(one.readings / one.wall_s for one in runs)
    cpu_us = statistics.median(one.cpu_s / one.readings for one in runs) * 1e6
    return f"{name:28} {speed:12,.0f} readings/s   {cpu_us:6.3f} us CPU a reading"


def main() -> None:
    """Fill, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--points", choices=("ruled", "all"), default="ruled")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        began = time.monotonic()
        ground = Ground(Path(folder), chosen.hours, all_points=chosen.points == "all")
        print(
            f"{len(ground.site.points)} points, {len(ground.points)} read; filled in "
            f"{time.monotonic() - began:.0f} s"
        )
        sample = some(ground.entries(), PLAIN_READINGS)
        jobs = {
            "backtest over the store": ground.whole,
            "reading alone": ground.reading_alone,
            "judging alone": ground.judging_alone(sample),
            "plain objects": ground.plain(sample),
        }
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        runs: dict[str, list[Measured]] = {name: [] for name in jobs}
        for _ in range(chosen.rounds):
            for name, job in jobs.items():
                runs[name].append(measured(job))
        for name, found in runs.items():
            print(line(name, found))
        whole, plain = (runs[name] for name in ("backtest over the store", "plain objects"))
        ratio = statistics.median(
            (one.readings / one.wall_s) / (other.readings / other.wall_s)
            for one, other in zip(whole, plain, strict=True)
        )
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1000
        speed = statistics.median(one.readings / one.wall_s for one in whole)
        print(f"{ratio:.1f} x plain objects; memory grew by {grown_mb:.0f} MB at most")
        print(f"{'reached' if speed >= GOAL else 'NOT reached'}: {GOAL:,} readings/s")


if __name__ == "__main__":
    main()
