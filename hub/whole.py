"""A running hub as a whole, for those who look at it: its parts, its figures, what ails it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hub.control import Commands
from hub.energy.consumption import Consumption
from hub.energy.hot_water_query import HotWater
from hub.energy.meter_changes import MeterChanges
from hub.engine import Engine
from hub.health import Health
from hub.intake import Intake
from hub.journal import Retention
from hub.kept import Kept
from hub.live import Live
from hub.notify import Pipeline
from hub.poller import Poller
from hub.ports import Messages, StartError
from hub.recorder import Recorder


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A running hub, for those who look at it."""

    kept: Kept
    live: Live
    intake: Intake
    recorder: Recorder
    retention: Retention
    engine: Engine
    pipeline: Pipeline
    health: Health
    consumption: Consumption
    hot_water: HotWater
    meter_changes: MeterChanges
    commands: Commands
    pollers: Mapping[str, Poller]
    messages: Messages | None
    ended: asyncio.Event
    address: str | None = None
    one_time_password: str | None = None

    async def until_ended(self) -> None:
        """Wait until a part of the hub ends by itself, which none should; then raise StartError."""
        await self.ended.wait()
        raise StartError("a part of the hub ended unexpectedly; the log says which and why")

    def counters(self) -> dict[str, float]:
        """Return the figures of /metrics."""
        counts = [poller.counts for poller in self.pollers.values()]
        return {
            "polls_due_total": sum(count.due for count in counts),
            "polls_done_total": sum(count.done for count in counts),
            "polls_failed_total": sum(count.failed for count in counts),
            "polls_late_total": sum(count.late for count in counts),
            **{f"intake_{name}": count for name, count in self.intake.counts.items()},
            **{f"engine_{name}": figure for name, figure in self.engine.figures.items()},
            **{f"notify_{name}": count for name, count in self.pipeline.counts.items()},
            "notify_channels_failing": sum(self.pipeline.channels_failing.values()),
            "journal_sequence": self.kept.journal.last(),
            "journal_bytes": self.kept.journal.size,
            "journal_limit_bytes": self.kept.journal.limit,
            "journal_damaged_entries_total": len(self.kept.journal.damaged),
            "disk_full": float(self.kept.room.full),
            "recorder_lag_entries": self.recorder.lag(),
            "mqtt_connected": float(self.messages is not None and self.messages.connected()),
        }

    def polls(self) -> dict[str, dict[str, float]]:
        """Return what became of the polls of each gateway, and whether its breaker is open."""
        return {
            gateway: {
                "polls_due_total": poller.counts.due,
                "polls_failed_total": poller.counts.failed,
                "polls_late_total": poller.counts.late,
                "breaker_open": float(poller.resting),
            }
            for gateway, poller in self.pollers.items()
        }

    def problems(self) -> list[str]:
        """Return what keeps the hub from working, for /readyz."""
        found = [
            f"{what}: {said.reason}"
            for what, said in self.retention.trouble().items()
            if self.kept.room.full or what != "disk"  # a disk that fills up is no hindrance yet
        ]
        if self.messages is not None and not self.messages.connected():
            found.append("the MQTT broker is not connected")
        if self.recorder.failing:
            found.append(f"the store is {self.recorder.lag()} entries behind")
        return found
