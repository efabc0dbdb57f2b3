"""A broker that waits after twenty messages does not hold the hub back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub.app import Outside, running
from hub.clock import RealClock
from hub.settings import load
from tests.crash.broker_stub import WINDOW, BrokerStub
from tests.crash.terminals import READINGS_PER_S, Terminals

CONNECT_S = 20
WORK_S = 3
BEHIND = 0.25  # of what was sent; a hub that is held back is more than half behind


@pytest.mark.parametrize("window", [WINDOW, 1000])
async def test_two_thousand_readings_a_second_are_acknowledged_as_they_come(
    tmp_path: Path, window: int
) -> None:
    broker = BrokerStub(window)
    await broker.start()
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")

    async with running(load(folder), RealClock(), Outside(web=False)):
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        speaking = asyncio.create_task(terminals.speak())
        await asyncio.sleep(WORK_S)
        behind, sent = broker.unacknowledged(), terminals.published
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    await broker.stop()

    assert sent * 8 > WORK_S * READINGS_PER_S * 0.8
    assert behind < BEHIND * sent, f"{behind} of {sent} messages wait"
