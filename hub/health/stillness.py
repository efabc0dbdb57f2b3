"""Devices that answer with the very same values although something in them cannot stand still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from drivers.profile import Profile
from hub.health.record import SILENT_INTERVALS, Frozen
from hub.model import Batch, Entry, Quality
from hub.site import Device

LEAST_ANSWERS = 5


@dataclass(slots=True)
class _Watch:
    """The restless points of one device, by number.

    ``since_ms`` is when one of them last moved, or when it was first heard after a silence.
    """

    frozen: Frozen
    gap_ms: float
    since_ms: int = 0
    heard_ms: int = 0
    answers: int = 0
    values: dict[int, float] = field(default_factory=dict)

    def note(self, point: int, at_ms: int, value: float) -> None:
        """Note a good value; one that is older than the last says nothing of now."""
        if at_ms < self.heard_ms:
            return
        if at_ms - self.heard_ms > self.gap_ms:
            self.since_ms, self.answers = at_ms, 0
        if at_ms > self.heard_ms:
            self.heard_ms = at_ms
            self.answers += 1
        if self.values.get(point) != value:
            self.values[point] = value
            self.since_ms, self.answers = at_ms, 1

    @property
    def still(self) -> bool:
        """Tell whether nothing has moved for too long."""
        long = self.heard_ms - self.since_ms >= self.frozen.for_ms
        return long and self.answers >= LEAST_ANSWERS


class Stillness:
    """Hears what is read of the points that their profile calls restless; a consumer of intake."""

    def __init__(self, devices: Iterable[Device], profiles: Mapping[str, Profile]) -> None:
        self._watches: dict[str, _Watch] = {}
        watching: dict[int, _Watch] = {}
        for device in devices:
            restless = profiles[device.profile].restless
            if restless is None:
                continue
            frozen = Frozen(restless.points, round(restless.for_.total_seconds() * 1000))
            gap_ms = SILENT_INTERVALS * device.interval.total_seconds() * 1000
            watch = self._watches[device.id] = _Watch(frozen, gap_ms)
            watching |= {p.number: watch for p in device.points if p.name in restless.points}
        self._of_point = watching
        self._watched = np.zeros(max(watching, default=-1) + 1, np.bool_)
        self._watched[list(watching)] = True

    def hear(self, entries: Sequence[tuple[int, Entry]]) -> None:
        """Look at the readings of what intake has made durable."""
        for _, entry in entries:
            if entry.batch is not None and self._of_point:
                self._look(entry.batch)

    def of(self, device: str) -> Frozen | None:
        """Return how a device is frozen; None while it moves, or nothing says that it must."""
        watch = self._watches.get(device)
        return watch.frozen if watch is not None and watch.still else None

    def _look(self, batch: Batch) -> None:
        known = batch.point < len(self._watched)
        rows = known & self._watched[np.where(known, batch.point, 0)]
        rows &= (batch.quality & 3) < Quality.BAD
        for point, at_ms, value in zip(
            batch.point[rows].tolist(),
            batch.at_ms[rows].tolist(),
            batch.value[rows].tolist(),
            strict=True,
        ):
            self._of_point[point].note(point, at_ms, value)
