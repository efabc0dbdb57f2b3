"""A bus of played devices under a poller, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.poller import Poller
from hub.ports import DeviceError, NoAnswerError, Reach, Seen, Span
from hub.site import Device

START_MS = 1_700_000_000_000
POINT = Point(1, "d/1/x", "d/1", "x", "", "gauge", Text("x", "x"), writable=True)
SPAN = Span("holding", 0, 2)


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
        self.halved: set[str] = set()
        self.takes_s = 0.05
        self.writing: BaseException | None = None
        self.looking: BaseException | None = None
        self.slow: dict[str, float] = {}
        self.error: type[DeviceError] = NoAnswerError
        self.reason = Reason.EXCEPTION_ANSWER

    async def poll(self, device: str) -> Batch:
        self.asked.append((self.clock.monotonic(), device))
        if device in self.broken:
            raise ZeroDivisionError
        takes_s = self.slow.get(device, self.takes_s)
        await self.clock.sleep(1 if device in self.silent else takes_s)
        if device in self.silent:
            raise self.error(f"{device}: silence")
        bad = flag(Quality.BAD, self.reason)
        flags = [bad * (device in self.useless | self.halved), bad * (device in self.useless)]
        now_ms = self.clock.now_ms()
        return Batch.of([1, 2], [now_ms] * 2, [1.0, 2.0], flags, now_ms)

    async def write(self, point: Point, value: float) -> float:
        self.asked.append((self.clock.monotonic(), f"write {value:g}"))
        await self.clock.sleep(self.takes_s)
        if self.writing:
            raise self.writing
        return value

    async def look(self, device: str, what: Span | str) -> Seen:
        self.asked.append((self.clock.monotonic(), f"look {device}"))
        await self.clock.sleep(self.takes_s)
        if self.looking:
            raise self.looking
        return Seen((1, 2))

    async def close(self) -> None:
        self.asked.clear()

    def times(self, device: str) -> list[float]:
        return [at for at, name in self.asked if name == device]


class Notes:
    """What the poller told health."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.latency: list[float | None] = []
        self.whole: list[bool] = []
        self.reached: list[Reach] = []
        self.errors: list[str] = []

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        self.told.append(("seen", device))
        self.latency.append(latency_s)
        self.whole.append(whole)

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        self.reached.append(reach)
        self.errors.append(error)
        self.told.append(("failed", device))

    def skewed(self, device: str, ahead_ms: int) -> None:
        pass

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
