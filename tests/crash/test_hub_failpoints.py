"""The hub dies exactly between two steps of the path of a reading: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crash.broker_stub import BrokerStub
from tests.crash.failing_hub import POINTS
from tests.crash.lives import expect_all_once, last_life, life_to, speaking
from tests.crash.terminals import DEVICES, Terminals

FEW = ("after-journal", "before-tickets")
ROUNDS = 11  # of all nine points
FAULT_S = 1.0


@pytest.fixture
async def broker() -> AsyncIterator[BrokerStub]:
    made = BrokerStub()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_a_hub_that_dies_between_two_steps_loses_and_doubles_nothing(
    broker: BrokerStub, tmp_path: Path, full_scale: bool
) -> None:
    seed = int(os.environ.get("CAMPUS_HUB_CRASH_SEED") or time.time_ns() % 2**32)
    print(f"crash seed: {seed} (CAMPUS_HUB_CRASH_SEED={seed} repeats the passings)")
    chance = random.Random(seed)
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")
    points = [*POINTS] * ROUNDS if full_scale else FEW

    async with speaking(terminals):
        for n, point in enumerate(points):
            asyncio.get_running_loop().call_later(FAULT_S, terminals.hot.add, DEVICES[n])
            count = chance.randint(1, POINTS[point])
            program = ("-m", "tests.crash.failing_hub", point, str(count))
            code = await life_to(folder, program, broker)
            assert code == -signal.SIGKILL, f"{point} {count}: not reached, exit code {code}"
    await last_life(folder, broker)
    expect_all_once(broker, folder)
