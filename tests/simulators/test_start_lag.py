"""A controller that waits before each start: the rule about its refusal rings and clears."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from hub.settings import load
from hub.site import Device
from rules.machine import Machine
from rules.registry import machine
from simulators.boiler import BoilerTwin
from simulators.campus import Plant
from simulators.shower import ShowerTwin

EVENING = round(datetime.fromisoformat("2026-11-21T19:00:00+08:00").timestamp() * 1000)
MINUTE = 60_000
LAG_S = 240.0
RULE = next(
    rule
    for pack in load(Path(__file__).parents[2] / "config").packs
    for rule in pack.rules
    if rule.id == "heat-pump-refuses"
)


def named(id_: str, kind: str) -> Device:
    return Device(id_, "any", kind, "d/1", timedelta(seconds=60), None, None, ())


class Lived:
    """A plant whose heat pump starts late, and what a rule says of it."""

    def __init__(self) -> None:
        self.now_ms = EVENING
        self.boiler = BoilerTwin(named("d/b", "boiler"), 3, EVENING, start_lag_s=LAG_S)
        showers = [ShowerTwin(named(f"d/s{n}", "shower"), n, EVENING) for n in range(8)]
        self.plant = Plant([self.boiler], showers, EVENING)
        self.starts = 0
        self._told = 0

    def hours(self, count: float, *rules: Machine) -> list[tuple[bool, int]]:
        """Read it minute by minute; return what the rules say, with the minute."""
        said = []
        for _ in range(round(count * 60)):
            self.now_ms += MINUTE
            self.plant.advance(self.now_ms)
            now = self.boiler.values()
            told = int(now["heat_pump_command"])
            self.starts += told > self._told
            self._told = told
            for rule in rules:
                for of, name in enumerate(RULE.inputs):
                    if step := rule.step(self.now_ms, now[name], good=True, of=of):
                        said.append((step.raised, (step.at_ms - EVENING) // MINUTE))
        return said


@pytest.fixture
def rule() -> Machine:
    return machine(RULE, MINUTE)


def test_it_starts_so_long_after_it_is_told_to() -> None:
    late = Lived()
    shown = []
    for _ in range(8 * 60):
        late.hours(1 / 60)
        now = late.boiler.values()
        shown.append((now["heat_pump_command"], now["heat_pump_state"]))
    waited = [len(list(rows)) for pair, rows in groupby(shown) if pair == (1, 0)]
    assert len(waited) > 4
    assert set(waited) <= {3, 4, 5}


def test_a_sound_plant_that_starts_late_is_no_fault(rule: Machine) -> None:
    assert Lived().hours(12, rule) == []


def test_a_mended_plant_that_starts_late_clears(rule: Machine) -> None:
    strict = machine(RULE.model_copy(update={"lag": timedelta(0)}), MINUTE)
    lived = Lived()
    lived.hours(1, rule, strict)
    lived.boiler.fault("lock_out")
    assert [raised for raised, _ in lived.hours(0.6, rule, strict)] == [True, True]
    lived.boiler.repair("controller")
    began = lived.starts
    (over,) = lived.hours(5, rule, strict)  # the strict one takes each start for a refusal
    assert over == (False, 97 + RULE.off_delay // timedelta(minutes=1))
    assert lived.starts > began + 4
