"""The three-phase meter of a building, above what hangs below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import ClassVar, Protocol

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.meter import MINUTE_MS
from simulators.noise import normal, uniform
from simulators.twin import Twin

_PHASES = ("l1", "l2", "l3")
_UNEVEN = (1.86, 0.60, 0.54)  # what becomes of three equal phases when most rooms hang on one
_SECONDARY = 0.2  # of the true current, behind transformers of another ratio than is set
_OF_COUNTERS = ("lost_phase", "scale_wrong")
_INDUCED_V = 4.0  # on a phase whose fuse is blown


class Feeder(Protocol):
    """What a main meter sees of a device below it."""

    @property
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""

    @property
    def power_w(self) -> float:
        """Return the electric power taken now."""


class MainMeterTwin(Twin):
    """A building's three-phase meter: exactly the sum of what hangs below it."""

    cures: ClassVar = {
        "silent": "comms-module",
        "exception_answer": "meter",
        "sensor_stuck": "meter",
        "counter_reset": "meter",
        "counter_glitch": "meter",
        "meter_swapped": "meter",
        "lost_phase": "fuse",
        "unbalance": "wiring",
        "scale_wrong": "current-transformer",
    }
    parts: ClassVar = ("comms-module", "meter", "fuse", "wiring", "current-transformer")
    sensors: ClassVar = ("power", "power_l1", "power_l2", "power_l3")
    counters: ClassVar = (
        "energy", "import_energy", "import_energy_l1", "import_energy_l2", "import_energy_l3",
    )  # fmt: skip

    def __init__(self, device: Device, seed: int, now_ms: int, children: Sequence[Feeder]) -> None:
        super().__init__(device, now_ms)
        self._seed = seed
        self.children = children
        self._began_kwh = 20_000 + 60_000 * uniform(seed, -1)
        weights = [1 + 0.2 * uniform(seed, -2 - phase) for phase in range(3)]
        self._even = [weight / sum(weights) for weight in weights]
        self._shares = self._even
        self._lost = int(3 * uniform(seed, -5))  # the phase whose fuse is the weakest

    @property
    def power_w(self) -> float:
        """Return the power of everything below."""
        return sum(child.power_w for child in self.children)

    @property
    def used_kwh(self) -> float:
        """Return the electricity of everything below since the start."""
        return sum(child.used_kwh for child in self.children)

    def advance(self, now_ms: int) -> None:
        """Note the instant; the fleet advances the meters below first."""
        self.now_ms = max(self.now_ms, now_ms)

    def _readings(self) -> dict[str, float]:
        minute = self.now_ms // MINUTE_MS
        total = self.power_w
        kwh = self._began_kwh + self.used_kwh
        values = {
            "power": total,
            "frequency": 50 + 0.015 * normal(self._seed + 9, minute),
            "energy": kwh,
            "import_energy": kwh,
        }
        for phase in range(3):
            values |= self._phase(phase, total * self._shares[phase], kwh, minute)
        if "scale_wrong" in self.faults:
            values |= {name: _SECONDARY * values[name] for name in values if _of_current(name)}
        if "lost_phase" in self.faults:
            values["power"] = sum(values[f"power_{line}"] for line in _PHASES)
        return values | _together(values)

    def _phase(self, phase: int, power: float, kwh: float, minute: int) -> dict[str, float]:
        line = f"l{phase + 1}"
        voltage = 222 + 1.5 * normal(self._seed + phase, minute) - power / 50_000
        factor = 0.94 + 0.04 * uniform(self._seed + 3 + phase, minute)
        apparent = power / factor
        current = apparent / voltage
        if phase == self._lost and "lost_phase" in self.faults:
            voltage, power, apparent = _INDUCED_V, 0.0, 0.0
        return {
            f"voltage_{line}": voltage,
            f"current_{line}": current,
            f"power_{line}": power,
            f"apparent_power_{line}": apparent,
            f"reactive_power_{line}": sqrt(max(apparent**2 - power**2, 0.0)),
            f"power_factor_{line}": factor,
            f"energy_{line}": kwh * self._even[phase],
            f"import_energy_{line}": kwh * self._even[phase],
        }

    def _begin(self, kind: str) -> None:
        if kind == "unbalance":
            uneven = [even * share for even, share in zip(self._even, _UNEVEN, strict=True)]
            self._shares = [share / sum(uneven) for share in uneven]
        if kind in _OF_COUNTERS:
            self.dials.gear(self._readings(), self._gears())

    def _end(self, kind: str) -> None:
        if kind == "unbalance":
            self._shares = self._even
        if kind in _OF_COUNTERS:
            self.dials.gear(self._readings(), self._gears())

    def _gears(self) -> dict[str, float]:
        """Return how much each counter counts for a true kilowatt-hour."""
        scale = _SECONDARY if "scale_wrong" in self.faults else 1.0
        found = dict.fromkeys(self.counters, scale)
        if "lost_phase" in self.faults:
            found |= dict.fromkeys(
                ("energy", "import_energy"), scale * (1 - self._even[self._lost])
            )
            found[f"import_energy_{_PHASES[self._lost]}"] = 0.0
        return found

    def _write(self, point: str, value: float) -> None:
        """Refuse: the main meter has nothing to write."""
        raise Refused(f"{self.device.id}: {point} cannot be set to {value}")

    def truth(self) -> dict[str, Json]:
        """Return the electricity since the start."""
        return self._record() | {"energy_kwh": self.used_kwh}


def _together(values: Mapping[str, float]) -> dict[str, float]:
    """Return what a three-phase meter shows of its phases as one."""
    voltage, apparent, reactive = (
        sum(values[f"{what}_l{phase}"] for phase in (1, 2, 3))
        for what in ("voltage", "apparent_power", "reactive_power")
    )
    return {
        "voltage": voltage / 3,
        "current": 3 * apparent / voltage,
        "apparent_power": apparent,
        "reactive_power": reactive,
        "power_factor": values["power"] / apparent if apparent else 1.0,
    }


def _of_current(name: str) -> bool:
    """Tell whether a value comes from the current transformers; counters have their gears."""
    return name.startswith(("current_", "power_l", "apparent_", "reactive_")) or name == "power"
