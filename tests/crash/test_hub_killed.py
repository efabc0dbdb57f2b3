"""The whole hub is killed again and again while readings pour in: nothing acknowledged is lost.

Acknowledged means: the broker saw the PUBACK. What is compared is point, instant and value of
every single reading, not how many there were. A kill takes the process but not the machine, so
this proves the order of commit and acknowledgement, not that the disk keeps its word.

Beside it runs a hub that acknowledges before its journal commits, to show that the comparison
would notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.database import numbers, records
from hub.database.connection import open_database
from hub.journal import Journal, open_connection
from hub.model import Batch
from hub.store import open_store
from tests.crash.broker_stub import BrokerStub, Letter
from tests.crash.terminals import DEVICES, POINTS, TOO_HOT, Reading, Terminals, readings

CHECKOUT = Path(__file__).parents[2]
HUB = ("-m", "hub")
HASTY_HUB = ("-m", "tests.crash.hasty_hub")
HOT_POINT = "/outlet_temperature"
FAR_MS = 1 << 60
CONNECT_S = 60.0
CATCH_UP_S = 90.0
TICKET_S = 10.0
STOP_S = 30.0


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


@dataclass
class Kept:
    """What is in the data folder after all."""

    journal: set[Reading]
    store: list[Reading]
    tickets: list[str]


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
@pytest.mark.timeout(900)
async def test_a_killed_hub_loses_no_acknowledged_reading_and_doubles_no_ticket(
    broker: BrokerStub, tmp_path: Path, full_scale: bool, seed: int
) -> None:
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")
    kills = Kills(seed)

    async with _speaking(terminals):
        for n in range(20 if full_scale else 4):
            await _life(folder, HUB, broker, kills.next, lambda n=n: _heat(terminals, n, kills))
    await _last_life(folder, broker)

    acknowledged = _readings(broker.acknowledged)
    kept = _kept(folder)
    print(
        f"{broker.connections} connections, {broker.sent_again} messages sent again, "
        f"{len(acknowledged)} readings acknowledged, {len(kept.tickets)} tickets"
    )
    assert broker.refused >= 1, "the broker speaks 3.1.1 only; the hub asks for 5 first"
    assert broker.sent_again, "no kill met a message under way"
    assert len(acknowledged) > 1000
    assert _lost(acknowledged, kept.journal) == []
    assert _lost(acknowledged, set(kept.store)) == []
    assert _lost(kept.journal, _readings(broker.sent)) == []
    assert _doubled([(point, at_ms) for point, at_ms, _ in kept.store]) == []
    assert sorted(kept.tickets) == sorted(_too_hot(broker)) != []


@pytest.mark.slow
async def test_a_hub_that_acknowledges_too_early_is_caught(
    broker: BrokerStub, tmp_path: Path
) -> None:
    terminals = Terminals(broker)
    folder = terminals.write_site(tmp_path / "site")

    async def at_work(broker: BrokerStub) -> None:
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        await asyncio.sleep(1.1)

    async with _speaking(terminals):
        for _ in range(2):
            await _life(folder, HASTY_HUB, broker, at_work)
    await _last_life(folder, broker)

    assert _lost(_readings(broker.acknowledged), _kept(folder).journal)


@contextlib.asynccontextmanager
async def _speaking(terminals: Terminals) -> AsyncIterator[None]:
    task = asyncio.create_task(terminals.speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _heat(terminals: Terminals, n: int, kills: Kills) -> None:
    """Let one more terminal become too hot during this life, and stay so."""
    asyncio.get_running_loop().call_later(kills.fault_s(), terminals.hot.add, DEVICES[n])


async def _life(
    folder: Path,
    program: Sequence[str],
    broker: BrokerStub,
    until: Callable[[BrokerStub], object],
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Start the hub and kill it."""
    process = await _start(folder, program)
    try:
        begin()
        await until(broker)
        assert process.returncode is None, _said(folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await broker.forsaken()


async def _last_life(folder: Path, broker: BrokerStub) -> None:
    """Let the hub take everything that still waits, then stop it in order."""
    process = await _start(folder, HUB)
    try:
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        await _until(lambda: not broker.unacknowledged(), CATCH_UP_S)
        wanted = len(_too_hot(broker))
        with contextlib.suppress(TimeoutError):  # then the comparison says what is not there
            await _until(lambda: len(_ticket_devices(folder)) >= wanted, TICKET_S)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), STOP_S) == 0, _said(folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until(look: Callable[[], bool], patience_s: float) -> None:
    """Wait until the hub has caught up so far."""
    async with asyncio.timeout(patience_s):
        while not look():  # noqa: ASYNC110 - what it looks at lies in another process
            await asyncio.sleep(0.1)


async def _start(folder: Path, program: Sequence[str]) -> asyncio.subprocess.Process:
    with (folder / "hub.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, *program, "run", "--config", str(folder),
            cwd=CHECKOUT, stdout=asyncio.subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


def _said(folder: Path) -> str:
    return f"the hub ended by itself: {(folder / 'hub.log').read_text('utf-8')[-4000:]}"


def _ticket_devices(folder: Path) -> list[str]:
    database = open_database(folder / "var" / "hub.sqlite")
    try:
        return [ticket.device for ticket in records.tickets(database, limit=1000)]
    finally:
        database.close()


def _kept(folder: Path) -> Kept:
    """Read what the stopped hub left."""
    data = folder / "var"
    database = open_database(data / "hub.sqlite")
    ids = [f"{device}/{name}" for device in DEVICES for name in POINTS]
    names = {number: id_ for id_, number in numbers.number_points(database, ids).items()}
    database.close()
    store = open_store("duckdb", data / "telemetry.duckdb")
    rows = store.raw(list(names), 0, FAR_MS, limit=FAR_MS)
    store.close()
    return Kept(_journal(data, names), _rows(rows, names), _ticket_devices(folder))


def _journal(data: Path, names: dict[int, str]) -> set[Reading]:
    journal = Journal(open_connection(data / "journal.sqlite"))
    kept: set[Reading] = set()
    after = 0
    while entries := journal.read(after):
        after = entries[-1][0]
        for _, entry in entries:
            if entry.batch is not None:
                kept.update(_rows(entry.batch, names))
    assert journal.damaged == set()
    journal.close()
    return kept


def _rows(batch: Batch, names: dict[int, str]) -> list[Reading]:
    columns = batch.point.tolist(), batch.at_ms.tolist(), batch.value.tolist()
    return [(names[point], at_ms, value) for point, at_ms, value in zip(*columns, strict=True)]


def _readings(letters: Sequence[Letter]) -> set[Reading]:
    return {one for letter in letters for one in readings(letter)}


def _too_hot(broker: BrokerStub) -> set[str]:
    """Return the terminals that the hub has been told of, and has said so."""
    told = (one for one in _readings(broker.acknowledged) if one[2] >= TOO_HOT)
    return {point.removesuffix(HOT_POINT) for point, _, _ in told if point.endswith(HOT_POINT)}


def _lost(wanted: set[Reading], found: set[Reading]) -> list[Reading]:
    """Return a few readings that are wanted and not there."""
    return sorted(wanted - found)[:10]


def _doubled(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [row for row, count in Counter(rows).items() if count > 1][:10]
