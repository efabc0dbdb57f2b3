"""A store that is slow, or refuses, delays no alarm; what it missed it gets later."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import kept
from hub.app import Hub, Outside, running
from hub.clock import RealClock
from hub.database import records
from hub.model import Batch
from hub.ports import StoreError
from hub.settings import load
from hub.store.duckdb import DuckStore
from tests.crash.broker_stub import BrokerStub
from tests.ports import free_ports
from tests.whole.site import terminal, write_site

DEVICE = "dorm-07/shower-1-01"
METER = {
    "id": "dorm-07/meter-1",
    "profile": "reference-room-meter",
    "place": "dorm-07/1/shower-1",
    "gateway": "gw-07",
    "unit_id": 1,
}
MINUTE_MS = 60_000
SLOW = 5  # questions: a stop falls into one of them
PATIENCE_S = 20


class LockedStore(DuckStore):
    """DuckDB whose file somebody else holds, until it is let go of."""

    free = threading.Event()

    def append(self, batch: Batch, seq: int) -> None:
        assert self.free.wait(PATIENCE_S)
        super().append(batch, seq)


class RefusingStore(DuckStore):
    """DuckDB on a disk that is full, until there is room."""

    free = threading.Event()

    def append(self, batch: Batch, seq: int) -> None:
        if not self.free.is_set():
            raise StoreError("duckdb: no space left on device")
        super().append(batch, seq)


class WatchedStore(DuckStore):
    """DuckDB that takes its time to answer and notes what happens to it."""

    told: list[str]

    def rollups(self, *question: Any) -> Any:
        self.told.append("asked")
        time.sleep(0.3 if self.told.count("asked") <= SLOW else 0)
        answer = super().rollups(*question)
        self.told.append("answered")
        return answer

    def close(self) -> None:
        self.told.append("closed")
        super().close()


@pytest.fixture
async def broker() -> AsyncIterator[BrokerStub]:
    made = BrokerStub()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=[LockedStore, RefusingStore])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """Let the hub open a store that does not keep; release it at the latest at the end."""
    request.param.free = threading.Event()
    monkeypatch.setattr(kept, "open_store", lambda _, path, **__: request.param(path))
    yield request.param
    request.param.free.set()


async def test_a_ticket_rises_while_the_store_keeps_nothing(
    kind: type[LockedStore | RefusingStore], broker: BrokerStub, tmp_path: Path
) -> None:
    folder = write_site(tmp_path / "site", [terminal(DEVICE)], mqtt={"url": broker.url})
    clock = RealClock()
    try:
        async with running(load(folder), clock, Outside(web=False)) as hub:
            await asyncio.wait_for(broker.subscribed(), PATIENCE_S)
            at_ms = clock.now_ms()
            for n, heat in enumerate((40.0, 55.0)):
                values = {"flow": 5.0, "outlet_temperature": heat}
                payload = json.dumps({"at": at_ms + n, "seq": n, "values": values})
                broker.publish(f"campus/{DEVICE}/telemetry", payload.encode())
            await _until(lambda: records.tickets(hub.kept.database))

            (ticket,) = records.tickets(hub.kept.database)
            (alarm,) = records.alarms(hub.kept.database)
            assert (ticket.device, ticket.rule, alarm.rule) == (DEVICE, *2 * ("outlet-too-hot",))
            await _until(lambda: not broker.unacknowledged())
            assert hub.kept.store.applied() == 0

            kind.free.set()
            await _until(lambda: hub.kept.store.applied() >= 2)
            assert _heats(hub, at_ms) == [40.0, 55.0]
    finally:
        kind.free.set()


async def test_the_hub_says_that_its_store_is_behind(
    broker: BrokerStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RefusingStore.free = threading.Event()
    monkeypatch.setattr(kept, "open_store", lambda _, path, **__: RefusingStore(path))
    folder = write_site(tmp_path / "site", [terminal(DEVICE)], mqtt={"url": broker.url})

    async with running(load(folder), RealClock(), Outside(web=False)) as hub:
        await asyncio.wait_for(broker.subscribed(), PATIENCE_S)
        await _until(lambda: not hub.problems() or "store" in hub.problems()[0])
        broker.publish(f"campus/{DEVICE}/telemetry", b'{"values": {"flow": 1}}')
        await _until(lambda: any("store" in problem for problem in hub.problems()))
        RefusingStore.free.set()
        await _until(lambda: not hub.problems())


async def test_a_stop_waits_for_the_daily_close_before_it_closes_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WatchedStore.told = []
    monkeypatch.setattr(kept, "open_store", lambda _, path, **__: WatchedStore(path))
    port = free_ports(1)[0]
    gateway = {"id": "gw-07", "url": f"tcp://127.0.0.1:{port}"}
    folder = write_site(tmp_path / "site", [METER], gateways=[gateway])

    async with running(load(folder), RealClock(), Outside(web=False)):
        await _until(lambda: WatchedStore.told)  # the close of yesterday is made up

    told = WatchedStore.told
    assert told.count("asked") == told.count("answered")
    assert told.index("closed") == len(told) - 1


def _heats(hub: Hub, at_ms: int) -> list[float]:
    number = hub.kept.site.numbers[f"{DEVICE}/outlet_temperature"]
    return hub.kept.store.raw([number], at_ms, at_ms + MINUTE_MS).value.tolist()


async def _until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not look():  # noqa: ASYNC110 - it looks at threads and tables
            await asyncio.sleep(0.02)
