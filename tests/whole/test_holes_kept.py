"""A register that a meter does not have is looked for once, not at every start of the hub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from hub.app import Hub, Outside, running
from hub.clock import RealClock
from hub.database.holes import known
from hub.model import Quality
from hub.ports import ExceptionAnswerError, Hole, Table
from hub.settings import load
from tests.whole.site import ROOM, write_site

METER = "dorm-07/meter-1"
PATIENCE_S = 10


class Bus:
    """A meter without register 13; all others hold 4."""

    def __init__(self) -> None:
        self.answered = 0
        self.refused = 0

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        if table == "input" and address <= 13 < address + count:
            self.refused += 1
            raise ExceptionAnswerError("exception 2", 2)
        self.answered += 1
        return [4] * count

    async def close(self) -> None:
        """Have nothing to close."""


async def test_what_a_meter_lacks_is_known_at_the_next_start(tmp_path: Path) -> None:
    device = {
        "id": METER, "profile": "reference-room-meter", "place": ROOM["id"], "gateway": "gw-1",
        "unit_id": 1, "interval": "PT1S",
    }  # fmt: skip
    gateways = [{"id": "gw-1", "url": "tcp://127.0.0.1:9"}]
    folder = write_site(tmp_path / "site", [device], gateways=gateways)
    for refused in (True, False):
        bus = Bus()
        outside = Outside(web=False, bus_of=lambda *_, bus=bus: bus)
        async with running(load(folder), RealClock(), outside) as hub, asyncio.timeout(PATIENCE_S):
            await _until(lambda hub=hub: _quality(hub, "load_limit") is Quality.GOOD)
            assert bool(bus.refused) is refused
            assert _quality(hub, "relay") is Quality.BAD
            await _until(lambda hub=hub: bool(known(hub.kept.database)))
            kept = known(hub.kept.database)[METER, "reference-room-meter"][1]
            assert kept == [Hole("input", 13, 1)]


async def _until(met: Callable[[], bool]) -> None:
    while not met():  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.02)


def _quality(hub: Hub, name: str) -> Quality | None:
    found = hub.live.value(hub.kept.site.numbers[f"{METER}/{name}"])
    return None if found is None else Quality(found[2] & 3)
