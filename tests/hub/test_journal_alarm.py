"""No room for readings: one alarm and one ticket, whatever happens to the hub meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from hub.clock import VirtualClock, VirtualLoop
from hub.database import records
from hub.database.connection import open_database
from hub.engine import Core, Engine, log_line
from hub.intake import Intake
from hub.journal import Journal, Retention, Room, Shedding, open_connection
from hub.live import Live
from hub.model import AlarmState, Batch, Effect, Entry, EntryKind, TicketState
from rules.spec import Pack
from tests.hub.fault_site import CONFIG, PROMISE, site
from tests.hub.full_disk import FullDisk
from tests.hub.test_journal_room import MB, START_MS, Disk

HUB = Pack.model_validate(yaml.safe_load((CONFIG / "rules" / "hub.yaml").read_text("utf-8")))
HOUR_MS = 3_600_000
Story = Callable[[], Coroutine[Any, Any, None]]


def core() -> Core:
    return Core(site(), [HUB], PROMISE)


class House:
    """A hub as far as it concerns its own room, in virtual time, on files that outlive it."""

    def __init__(
        self, folder: Path, disk: Disk, now_ms: int = START_MS, packs: Sequence[Pack] = (HUB,)
    ) -> None:
        self.disk = disk
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, now_ms, 1)
        self.writes = FullDisk(open_connection(folder / "journal"), lambda _: False)
        self.journal = Journal(cast("sqlite3.Connection", self.writes))
        self.database = open_database(folder / "hub.sqlite")
        self.room = Room(folder, MB, disk.free)
        self.shedding = Shedding({1: "counter", 2: "gauge"})
        self.effects: list[Effect] = []
        rules = Core(site(), packs, PROMISE)
        self.engine = Engine(rules, self.journal, self.database, self.clock, self.effects.append)
        self.intake = Intake(
            self.journal, Live(10), self.clock, [self.engine.hear],
            overhear=self.engine.overhear, room=self.room, shedding=self.shedding,
        )  # fmt: skip
        self.retention = Retention(
            self.journal, self.room, self.shedding, self.clock, HOUR_MS,
            lambda: 0, self.intake.enter,
        )  # fmt: skip

    async def hours(self, hours: float, filling: float = 0) -> None:
        """Look every five minutes while a disk fills by ``filling`` bytes an hour."""
        for _ in range(round(hours * 12)):
            self.disk.others -= int(filling / 12)
            self.retention.look()
            self.retention.tell()
            await self.clock.sleep(300)

    def works(self) -> list[Coroutine[Any, Any, None]]:
        """Return what runs all the time."""
        return [self.intake.run(), self.engine.run(self.intake.enter)]

    def run(self, story: Story) -> None:
        async def play() -> None:
            tasks = [asyncio.create_task(one) for one in self.works()]
            try:
                await story()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        self.loop.run_until_complete(play())

    def close(self) -> int:
        """Stop; return the instant."""
        now_ms = self.clock.now_ms()
        self.retention.close()
        self.room.close()
        self.journal.close()
        self.database.close()
        self.loop.close()
        return now_ms

    def alarms(self) -> list[tuple[str, str, AlarmState]]:
        return [(one.rule, one.severity, one.state) for one in records.alarms(self.database)]

    def events(self) -> list[str]:
        """Return what became of the only ticket, but for deadlines that nobody met."""
        (ticket,) = records.tickets(self.database)
        kinds = (event.kind for event in records.events(self.database, ticket.id))
        return [kind for kind in kinds if kind != "breach"]


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path, 32 * MB)


@pytest.fixture
def house(tmp_path: Path, disk: Disk) -> Iterator[House]:
    made = House(tmp_path, disk)
    yield made
    made.close()


def of_disk(severity: str, state: AlarmState) -> list[tuple[str, str, AlarmState]]:
    return [("disk-filling", severity, state)]


def test_a_disk_that_fills_up_is_one_alarm_and_one_ticket_until_there_is_room(
    house: House,
) -> None:
    async def story() -> None:
        await house.hours(6)
        assert house.alarms() == [], "an alarm of a disk that does not fill up"
        await house.hours(8, filling=MB)
        assert house.alarms() == of_disk("ordinary", AlarmState.UNACKNOWLEDGED)
        (ticket,) = records.tickets(house.database)
        assert (ticket.severity, ticket.place, ticket.device) == ("ordinary", "test", "hub")
        assert ticket.title.zh == "磁盘快满了"
        assert "campus-hub journal status" in ticket.guidance.en
        (alarm,) = records.alarms(house.database)
        assert 20 < alarm.value <= alarm.limit == 24.0
        await house.hours(19.5, filling=MB)
        assert house.alarms() == of_disk("large", AlarmState.UNACKNOWLEDGED)
        (worse,) = records.tickets(house.database)
        assert (worse.id, worse.severity) == (ticket.id, "large")
        assert worse.fix_by_ms == ticket.fix_by_ms, "what was promised is taken back"
        assert worse.crew_by_ms is not None
        house.disk.others += 100 * MB
        await house.hours(1)
        assert house.alarms() == of_disk("large", AlarmState.CLEARED_UNACKNOWLEDGED)

    house.run(story)
    assert house.events() == ["opened", "escalated", "alarm_cleared"]


def test_a_fix_is_proven_by_the_room_there_is(house: House) -> None:
    async def story() -> None:
        await house.hours(10, filling=2 * MB)
        (ticket,) = records.tickets(house.database)
        fix = {"kind": "fix", "ticket": ticket.id, "actor": "li"}
        assert (await house.engine.act(fix)).state is TicketState.FIXED
        house.disk.others += 100 * MB
        await house.hours(1)
        (ticket,) = records.tickets(house.database)
        assert ticket.state is TicketState.CLOSED

    house.run(story)


def test_the_same_journal_gives_the_same_alarms_and_tickets(house: House) -> None:
    async def story() -> None:
        await house.hours(12, filling=2 * MB)
        house.disk.others += 100 * MB
        await house.hours(8)

    house.run(story)
    again = core()
    effects = [one for seq, entry in house.journal.read(0, 10**6) for one in again.step(seq, entry)]
    assert [*map(log_line, effects)] == [*map(log_line, house.effects)]
    assert effects


@pytest.mark.parametrize("off_h", [0.01, 8.0])
def test_an_alarm_outlives_a_restart_and_is_not_doubled(
    tmp_path: Path, disk: Disk, off_h: float
) -> None:
    first = House(tmp_path, disk)
    first.run(lambda: first.hours(8, filling=MB))
    before = first.alarms()
    # Slower now: above what begins a warning, and below what ends it.
    first.run(lambda: first.hours(7, filling=0.75 * MB))
    assert first.alarms() == before == of_disk("ordinary", AlarmState.UNACKNOWLEDGED)
    assert first.retention.seconds_left or 0 > 24 * 3600
    now_ms = first.close()

    again = House(tmp_path, disk, now_ms + round(off_h * HOUR_MS))
    again.run(lambda: again.hours(2, filling=0.75 * MB))
    assert again.alarms() == before
    assert "alarm_cleared" not in again.events()
    assert "raised_again" not in again.events()
    again.close()


def test_trouble_that_ended_while_the_hub_was_off_is_over_after_the_start(
    tmp_path: Path, disk: Disk
) -> None:
    first = House(tmp_path, disk)
    first.run(lambda: first.hours(1))
    disk.others = MB + MB // 10
    first.run(lambda: first.hours(0.1))
    assert first.room.full
    assert first.alarms() == of_disk("large", AlarmState.UNACKNOWLEDGED)
    now_ms = first.close()
    disk.others = 500 * MB

    again = House(tmp_path, disk, now_ms + HOUR_MS)
    again.run(lambda: again.hours(2))
    assert again.alarms() == of_disk("large", AlarmState.CLEARED_UNACKNOWLEDGED)
    again.close()


@pytest.mark.parametrize("barred", [False, True])
def test_on_a_full_disk_the_alarm_rises_before_any_reading_is_kept_and_only_once(
    house: House, barred: bool
) -> None:
    """Barred: not even from the reserve can the change be written; it is heard all the same."""

    async def story() -> None:
        house.disk.others = MB + MB // 10
        house.writes.full = lambda _: barred
        house.intake.put(Batch.of([1], [START_MS], [1.0], [0], START_MS))
        await house.hours(0.25)
        assert house.room.full
        assert house.alarms() == of_disk("large", AlarmState.UNACKNOWLEDGED)
        kinds = [entry.kind for _, entry in house.journal.read(0)]
        assert (EntryKind.HEALTH in kinds) is not barred
        house.writes.full = lambda _: False
        house.disk.others = 100 * MB
        await house.hours(0.5)
        assert not house.room.full
        assert house.alarms() == of_disk("large", AlarmState.CLEARED_UNACKNOWLEDGED)

    house.run(story)
    assert house.events() == ["opened", "alarm_cleared"]


def test_readings_that_are_shed_are_an_alarm_and_urgent_when_counters_are(house: House) -> None:
    async def story() -> None:
        await house.hours(0.1)
        batch = Batch.of([1, 2], [START_MS] * 2, [1.0] * 2, [0] * 2, START_MS)
        seen = []
        for fill in (0.91, 0.96, 1.0, 0.5):
            house.journal.limit = int(house.journal.size / fill)
            house.shedding.split(batch, fill)
            await house.hours(0.1)
            seen.append(house.alarms()[0])
        assert seen == [
            ("readings-shed", "ordinary", AlarmState.UNACKNOWLEDGED),
            ("readings-shed", "ordinary", AlarmState.UNACKNOWLEDGED),
            ("readings-shed", "large", AlarmState.UNACKNOWLEDGED),
            ("readings-shed", "large", AlarmState.CLEARED_UNACKNOWLEDGED),
        ]

    house.run(story)
    assert len(records.alarms(house.database)) == 1


def said(at_ms: int, **content: object) -> Entry:
    return Entry(EntryKind.HEALTH, at_ms, content={"hub": "disk", **content})


def test_what_is_heard_at_once_and_again_through_the_journal_counts_once() -> None:
    one = core()
    story = [
        said(1000, state="degraded", value=20.0, limit=24.0, urgent=False),
        said(2000, state="degraded", value=3.0, limit=4.0, urgent=True),
        said(3000, state="online"),
    ]
    first = [effect for entry in story for effect in one.step(0, entry)]
    assert first
    assert [effect for entry in story for effect in one.step(0, entry)] == []


def test_a_state_saved_at_any_moment_goes_on_as_without() -> None:
    story = [
        said(1000, state="degraded", value=20.0, limit=24.0, urgent=False),
        said(2000, state="degraded", value=3.0, limit=4.0, urgent=True),
        said(3000, state="degraded", value=20.0, limit=24.0, urgent=False),
        said(4000, state="online"),
        said(5000, state="degraded", value=20.0, limit=24.0, urgent=False),
    ]
    whole = core()
    wanted = [log_line(effect) for entry in story for effect in whole.step(0, entry)]
    for cut in range(len(story)):
        first, second = core(), core()
        effects = [effect for entry in story[:cut] for effect in first.step(0, entry)]
        second.load(first.save())
        effects += [effect for entry in story[cut:] for effect in second.step(0, entry)]
        assert [*map(log_line, effects)] == wanted


def test_the_health_of_devices_makes_no_alarm_of_the_hub() -> None:
    one = core()
    assert (
        one.step(1, Entry(EntryKind.HEALTH, 1000, content={"device": "a/b", "state": "offline"}))
        == []
    )
    assert one.step(2, said(1000, state="online")) == []
    assert one.step(3, Entry(EntryKind.HEALTH, 1, content={"hub": "nothing", "state": "bad"})) == []
