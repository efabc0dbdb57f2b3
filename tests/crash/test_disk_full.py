"""A disk that is really full: alarms stay up, and the hub goes on by itself when there is room."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from hub import kept
from hub.app import Hub, Outside, running
from hub.clock import RealClock
from hub.database import records
from hub.journal import Journal, Room, open_connection
from hub.settings import load
from tests.crash.broker_stub import BrokerStub
from tests.whole.site import terminal, write_site

DEVICE = "dorm-07/shower-1-01"
SIZE = "64m"
RESERVE = 6_000_000
RESUME_S = 10.0
BUSY_S = 5.0  # what a busy machine may take beside
PATIENCE_S = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of its own where this account may."""
    folder = tmp_path / "site" / "var"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here, so no small disk")
    if done.returncode:
        pytest.skip(f"no small disk may be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
async def broker() -> AsyncIterator[BrokerStub]:
    made = BrokerStub()
    await made.start()
    yield made
    await made.stop()


async def test_on_a_full_disk_alarms_rise_and_recording_resumes_by_itself(
    small_disk: Path, broker: BrokerStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "Room", partial(Room, size=RESERVE))
    folder = write_site(small_disk.parent, [terminal(DEVICE)], mqtt={"url": broker.url})
    clock = RealClock()
    others, of_hub = small_disk / "others", records.Filter(device="hub")
    async with running(load(folder), clock, Outside(web=False)) as hub:
        await asyncio.wait_for(broker.subscribed(), PATIENCE_S)
        publish(broker, 0, 40.0)
        await until(lambda: not broker.unacknowledged())

        fill(others)
        await until(lambda: hub.kept.room.full)
        assert not (small_disk / "reserve").exists()
        assert any("disk: full" in problem for problem in hub.problems())
        publish(broker, 1, 56.0)
        await until(lambda: alarms(hub) == ["disk-filling", "outlet-too-hot"])
        disk = next(one for one in records.tickets(hub.kept.database) if one.device == "hub")
        assert (disk.rule, disk.severity) == ("disk-filling", "large")
        assert hub.live.value(heat_of(hub))[1] == 56.0  # type: ignore[index]
        assert broker.unacknowledged() == 1, "acknowledged, and kept nowhere"
        await until(lambda: not hub.intake.counts["waiting"])
        for ticket in records.tickets(hub.kept.database):
            action = {"kind": "acknowledge", "ticket": ticket.id, "actor": "li"}
            await hub.engine.act(action)

        others.unlink()
        free_s = clock.monotonic()
        await until(lambda: not broker.unacknowledged() and not hub.problems())
        assert clock.monotonic() - free_s <= RESUME_S + BUSY_S
        assert (small_disk / "reserve").stat().st_size == RESERVE
        await until(lambda: records.alarms(hub.kept.database, of_hub)[0].cleared_ms)
        publish(broker, 2, 41.0)
        await until(lambda: heats(hub) == [40.0, 56.0, 41.0])
    journal = Journal(open_connection(small_disk / "journal.sqlite"))
    assert journal.check() is None
    assert journal.read(0)
    assert journal.damaged == set()
    journal.close()


def publish(broker: BrokerStub, n: int, heat: float) -> None:
    at_ms = RealClock().now_ms()
    content = {"at": at_ms, "seq": n, "values": {"flow": 5.0, "outlet_temperature": heat}}
    broker.publish(f"campus/{DEVICE}/telemetry", json.dumps(content).encode())


def fill(file: Path) -> None:
    """Write until there is no room for one more byte."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 16, 1):
            try:
                while out.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def alarms(hub: Hub) -> list[str]:
    return sorted(one.rule for one in records.alarms(hub.kept.database))


def heat_of(hub: Hub) -> int:
    return hub.kept.site.numbers[f"{DEVICE}/outlet_temperature"]


def heats(hub: Hub) -> list[float]:
    return hub.kept.store.raw([heat_of(hub)], 0, 1 << 60).value.tolist()


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not look():  # noqa: ASYNC110 - it looks at threads, tables and files
            await asyncio.sleep(0.05)
