"""Make rules and machines of every kind, and run them one reading at a time; for the tests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter

from hub.model import Batch, Point, Reason, Text, flag
from rules.machine import Machine, Transition
from rules.registry import machine
from rules.spec import Rule
from rules.watch import Watched

MINUTE = 60_000
START = 1_800_000_000_000
RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
POINTLESS = ("errors",)
WORDS = {"zh": "词", "en": "word"}
INVALID = flag(2, Reason.OUT_OF_RANGE)
NO_ANSWER = flag(3, Reason.NO_ANSWER)
Row = tuple[int, int, float, int]  # point, minute, value, quality


def rule(kind: str, **keys: object) -> Rule:
    own = {} if kind in POINTLESS or {"must", "starts", "points"} & keys.keys() else {"point": "a"}
    common = {"id": "rule", "severity": "small", "title": WORDS, "guidance": WORDS}
    return RULE.validate_python({**common, **own, "kind": kind, **keys})


def point(number: int = 1, **keys: object) -> Point:
    text = Text("词", "word")
    return Point(number, f"d/{number}", f"device-{number}", "a", "", "gauge", text, **keys)


def make(kind: str, *described: Point, **keys: object) -> Machine:
    return machine(rule(kind, **keys), MINUTE, described)


def run(one: Machine, story: Iterable[tuple]) -> list[tuple[int, bool]]:
    """Feed (minute, value) or (minute, of, value), None for a bad one; return (minute, raised)."""
    said = []
    for minute, *rest in story:
        of, value = rest if len(rest) == 2 else (0, rest[0])
        number = math.nan if value is None else value
        step = one.step(minute * MINUTE, number, good=value is not None, of=of)
        if step:
            said.append((step.at_ms // MINUTE, step.raised))
    return said


def each_minute(*values: float | None) -> list[tuple[int, float | None]]:
    return list(enumerate(values, 1))


def batch(rows: Sequence[Row]) -> Batch:
    at = [START + minute * MINUTE for _, minute, _, _ in rows]
    return Batch.of([r[0] for r in rows], at, [r[2] for r in rows], [r[3] for r in rows], 0)


class Plain:
    """The same machines, each stepped with each reading of its points: what a watch must equal."""

    def __init__(self, watched: Sequence[Watched]) -> None:
        self.machines = {one.name: one.machine for one in watched}
        self.names = list(self.machines)
        self.late = 0
        self._last: dict[int, int] = {}
        self._at: dict[int, list[tuple[str, int]]] = {}
        for one in watched:
            for of, number in enumerate(one.points):
                self._at.setdefault(number, []).append((one.name, of))

    def read(self, rows: Batch) -> list[tuple[str, Transition]]:
        found = []
        for number, at_ms, value, quality in zip(
            rows.point.tolist(),
            rows.at_ms.tolist(),
            rows.value.tolist(),
            rows.quality.tolist(),
            strict=True,
        ):
            if number not in self._at:
                continue
            if at_ms <= self._last.get(number, -1):
                self.late += 1
                continue
            self._last[number] = at_ms
            good = quality & 3 == 0 and math.isfinite(value)
            for name, of in self._at[number]:
                reading = {"good": good, "of": of, "reason": quality >> 2}
                if step := self.machines[name].step(at_ms, value, **reading):
                    found.append((name, step))
        return found

    def tick(self, name: str, now_ms: int) -> Transition | None:
        return self.machines[name].tick(now_ms)

    def due_ms(self, name: str) -> int | None:
        return self.machines[name].due_ms()

    def listen(self, at_ms: int) -> None:
        for one in self.machines.values():
            one.listen(at_ms)

    def why(self, name: str, now_ms: int) -> dict:
        return self.machines[name].why(now_ms)
