"""Judge the shipped packs on labelled months of many seeds, and print the table of all of them.

``python -m bench.detection --seeds 101-120 [--jobs 2] [--keep DIR]`` runs ``campus-hub rules
backtest --pack all --scenario campus_month`` once for each seed and adds up hits, false alarms and
misses per pack and rule. A delay is the median of the months' medians, in on-delays of the rule.
With ``--keep`` the answers of the months stay in a folder, and those that are there are not made
again.
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
DELAY = "median_delay_in_on_delays"
MONTH_DAYS = 30


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
    """Return what a pack, or a rule, did in all months."""
    every = list(parts)
    made: dict[str, Any] = {name: sum(one[name] for one in every) for name in COUNTS}
    delays = [one[DELAY] for one in every if one[DELAY] is not None]
    made[DELAY] = statistics.median(delays) if delays else None
    return made


def lines(months: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table, a pack and then its rules."""
    heads = "pack, rule", "labels", "hits", "false", "again", "alike", "missed"
    yield f"| {' | '.join((*heads, 'precision', 'recall', 'delay'))} |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for n, pack in enumerate(months[0]["packs"]):
        packs = [one["packs"][n] for one in months]
        whole = together(packs)
        if not (whole["labels"] or whole["alarms"]):
            continue
        yield _line(f"**{pack['pack']}**", whole)
        for k, rule in enumerate(pack["rules"]):
            of_rule = together(one["rules"][k] for one in packs)
            if of_rule["labels"] or of_rule["alarms"]:
                yield _line(f"`{rule['rule']}`", of_rule)


def _line(name: str, one: Mapping[str, Any]) -> str:
    precision = f"{one['hits'] / one['alarms']:.3f}" if one["alarms"] else "-"
    recall = f"{one['hits'] / one['labels']:.3f}" if one["labels"] else "-"
    delay = "-" if one[DELAY] is None else f"{one[DELAY]:.2f}"
    counts = (one[name] for name in COUNTS[:-1])
    return f"| {name} | {' | '.join(map(str, counts))} | {precision} | {recall} | {delay} |"


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
