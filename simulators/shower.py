"""A shower terminal: people come by the hour of the day, mix hot and cold, and go."""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import ClassVar

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.boiler import STEP_MS
from simulators.climate import local_hour
from simulators.noise import uniform
from simulators.session import litres_a_minute, seconds
from simulators.twin import Twin

IDLE, RUNNING, LOCKED = 0, 2, 4
_MINUTE_MS = 60_000
_STEP_MIN = STEP_MS / _MINUTE_MS
_WISH = 39.5  # degC
ROOM = 22.0
_COOLING_MS = 600_000
_DRIP = 0.4  # L/min
_PATIENCE_MS = 120_000  # of somebody who gets no water
# bits of the fault word
_BITS = {
    "valve_no_open": 0b1,
    "leak": 0b10,
    "sensor_stuck": 0b1000,
    "mixing_valve_failed": 0b10_0000,
}
# sessions an hour that begin at a free terminal, by hour of the day
_ARRIVALS = (
    0.3, 0.0, 0.0, 0.0, 0.0, 0.1, 1.2, 2.2, 1.2, 0.5, 0.4, 0.5,
    0.9, 0.9, 0.5, 0.5, 0.9, 1.8, 3.2, 4.8, 5.9, 6.7, 5.2, 1.8,
)  # fmt: skip


class ShowerTwin(Twin):
    """One terminal; it opens, flows and closes at whole steps of ten seconds.

    ``demand`` tells how many people come, at an instant, for each one of a usual day.
    """

    cures: ClassVar = {
        "silent": "comms-module",
        "sensor_stuck": "sensor",
        "counter_reset": "meter",
        "leak": "valve",
        "valve_no_open": "valve",
        "mixing_valve_failed": "mixing-valve",
    }
    parts: ClassVar = ("comms-module", "sensor", "meter", "valve", "mixing-valve", "battery")
    sensors: ClassVar = ("outlet_temperature",)
    counters: ClassVar = ("total_litres",)

    def __init__(
        self,
        device: Device,
        seed: int,
        now_ms: int,
        demand: Callable[[int], float] = lambda _: 1.0,
    ) -> None:
        super().__init__(device, now_ms)
        self._seed = seed
        self._demand = demand
        self._began_ms = now_ms
        self._began_litres = 10_000 + 200_000 * uniform(seed, 0)
        self._phase_ms = int(6 * uniform(seed, 1)) * STEP_MS  # people do not all come at :00
        self.next_visit_ms = self._visit_after(now_ms)
        self._ends_ms: int | None = None
        self._wish_flow = 0.0
        self._valve = 1
        self.room = ROOM  # degC of the air
        self._outlet = ROOM
        self._outlet_ms = now_ms
        self.flow = 0.0
        self.session_litres = 0.0
        self.litres = 0.0
        self.hot_kg = 0.0
        self.sessions = 0

    def _visit_after(self, at_ms: int) -> int:
        """Return the next instant at which somebody may come."""
        return (at_ms - self._phase_ms) // _MINUTE_MS * _MINUTE_MS + self._phase_ms + _MINUTE_MS

    def advance(self, now_ms: int) -> None:
        """Note the instant; the state itself is moved by :meth:`step`."""
        self.now_ms = max(self.now_ms, now_ms)

    def step(self, at_ms: int, hot: float, cold: float) -> float:
        """Let ten seconds from ``at_ms`` pass and return the hot water drawn, in kg."""
        if self._ends_ms is not None and at_ms >= self._ends_ms:
            self._stop()
        if at_ms >= self.next_visit_ms:
            self._visit(at_ms)
        if self._ends_ms is not None:
            self.flow = self._let_in(at_ms)
        else:
            drips = "leak" in self.faults and self._valve and not self.dark
            self.flow = _DRIP if drips else 0.0
        return self._run(at_ms, hot, cold) if self.flow else 0.0

    def _visit(self, at_ms: int) -> None:
        """Perhaps begin a session, with its length and flow."""
        minute = self.next_visit_ms // _MINUTE_MS
        self.next_visit_ms = self._visit_after(at_ms)
        if self._ends_ms is not None or not self._valve or self.dark:
            return
        arrivals = self._demand(at_ms) * _ARRIVALS[int(local_hour(at_ms))] / 60
        if uniform(self._seed, 4 * minute) >= arrivals:
            return
        steps = round(seconds(uniform(self._seed, 4 * minute + 1)) * 1000 / STEP_MS)
        self._wish_flow = litres_a_minute(uniform(self._seed, 4 * minute + 2))
        self._ends_ms = at_ms + steps * STEP_MS
        if "valve_no_open" in self.faults:
            self._ends_ms = min(self._ends_ms, at_ms + _PATIENCE_MS)
        self.sessions += 1
        self.session_litres = 0.0

    def _let_in(self, at_ms: int) -> float:
        """Return what flows to somebody who waits for water."""
        if "valve_no_open" in self.faults:
            self.evident_ms.setdefault("valve_no_open", at_ms)
            return 0.0
        return self._wish_flow

    def _run(self, at_ms: int, hot: float, cold: float) -> float:
        """Let water flow through the mixer for one step."""
        litres = self.flow * _STEP_MIN
        share = min(max((_WISH - cold) / (hot - cold), 0.0), 1.0) if hot > cold else 1.0
        if "mixing_valve_failed" in self.faults:
            share = 1.0
        self._outlet = cold + share * (hot - cold)
        self._outlet_ms = at_ms + STEP_MS
        if self._ends_ms is not None:
            self.session_litres += litres
        self.litres += litres
        self.hot_kg += share * litres
        return share * litres

    def _stop(self) -> None:
        self._ends_ms = None
        self._wish_flow = 0.0

    def _readings(self) -> dict[str, float]:
        cooled = exp(-max(self.now_ms - self._outlet_ms, 0) / _COOLING_MS)
        state = RUNNING if self._ends_ms is not None else IDLE if self._valve else LOCKED
        return {
            "state": float(state),
            "flow": self.flow,
            "outlet_temperature": self.room + (self._outlet - self.room) * cooled,
            "session_litres": self.session_litres,
            "total_litres": self._began_litres + self.litres,
            "valve": float(self._valve),
            "faults": float(
                sum(_BITS[kind] for kind in self.faults if self._tells(kind) and kind in _BITS)
            ),
            "battery": max(100 - (self.now_ms - self._began_ms) / 86_400_000 * 0.05, 0.0),
        }

    def _write(self, point: str, value: float) -> None:
        """Shut the terminal's main valve (0: locked until opened) or open it again (1)."""
        if point != "valve" or value not in (0, 1):
            raise Refused(f"{self.device.id}: {point} cannot be set to {value}")
        self._valve = int(value)
        if not self._valve:
            self._stop()
            self.flow = 0.0

    def leave(self, why: str, *, dark: bool) -> None:
        """Be out of reach for a reason; without supply the valve closes."""
        super().leave(why, dark=dark)
        if dark:
            self._stop()
            self.flow = 0.0

    def truth(self) -> dict[str, Json]:
        """Return the water and the sessions since the start."""
        return self._record() | {
            "litres": self.litres,
            "hot_kg": self.hot_kg,
            "sessions": self.sessions,
        }
