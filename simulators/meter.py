"""Electricity meters: a room's load through its prepaid relay."""

from __future__ import annotations

from collections.abc import Callable
from math import nan, sqrt
from typing import ClassVar

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.climate import local_hour, weekend
from simulators.load import NOTHING, STANDBY_W, Load
from simulators.noise import normal, uniform
from simulators.twin import Twin

SLOT_MS = 600_000
MINUTE_MS = 60_000
KWH = 3.6e9  # W ms
# what stuck contacts, lost neutrals and forbidden appliances come to
_TOO_HIGH_V, _TOO_LOW_V = 27.0, -36.0
_LOADS = {
    "overload": Load(0.0, heat_w=2600.0),
    "malignant_load": Load(0.0, heat_w=650.0),
    "night_load": Load(350.0),
}
_FAST = 10.0  # times the true energy that a wrong meter constant counts
# bits of the status word
_OVERLOAD, _RELAY_OPEN = 0b1, 0b10
_BITS = {
    "overload": _OVERLOAD,
    "relay_stuck": 0b100,
    "over_voltage": 0b1000,
    "under_voltage": 0b1_0000,
    "malignant_load": 0b10_0000,
    "sensor_stuck": 0b100_0000,
    "invalid_marker": 0b100_0000,
}
_UNREADABLE = ("voltage", "current", "power", "power_factor")
PEAK, FLAT, VALLEY = 0, 1, 2
# share of a room's equipment that is on, by hour of the day
_SHAPE = (
    0.25, 0.12, 0.10, 0.09, 0.09, 0.10, 0.18, 0.30, 0.25, 0.20, 0.20, 0.28,
    0.40, 0.38, 0.25, 0.24, 0.28, 0.38, 0.55, 0.70, 0.80, 0.85, 0.75, 0.50,
)  # fmt: skip


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
        "over_voltage": "wiring",
        "under_voltage": "wiring",
        "overload": "appliance",
        "malignant_load": "appliance",
        "night_load": "appliance",
        "relay_stuck": "relay",
        "scale_wrong": "meter",
        "invalid_marker": "meter",
    }
    parts: ClassVar = ("comms-module", "meter", "relay", "wiring", "appliance")
    sensors: ClassVar = ("voltage", "current", "power", "power_factor", "frequency")
    counters: ClassVar = ("energy", "energy_peak", "energy_flat", "energy_valley")

    def __init__(
        self,
        device: Device,
        seed: int,
        now_ms: int,
        lived: Callable[[int, float], Load] | None = None,
    ) -> None:
        super().__init__(device, now_ms)
        self.seed = seed
        self._lived = lived or _usual
        self._equipment_w = 500 + 500 * uniform(seed, -1)
        self.began = [share * (500 + 4000 * uniform(seed, -2)) for share in (0.45, 0.30, 0.25)]
        self.used = [0.0, 0.0, 0.0]
        self._more = NOTHING
        self._closed = True
        self._wanted = True  # the relay's command
        self._blind = False  # its feedback says the opposite
        self._tripped = False
        self._limit_w = 2000.0
        self._since_ms = now_ms
        self._enter(now_ms // SLOT_MS)

    def load(self, slot: int) -> Load:
        """Return what is plugged in and on within a slot, as people live here."""
        start_ms = slot * SLOT_MS
        share = _SHAPE[int(local_hour(start_ms))] * (1.15 if weekend(start_ms) else 1.0)
        return self._lived(start_ms, self._equipment_w * share * (0.5 + uniform(self.seed, slot)))

    def _enter(self, slot: int) -> None:
        """Take on the load of a slot; the relay opens when it is above the limit."""
        start_ms = slot * SLOT_MS
        self._slot_end_ms = start_ms + SLOT_MS
        self._tariff = tariff(start_ms)
        self._load = self.load(slot).plus(self._more)
        self._guard()

    def _guard(self) -> None:
        if self._closed and self._load.power_w > self._limit_w and "overload" not in self.faults:
            self._closed, self._wanted, self._tripped = False, False, True

    @property
    def sound(self) -> bool:
        """Tell whether the meter shows and does what a new one would, but for its dials."""
        return not self.faults and self._closed and not self.dials.odd(self.now_ms)

    @property
    def power_w(self) -> float:
        """Return the power that flows now."""
        return self._load.power_w if self._closed and not self.dark else 0.0

    @property
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""
        return sum(self.used) + self._pending_kwh(self.now_ms)

    def _pending_kwh(self, until_ms: int) -> float:
        return self.power_w * (until_ms - self._since_ms) / KWH

    def _settle(self, until_ms: int) -> None:
        """Book the energy up to an instant at which the power changes."""
        self.used[self._tariff] += self._pending_kwh(until_ms)
        self._since_ms = until_ms

    def leap(self, used: list[float], now_ms: int) -> None:
        """Be at a later instant, the start of a slot, having used so much by tariff."""
        self.used = used
        self.now_ms = self._since_ms = now_ms
        self._enter(now_ms // SLOT_MS)

    def advance(self, now_ms: int) -> None:
        """Let time pass, slot by slot."""
        while now_ms >= self._slot_end_ms:
            end_ms = self._slot_end_ms
            self._settle(end_ms)
            self._enter(end_ms // SLOT_MS)
        self.now_ms = max(self.now_ms, now_ms)

    def leave(self, why: str, *, dark: bool) -> None:
        """Be out of reach for a reason, ``dark`` without supply."""
        self._settle(self.now_ms)
        super().leave(why, dark=dark)

    def come_back(self, why: str) -> None:
        """Be in reach again, as far as this reason goes."""
        self._settle(self.now_ms)
        super().come_back(why)

    def _begin(self, kind: str) -> None:
        if kind in _LOADS:
            self._plug()
        elif kind == "relay_stuck":
            # welded: it was told to open, or opened only as far as its feedback goes
            self._wanted, self._blind = False, uniform(self.seed, self.now_ms) < 0.5  # noqa: PLR2004
        elif kind == "scale_wrong":
            self.dials.gear(self._readings(), dict.fromkeys(self.counters, _FAST))

    def _end(self, kind: str) -> None:
        if kind in _LOADS:
            self._plug()
        elif kind == "relay_stuck":
            self._wanted, self._blind = self._closed, False
        elif kind == "scale_wrong":
            self.dials.gear(self._readings(), dict.fromkeys(self.counters, 1.0))

    def _plug(self) -> None:
        """Switch something on or off in the middle of a slot."""
        self._settle(self.now_ms)
        self._more = NOTHING
        for kind in self.faults:
            self._more = self._more.plus(_LOADS.get(kind, NOTHING))
        self._enter(self.now_ms // SLOT_MS)

    def _readings(self) -> dict[str, float]:
        minute = self.now_ms // MINUTE_MS
        power = self.power_w
        factor = 0.93 + 0.05 * uniform(self.seed + 1, minute)
        voltage = 221 + 1.5 * normal(self.seed, minute) - power / 1000 + self._shift_v()
        shown = [began + used for began, used in zip(self.began, self.used, strict=True)]
        shown[self._tariff] += self._pending_kwh(self.now_ms)
        apparent = self._load.apparent(factor) if power else 0.0
        if self._load.heat_w or self._load.motor_w:
            factor = power / apparent if power else 1.0
        values = {
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
            "frequency": 50 + 0.015 * normal(self.seed + 2, minute),
            "relay": float(self._closed != self._blind),
            "relay_command": float(self._wanted),
            "load_limit": self._limit_w,
            "status": float(self._status()),
        }
        if "invalid_marker" in self.faults:
            values |= dict.fromkeys(_UNREADABLE, nan)
        return values

    def _shift_v(self) -> float:
        """Return how far a lost neutral or a loose terminal moves the voltage."""
        return _TOO_HIGH_V * ("over_voltage" in self.faults) + _TOO_LOW_V * (
            "under_voltage" in self.faults
        )

    def _status(self) -> int:
        status = _OVERLOAD * self._tripped | _RELAY_OPEN * (self._closed == self._blind)
        for kind in self.faults:
            if self._tells(kind):
                status |= _BITS.get(kind, 0)
        return status

    def _write(self, point: str, value: float) -> None:
        """Open or close the relay, or set the load limit in W; a plug has no other relay point."""
        self._settle(self.now_ms)
        if point in ("relay", "relay_command") and value in (0, 1):
            self._wanted, self._tripped = bool(value), False
            if "relay_stuck" not in self.faults:
                self._closed = self._wanted
        elif point == "load_limit":
            self._limit_w = value
        else:
            raise Refused(f"{self.device.id}: {point} cannot be set to {value}")
        self._guard()

    def truth(self) -> dict[str, Json]:
        """Return the electricity since the start."""
        return self._record() | {"energy_kwh": self.used_kwh}


def _usual(_: int, people_w: float) -> Load:
    """Return the load of people who live as everybody does."""
    return Load(STANDBY_W + people_w)
