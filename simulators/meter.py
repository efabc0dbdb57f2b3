"""Electricity meters: a room's load through its prepaid relay, and the main meter above them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import ClassVar, Protocol

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.climate import local_hour, weekend
from simulators.noise import normal, uniform
from simulators.twin import Twin

SLOT_MS = 600_000
_MINUTE_MS = 60_000
_KWH = 3.6e9  # W ms
_OVERLOAD = 0b1
_RELAY_OPEN = 0b10
PEAK, FLAT, VALLEY = 0, 1, 2
# share of a room's equipment that is on, by hour of the day
_SHAPE = (
    0.25, 0.12, 0.10, 0.09, 0.09, 0.10, 0.18, 0.30, 0.25, 0.20, 0.20, 0.28,
    0.40, 0.38, 0.25, 0.24, 0.28, 0.38, 0.55, 0.70, 0.80, 0.85, 0.75, 0.50,
)  # fmt: skip


class Feeder(Protocol):
    """What a main meter sees of a device below it."""

    @property
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""

    @property
    def power_w(self) -> float:
        """Return the electric power taken now."""


def tariff(at_ms: int) -> int:
    """Return the tariff in force: peak, flat or valley."""
    hour = local_hour(at_ms)
    if hour >= 23 or hour < 7:  # noqa: PLR2004 - hours of the day
        return VALLEY
    return PEAK if 10 <= hour < 12 or 18 <= hour < 22 else FLAT  # noqa: PLR2004


class RoomMeterTwin(Twin):
    """A room's meter; its load is constant within slots of ten minutes and changes between them.

    Energy is a closed form of the slot, so that reading the meter moves nothing.
    """

    cures: ClassVar = {
        "silent": "comms-module",
        "exception_answer": "meter",
        "sensor_stuck": "meter",
        "counter_reset": "meter",
        "counter_glitch": "meter",
        "meter_swapped": "meter",
    }
    parts: ClassVar = ("comms-module", "meter", "relay")
    sensors: ClassVar = ("voltage", "current", "power", "power_factor", "frequency")
    counters: ClassVar = ("energy", "energy_peak", "energy_flat", "energy_valley")

    def __init__(self, device: Device, seed: int, now_ms: int) -> None:
        super().__init__(device, now_ms)
        self._seed = seed
        self._equipment_w = 500 + 500 * uniform(seed, -1)
        self._began = [share * (500 + 4000 * uniform(seed, -2)) for share in (0.45, 0.30, 0.25)]
        self._used = [0.0, 0.0, 0.0]
        self._closed = True
        self._tripped = False
        self._limit_w = 2000.0
        self._since_ms = now_ms
        self._enter(now_ms // SLOT_MS)

    def _enter(self, slot: int) -> None:
        """Take on the load of a slot; the relay opens when it is above the limit."""
        start_ms = slot * SLOT_MS
        self._slot_end_ms = start_ms + SLOT_MS
        self._tariff = tariff(start_ms)
        share = _SHAPE[int(local_hour(start_ms))] * (1.15 if weekend(start_ms) else 1.0)
        self._load_w = 15 + self._equipment_w * share * (0.5 + uniform(self._seed, slot))
        self._guard()

    def _guard(self) -> None:
        if self._closed and self._load_w > self._limit_w:
            self._closed, self._tripped = False, True

    @property
    def power_w(self) -> float:
        """Return the power that flows now."""
        return self._load_w if self._closed else 0.0

    @property
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""
        return sum(self._used) + self._pending_kwh(self.now_ms)

    def _pending_kwh(self, until_ms: int) -> float:
        return self.power_w * (until_ms - self._since_ms) / _KWH

    def _settle(self, until_ms: int) -> None:
        """Book the energy up to an instant at which the power changes."""
        self._used[self._tariff] += self._pending_kwh(until_ms)
        self._since_ms = until_ms

    def advance(self, now_ms: int) -> None:
        """Let time pass, slot by slot."""
        while now_ms >= self._slot_end_ms:
            end_ms = self._slot_end_ms
            self._settle(end_ms)
            self._enter(end_ms // SLOT_MS)
        self.now_ms = max(self.now_ms, now_ms)

    def _readings(self) -> dict[str, float]:
        minute = self.now_ms // _MINUTE_MS
        power = self.power_w
        voltage = 221 + 1.5 * normal(self._seed, minute) - power / 1000
        factor = 0.93 + 0.05 * uniform(self._seed + 1, minute)
        shown = [began + used for began, used in zip(self._began, self._used, strict=True)]
        shown[self._tariff] += self._pending_kwh(self.now_ms)
        apparent = power / factor
        status = _OVERLOAD * self._tripped | _RELAY_OPEN * (not self._closed)
        return {
            "energy": sum(shown),
            "import_energy": sum(shown),
            "energy_peak": shown[PEAK],
            "energy_flat": shown[FLAT],
            "energy_valley": shown[VALLEY],
            "power": power,
            "voltage": voltage,
            "current": power / (voltage * factor),
            "apparent_power": apparent,
            "reactive_power": sqrt(max(apparent**2 - power**2, 0.0)),
            "power_factor": factor,
            "frequency": 50 + 0.015 * normal(self._seed + 2, minute),
            "relay": float(self._closed),
            "relay_command": float(self._closed),
            "load_limit": self._limit_w,
            "status": float(status),
        }

    def _write(self, point: str, value: float) -> None:
        """Open or close the relay, or set the load limit in W; a plug has no other relay point."""
        self._settle(self.now_ms)
        if point in ("relay", "relay_command") and value in (0, 1):
            self._closed, self._tripped = bool(value), False
        elif point == "load_limit":
            self._limit_w = value
        else:
            raise Refused(f"{self.device.id}: {point} cannot be set to {value}")
        self._guard()

    def truth(self) -> dict[str, Json]:
        """Return the electricity since the start."""
        return self._record() | {"energy_kwh": self.used_kwh}


class MainMeterTwin(Twin):
    """A building's three-phase meter: exactly the sum of what hangs below it."""

    cures: ClassVar = RoomMeterTwin.cures
    parts: ClassVar = ("comms-module", "meter")
    sensors: ClassVar = ("power", "power_l1", "power_l2", "power_l3")
    counters: ClassVar = (
        "energy", "import_energy", "import_energy_l1", "import_energy_l2", "import_energy_l3",
    )  # fmt: skip

    def __init__(self, device: Device, seed: int, now_ms: int, children: Sequence[Feeder]) -> None:
        super().__init__(device, now_ms)
        self._seed = seed
        self._children = children
        self._began_kwh = 20_000 + 60_000 * uniform(seed, -1)
        weights = [1 + 0.2 * uniform(seed, -2 - phase) for phase in range(3)]
        self._shares = [weight / sum(weights) for weight in weights]

    @property
    def power_w(self) -> float:
        """Return the power of everything below."""
        return sum(child.power_w for child in self._children)

    @property
    def used_kwh(self) -> float:
        """Return the electricity of everything below since the start."""
        return sum(child.used_kwh for child in self._children)

    def advance(self, now_ms: int) -> None:
        """Note the instant; the fleet advances the meters below first."""
        self.now_ms = max(self.now_ms, now_ms)

    def _readings(self) -> dict[str, float]:
        minute = self.now_ms // _MINUTE_MS
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
        return values | _together(values)

    def _phase(self, phase: int, power: float, kwh: float, minute: int) -> dict[str, float]:
        line = f"l{phase + 1}"
        voltage = 222 + 1.5 * normal(self._seed + phase, minute) - power / 50_000
        factor = 0.94 + 0.04 * uniform(self._seed + 3 + phase, minute)
        apparent = power / factor
        return {
            f"voltage_{line}": voltage,
            f"current_{line}": apparent / voltage,
            f"power_{line}": power,
            f"apparent_power_{line}": apparent,
            f"reactive_power_{line}": sqrt(max(apparent**2 - power**2, 0.0)),
            f"power_factor_{line}": factor,
            f"energy_{line}": kwh * self._shares[phase],
            f"import_energy_{line}": kwh * self._shares[phase],
        }

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
