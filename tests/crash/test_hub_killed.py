"""The whole hub is killed again and again while readings pour in: nothing acknowledged is lost.

Acknowledged means: the broker saw the PUBACK. What is compared is point, instant and value of
every single reading, not how many there were. A kill takes the process but not the machine, so
this proves the order of commit and acknowledgement, not that the disk keeps its word.

Beside it runs a hub that acknowledges before its journal commits, to show that the comparison
would notice.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.broker_stub import BrokerStub
from tests.crash.lives import (
    CONNECT_S,
    HUB,
    expect_all_once,
    kept_in,
    last_life,
    life,
    lost,
    speaking,
    told,
)
from tests.crash.terminals import DEVICES, Terminals

HASTY_HUB = ("-m", "tests.crash.hasty_hub")
LIVES = 100


class Kills:
    """When each life of the hub ends: at work, and every fourth time while it starts; seeded."""

    def __init__(self, seed: int) -> None:
        print(f"crash seed: {seed} (CAMPUS_HUB_CRASH_SEED={seed} repeats the instants)")
        self._random = random.Random(seed)
        self._lives = 0

    async def next(self, broker: BrokerStub) -> None:
        """Let the hub live until its next end."""
        self._lives += 1
        if self._lives % 4 == 3:
            await asyncio.sleep(self._random.uniform(0.2, 2.5))
            return
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        await asyncio.sleep(self._random.uniform(0.05, 1.8))
        # What the hub has kept but the broker does not know of comes again in the next life.
        broker.deaf = True
        await asyncio.sleep(self._random.uniform(0.0, 0.3))

    def fault_s(self) -> float:
        """Say how long after the start of a life its terminal breaks."""
        return self._random.uniform(0.0, 3.0)


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("CAMPUS_HUB_CRASH_SEED") or time.time_ns() % 2**32)


@pytest.fixture
async def broker() -> AsyncIterator[BrokerStub]:
    made = BrokerStub()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_killed_hub_loses_no_acknowledged_reading_and_doubles_no_ticket(
    broker: BrokerStub, tmp_path: Path, full_scale: bool, seed: int
) -> None:
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")
    kills = Kills(seed)

    async with speaking(terminals):
        for n in range(LIVES if full_scale else 4):
            await life(folder, HUB, broker, kills.next, lambda n=n: _heat(terminals, n, kills))
    await last_life(folder, broker)

    assert broker.refused >= 1, "the broker speaks 3.1.1 only; the hub asks for 5 first"
    assert broker.sent_again, "no kill met a message under way"
    expect_all_once(broker, folder)


@pytest.mark.slow
async def test_a_hub_that_acknowledges_too_early_is_caught(
    broker: BrokerStub, tmp_path: Path
) -> None:
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")

    async def at_work(broker: BrokerStub) -> None:
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        await asyncio.sleep(1.1)

    async with speaking(terminals):
        for _ in range(2):
            await life(folder, HASTY_HUB, broker, at_work)
    await last_life(folder, broker)

    assert lost(told(broker.acknowledged), kept_in(folder).journal)


def _heat(terminals: Terminals, n: int, kills: Kills) -> None:
    """Let one more terminal become too hot during this life, and stay so."""
    asyncio.get_running_loop().call_later(kills.fault_s(), terminals.hot.add, DEVICES[n])
