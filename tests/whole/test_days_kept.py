"""A hub works closed days out by itself, and the next one, or a command, goes on with them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from hub.app import Outside, running
from hub.cli.beside import from_files
from hub.clock import RealClock
from hub.energy import backlog, calendar
from hub.energy.meter_changes import Change
from hub.kept import Kept, meters_of
from hub.model import Batch, Entry, EntryKind
from hub.settings import Settings, load
from tests.ports import free_ports
from tests.whole.site import write_site

HOUR = 3_600_000
METER = {
    "id": "dorm-07/meter-1",
    "profile": "reference-room-meter",
    "place": "dorm-07/1/shower-1",
    "gateway": "gw-07",
    "unit_id": 1,
}


def days_before(now_ms: int, settings: Settings) -> np.ndarray:
    """Return the edges of three days that are closed."""
    end = calendar.day_of(now_ms - 3 * 24 * HOUR, settings.zone)
    start_ms = calendar.day_start(end, settings.zone)
    return np.array(calendar.edges(start_ms - 72 * HOUR, start_ms, "day", settings.zone), np.int64)


async def test_a_hub_works_days_out_and_others_go_on_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "BEGIN_S", 0.0)
    monkeypatch.setattr(backlog, "PAUSE_S", 0.0)
    gateway = {"id": "gw-07", "url": f"tcp://127.0.0.1:{free_ports(1)[0]}"}
    folder = write_site(tmp_path / "site", [METER], gateways=[gateway])
    settings, clock = load(folder), RealClock()
    days = days_before(clock.now_ms(), settings)
    ats = list(range(int(days[0]) - 24 * HOUR, int(days[-1]) + 24 * HOUR, HOUR // 4))

    async with running(settings, clock, Outside(web=False)) as hub:
        number = hub.kept.site.numbers["dorm-07/meter-1/energy"]
        readings = [5 + (at - ats[0]) / HOUR for at in ats]
        batch = Batch.of([number] * len(ats), ats, readings, [0] * len(ats), ats[-1])
        hub.intake.enter(Entry(EntryKind.READINGS, clock.now_ms(), batch=batch))
        async with asyncio.timeout(30):
            while number not in hub.kept.store.last().point:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    state = json.loads((settings.ledger_folder / "mark.json").read_bytes())
    assert state["seq"] > 0  # written at the stop, after the recorder
    async with running(settings, clock, Outside(web=False)):
        async with asyncio.timeout(30):
            while not (settings.ledger_folder / f"{days[0]}.day").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def asked(kept: Kept, change: Change | None = None) -> tuple[int, list[float]]:
        meters = meters_of(kept)
        points = [kept.site.points[number]]
        unread = meters.ledger.unread(points, days)
        if change is not None:
            meters.changes.enter("dorm-07/meter-1", change, "li", clock.now_ms())
        return unread, meters.ledger.uses(points, days).used[0].round(6).tolist()

    def files(change: Change | None = None) -> tuple[int, list[float]]:
        return from_files(settings, lambda kept: asked(kept, change))

    assert await asyncio.to_thread(files) == (0, [24, 24, 24])
    at_ms = int(days[1]) + HOUR // 8
    closing = 5 + (at_ms - ats[0]) / HOUR
    change = Change(at_ms, closing, closing, "transformers", multiplier=40.0, point="energy")
    await asyncio.to_thread(files, change)  # no hub runs that could hear of it
    unread, used = await asyncio.to_thread(files)
    assert unread
    assert used[2] == 24 * 40
