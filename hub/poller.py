"""Ask the devices of one bus, one at a time: paced, fair, writes before polls, looks between."""

from __future__ import annotations

import asyncio
import heapq
import logging
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar

import numpy as np

from hub.model import Batch, Point, Quality, Reason
from hub.ports import (
    Clock,
    DeviceError,
    GarbageAnswerError,
    Leave,
    NoAnswerError,
    NotConnectedError,
    Notice,
    PolledDriver,
    Put,
    Reach,
    RestingError,
    Seen,
    Span,
    for_ever,
)
from hub.site import Device

log = logging.getLogger(__name__)
T = TypeVar("T")

SWEEP_S = 10.0  # how soon after the start every device has been asked once
LATE = 0.1  # a poll is late when it begins this share of its interval after it was due
GRAIN = 0.05  # polls begin on a grid of this many intervals, of seconds at most; see _on_grid
PATIENCE = 3  # failures before a device is asked less often
THINNEST = 8  # at most this many intervals between polls of a device that costs its bus too much
GREEDY = 2.0  # times the mean: so much of the bus's time is too much where there is not enough
_UNHEARD = (Reason.GARBAGE_ANSWER, Reason.NO_ANSWER)


@dataclass(order=True, slots=True)
class _Turn:
    """When a device is due; the order number keeps equal instants apart.

    ``slot_s`` is the latest instant of its own schedule; only the first poll does not wait for it.
    ``share`` is how much of its interval each of the last two polls took at least: one slow poll is
    an accident, such as the wait for late answers after a cut.
    """

    due_s: float
    order: int
    slot_s: float = field(compare=False)
    device: str = field(compare=False)
    interval_s: float = field(compare=False)
    failures: int = field(default=0, compare=False)
    share: float = field(default=0.0, compare=False)
    last: float = field(default=0.0, compare=False)


@dataclass(slots=True)
class _Wish(Generic[T]):
    """Something that waits for its turn on the bus."""

    whose: str
    job: Callable[[], Awaitable[T]]
    done: asyncio.Future[T]


@dataclass(slots=True)
class Counts:
    """What became of the polls; ``late`` began too long after their time or were left out."""

    due: int = 0
    done: int = 0
    failed: int = 0
    late: int = 0


class Poller:
    """The only talker on its bus; ``resting`` while its connection is left alone after failures."""

    def __init__(
        self,
        driver: PolledDriver,
        devices: Sequence[Device],
        put: Put,
        notice: Notice,
        clock: Clock,
    ) -> None:
        self.counts = Counts()
        self.resting = False
        self._driver = driver
        self._devices = devices
        self._put = put
        self._notice = notice
        self._clock = clock
        self._turns: list[_Turn] = []
        self._writes: deque[_Wish[float]] = deque()
        self._looks: deque[_Wish[Seen]] = deque()
        self._looked = False
        self._waiting: asyncio.Future[None] | None = None
        self._answered_s = float("-inf")
        self._load = 0.0

    async def run(self) -> None:
        """Poll until cancelled."""
        self._turns = self._first_turns()
        try:
            while True:
                await self._until(self._turns[0].due_s if self._turns else None)
                if self._writes:
                    await self._fulfil(self._writes)
                elif self._looks and not (self._looked and self._is_due()):
                    self._looked = True
                    await self._fulfil(self._looks)
                else:
                    self._looked = False
                    await self._take(self._turns[0])
        finally:
            _give_up(self._writes)
            _give_up(self._looks)

    async def write(self, point: Point, value: float, leave: Leave = for_ever) -> float:
        """Write before the next poll; return what the device says it is afterwards."""

        async def job() -> float:
            async with asyncio.timeout(leave()):  # also while it connects or reads conditions
                return await self._driver.write(point, value)

        return await self._wish(self._writes, point.id, job)

    async def look(self, device: str, what: Span | str) -> Seen:
        """Put one question outside of the polls; among those that are due, every second turn."""
        return await self._wish(self._looks, device, lambda: self._driver.look(device, what))

    async def _wish(
        self, waiting: deque[_Wish[T]], whose: str, job: Callable[[], Awaitable[T]]
    ) -> T:
        """Wait in line and return what came of it."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        waiting.append(_Wish(whose, job, done))
        _wake(self._waiting)
        return await done

    def _first_turns(self) -> list[_Turn]:
        """Ask everyone soon after the start, then spread the polls over the interval.

        A fraction that comes from the device's name keeps many buses from beginning all together.
        """
        now = self._clock.monotonic()
        turns: list[_Turn] = []
        for order, device in enumerate(self._devices):
            interval_s = device.interval.total_seconds()
            share = (order + _fraction(device.id)) / len(self._devices)
            first_s, slot_s = share * min(SWEEP_S, interval_s), share * interval_s
            if slot_s - first_s > interval_s / 2:
                slot_s -= interval_s
            grain_s = GRAIN * min(interval_s, 1.0)
            due_s, slot_s = _on_grid(now + first_s, grain_s), _on_grid(now + slot_s, grain_s)
            turns.append(_Turn(due_s, order, slot_s, device.id, interval_s))
        heapq.heapify(turns)
        return turns

    def _is_due(self) -> bool:
        return bool(self._turns) and self._turns[0].due_s <= self._clock.monotonic()

    async def _until(self, due_s: float | None) -> None:
        """Wait until a poll is due or something is wished for."""
        wait_s = None if due_s is None else due_s - self._clock.monotonic()
        if self._writes or self._looks or (wait_s is not None and wait_s <= 0):
            return
        # A bare future: asyncio.timeout around an event costs a tenth of a poll more.
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        timer = None if wait_s is None else loop.call_later(wait_s, _wake, waiting)
        try:
            await waiting
        finally:
            if timer is not None:
                timer.cancel()

    async def _fulfil(self, waiting: deque[_Wish[T]]) -> None:
        wish = waiting.popleft()
        if wish.done.done():
            return  # whoever wished has gone
        try:
            value = await wish.job()
        except asyncio.CancelledError:
            waiting.appendleft(wish)
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
            self._failed(turn, str(error), _reach(error))
            self.resting = isinstance(error, RestingError)
        except Exception as error:
            # A mistake in one driver or profile must not silence the other devices of the bus.
            log.exception("poll failed: %s", turn.device)
            self._failed(turn, f"internal error: {error}", Reach.DEVICE)
        else:
            self._heard(turn, batch, self._clock.monotonic() - began_s)
        took = (self._clock.monotonic() - began_s) / turn.interval_s
        share = min(took, turn.last)
        self._load += share - turn.share
        turn.share, turn.last = share, took
        turn.due_s = turn.slot_s = self._next_slot(turn)
        heapq.heapreplace(self._turns, turn)

    def _heard(self, turn: _Turn, batch: Batch, latency_s: float) -> None:
        turn.failures = 0
        self._answered_s = self._clock.monotonic()
        self.resting = False
        self.counts.done += 1
        if _all_bad(batch):
            why = ", ".join(_words(reason) for reason in np.unique(batch.quality >> 2).tolist())
            error = f"answers, but with nothing that can be used: {why}"
            unheard = np.isin(batch.quality >> 2, _UNHEARD).all()
            reach = Reach.GATEWAY if unheard else Reach.DEVICE
            self._notice.failed(turn.device, batch.received_ms, error, reach)
        else:
            self._notice.seen(turn.device, batch.received_ms, latency_s, whole=_whole(batch))
        self._put(batch, None)

    def _failed(self, turn: _Turn, error: str, reach: Reach) -> None:
        turn.failures += 1
        self.counts.failed += 1
        self._notice.failed(turn.device, self._clock.now_ms(), error, reach)

    def _next_slot(self, turn: _Turn) -> float:
        """Return the next instant of the device's own schedule that lies ahead."""
        now = self._clock.monotonic()
        slot_s = turn.slot_s + turn.interval_s * self._thinning(turn, now)
        if slot_s <= now:
            left_out = int((now - slot_s) // turn.interval_s) + 1
            self.counts.due += left_out
            self.counts.late += left_out
            slot_s += left_out * turn.interval_s
        return slot_s

    def _thinning(self, turn: _Turn, now: float) -> int:
        """Return how many intervals a device waits for its next poll: one, unless others starve.

        A device that does not answer while others do is asked less and less often: each try costs
        the bus a whole deadline. When nobody answers there is nobody to starve. One that answers,
        but takes so long that there is not enough time for all, is kept to its share.
        """
        others_answer = now - self._answered_s < turn.interval_s
        if turn.failures > PATIENCE and others_answer:
            return int(min(2 ** (turn.failures - PATIENCE), THINNEST))
        fair = GREEDY * self._load / len(self._turns)
        if self._load > 1 and turn.share > fair:
            return min(ceil(turn.share / fair), THINNEST)
        return 1


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _all_bad(batch: Batch) -> bool:
    """Tell whether there are readings and none can be used; quick where all are good."""
    flagged = np.count_nonzero(batch.quality)
    return flagged == len(batch) > 0 and bool(((batch.quality & 3) >= Quality.BAD).all())


def _whole(batch: Batch) -> bool:
    """Tell whether no question of a poll was left without an answer; quick where all are good."""
    return not batch.quality.any() or not np.isin(batch.quality >> 2, _UNHEARD).any()


def _give_up(waiting: deque[_Wish[T]]) -> None:
    """Tell those who still wait that their turn does not come."""
    for wish in waiting:
        if not wish.done.done():
            wish.done.set_exception(DeviceError(f"{wish.whose}: the hub stops"))
    waiting.clear()


def _words(reason: int) -> str:
    return Reason(reason).name.lower().replace("_", " ")


def _reach(error: DeviceError) -> Reach:
    """Return how far a failed poll came."""
    if isinstance(error, NotConnectedError):
        return Reach.NOTHING
    unheard = isinstance(error, (NoAnswerError, GarbageAnswerError))
    return Reach.GATEWAY if unheard else Reach.DEVICE


def _on_grid(instant_s: float, grain_s: float) -> float:
    """Return the next instant of a grid that all buses share.

    Polls that begin together cost the process one wake-up instead of one each: at 1,000 polls a
    second a fifth of their CPU. Buses do not wait for each other, so nobody is later for it.
    """
    return ceil(instant_s / grain_s) * grain_s


def _fraction(name: str) -> float:
    """Return a number in 0..1 that is the same in every process."""
    return zlib.crc32(name.encode()) / 2**32
