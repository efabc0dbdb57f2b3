"""Measure the rules over batches, beside the same machines fed one reading at a time.

``python -m bench.rules [--rounds N]`` prints microseconds of CPU time per reading, for points with
ten rules each in batches of 10,000 of which two in a hundred are hot; the ratio of both ways, of
the same rounds; and the share of a core that the rules take at the reference campus.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pydantic import TypeAdapter

from hub.model import Batch, Json
from rules.machine import Machine
from rules.registry import machine
from rules.spec import Rule
from rules.watch import Watch, Watched

GOAL_US = 0.3
GOAL_SHARE = 0.01
POINTS = 10_000
HOT = 0.02
CAMPUS_POINTS = 55_689
INTERVAL_S = 60
START_MS = 1_800_000_000_000
MINUTE_MS = 60_000
_WORDS = {"zh": "词", "en": "word"}
_RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
_TEN: Sequence[Mapping[str, Json]] = (
    {"kind": "high", "limit": 242, "clear": 237, "on_delay": "PT3M", "off_delay": "PT3M"},
    {"kind": "high", "limit": 264, "clear": 242, "on_delay": "PT1M"},
    {"kind": "low", "limit": 198, "clear": 203, "on_delay": "PT3M", "off_delay": "PT3M"},
    {"kind": "low", "limit": 150, "clear": 198, "on_delay": "PT1M"},
    {"kind": "range", "low": 180, "high": 250, "deadband": 5, "on_delay": "PT10M"},
    {"kind": "stale", "on_delay": "PT10M", "off_delay": "PT3M"},
    {"kind": "never_seen", "on_delay": "P1D"},
    {"kind": "jump", "step": 60, "off_delay": "PT1H"},
    {"kind": "stuck", "on_delay": "PT12H", "ignore": [0]},
    {"kind": "invalid", "times": 3, "good": 10},
)
Read = Callable[[Batch], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    batches = _batches(parser.parse_args().rounds)
    watch = Watch(watched())
    ways: Mapping[str, Read] = {"one by one": Plain(watched()).read, "batches": watch.read}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for batch in batches:
        for name, read in ways.items():
            began = time.process_time()
            read(batch)
            taken[name].append((time.process_time() - began) / POINTS * 1e6)
    report(taken)


def report(taken: Mapping[str, Sequence[float]]) -> None:
    """Print the middle of the rounds; the first ones show the machines what is usual."""
    plain, ours = (statistics.median(rounds[2:]) for rounds in taken.values())
    share = CAMPUS_POINTS / INTERVAL_S * ours / 1e6
    print(f"{POINTS} points, ten rules each, {HOT:.0%} hot, CPU time per reading")
    print(f"  one by one  {plain:7.2f} us")
    print(f"  batches     {ours:7.3f} us   goal {GOAL_US} us   {plain / ours:.0f} times faster")
    print(f"  reference campus ({CAMPUS_POINTS} points at {INTERVAL_S} s): {share:.3%} of a core"
          f"   goal {GOAL_SHARE:.0%}")  # fmt: skip


def watched() -> list[Watched]:
    """Return ten machines for each point."""
    common = {"id": "rule", "severity": "small", "title": _WORDS, "guidance": _WORDS, "point": "p"}
    rules = [_RULE.validate_python({**common, **keys}) for keys in _TEN]
    return [
        Watched(f"{number}#{n}", machine(rule, MINUTE_MS), (number,))
        for number in range(1, POINTS + 1)
        for n, rule in enumerate(rules)
    ]


class Plain:
    """The same machines, each shown each reading of its point."""

    def __init__(self, machines: Sequence[Watched]) -> None:
        self._last_ms: dict[int, int] = {}
        self._at: dict[int, list[tuple[str, Machine]]] = {}
        for one in machines:
            self._at.setdefault(one.points[0], []).append((one.name, one.machine))

    def read(self, batch: Batch) -> list[tuple[str, object]]:
        """Step through a batch."""
        found: list[tuple[str, object]] = []
        columns = (batch.point, batch.at_ms, batch.value, batch.quality)
        for number, at_ms, value, quality in zip(*(c.tolist() for c in columns), strict=True):
            if at_ms <= self._last_ms.get(number, -1):
                continue
            self._last_ms[number] = at_ms
            for name, one in self._at[number]:
                step = one.step(at_ms, value, good=quality & 3 == 0, reason=quality >> 2)
                if step:
                    found.append((name, step))
        return found


def _batches(rounds: int) -> list[Batch]:
    """Make one reading a minute of each point, about 225; one in a hundred is beyond a limit.

    The next of that point, back again, is the other hot one: it ends the delay that began.
    """
    chance = random.Random(7)
    numbers = np.arange(1, POINTS + 1, dtype=np.int32)
    batches = []
    for n in range(rounds):
        values = np.array([chance.gauss(225, 3) for _ in range(POINTS)])
        hot = chance.sample(range(POINTS), int(POINTS * HOT / 2))
        values[hot] = 245.0
        at_ms = np.full(POINTS, START_MS + n * MINUTE_MS)
        batches.append(Batch(numbers, at_ms, values, np.zeros(POINTS, np.uint8), START_MS))
    return batches


if __name__ == "__main__":
    main()
