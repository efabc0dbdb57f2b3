"""Judge a day of the reference campus by rules of every kind that looks back over days.

``python -m bench.judge [--days 40] [--keep DIR]`` fills a store as ``bench.query`` does and prints
what the look after a start costs, which reads the weeks before, and that of the next night, which
reads one day: CPU, and the longest slice of the worker. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

from bench.query import END_MS, fill, folder_of, reference_site, resident_mb
from hub.cli.loop import settled
from hub.energy import calendar
from hub.energy.ledger import Ledger
from hub.judge import Look, Reader
from hub.site import Site
from hub.store.duckdb import DuckStore
from rules.calendar import NO_CALENDAR, Calendar
from rules.judged import Judgement
from rules.spec import Pack

_WORDS = {"zh": "词", "en": "word"}
_RULES = {
    "meter": (
        {"kind": "peers", "point": "energy", "within": "campus"},
        {"kind": "expected", "point": "energy"},
    ),
    "boiler": (
        {"kind": "efficiency"},
        {"kind": "balance", "of": "heat"},
        {"kind": "exposure", "of": "store", "point": "tank_temperature", "limit": 55, "clear": 60},
    ),
    "shower": (
        {"kind": "exposure", "of": "outlet", "point": "total_litres", "limit": 0, "clear": 8,
         "for": "P7D"},
    ),
    "building": (
        {"kind": "night", "utility": "electricity"},
        {"kind": "night_flow", "utility": "water"},
        {"kind": "balance", "of": "water"},
    ),
}  # fmt: skip


def packs() -> list[Pack]:
    """Return rules of every kind."""
    made = []
    for kind, rules in _RULES.items():
        whole = [
            {"id": f"rule-{n}", "severity": "small", "title": _WORDS, "guidance": _WORDS, **rule}
            for n, rule in enumerate(rules)
        ]
        raw = {"version": 1, "pack": kind, "applies_to": {"kind": kind}, "rules": whole}
        made.append(Pack.model_validate(raw))
    return made


class Pieces:
    """Steps of work, timed one by one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._cpu_s = self._longest_s = 0.0
        self._count = 0

    def run(self, steps: Iterator[object]) -> None:
        """Do all steps."""
        while True:
            worked, began = time.process_time(), time.perf_counter()
            more = next(steps, self) is not self
            self._cpu_s += time.process_time() - worked
            self._longest_s = max(self._longest_s, time.perf_counter() - began)
            if not more:
                break
            self._count += 1
        print(
            f"{self._what:>40}: {self._cpu_s:6.2f} s of CPU in {self._count:,} pieces,"
            f" the longest {self._longest_s * 1000:,.0f} ms of wall"
        )


def in_pieces(judged: Iterator[tuple[str, Judgement]]) -> Iterator[list[tuple[str, Judgement]]]:
    """Yield judgements as the daily look takes them."""
    while some := [one for _, one in zip(range(200), judged, strict=False)]:
        yield some


def look(path: Path, site: Site) -> None:
    """Look at two nights, the first of them after a start."""
    store = DuckStore(path)
    judge = Look(site, packs(), Calendar(NO_CALENDAR, site.zone))
    reader = Reader(site, Ledger(site, store), store, judge)
    before, last = resident_mb(), calendar.day_of(END_MS - 1, site.zone) - timedelta(1)
    print(f"{len(judge):,} causes, days looked back on: {judge.history.days}")
    for what, day in (("after a start", last - timedelta(1)), ("the next night", last)):
        Pieces(f"{what}: read").run(reader.read(judge.lacking(day)))
        Pieces(f"{what}: judged").run(in_pieces(judge.judge(day)))
    states = _counted(judge, last)
    print(f"judgements: {states}; memory grew by {resident_mb() - before:.0f} MB")
    store.close()


def _counted(judge: Look, day: date) -> dict[str, int]:
    states = [one.state for _, one in judge.judge(day)]
    return {state: states.count(state) for state in sorted(set(states))}


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill and look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=40, help="of roll-ups of all points")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="fill here once, and leave it")
    asked = parser.parse_args(arguments)
    with folder_of(asked.keep) as folder:
        site = reference_site(folder / "site")
        path = folder / f"telemetry-{asked.days}-0.duckdb"
        if not path.exists():
            fill(path, site, asked.days, 0)
        with settled():  # as a running hub
            look(path, site)


if __name__ == "__main__":
    main()
