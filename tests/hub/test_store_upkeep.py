"""Upkeep of a store: by class, without what is held, never on a full disk, and without noise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.model import Hold, Point, Text
from hub.ports import StoreError
from hub.site import Site
from hub.store.duckdb import DuckStore
from hub.store.memory import MemoryStore
from hub.store.upkeep import EVERY_S, PAUSE_S, Keep, Upkeep
from tests.hub.test_store_rollups import DAY, EVER, T0, steady

BEGIN = T0 - T0 % DAY
END = BEGIN + 20 * DAY


class Failing(MemoryStore):
    """A store that cannot be put in order when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0
        self.fails = False

    def compact(self, before_ms: int, more: Callable[[], bool]) -> int:
        del before_ms, more
        self.attempts += 1
        if self.fails:
            raise StoreError("not all put in order: the disk is broken")
        return 0


class Room:
    """What upkeep sees of the disk."""

    full = False


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


def upkeep(store: MemoryStore | DuckStore, loop: VirtualLoop, paused: Callable[[], bool]) -> Upkeep:
    point = Point(1, "a/m/energy", "a/m", "energy", "kWh", "counter", Text("电", "energy"))
    site = Site("s", Text("校", "s"), ZoneInfo("Asia/Shanghai"), [], [], [])
    site.points = {1: point}
    holds = [Hold(frozenset([3]), 0, END - 10 * DAY)]
    clock = VirtualClock(loop, END, 1)
    return Upkeep(store, site, Keep(4 * DAY, 15 * DAY), holds, clock, paused)


def days_left(store: MemoryStore | DuckStore) -> list[int]:
    return [len(store.raw([number], *EVER)) // 144 for number in (1, 2, 3)]


def test_it_puts_in_order_and_forgets_by_class_but_what_is_held(loop: VirtualLoop) -> None:
    store = MemoryStore()
    store.append(steady(20, [1, 2, 3]), 1)
    assert upkeep(store, loop, lambda: False).once()
    assert days_left(store) == [15, 4, 10 + 4]
    assert int(store.rollups([1, 2, 3], *EVER).count.sum()) == 3 * 20 * 144


def test_it_writes_nothing_while_the_disk_is_full_and_goes_on_when_there_is_room(
    tmp_path: Path, loop: VirtualLoop
) -> None:
    store, room = DuckStore(tmp_path / "telemetry", 1), Room()
    whole = steady(20, [1, 2, 3])
    for n, part in enumerate(np.array_split(np.argsort(whole.at_ms, kind="stable"), 10), 1):
        store.append(whole.taken(part), n)
    one = upkeep(store, loop, lambda: room.full)

    async def story() -> None:
        room.full = True
        task = asyncio.create_task(one.run())
        await asyncio.sleep(EVERY_S + 10 * PAUSE_S)
        assert days_left(store) == [20, 20, 20]
        assert in_order(store) == 0
        room.full = False
        await asyncio.sleep(PAUSE_S + 1)
        assert days_left(store) == [15, 4, 10 + 4]
        assert in_order(store) >= 19
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop.run_until_complete(story())
    store.close()


def test_a_disk_that_fills_up_in_the_middle_ends_it_after_the_slice(
    tmp_path: Path, loop: VirtualLoop
) -> None:
    store, asked = DuckStore(tmp_path / "telemetry", 1), 0
    store.append(steady(20, [1, 2, 3]), 1)

    def full_at_the_third_look() -> bool:
        nonlocal asked
        asked += 1
        return asked >= 3

    assert not upkeep(store, loop, full_at_the_third_look).once()
    assert in_order(store) == 2
    assert days_left(store) == [20, 20, 20]
    store.close()


def in_order(store: DuckStore) -> int:
    """Return how many days of readings are put in order."""
    found = store._writer.execute("SELECT max(before_ms) FROM ordered WHERE name = 'readings'")
    upto = found.fetchall()[0][0]
    return 0 if upto is None else (upto - BEGIN) // DAY


def test_a_store_that_cannot_be_put_in_order_is_said_once_until_it_can(
    loop: VirtualLoop, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing()
    one = upkeep(store, loop, lambda: False)

    async def story() -> None:
        task = asyncio.create_task(one.run())
        for fails in (True, False, True):
            store.fails = fails
            await asyncio.sleep(5 * EVERY_S + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop.run_until_complete(story())
    assert store.attempts == 15
    assert caplog.text.count("not kept in order") == 2
    assert caplog.text.count("store kept in order again") == 1
