"""A site writes nothing until its campus.yaml says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.app import Outside, running
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.model import Command, Outcome, Result
from hub.settings import load
from tests.hub.memory_wire import Wire
from tests.whole.site import BUILDING, write_site

START_MS = 1_795_000_000_000
BOILER = "dorm-07/boiler-1"
DEVICE = {
    "id": BOILER, "profile": "reference-boiler", "place": "dorm-07", "gateway": "gw",
    "unit_id": 1, "interval": "PT15S",
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "outcome"),
    [({}, Outcome.BLOCKED), ({"writes": False}, Outcome.BLOCKED), ({"writes": True}, Outcome.DONE)],
)
def test_a_hub_writes_only_where_campus_yaml_says_writes_true(
    tmp_path: Path, said: dict[str, bool], outcome: Outcome
) -> None:
    gateway = {"id": "gw", "url": "tcp://127.0.0.1:1502"}
    folder = write_site(tmp_path, [DEVICE], places=[BUILDING], gateways=[gateway], **said)
    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    wire = Wire(clock)
    wire.image |= {(1, "input", at): 500 for at in range(7)} | {(1, "discrete", 0): 1}

    async def story() -> Result:
        outside = Outside(memory=True, web=False, bus_of=lambda *_: wire.bus())
        async with running(load(folder), clock, outside) as hub:
            await clock.sleep(30)
            now_ms = clock.now_ms()
            point = f"{BOILER}/setpoint"
            command = Command("c1", point, 55.0, "li", "cold", now_ms, now_ms + 30_000)
            return await hub.commands.submit(command, "k1")

    result = run_virtual(loop, story())
    assert result.outcome is outcome, result.reason
    assert len(wire.frames) == (outcome is Outcome.DONE)
