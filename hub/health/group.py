"""A bus or gateway: lost when most of what hangs on it fails and nothing of it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from hub.health.record import Record, State
from hub.model import Json
from hub.ports import Reach

LOST_AFTER = 3  # failures in a row
_MOST = 0.8  # of the devices, before their bus is suspected instead of them
_ERRORS = 0.05  # share of failed requests from which on a bus is degraded

What = Literal["bus", "gateway"]


@dataclass(slots=True)
class Group:
    """What devices share; ``missing`` are those that failed since anything answered.

    A group of one is never lost in public: its one device says it all.
    """

    what: What
    record: Record
    devices: Sequence[Record]
    missing: set[str] = field(default_factory=set)

    @property
    def lost(self) -> bool:
        """Tell whether its loss stands for that of its devices."""
        return self.record.lost and len(self.devices) > 1

    @property
    def state(self) -> State:
        """Return how it stands; degraded when many requests fail, a bus also by a lost device."""
        if self.record.state is not State.ONLINE:
            return self.record.state
        recent = self.record.recent
        many = recent.full and (recent.share or 0) > _ERRORS
        part = self.what == "bus" and any(one.lost for one in self.devices)
        return State.DEGRADED if many or part else State.ONLINE

    def answered(self, at_ms: int, latency_s: float | None) -> bool:
        """Note an answer of anything; tell whether the group is back with it."""
        self.record.answered(at_ms, latency_s)
        self.missing.clear()
        back = self.record.lost
        if self.record.state is not State.ONLINE:
            self.record.turn(State.ONLINE, at_ms)
        return back and len(self.devices) > 1

    def failed(self, device: str, at_ms: int, error: str, reach: Reach) -> bool:
        """Note that nothing came through to a device; tell whether the group is lost with it."""
        self.record.failed(at_ms, error, reach)
        self.missing.add(device)
        enough = len(self.missing) >= _MOST * len(self.devices)
        if self.record.lost or not enough or self.record.failed_in_row < LOST_AFTER:
            return False
        self.record.turn(State.OFFLINE, at_ms)
        return len(self.devices) > 1

    def row(self) -> dict[str, Json]:
        """Return what is shown of it."""
        lost = sum(one.lost for one in self.devices)
        counts = {"devices": len(self.devices), "devices_lost": lost}
        return self.record.row() | {"state": self.state.value} | counts
