"""What every simulated device has: faults, parts and a record of who mended what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.dials import Dials

ILLEGAL_VALUE = 3
DEVICE_FAILURE = 4
_OF_DIALS = frozenset({"counter_reset", "counter_glitch", "meter_swapped"})


class Twin(ABC):
    """One simulated device; its time is the instant it was last advanced to.

    ``cures`` names, for each fault, the part that mends it; ``sensors`` and ``counters`` name the
    points that a stuck sensor and a counter reset touch. ``evident_ms`` is when faults began to
    show whose effect takes its time, or waits for somebody.
    """

    cures: ClassVar[Mapping[str, str]]
    parts: ClassVar[tuple[str, ...]]
    sensors: ClassVar[tuple[str, ...]]
    counters: ClassVar[tuple[str, ...]]

    def __init__(self, device: Device, now_ms: int) -> None:
        self.device = device
        self.now_ms = now_ms
        self.faults: list[str] = []
        self.evident_ms: dict[str, int] = {}
        self._frozen: dict[str, float] = {}
        self._unsaid: set[str] = set()
        self._away: dict[str, bool] = {}
        self.dials = Dials(self.counters)
        self._repairs: list[dict[str, Json]] = []
        self._told: Collection[str] | None = None
        self._rest: Twin | None = None

    @property
    def faults_possible(self) -> tuple[str, ...]:
        """Name the faults this twin can have."""
        return tuple(self.cures)

    @property
    def silent(self) -> bool:
        """Tell whether the device answers nothing at all, or nobody can reach it."""
        return "silent" in self.faults or bool(self._away)

    @property
    def dark(self) -> bool:
        """Tell whether the device has no supply."""
        return bool(self._away) and any(self._away.values())  # asked at every step

    def leave(self, why: str, *, dark: bool) -> None:
        """Be out of reach for a reason, ``dark`` without supply."""
        self._away[why] = dark

    def come_back(self, why: str) -> None:
        """Be in reach again, as far as this reason goes."""
        self._away.pop(why, None)

    @property
    def exception(self) -> int | None:
        """Return the Modbus exception that the device answers everything with, if any."""
        return DEVICE_FAILURE if "exception_answer" in self.faults else None

    @abstractmethod
    def advance(self, now_ms: int) -> None:
        """Let time pass up to ``now_ms``; an earlier instant changes nothing."""

    def complete(self, told: Collection[str], rest: Twin) -> None:
        """Be a product that shows more: ``told`` come from here, all else from ``rest``."""
        self._told, self._rest = told, rest

    def write(self, point: str, value: float) -> None:
        """Take a written value; Refused when the device has no such thing to write."""
        if self._rest is not None:
            self._rest.write(point, value)  # what its product refuses, and its conditions
        if self._told is None or point in self._told:
            self._write(point, value)

    @abstractmethod
    def _write(self, point: str, value: float) -> None:
        """Take a written value; Refused when there is no such thing to write."""

    @abstractmethod
    def truth(self) -> dict[str, Json]:
        """Return what the hub cannot read: true totals, faults and repairs."""

    @abstractmethod
    def _readings(self) -> dict[str, float]:
        """Return every value as a sound device would show it."""

    def values(self) -> dict[str, float]:
        """Return every value as the device shows it now, by point name."""
        values = self._shown_by_physics()
        if self._told is None or self._rest is None:
            return values
        return self._rest.values() | {name: values[name] for name in self._told}

    def _shown_by_physics(self) -> dict[str, float]:
        """Return the readings as stuck sensors and the dials of the counters let them be seen."""
        return self.dials.shown(self._readings(), self.now_ms) | self._frozen

    def wind(self, counter: str, level: float) -> None:
        """Let a counter stand at ``level`` now, as years of use would have left it."""
        self.dials.wind(self._readings(), counter, level)

    def fault(self, kind: str, *, said: bool = True) -> int | None:
        """Start a fault; one that is already there stays as it is.

        Unless it is ``said`` the device does not notice: no code, no bit tells of it. Return the
        instant at which it is over by itself, None for one that lasts.
        """
        if kind not in self.cures:
            known = ", ".join(self.cures)
            raise Refused(f"{self.device.id} has no fault {kind}; it has: {known}")
        if kind in _OF_DIALS:
            interval_ms = round(self.device.interval.total_seconds() * 1000)
            return self.dials.fault(kind, self._readings(), self.now_ms, interval_ms)
        if kind == "sensor_stuck" and not self._frozen:
            values = self._shown_by_physics()
            self._frozen = {name: values[name] for name in self.sensors}
        if kind not in self.faults:
            self.faults.append(kind)
            self.evident_ms.pop(kind, None)
            self._unsaid |= set() if said else {kind}
            self._begin(kind)
        return None

    def _begin(self, kind: str) -> None:
        """Let a fault that has just begun change what it changes once; most change nothing."""
        del kind

    def _end(self, kind: str) -> None:
        """Undo what beginning a fault has changed, which has just been cured."""
        del kind

    def _tells(self, kind: str) -> bool:
        """Tell whether the device has a fault and notices it."""
        return kind in self.faults and kind not in self._unsaid

    def repair(self, part: str) -> list[str]:
        """Replace a part and return the faults that it cured; the wrong part changes nothing."""
        if part not in self.parts:
            known = ", ".join(self.parts)
            raise Refused(f"{self.device.id} has no part {part}; it has: {known}")
        cured = [kind for kind in self.faults if self.cures[kind] == part]
        self.faults = [kind for kind in self.faults if kind not in cured]
        self._unsaid.difference_update(cured)
        if "sensor_stuck" in cured:
            self._frozen = {}
        for kind in cured:
            self._end(kind)
        self._repairs.append({"at_ms": self.now_ms, "part": part, "cured": cured})
        return cured

    def _record(self) -> dict[str, Json]:
        """Return the part of the truth that all twins share."""
        wrong = [repair["part"] for repair in self._repairs if not repair["cured"]]
        return {
            "faults": list(self.faults),
            "repairs": list(self._repairs),
            "wrong_parts": wrong,
            "swaps": [swap.told() for swap in self.dials.swaps],
        }
