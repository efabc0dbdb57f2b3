"""Ask a store of the size of a year of the reference campus what people ask of it.

``python -m bench.query [--days 365] [--raw-days 30] [--keep DIR]`` fills a store by SQL: roll-ups
of every hour of all points, the readings of one building each minute, and through the store itself
the newest reading of every point. It prints the row counts, and what questions take in three ways:

* first ever: before any day was worked out, as right after an upgrade. The hub works closed days
  out by itself; this is what a question costs that comes before that;
* cold: store and ledger just opened, the kept days on disk, as after a restart of the hub;
* warm: the median of the next ones.

Nothing is asserted. A year takes some 15 GB of disk and ten minutes to fill; ``--keep`` fills a
folder once and asks it again. With ``--days`` below 365 the figures are of a smaller store, and say
so.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np

from hub.cli.loop import settled
from hub.energy.backlog import resume
from hub.energy.consumption import Consumption
from hub.energy.kept_days import KeptDays
from hub.energy.ledger import Ledger
from hub.energy.question import Query
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch, Point
from hub.ports import Refused
from hub.settings import build_site, load
from hub.site import Site
from hub.store.duckdb import DuckStore
from hub.store.duckdb.order import ORDERINGS
from simulators.campus import write_reference

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MINUTE_MS = 60_000
END_MS = 1_796_054_400_000  # 2026-12-01 00:00 of the site
LATER_MS = END_MS + DAY_MS  # by then the last day is closed
BUILDING = "dorm-01"
MEMORY = ":memory:"
AGAIN = 5
# A counter goes on by as much in an hour; a gauge stands at its own level and moves with the hour.
_SHOWN = """
CREATE TEMP MACRO shown(is_counter, level, pace, point, hours) AS
CASE WHEN is_counter THEN level + hours * pace ELSE level + pace * sin(hours + point) END
"""
_ROLLUPS = """
INSERT INTO rollups
SELECT point, start_ms, 60, 60, least(a, b), greatest(a, b), 30 * (a + b), a, b,
       start_ms + 5000, start_ms + 3545000, 3540000
FROM (SELECT p.point, h * 3600000 AS start_ms,
             round(shown(p.counter, p.level, p.pace, p.point, h - $began), 2) AS a,
             round(shown(p.counter, p.level, p.pace, p.point, h + 0.98 - $began), 2) AS b
      FROM points p, (SELECT unnest(range($begin, $end)) AS h))
ORDER BY point, start_ms
"""
_READINGS = """
INSERT INTO readings (point, at_ms, value, quality, append)
SELECT p.point, m * 60000 + 5000 + p.point % 50 * 1000,
       round(CASE WHEN p.counter THEN shown(true, p.level, p.pace, p.point, m / 60.0 - $began)
                  ELSE shown(false, p.level, p.pace, p.point, m / 60.0) + random() END, 2),
       0, 0
FROM points p, (SELECT unnest(range($begin * 60, $end * 60)) AS m)
WHERE p.inside ORDER BY p.point, m
"""


def reference_site(folder: Path) -> Site:
    """Return the reference campus with its points numbered."""
    write_reference(folder)
    return build_site(load(folder), lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})


def is_inside(point: Point) -> bool:
    """Tell whether a point belongs to the building whose readings are kept."""
    return point.device.startswith(f"{BUILDING}/")


def fill(path: Path, site: Site, days: int, raw_days: int) -> None:
    """Fill a store in the order in which its upkeep leaves closed days and weeks."""
    DuckStore(path).close()
    points = sorted(site.points.values(), key=lambda point: point.number)
    columns = {
        "point": np.array([point.number for point in points], np.int32),
        "counter": np.array([point.kind == "counter" for point in points]),
        "inside": np.array([is_inside(point) for point in points]),
    }
    count = len(points)
    columns["level"] = np.where(columns["counter"], 1000.0 + np.arange(count), 50.0)
    columns["pace"] = np.where(columns["counter"], 0.1 + np.arange(count) % 7 / 10, 10.0)
    began, end = (END_MS - days * DAY_MS) // HOUR_MS, END_MS // HOUR_MS
    with duckdb.connect(str(path)) as connection:
        connection.register("points", columns)
        connection.execute(_SHOWN)
        firsts = {"rollups": (_ROLLUPS, began), "readings": (_READINGS, end - 24 * raw_days)}
        for ordering in ORDERINGS:
            (statement, first), span_h = firsts[ordering.table], ordering.span_ms // HOUR_MS
            edges = [first, *range((first // span_h + 1) * span_h, end, span_h), end]
            for begin, until in pairwise(edges):
                hours = {"began": began, "begin": begin, "end": until}
                connection.execute(statement, hours)
            before_ms = edges[-2] * HOUR_MS
            connection.execute("INSERT INTO ordered VALUES (?, ?)", [ordering.table, before_ms])
    store = DuckStore(path)
    passed_h = (END_MS + 30 * MINUTE_MS) / HOUR_MS - began
    value = columns["level"] + np.where(columns["counter"], passed_h * columns["pace"], 0.0)
    at_ms = np.full(count, END_MS + 30 * MINUTE_MS, np.int64)
    quality = np.zeros(count, np.uint8)
    store.append(Batch(columns["point"], at_ms, value, quality, int(at_ms[0])), 1)
    store.close()


def counted(path: Path) -> dict[str, int]:
    """Count the rows of a store."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {table: len(connection.table(table)) for table in ("rollups", "readings")}


class Took(NamedTuple):
    """What a job takes, in ms."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        """Return both, for a table."""
        return f"{self.wall:9,.1f} {self.cpu:9,.1f}"


def timed(job: Callable[[], object]) -> Took:
    """Return what a job takes."""
    began, worked = time.perf_counter(), time.process_time()
    job()
    return Took((time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000)


def tell(what: str, goal_ms: float | None, ask: Callable[[], object]) -> None:
    """Ask, and ask again; print both beside the goal."""
    cold = timed(ask)
    later = [timed(ask) for _ in range(AGAIN)]
    warm = Took(*(statistics.median(column) for column in zip(*later, strict=True)))
    goal = "" if goal_ms is None else f"{goal_ms:,.0f}"
    print(f"{what:>52} {cold} {warm} {goal:>6}")


def questions_of_use(days: int) -> list[tuple[str, float | None, Query]]:
    """Return what is asked of the ledger, with its goal in ms."""
    start_ms = END_MS - days * DAY_MS
    month = Query(start_ms=END_MS - 30 * DAY_MS, end_ms=END_MS, by="building")
    long = replace(month, start_ms=start_ms, step="month")
    meter = replace(month, start_ms=start_ms, devices=(f"{BUILDING}/meter-101",), step="day")
    return [
        ("30 days of use of 27 buildings", 100, month),
        ("the same by day", None, replace(month, step="day")),
        ("30 days of use of 4,000 rooms", None, replace(month, by="room")),
        (f"{days} days by building and month", None, long),
        (f"{days} days by floor and month", None, replace(long, by="floor")),
        (f"{days} days by room and month", None, replace(long, by="room")),
        (f"use of one meter over {days} days by day", 50, meter),
    ]


@contextmanager
def opened(path: Path, site: Site, kept: Path) -> Iterator[tuple[DuckStore, Ledger, KeptDays]]:
    """Open store and ledger as a hub that starts does."""
    store = DuckStore(path)
    ledger = Ledger(site, store)
    days = KeptDays(kept, ledger.key)
    journal = Journal(open_connection(MEMORY))
    resume(ledger, days, journal, store)
    try:
        yield store, ledger, days
    finally:
        journal.close()
        store.close()


def work_out(path: Path, site: Site, kept: Path) -> None:
    """Work all closed days out as the hub does beside its work, and write them down."""
    began, worked, pieces, longest = time.perf_counter(), time.process_time(), 0, 0.0
    with opened(path, site, kept) as (_, ledger, days):
        more = True
        while more:
            piece = time.perf_counter()
            more = ledger.work_out(LATER_MS)
            longest, pieces = max(longest, time.perf_counter() - piece), pieces + more
        days.write(*ledger.days.to_write(LATER_MS))
    size = sum(file.stat().st_size for file in kept.iterdir())
    print(
        f"closed days worked out: {pieces} pieces of work in {time.perf_counter() - began:.0f} s,"
        f" {time.process_time() - worked:.0f} s of CPU, the longest piece {longest * 1000:.0f} ms;"
        f" {len(list(kept.iterdir())):,} files, {size / 1e6:.0f} MB"
    )


def questions(path: Path, site: Site, days: int, kept: Path) -> None:
    """Print what each question takes."""
    print(f"{'first ever, ms':>52} {'wall':>9} {'CPU':>9}")
    for what, _, query in questions_of_use(days):
        with opened(path, site, kept) as (_, ledger, _):
            try:
                print(f"{what:>52} {timed(partial(Consumption(site, ledger).use, query))}")
            except Refused as refused:
                print(f"{what:>52} refused: {refused}")
    work_out(path, site, kept)
    print(f"{'ms':>52} {'cold':>9} {'CPU':>9} {'warm':>9} {'CPU':>9} {'goal':>6}")
    with ExitStack() as stack:
        took = timed(lambda: stack.enter_context(opened(path, site, kept)))
        print(f"{'store and ledger opened':>52} {took}")
    for what, goal, query in questions_of_use(days):
        with opened(path, site, kept) as (_, ledger, _):
            tell(what, goal, partial(Consumption(site, ledger).use, query))
    start_ms, number = END_MS - days * DAY_MS, site.numbers[f"{BUILDING}/meter-101/power"]
    with opened(path, site, kept) as (store, *_):
        by_day = partial(store.series, [number], start_ms, END_MS, DAY_MS, ["mean", "max"])
        tell(f"one point over {days} days by day", 50, by_day)
    with opened(path, site, kept) as (store, *_):
        tell("24 h raw of one point", 10, partial(store.raw, [number], END_MS - DAY_MS, END_MS))
    with opened(path, site, kept) as (store, *_):
        live = Live(max(site.points))
        took = timed(lambda: live.restore(store.last()))
        print(f"{'the live table made from the store':>52} {took}")
        tell(f"the live table of {len(site.points):,} points", 1, live.snapshot)


def export(path: Path, site: Site) -> None:
    """Export a month of one building and print the memory it takes, piece by piece."""
    store = DuckStore(path)
    numbers = [point.number for point in site.points.values() if is_inside(point)]
    before, most, rows = resident_mb(), 0.0, 0
    began = time.perf_counter()
    for piece in store.export(numbers, END_MS - 30 * DAY_MS, END_MS):
        rows += len(piece)
        most = max(most, resident_mb() - before)
    took = time.perf_counter() - began
    store.close()
    print(
        f"export of a month of {BUILDING}: {rows:,} readings in {took:.1f} s"
        f" ({rows / max(took, 1e-9):,.0f}/s), memory grew by at most {most:.0f} MB"
    )


def resident_mb() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def folder_of(keep: Path | None) -> Iterator[Path]:
    """Use a folder that stays, or one that goes."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    made = Path(tempfile.mkdtemp(prefix="bench-query-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, count and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365, help="of roll-ups of all points")
    parser.add_argument("--raw-days", type=int, default=30, help="of readings of one building")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="fill here once, and leave it")
    asked = parser.parse_args(arguments)
    with folder_of(asked.keep) as folder:
        site = reference_site(folder / "site")
        path = folder / f"telemetry-{asked.days}-{asked.raw_days}.duckdb"
        if not path.exists():
            took = timed(lambda: fill(path, site, asked.days, asked.raw_days)).wall / 1000
            print(f"filled in {took:.0f} s")
        rows = counted(path)
        print(
            f"{len(site.points):,} points; roll-ups of {asked.days} days {rows['rollups']:,} rows,"
            f" {asked.raw_days} days of {BUILDING} {rows['readings']:,} readings,"
            f" {path.stat().st_size / 1e9:.2f} GB"
        )
        kept = folder / f"ledger-{asked.days}"
        shutil.rmtree(kept, ignore_errors=True)
        with settled():  # as a running hub
            questions(path, site, asked.days, kept)
            export(path, site)


if __name__ == "__main__":
    main()
