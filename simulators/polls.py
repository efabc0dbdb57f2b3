"""When the hub asks the devices of a bus: its own schedule, and what silent ones make of it.

This is the hub's poller as seen from the line: a device has its own second of each interval, a
silent one costs a whole timeout, and is asked less often while others answer.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from drivers.profile import ModbusProfile, Profile
from hub.site import Device

_GRAIN_MS = 50
_PATIENCE, _THINNEST = 3, 8
Instants = NDArray[np.int64]
Silent = Callable[[int, int], bool]
"""Tell whether the device of this number on the bus is silent at an instant."""


@dataclass(slots=True)
class _Turn:
    due_ms: int
    failures: int = 0


class Bus:
    """The polls of one bus, day by day; ``took_ms`` is how long a poll of each device takes."""

    def __init__(
        self, devices: Sequence[Device], began_ms: int, timeout_ms: int, took_ms: Sequence[int]
    ) -> None:
        self.devices = devices
        self._interval_ms = round(devices[0].interval.total_seconds() * 1000)
        self._timeout_ms = timeout_ms
        self._took_ms = took_ms
        self._turns = [
            _Turn(began_ms + _phase_ms(device, order, len(devices)))
            for order, device in enumerate(devices)
        ]
        self._free_ms = began_ms
        self._answered_ms = began_ms

    def day(self, end_ms: int, silent: Silent | None) -> list[Instants]:
        """Return when each device answers before ``end_ms``; None: no one is silent."""
        late = any(turn.failures for turn in self._turns)
        if silent is None and not late and not any(self._took_ms):
            return [self._undisturbed(turn, end_ms) for turn in self._turns]
        return self._stepped(end_ms, silent or (lambda _, __: False))

    def _undisturbed(self, turn: _Turn, end_ms: int) -> Instants:
        found = np.arange(turn.due_ms, end_ms, self._interval_ms, dtype=np.int64)
        turn.due_ms += len(found) * self._interval_ms
        self._free_ms = self._answered_ms = end_ms - 1
        return found

    def _stepped(self, end_ms: int, silent: Silent) -> list[Instants]:
        """Take one poll after the other."""
        answered: list[list[int]] = [[] for _ in self._turns]
        queue = [(turn.due_ms, order) for order, turn in enumerate(self._turns)]
        heapq.heapify(queue)
        now_ms = self._free_ms
        while max(queue[0][0], now_ms) < end_ms:
            due_ms, order = queue[0]
            turn = self._turns[order]
            now_ms = max(due_ms, now_ms)
            if silent(order, now_ms):
                now_ms += self._timeout_ms
                turn.failures += 1
            else:
                now_ms += self._took_ms[order]
                turn.failures = 0
                self._answered_ms = now_ms
                answered[order].append(now_ms)
            turn.due_ms = self._next_ms(turn, now_ms)
            heapq.heapreplace(queue, (turn.due_ms, order))
        self._free_ms = now_ms
        return [np.array(instants, np.int64) for instants in answered]

    def _next_ms(self, turn: _Turn, now_ms: int) -> int:
        others_answer = now_ms - self._answered_ms < self._interval_ms
        waits = 1
        if turn.failures > _PATIENCE and others_answer:
            waits = min(2 ** (turn.failures - _PATIENCE), _THINNEST)
        slot_ms = turn.due_ms + waits * self._interval_ms
        if slot_ms <= now_ms:
            slot_ms += ((now_ms - slot_ms) // self._interval_ms + 1) * self._interval_ms
        return slot_ms


def _phase_ms(device: Device, order: int, count: int) -> int:
    """Return the place of a device in the interval: spread evenly, apart by its name."""
    share = (order + crc32(device.id.encode()) / 2**32) / count
    interval_ms = device.interval.total_seconds() * 1000
    return ceil(share * interval_ms / _GRAIN_MS) * _GRAIN_MS


def asked_after(profile: Profile) -> dict[int, list[str]]:
    """Return which points of a device are asked for how many ms after the start of its poll.

    Between its requests a device wants a pause.
    """
    if not isinstance(profile, ModbusProfile):
        return {0: list(profile.points)}
    limits = profile.limits
    pause_ms = round(limits.pause.total_seconds() * 1000)
    found: dict[int, list[str]] = {}
    requests = 0
    table, first, last = "", 0, 0
    for name, one in sorted(
        profile.points.items(), key=lambda item: (item[1].table, item[1].address)
    ):
        end = one.address + one.words
        if one.table != table or one.address - last > limits.gap or end - first > limits.words:
            requests += 1
            table, first = one.table, one.address
        last = end
        found.setdefault(pause_ms * (requests - 1), []).append(name)
    return found
