"""Buses and gateways: a loss is said once and stands for that of the devices; days are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.database import availability
from hub.database.availability import Availability
from hub.database.connection import open_database
from hub.health import Health
from hub.model import Entry
from hub.ports import Reach, StoreError
from hub.site import Device

START_MS = 1_795_226_400_000  # 2026-11-21 10:00 in Shanghai
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONE = ZoneInfo("Asia/Shanghai")


def device(id_: str, gateway: str) -> Device:
    return Device(id_, "p", "meter", "d", timedelta(seconds=60), gateway, 1, ())


class Scene:
    def __init__(self, devices: int = 32) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START_MS, 7)
        self.entries: list[Entry] = []
        self.kept: list[Sequence[Availability]] = []
        self.refusing = False
        self.names = [f"d/{n:02}" for n in range(devices)]
        self.health = Health(
            [*(device(name, "gw-a") for name in self.names), device("e/1", "gw-b")],
            self.clock,
            self.entries.append,
            zone=ZONE,
            keep=self.keep,
        )

    async def keep(self, rows: Sequence[Availability]) -> None:
        if self.refusing:
            raise StoreError("the disk is full")
        self.kept.append(rows)

    def said(self) -> list[dict[str, object]]:
        return [dict(entry.content) for entry in self.entries]

    def round(self, minute: int, silent: Sequence[str], reach: Reach = Reach.GATEWAY) -> None:
        """Poll everybody once, spread over a minute."""
        for n, name in enumerate(self.names):
            at_ms = START_MS + minute * MINUTE + n * MINUTE // len(self.names)
            if name in silent:
                self.health.failed(name, at_ms, "no answer", reach)
            else:
                self.health.seen(name, at_ms, 0.02)

    def run(self, seconds: float) -> None:
        async def story() -> None:
            task = asyncio.create_task(self.health.run())
            await self.clock.sleep(seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.loop.run_until_complete(story())


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.loop.close()


def test_a_lost_bus_is_said_once_and_none_of_its_devices(scene, caplog) -> None:
    scene.round(0, [])
    for minute in range(1, 11):
        scene.round(minute, scene.names)
    assert scene.said() == [
        {"bus": "gw-a", "devices": 32, "state": "offline", "reason": "no answer"}
    ]
    assert caplog.text.count("lost") == 1
    assert {row["state"] for row in scene.health.overview()[:-1]} == {"offline"}
    line = scene.health.line("gw-a")
    assert (line["state"], line["bus"]["state"]) == ("online", "offline")


def test_it_is_said_within_about_one_interval(scene) -> None:
    scene.round(0, [])
    scene.round(1, scene.names)
    assert scene.entries[0].at_ms - (START_MS + MINUTE) <= MINUTE


def test_a_bus_that_is_back_is_said_once_and_its_devices_come_back_without_a_word(scene) -> None:
    for minute in range(5):
        scene.round(minute, scene.names if minute else [])
    scene.round(5, [])
    scene.round(6, [])
    assert [one["state"] for one in scene.said()] == ["offline", "online"]
    assert scene.said()[1] == {"bus": "gw-a", "devices": 32, "state": "online"}
    assert {row["state"] for row in scene.health.overview()[:-1]} == {"online"}


def test_a_device_that_stays_away_when_its_bus_is_back_is_said_then(scene) -> None:
    for minute in range(5):
        scene.round(minute, scene.names if minute else [])
    for minute in range(5, 9):
        scene.round(minute, ["d/07"])
    assert [one for one in scene.said() if "device" in one] == [
        {"device": "d/07", "state": "offline", "reason": "no answer"}
    ]
    assert scene.said()[-1]["device"] == "d/07"


def test_a_lost_gateway_is_said_in_place_of_its_bus(scene) -> None:
    scene.round(0, [])
    for minute in range(1, 6):
        scene.round(minute, scene.names, Reach.NOTHING)
    scene.round(6, [])
    assert [next(iter(one)) for one in scene.said()] == ["gateway", "gateway"]
    assert scene.health.line("gw-a")["state"] == "degraded"  # many of the last requests failed


def test_some_lost_devices_are_no_lost_bus(scene) -> None:
    for minute in range(6):
        scene.round(minute, scene.names[:6])
    assert [one["device"] for one in scene.said()] == scene.names[:6]
    assert scene.health.line("gw-a")["bus"]["state"] == "degraded"


def test_two_devices_with_unlike_intervals_are_still_said_as_one_bus() -> None:
    scene = Scene(devices=2)
    scene.round(0, [])
    for second in range(61, 121, 15):
        scene.health.failed("d/00", START_MS + second * 1000, "no answer")
    assert scene.said() == []
    scene.health.failed("d/01", START_MS + 121_000, "no answer")
    assert [next(iter(one)) for one in scene.said()] == ["bus"]
    scene.loop.close()


def test_the_only_device_of_a_bus_is_said_as_itself(scene) -> None:
    for n in range(5):
        scene.health.failed("e/1", START_MS + n * MINUTE, "cannot connect", Reach.NOTHING)
    assert [next(iter(one)) for one in scene.said()] == ["device"]
    assert scene.health.line("gw-b")["state"] == "offline"


def test_exceptions_are_answers_of_the_bus(scene) -> None:
    for minute in range(4):
        scene.round(minute, scene.names, Reach.DEVICE)
    assert scene.health.line("gw-a")["bus"]["state"] != "offline"
    assert all("device" in one for one in scene.said())


def test_the_error_share_looks_back_on_the_last_requests(scene) -> None:
    for n in range(300):
        if n % 10:
            scene.health.seen("e/1", START_MS + n, 0.1)
        else:
            scene.health.failed("e/1", START_MS + n, "no answer")
    assert scene.health.of("e/1")["error_share"] == pytest.approx(0.1)
    for n in range(300, 520):
        scene.health.seen("e/1", START_MS + n, 0.1)
    assert scene.health.of("e/1")["error_share"] == 0


def test_availability_counts_the_time_since_a_device_was_last_heard(scene) -> None:
    scene.health.seen("e/1", START_MS, 0.1)
    for minute in (58, 59, 60):
        scene.health.seen("e/1", START_MS + minute * MINUTE, 0.3)
    for minute in (61, 62, 63, 120):
        scene.health.failed("e/1", START_MS + minute * MINUTE, "no answer")
    row = scene.health.of("e/1")
    assert row["state"] == "offline"
    assert row["availability"] == pytest.approx(0.5)


def test_a_day_ends_at_midnight_of_the_site_and_is_kept_whole(scene) -> None:
    midnight_ms = START_MS + 14 * HOUR
    scene.health.seen("e/1", START_MS, 0.1)
    scene.health.seen("e/1", midnight_ms - MINUTE, 0.3)
    scene.health.seen("e/1", midnight_ms + MINUTE, 0.5)
    (row,) = (one for one in scene.health._closed if one.subject == "e/1")
    assert row == Availability("2026-11-21", "device", "e/1", 14 * HOUR, 14 * HOUR, 2, 0, 0.2)
    today = next(one for one in scene.health.today() if one.subject == "e/1")
    assert (today.day, today.answers) == ("2026-11-22", 1)


def test_days_are_kept_every_hour_at_midnight_and_at_the_stop(scene) -> None:
    scene.health.seen("e/1", START_MS, 0.1)
    scene.run(15 * 3600)
    days = [{row.day for row in rows} for rows in scene.kept]
    assert len(scene.kept) == pytest.approx(17, abs=2)
    assert {"2026-11-21", "2026-11-22"} in days
    subjects = {(row.what, row.subject) for row in scene.kept[-1]}
    assert {("device", "e/1"), ("bus", "gw-b"), ("gateway", "gw-b")} <= subjects


def test_a_day_that_could_not_be_kept_is_kept_later(scene) -> None:
    scene.refusing = True
    scene.run(14 * 3600 + 60)
    assert scene.kept == []
    scene.refusing = False
    scene.run(3700)
    assert any(row.day == "2026-11-21" for rows in scene.kept for row in rows)


def test_a_restart_goes_on_with_the_day(scene) -> None:
    scene.health.seen("e/1", START_MS, 0.1)
    scene.health.seen("e/1", START_MS + HOUR, 0.1)
    scene.health.restore([Availability("2026-11-21", "device", "e/1", HOUR, 3 * HOUR, 7, 1, 0.1)])
    scene.health.restore([Availability("2026-11-20", "device", "e/1", DAY, DAY, 99, 0, 0.1)])
    assert scene.health.of("e/1")["availability"] == pytest.approx(0.5)
    today = next(one for one in scene.health.today() if one.subject == "e/1")
    assert (today.answers, today.failures) == (9, 1)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_a_day_of_23_or_25_hours_is_whole_although_the_hub_was_started_anew(
    tmp_path, day, hours
) -> None:
    """A bus that is away for the last quarter of the day; the hub is off for half an hour at 10."""
    zone = ZoneInfo("Europe/Berlin")
    begin_ms = round(datetime.fromisoformat(day).replace(tzinfo=zone).timestamp() * 1000)
    database = open_database(tmp_path / "hub.db")

    async def keep(rows: Sequence[Availability]) -> None:
        availability.put(database, rows)

    def run(first_ms: int, last_ms: int, lost_from_ms: int) -> None:
        loop = VirtualLoop()
        clock = VirtualClock(loop, first_ms, 7)
        health = Health([device("e/1", "gw-b")], clock, lambda _: None, zone=zone, keep=keep)
        health.restore(availability.of_day(database, health.day))

        async def story() -> None:
            running = asyncio.create_task(health.run())
            while clock.now_ms() < last_ms:
                now_ms = clock.now_ms()
                if now_ms < lost_from_ms:
                    health.seen("e/1", now_ms, 0.2)
                else:
                    health.failed("e/1", now_ms, "no answer")
                await clock.sleep(60)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        loop.run_until_complete(story())
        loop.close()

    stop_ms, end_ms = begin_ms + 10 * HOUR, begin_ms + hours * HOUR
    lost_ms = end_ms - 6 * HOUR
    run(begin_ms, stop_ms, lost_ms)
    run(stop_ms + HOUR // 2, end_ms + 2 * HOUR, lost_ms)
    kept = {row.day: row for row in availability.of(database, "bus", "gw-b", "2026-01-01", day)}
    assert list(kept) == [day]
    assert kept[day].observed_ms == hours * HOUR - HOUR // 2
    assert kept[day].online_ms == pytest.approx((hours - 6.5) * HOUR, abs=2 * MINUTE)
    assert kept[day].answers == pytest.approx((hours - 6.5) * 60, abs=2)
    assert kept[day].latency_s == pytest.approx(0.2)
    database.close()


def test_a_day_that_ends_while_days_are_being_kept_is_not_lost(scene) -> None:
    """Keeping takes a while on a real disk, and midnight does not wait for it."""
    midnight_ms = START_MS + 14 * HOUR
    scene.health.seen("e/1", START_MS, 0.1)

    async def slow(rows: Sequence[Availability]) -> None:
        scene.kept.append(list(rows))
        if len(scene.kept) == 1:
            scene.health.seen("e/1", midnight_ms + 1, 0.1)

    scene.health._keep = slow
    scene.loop.run_until_complete(scene.health._keep_days())
    scene.loop.run_until_complete(scene.health._keep_days())
    assert any(row.day == "2026-11-21" and row.observed_ms == 14 * HOUR for row in scene.kept[1])


def test_an_answer_of_unknown_latency_does_not_hide_the_last_known(scene) -> None:
    scene.health.seen("d/00", START_MS, 0.02)
    scene.health.failed("d/01", START_MS + 1, "exception", Reach.DEVICE)
    assert scene.health.line("gw-a")["bus"]["latency_s"] == 0.02


def test_the_day_so_far_of_one_line_is_there_at_once(scene) -> None:
    scene.health.seen("e/1", START_MS, 0.1)
    assert scene.health.so_far("bus", "gw-b").answers == 1
    assert scene.health.so_far("gateway", "gw-b").day == "2026-11-21"
    assert scene.health.so_far("bus", "nowhere") is None


def test_days_are_kept_in_the_database_and_replaced_while_they_last(tmp_path) -> None:
    database = open_database(tmp_path / "hub.db")
    morning = Availability("2026-11-21", "device", "e/1", HOUR, 2 * HOUR, 5, 1, None)
    evening = morning._replace(online_ms=8 * HOUR, observed_ms=10 * HOUR, latency_s=0.2)
    other = Availability("2026-11-21", "bus", "gw-b", HOUR, HOUR, 5, 0, 0.1)
    availability.put(database, [])
    availability.put(database, [morning, other])
    availability.put(database, [evening])
    assert availability.of_day(database, "2026-11-21") == [other, evening]
    assert evening.share == 0.8
    found = availability.of(database, "device", "e/1", "2026-11-01", "2026-11-30")
    assert found == [evening]
    lines = availability.of_kinds(database, ("bus", "gateway"), "2026-11-01", "2026-11-30")
    assert lines == [other]
    assert availability.of_kinds(database, ("bus",), "2026-11-22", "2026-11-30") == []
    database.close()
