"""The disk is full from any write on: alarms rise, recording resumes, everything is there once."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from hub.database import records
from hub.intake import Intake
from hub.live import Live
from hub.model import AlarmState, Batch, TicketState
from hub.recorder import Recorder
from hub.store.memory import MemoryStore
from tests.hub.fault_site import COLD, TANK, pack
from tests.hub.test_journal_alarm import House
from tests.hub.test_journal_room import MB, START_MS, Disk

MINUTE = 60_000
COLD_FROM, FULL_FROM, FULL_UNTIL, END = 5, 8, 25, 30
RESUME_S = 10.0


class Whole(House):
    """The same hub with a store, and a rule for a tank that gets cold."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Disk(folder, 32 * MB), packs=(pack(COLD),))
        self.store = MemoryStore()
        self.recorder = Recorder(self.journal, self.store, self.clock, room=self.room)
        self.live = Live(10)
        self.intake = Intake(
            self.journal, self.live, self.clock, [self.engine.hear, self.recorder.wake],
            overhear=self.engine.overhear, room=self.room,
        )  # fmt: skip
        self.acknowledged: list[int] = []

    def works(self) -> list[Coroutine[Any, Any, None]]:
        return [*super().works(), self.recorder.run()]

    async def minute(self, n: int) -> None:
        """Read the tank, and wait a minute."""
        at_ms, heat = START_MS + n * MINUTE, 45.0 if n >= COLD_FROM else 55.0
        batch = Batch.of([TANK], [at_ms], [heat], [0], at_ms)
        self.intake.put(batch, lambda: self.acknowledged.append(n))
        await self.clock.sleep(60)
        assert self.live.value(TANK) == (at_ms, heat, 0, at_ms), "live values stand still"

    def instants(self) -> list[int]:
        return [(int(at) - START_MS) // MINUTE for at in self.store.raw([TANK], 0, 1 << 60).at_ms]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "write" in metafunc.fixturenames:
        full = metafunc.config.getoption("--scale") == "full"
        metafunc.parametrize("write", range(1, 61) if full else (1, 2, 3, 5, 8))


def test_from_any_write_on_a_full_disk_keeps_no_alarm_down_and_loses_nothing(
    tmp_path: Path, write: int
) -> None:
    hub = Whole(tmp_path)

    async def story() -> None:
        for n in range(FULL_FROM):
            await hub.minute(n)
        first = hub.writes.writes + write
        hub.writes.full = lambda n: n >= first
        for n in range(FULL_FROM, FULL_UNTIL):
            await hub.minute(n)
        (alarm,) = records.alarms(hub.database)
        assert (alarm.rule, alarm.state) == ("tank-cold", AlarmState.UNACKNOWLEDGED)
        assert alarm.raised_ms == START_MS + (COLD_FROM + 10) * MINUTE
        (ticket,) = records.tickets(hub.database)
        taken = await hub.engine.act({"kind": "acknowledge", "ticket": ticket.id, "actor": "li"})
        assert taken.state is TicketState.RESPONDED
        assert hub.room.full
        assert len(hub.acknowledged) < FULL_UNTIL, "acknowledged, and kept nowhere"

        hub.writes.full = lambda _: False
        await hub.clock.sleep(RESUME_S)
        assert not hub.room.full
        assert hub.acknowledged == hub.instants() == [*range(FULL_UNTIL)]
        for n in range(FULL_UNTIL, END):
            await hub.minute(n)
        await hub.clock.sleep(2)

    hub.run(story)
    assert hub.acknowledged == hub.instants() == [*range(END)]
    kept = [seq for seq, _ in hub.journal.read(0)]
    assert kept == [*range(1, hub.journal.last() + 1)]
    assert hub.journal.check() is None
    assert len(records.alarms(hub.database)) == 1
    assert hub.events() == ["opened", "acknowledged"]
    hub.recorder.close()
    hub.close()
