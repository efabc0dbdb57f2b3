"""A day of all sound rooms of a building at once: the closed form of their twins, in columns."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulators.climate import DAY_MS
from simulators.columns import Column
from simulators.load import MOTOR_FACTOR
from simulators.meter import FLAT, KWH, MINUTE_MS, PEAK, SLOT_MS, VALLEY, RoomMeterTwin, tariff
from simulators.noise import normals, uniforms

_TARIFFS = (PEAK, FLAT, VALLEY)
_ALL_BITS = (1 << 64) - 1
Span = tuple[int, int]


class RoomDay:
    """The rooms of a building through a day; ``dark`` are the spans without supply (ms).

    Power is constant within pieces: slots, cut where the supply goes and comes.
    """

    def __init__(self, rooms: Sequence[RoomMeterTwin], start_ms: int, dark: Sequence[Span]) -> None:
        self.rooms = rooms
        self._end_ms = start_ms + DAY_MS
        edges = {at_ms for span in dark for at_ms in span if start_ms < at_ms < self._end_ms}
        bounds = sorted({*range(start_ms, self._end_ms + 1, SLOT_MS), *edges})
        self._bounds = np.array(bounds, np.int64)
        supplied = np.array([not any(a <= at < b for a, b in dark) for at in bounds[:-1]])
        self._tariffs = np.array([tariff(at_ms) for at_ms in bounds[:-1]])
        self._mixed, self._motor = self._loads(bounds[:-1])
        self._power = (self._mixed + self._motor) * supplied
        self._used = self._accumulated()
        self._total_w = self._power.sum(axis=0)
        self._total_kwh = self._used.sum(axis=(0, 1))
        self._list = bounds
        self.now_ms = start_ms

    def _loads(self, starts: Sequence[int]) -> tuple[Column, Column]:
        """Return the power of the usual mixture and of motors, by room and piece."""
        slots = [at_ms // SLOT_MS for at_ms in starts]
        mixed, motor = np.empty((2, len(self.rooms), len(starts)))
        for n, room in enumerate(self.rooms):
            loads = {slot: room.load(slot) for slot in dict.fromkeys(slots)}
            mixed[n] = [loads[slot].mixed_w for slot in slots]
            motor[n] = [loads[slot].motor_w for slot in slots]
        return mixed, motor

    def _accumulated(self) -> Column:
        """Return the energy used up to each bound, by tariff and room."""
        taken = self._power * np.diff(self._bounds) / KWH
        used = np.empty((len(_TARIFFS), len(self.rooms), len(self._bounds)))
        for n in _TARIFFS:
            used[n, :, 0] = [room.used[n] for room in self.rooms]
            used[n, :, 1:] = np.where(self._tariffs == n, taken, 0.0)
        return used.cumsum(axis=2)

    @property
    def power_w(self) -> float:
        """Return the power that all of them take at ``now_ms``."""
        return float(self._total_w[self._piece()])

    @property
    def used_kwh(self) -> float:
        """Return what all of them have used since the start, at ``now_ms``."""
        n = self._piece()
        pending = self._total_w[n] * (self.now_ms - self._list[n]) / KWH
        return float(self._total_kwh[n] + pending)

    def _piece(self) -> int:
        return min(bisect_right(self._list, self.now_ms), len(self._list) - 1) - 1

    def finish(self) -> None:
        """Hand the twins over to the next day."""
        for n, room in enumerate(self.rooms):
            room.leap([float(self._used[tau, n, -1]) for tau in _TARIFFS], self._end_ms)

    def shown(self, room: NDArray[np.int64], at_ms: NDArray[np.int64]) -> dict[str, Column]:
        """Return what rooms (by their numbers) show at instants of this day."""
        piece = np.searchsorted(self._bounds, at_ms, "right") - 1
        power = self._power[room, piece]
        minute = at_ms // MINUTE_MS
        seeds = self._seeds[room]
        factor = 0.93 + 0.05 * uniforms(seeds + np.uint64(1), minute)
        motor = self._motor[room, piece]
        apparent = self._mixed[room, piece] / factor + motor / MOTOR_FACTOR
        factor = np.where(motor > 0, power / apparent, factor)
        voltage = 221 + 1.5 * normals(seeds, minute) - power / 1000
        values = self._energies(room, at_ms, piece, power)
        ones = np.ones(len(room))
        return values | {
            "power": power,
            "voltage": voltage,
            "current": power / (voltage * factor),
            "power_factor": factor,
            "frequency": 50 + 0.015 * normals(seeds + np.uint64(2), minute),
            "relay": ones,
            "relay_command": ones,
            "load_limit": 2000 * ones,
            "status": 0 * ones,
        }

    @property
    def _seeds(self) -> NDArray[np.uint64]:
        return np.array([room.seed & _ALL_BITS for room in self.rooms], np.uint64)

    def _energies(
        self,
        room: NDArray[np.int64],
        at_ms: NDArray[np.int64],
        piece: NDArray[np.int64],
        power: Column,
    ) -> dict[str, Column]:
        """Return the counters as their dials show them."""
        pending = power * (at_ms - self._bounds[piece]) / KWH
        now = self._tariffs[piece]
        began = np.array([one.began for one in self.rooms])
        shown = []
        for n in _TARIFFS:
            level = began[room, n] + self._used[n, room, piece]
            shown.append(level + np.where(now == n, pending, 0.0))
        values = {
            "energy": shown[PEAK] + shown[FLAT] + shown[VALLEY],
            "energy_peak": shown[PEAK],
            "energy_flat": shown[FLAT],
            "energy_valley": shown[VALLEY],
        }
        for name, value in values.items():
            off = np.array([one.dials.off.get(name, 0.0) for one in self.rooms])
            values[name] = value + off[room]
        return values
