"""Judge the shipped packs on labelled months of many seeds, and print the table of all of them.

``python -m bench.detection --seeds 101-120 [--jobs 2] [--keep DIR]`` runs ``campus-hub rules
backtest --pack all --scenario campus_month`` once for each seed and adds up hits, false alarms and
misses: a row for each pack, one for each of its rules, and one for all packs together. ``after`` is
the median time from the beginning of a fault to its alarm, ``delay`` the median in on-delays of the
rule since the fault showed. With ``--keep`` the answers of the months stay in a folder, and those
that are there are not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

COUNTS = ("labels", "hits", "false", "second", "look_alike", "missed", "alarms")
DELAYS = ("delays_s", "delays_in_on_delays")
HEADS = (
    "pack, rule", "labels", "hits", "false", "again", "alike", "missed", "precision", "recall",
    "after", "delay",
)  # fmt: skip
MONTH_DAYS = 30
SPANS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def month(seed: int, folder: Path) -> Mapping[str, Any]:
    """Return what the backtest says of one month, made now unless it is there."""
    file = folder / f"{seed}.json"
    if not file.is_file():
        words = ["rules", "backtest", "--pack", "all", "--scenario", "campus_month", "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "hub", *words, "--seed", str(seed)],
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
        if not done.stdout:
            raise SystemExit(f"seed {seed}: the backtest gave no answer, exit {done.returncode}")
        file.write_bytes(done.stdout)
    answer: Mapping[str, Any] = json.loads(file.read_bytes())
    return answer


def together(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a pack, a rule, or all of them did in all months."""
    every = list(parts)
    made: dict[str, Any] = {name: sum(one[name] for one in every) for name in COUNTS}
    for name in DELAYS:
        made[name] = [delay for one in every for delay in one[name]]
    return made


def lines(months: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table: a pack, its rules, and at last all packs."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|---" * len(HEADS) + "|"
    wholes = []
    for n, pack in enumerate(months[0]["packs"]):
        packs = [one["packs"][n] for one in months]
        wholes.append(together(packs))
        yield from _line(f"**{pack['pack']}**", wholes[-1])
        for k, rule in enumerate(pack["rules"]):
            yield from _line(f"`{rule['rule']}`", together(one["rules"][k] for one in packs))
    yield from _line("**all packs**", together(wholes))


def _line(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    """Yield the row of a pack or rule that had something to find, or said something."""
    if not (one["labels"] or one["alarms"]):
        return
    counts = [str(one[count]) for count in COUNTS[:-1]]
    shares = [_share(one["hits"], of) for of in (one["alarms"], one["labels"])]
    after, delays = (one[name] for name in DELAYS)
    times = _span(statistics.median(after)) if after else "-"
    ratio = f"{statistics.median(delays):.2f}" if delays else "-"
    yield f"| {' | '.join((name, *counts, *shares, times, ratio))} |"


def _share(some: int, of: int) -> str:
    return f"{some / of:.3f}" if of else "-"


def _span(seconds: float) -> str:
    unit, size = next((one for one in SPANS if seconds >= 2 * one[1]), SPANS[-1])
    return f"{seconds / size:.1f} {unit}" if size > 1 else f"{seconds:.0f} s"


def main() -> None:
    """Judge all months and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", default="101-120", metavar="FIRST-LAST")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    with tempfile.TemporaryDirectory() as own, ThreadPoolExecutor(arguments.jobs) as jobs:
        folder = arguments.keep or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        months = list(jobs.map(lambda seed: month(seed, folder), seeds))
    print("\n".join(lines(months)))
    told = sum(pack["alarms"] for one in months for pack in one["packs"])
    hours = 24 * MONTH_DAYS * len(months)
    readings = sum(one["readings"] for one in months)
    print(f"\n{len(months)} months, {readings:,} readings, {told / hours:.2f} alarms an hour")


if __name__ == "__main__":
    main()
