from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.poller import SWEEP_S, Poller
from hub.ports import DeviceError, NoAnswerError
from hub.site import Device

START_MS = 1_700_000_000_000
POINT = Point(1, "d/1/x", "d/1", "x", "", "gauge", Text("x", "x"), writable=True)


def device(id_: str, interval_s: float = 60) -> Device:
    return Device(id_, "p", "meter", "d", timedelta(seconds=interval_s), "gw", 1, (POINT,))


class Bus:
    """A driver that notes who was asked when; silent devices cost a deadline of one second."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked: list[tuple[float, str]] = []
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.useless: set[str] = set()
        self.takes_s = 0.05
        self.writing: BaseException | None = None

    async def poll(self, device: str) -> Batch:
        self.asked.append((self.clock.monotonic(), device))
        if device in self.broken:
            raise ZeroDivisionError
        await self.clock.sleep(1 if device in self.silent else self.takes_s)
        if device in self.silent:
            raise NoAnswerError(f"{device}: silence")
        bad = flag(Quality.BAD, Reason.EXCEPTION_ANSWER) if device in self.useless else 0
        now_ms = self.clock.now_ms()
        return Batch.of([1, 2], [now_ms] * 2, [1.0, 2.0], [bad, bad], now_ms)

    async def write(self, point: Point, value: float) -> float:
        self.asked.append((self.clock.monotonic(), f"write {value:g}"))
        await self.clock.sleep(self.takes_s)
        if self.writing:
            raise self.writing
        return value

    async def close(self) -> None:
        self.asked.clear()

    def times(self, device: str) -> list[float]:
        return [at for at, name in self.asked if name == device]


class Notes:
    """What the poller told health."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.latency: list[float | None] = []

    def seen(self, device: str, at_ms: int, latency_s: float | None = None) -> None:
        self.told.append(("seen", device))
        self.latency.append(latency_s)

    def failed(self, device: str, at_ms: int, error: str) -> None:
        self.told.append(("failed", device))

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:
        raise AssertionError("a poller rejects nothing")


class Scene:
    def __init__(self, clock: VirtualClock, *devices: Device) -> None:
        self.clock, self.bus, self.notes = clock, Bus(clock), Notes()
        self.batches: list[Batch] = []
        self.poller = Poller(
            self.bus, devices, lambda batch, durable: self.batches.append(batch), self.notes, clock
        )

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.poller.run())
        await self.clock.sleep(seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def play(story: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(VirtualClock(loop, START_MS, 7)))
    finally:
        loop.close()


def test_every_device_is_asked_soon_and_then_on_its_own_beat_without_drift() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}") for n in range(32)]
        scene = Scene(clock, *devices)
        await scene.run(3600)
        for one in devices:
            times = scene.bus.times(one.id)
            assert times[0] <= SWEEP_S
            beats = times[1:]
            assert len(beats) >= 59
            for n, at in enumerate(beats):
                assert abs(at - beats[0] - 60 * n) < 0.2
        counts = scene.poller.counts
        assert counts.late == counts.failed == 0
        assert counts.due - counts.done <= 1

    play(story)


def test_polls_are_spread_over_the_interval() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}") for n in range(32)))
        await scene.run(240)
        minute = [at for at, _ in scene.bus.asked if 120 <= at < 180]
        assert len(minute) == 32
        for tenth in range(10):
            share = [at for at in minute if tenth * 6 <= at - 120 < tenth * 6 + 6]
            assert 1 <= len(share) <= 5

    play(story)


def test_intervals_are_each_device_s_own() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/slow", 60), device("d/quick", 15))
        await scene.run(600)
        assert len(scene.bus.times("d/slow")) == pytest.approx(11, abs=1)
        assert len(scene.bus.times("d/quick")) == pytest.approx(41, abs=1)

    play(story)


def test_an_answer_is_put_and_told_with_its_latency() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        await scene.run(20)
        assert len(scene.batches) == 1
        assert scene.notes.told == [("seen", "d/1")]
        assert scene.notes.latency[0] == pytest.approx(0.05)

    play(story)


def test_a_device_whose_answers_are_all_bad_is_kept_and_told_as_failing() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.useless = {"d/1"}
        await scene.run(20)
        assert len(scene.batches) == 1
        assert scene.notes.told == [("failed", "d/1")]

    play(story)


def test_a_write_goes_before_the_polls_that_are_due() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        scene.bus.takes_s = 2.0  # every poll is due by now
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(30)
        asked = clock.monotonic()
        assert await scene.poller.write(POINT, 5) == 5
        assert clock.monotonic() - asked <= 4  # the poll in hand and the write itself
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_write_wakes_an_idle_bus() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 3600))
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(100)
        asked = clock.monotonic()
        await scene.poller.write(POINT, 1)
        assert clock.monotonic() - asked == pytest.approx(scene.bus.takes_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


@pytest.mark.parametrize("error", [DeviceError("no"), ZeroDivisionError()])
def test_a_failed_write_reaches_who_asked_and_the_polls_go_on(error) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.writing = error
        running = asyncio.create_task(scene.poller.run())
        with pytest.raises(type(error)):
            await scene.poller.write(POINT, 1)
        await clock.sleep(130)
        assert scene.poller.counts.done >= 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_write_that_nobody_waits_for_any_more_is_not_sent() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 15))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        while not scene.bus.asked:  # a poll is in hand
            await clock.sleep(0.1)
        writing = asyncio.create_task(scene.poller.write(POINT, 1))
        await clock.sleep(0.1)
        writing.cancel()
        await clock.sleep(60)
        assert not scene.bus.times("write 1")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_writes_that_wait_when_the_hub_stops_are_told() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        first = asyncio.create_task(scene.poller.write(POINT, 1))
        second = asyncio.create_task(scene.poller.write(POINT, 2))
        await clock.sleep(1)
        running.cancel()
        for writing in (first, second):
            with pytest.raises(DeviceError, match="the hub stops"):
                await writing

    play(story)


def test_dead_devices_do_not_starve_their_bus() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}", 15) for n in range(32)]
        scene = Scene(clock, *devices)
        scene.bus.silent = {f"d/{n}" for n in range(20)}  # 20 s of deadlines in every 15 s
        await scene.run(1800)
        for one in devices[20:]:
            recent = [at for at in scene.bus.times(one.id) if at > 600]
            assert len(recent) == pytest.approx(1200 / 15, abs=2)
        assert len([at for at in scene.bus.times("d/0") if at > 600]) == pytest.approx(10, abs=1)

    play(story)


def test_a_dead_device_that_comes_back_is_asked_as_often_as_before() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"), device("d/2"))
        scene.bus.silent = {"d/1"}
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(3600)
        scene.bus.silent = set()
        back = clock.monotonic()
        await clock.sleep(1200)
        times = [at for at in scene.bus.times("d/1") if at > back]
        assert times[0] - back <= 8 * 60
        assert times[1] - times[0] == pytest.approx(60, abs=0.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_bus_that_was_dead_as_a_whole_is_back_within_one_interval() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}") for n in range(8)]
        scene = Scene(clock, *devices)
        scene.bus.silent = {one.id for one in devices}
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(3600)
        scene.bus.silent = set()
        back = clock.monotonic()
        await clock.sleep(70)
        for one in devices:
            assert next(at for at in scene.bus.times(one.id) if at > back) - back <= 61
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_an_error_in_one_driver_stops_no_other_device() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"), device("d/2"))
        scene.bus.broken = {"d/1"}
        await scene.run(600)
        assert len(scene.bus.times("d/2")) >= 10
        assert ("failed", "d/1") in scene.notes.told

    play(story)


def test_polls_that_begin_late_or_are_left_out_are_counted() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 10) for n in range(4)))
        scene.bus.takes_s = 5  # 20 s of work every 10 s
        await scene.run(400)
        counts = scene.poller.counts
        assert counts.done == pytest.approx(80, abs=2)
        assert counts.due == pytest.approx(160, abs=6)
        assert counts.late >= 70

    play(story)


def test_the_same_campus_is_polled_at_the_same_instants_again() -> None:
    runs: list[list[tuple[float, str]]] = []

    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        scene.bus.silent = {"d/3"}
        await scene.run(600)
        runs.append(scene.bus.asked)

    play(story)
    play(story)
    assert runs[0] == runs[1]
