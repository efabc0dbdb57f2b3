"""A command on its bus: behind slow polls, on lines that break, across the end of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from drivers.registry import polled
from hub.clock import VirtualClock, VirtualLoop
from hub.control import Commands
from hub.database import commands as table
from hub.database.connection import open_database
from hub.live import Live
from hub.model import Batch, Command, Outcome, Point, Result, Text
from hub.poller import Poller
from hub.ports import Reach
from hub.settings import load, shipped
from hub.site import Device, Place, Site
from tests.hub.memory_wire import Wire

START_MS = 1_795_000_000_000
BOILER = "dorm-07/boiler-1"
SETPOINT = f"{BOILER}/setpoint"
ADDRESS = 4
PROFILES = load(shipped()).profiles
INTERVAL_S = 20


def device() -> Device:
    profile = PROFILES["reference-boiler"]
    points = tuple(
        Point(n, f"{BOILER}/{name}", BOILER, name, spec.unit, spec.kind, Text("", ""))
        for n, (name, spec) in enumerate(profile.points.items(), 1)
    )
    every = timedelta(seconds=INTERVAL_S)
    return Device(BOILER, profile.id, profile.kind, "dorm-07", every, "gw", 1, points)


class Health:
    """Hears of the devices and says nothing."""

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        pass

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        pass

    def skewed(self, device: str, ahead_ms: int) -> None:
        pass

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:
        pass


class Hub:
    """One life of a hub: a poller on the wire and commands over a database that outlives it."""

    def __init__(self, clock: VirtualClock, wire: Wire, file: Path) -> None:
        one = device()
        self.clock, self.wire = clock, wire
        self.live = Live(len(one.points))
        self.database = open_database(file)
        driver = polled(wire.bus(timeout_s=10), [one], PROFILES, clock)
        self.poller = Poller(driver, [one], self._put, Health(), clock)
        self.running = asyncio.create_task(self.poller.run())
        place = Place("dorm-07", "building", Text("7", "7"))
        self.commands = Commands(
            site=Site("try", Text("", ""), ZoneInfo("Asia/Shanghai"), [place], [], [one]),
            profiles=PROFILES,
            writes={"gw": self.poller.write},
            live=self.live,
            database=self.database,
            worker=clock.worker("commands"),
            enter=lambda _: None,
            clock=clock,
            allowed=True,
        )

    def _put(self, batch: Batch, *_: object) -> None:
        self.live.update(batch)

    async def ask(self, value: float, key: str = "k1", valid_s: int = 30) -> Result:
        now_ms = self.clock.now_ms()
        expires_ms = now_ms + valid_s * 1000
        command = Command(f"c-{key}", SETPOINT, value, "li", "cold", now_ms, expires_ms)
        return await self.commands.submit(command, key)

    def kept(self, key: str = "k1") -> Result | None:
        found = table.get(self.database, f"c-{key}")
        assert found is not None
        return found[1]

    async def end(self) -> None:
        """End without a word to anybody, as a kill does."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.database.close()


def play(
    story: Callable[[Hub, Callable[[], Hub]], Coroutine[Any, Any, None]],
    folder: Path,
    *,
    rtu: bool = False,
) -> None:
    """Let a story happen to a hub whose boiler is in order and was just polled."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    wire = Wire(clock, rtu=rtu)
    wire.image |= {(1, "holding", ADDRESS): 500, (1, "discrete", 0): 1}
    wire.image |= {(1, "input", at): 500 for at in (0, 1, 2, 3, 4, 5, 6)}

    async def whole() -> None:
        lives = [Hub(clock, wire, folder / "hub.db")]

        def start() -> Hub:
            lives.append(Hub(clock, wire, folder / "hub.db"))
            return lives[-1]

        await clock.sleep(INTERVAL_S + 1)
        await story(lives[0], start)
        await lives[-1].end()

    try:
        loop.run_until_complete(whole())
    finally:
        loop.close()


def values(wire: Wire) -> list[int]:
    """Return what was written, and see that nothing else was."""
    assert {frame[:3] for frame in wire.frames} <= {(1, 6, ADDRESS)}
    assert wire.strange == []
    return [frame.values[0] for frame in wire.frames]


def test_a_command_that_expires_behind_a_slow_poll_is_not_sent(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        hub.wire.takes_s = 3
        while not hub.poller.counts.due > hub.poller.counts.done:  # a poll is in hand
            await hub.clock.sleep(0.1)
        result = await hub.ask(55, valid_s=1)
        assert result.outcome is Outcome.EXPIRED
        await hub.clock.sleep(60)
        assert values(hub.wire) == []

    play(story, tmp_path)


def test_a_command_that_expires_while_the_hub_connects_is_not_sent(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        hub.wire.hang_up()
        hub.wire.connects_s = 5
        result = await hub.ask(55, valid_s=2)
        assert result.outcome is Outcome.UNKNOWN
        await hub.clock.sleep(60)
        assert values(hub.wire) == []
        kept = hub.kept()
        assert kept is not None
        assert (kept.outcome, kept.actual) == (Outcome.NOT_CONFIRMED, 50.0)

    play(story, tmp_path)


@pytest.mark.parametrize("rtu", [False, True], ids=["tcp", "rtu"])
@pytest.mark.parametrize("trouble", ["cuts", "mute"])
def test_what_is_lost_between_write_and_read_back_is_read_later_and_sent_once(
    tmp_path: Path, trouble: str, rtu: bool
) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        setattr(hub.wire, trouble, True)
        result = await hub.ask(55)
        assert result.outcome is Outcome.UNKNOWN
        retry = asyncio.create_task(hub.ask(56, "again", valid_s=300))
        await hub.clock.sleep(1)
        assert values(hub.wire) == [550]
        setattr(hub.wire, trouble, False)
        assert (await retry).outcome is Outcome.DONE
        kept = hub.kept()
        assert kept is not None
        assert (kept.outcome, kept.actual) == (Outcome.DONE, 55.0)
        assert values(hub.wire) == [550, 560]

    play(story, tmp_path, rtu=rtu)


def test_a_hub_killed_between_write_and_read_back_finds_out_after_its_restart(
    tmp_path: Path,
) -> None:
    async def story(hub: Hub, start: Callable[[], Hub]) -> None:
        hub.wire.mute = True
        asking = asyncio.create_task(hub.ask(55))
        while not values(hub.wire):
            await hub.clock.sleep(0.1)
        assert not asking.done()
        await hub.end()
        hub.wire.mute = False
        second = start()
        await second.commands.reconcile()
        kept = second.kept()
        assert kept is not None
        assert kept.outcome is Outcome.UNKNOWN
        assert (await second.ask(55)).outcome is Outcome.UNKNOWN  # the same key, not sent again
        await second.clock.sleep(2 * INTERVAL_S)
        assert (await second.ask(55)).outcome is Outcome.DONE
        assert values(second.wire) == [550]

    play(story, tmp_path)


def test_two_commands_for_one_point_at_once_are_each_written_and_read_back(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        hub.wire.takes_s = 0.5
        both = await asyncio.gather(hub.ask(55, "a"), hub.ask(56, "b"))
        assert [(one.outcome, one.actual) for one in both] == [
            (Outcome.DONE, 55.0),
            (Outcome.DONE, 56.0),
        ]
        assert values(hub.wire) == [550, 560]

    play(story, tmp_path)


def test_a_register_that_takes_but_does_not_tell_is_not_confirmed(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        hub.wire.hides = {ADDRESS}
        result = await hub.ask(55)
        assert result.outcome is Outcome.NOT_CONFIRMED
        assert "the device took it, but it cannot be read back" in result.reason
        assert values(hub.wire) == [550]

    play(story, tmp_path)
