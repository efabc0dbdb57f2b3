"""Ask the devices of one bus, one at a time: paced, fair, writes before polls."""

from __future__ import annotations

import asyncio
import heapq
import logging
import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.model import Batch, Point, Quality
from hub.ports import Clock, DeviceError, Notice, PolledDriver, Put
from hub.site import Device

log = logging.getLogger(__name__)

SWEEP_S = 10.0  # how soon after the start every device has been asked once
LATE = 0.1  # a poll is late when it begins this share of its interval after it was due
PATIENCE = 3  # failures before a device is asked less often
THINNEST = 8  # at most this many intervals between polls of a device that does not answer


@dataclass(order=True, slots=True)
class _Turn:
    """When a device is due; the order number keeps equal instants apart.

    ``slot_s`` is the latest instant of its own schedule; only the first poll does not wait for it.
    """

    due_s: float
    order: int
    slot_s: float = field(compare=False)
    device: str = field(compare=False)
    interval_s: float = field(compare=False)
    failures: int = field(default=0, compare=False)


@dataclass(slots=True)
class _Wish:
    """A write that waits for its turn."""

    point: Point
    value: float
    done: asyncio.Future[float]


@dataclass(slots=True)
class Counts:
    """What became of the polls; ``late`` began too long after their time or were left out."""

    due: int = 0
    done: int = 0
    failed: int = 0
    late: int = 0


class Poller:
    """The only talker on its bus."""

    def __init__(
        self,
        driver: PolledDriver,
        devices: Sequence[Device],
        put: Put,
        notice: Notice,
        clock: Clock,
    ) -> None:
        self.counts = Counts()
        self._driver = driver
        self._devices = devices
        self._put = put
        self._notice = notice
        self._clock = clock
        self._turns: list[_Turn] = []
        self._wishes: deque[_Wish] = deque()
        self._wished = asyncio.Event()
        self._answered_s = float("-inf")

    async def run(self) -> None:
        """Poll until cancelled."""
        self._turns = self._first_turns()
        try:
            while True:
                await self._until(self._turns[0].due_s if self._turns else None)
                if self._wishes:
                    await self._fulfil(self._wishes.popleft())
                else:
                    await self._take(self._turns[0])
        finally:
            for wish in self._wishes:
                if not wish.done.done():
                    wish.done.set_exception(DeviceError(f"{wish.point.id}: the hub stops"))
            self._wishes.clear()

    async def write(self, point: Point, value: float) -> float:
        """Write before the next poll; return what the device says it is afterwards."""
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wishes.append(_Wish(point, value, done))
        self._wished.set()
        return await done

    def _first_turns(self) -> list[_Turn]:
        """Ask everyone soon after the start, then spread the polls over the interval.

        A fraction that comes from the device's name keeps the many buses from beginning together.
        """
        now = self._clock.monotonic()
        turns: list[_Turn] = []
        for order, device in enumerate(self._devices):
            interval_s = device.interval.total_seconds()
            share = (order + _fraction(device.id)) / len(self._devices)
            first_s, slot_s = share * min(SWEEP_S, interval_s), share * interval_s
            if slot_s - first_s > interval_s / 2:
                slot_s -= interval_s
            turns.append(_Turn(now + first_s, order, now + slot_s, device.id, interval_s))
        heapq.heapify(turns)
        return turns

    async def _until(self, due_s: float | None) -> None:
        """Wait until a poll is due or a write is wished for."""
        while not self._wishes:
            self._wished.clear()
            wait_s = None if due_s is None else due_s - self._clock.monotonic()
            if wait_s is not None and wait_s <= 0:
                return
            try:
                async with asyncio.timeout(wait_s):
                    await self._wished.wait()
            except TimeoutError:
                return

    async def _fulfil(self, wish: _Wish) -> None:
        if wish.done.done():
            return  # whoever wished has gone
        try:
            value = await self._driver.write(wish.point, wish.value)
        except asyncio.CancelledError:
            self._wishes.appendleft(wish)
            raise
        except Exception as error:  # noqa: BLE001 - it goes to whoever wished
            if not wish.done.done():
                wish.done.set_exception(error)
        else:
            if not wish.done.done():
                wish.done.set_result(value)

    async def _take(self, turn: _Turn) -> None:
        """Poll the device whose turn it is and give it its next one."""
        began_s = self._clock.monotonic()
        self.counts.due += 1
        if began_s - turn.due_s > LATE * turn.interval_s:
            self.counts.late += 1
        try:
            batch = await self._driver.poll(turn.device)
        except DeviceError as error:
            self._failed(turn, str(error))
        except Exception as error:
            # A mistake in one driver or profile must not silence the other devices of the bus.
            log.exception("poll failed: %s", turn.device)
            self._failed(turn, f"internal error: {error}")
        else:
            self._heard(turn, batch, self._clock.monotonic() - began_s)
        turn.due_s = turn.slot_s = self._next_slot(turn)
        heapq.heapreplace(self._turns, turn)

    def _heard(self, turn: _Turn, batch: Batch, latency_s: float) -> None:
        turn.failures = 0
        self._answered_s = self._clock.monotonic()
        self.counts.done += 1
        if len(batch) and ((batch.quality & 3) >= Quality.BAD).all():
            error = "answers, but with nothing that can be used"
            self._notice.failed(turn.device, batch.received_ms, error)
        else:
            self._notice.seen(turn.device, batch.received_ms, latency_s)
        self._put(batch, None)

    def _failed(self, turn: _Turn, error: str) -> None:
        turn.failures += 1
        self.counts.failed += 1
        self._notice.failed(turn.device, self._clock.now_ms(), error)

    def _next_slot(self, turn: _Turn) -> float:
        """Return the next instant of the device's own schedule that lies ahead.

        A device that does not answer while others do is asked less and less often: each try costs
        the bus a whole deadline. When nobody answers there is nobody to starve.
        """
        now = self._clock.monotonic()
        step_s = turn.interval_s
        others_answer = now - self._answered_s < turn.interval_s
        if turn.failures > PATIENCE and others_answer:
            step_s *= min(2 ** (turn.failures - PATIENCE), THINNEST)
        slot_s = turn.slot_s + step_s
        if slot_s <= now:
            left_out = int((now - slot_s) // turn.interval_s) + 1
            self.counts.due += left_out
            self.counts.late += left_out
            slot_s += left_out * turn.interval_s
        return slot_s


def _fraction(name: str) -> float:
    """Return a number in 0..1 that is the same in every process."""
    return zlib.crc32(name.encode()) / 2**32
