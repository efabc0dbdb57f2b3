"""The lives of a hub that is killed, and what it has kept of what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.database import numbers, records
from hub.database.connection import open_database
from hub.journal import Journal, open_connection
from hub.model import Batch
from hub.site import HUB as HUB_ITSELF
from hub.store import open_store
from tests.crash.broker_stub import BrokerStub, Letter
from tests.crash.terminals import DEVICES, POINTS, TOO_HOT, Reading, Terminals, readings

CHECKOUT = Path(__file__).parents[2]
HUB = ("-m", "hub")
HOT_POINT = "/outlet_temperature"
FAR_MS = 1 << 60
CONNECT_S = 60.0
CATCH_UP_S = 90.0
TICKET_S = 10.0
STOP_S = 30.0


@dataclass
class Kept:
    """What is in the data folder after all."""

    journal: set[Reading]
    store: list[Reading]
    tickets: list[str]


@contextlib.asynccontextmanager
async def speaking(terminals: Terminals) -> AsyncIterator[None]:
    task = asyncio.create_task(terminals.speak())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def life(
    folder: Path,
    program: Sequence[str],
    broker: BrokerStub,
    until: Callable[[BrokerStub], Awaitable[None]],
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Start the hub and kill it."""
    process = await start(folder, program)
    try:
        begin()
        await until(broker)
        assert process.returncode is None, said(folder)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    await broker.forsaken()


async def life_to(folder: Path, program: Sequence[str], broker: BrokerStub) -> int:
    """Start a hub that ends by its own hand; return its exit code."""
    process = await start(folder, program)
    try:
        return await asyncio.wait_for(process.wait(), CONNECT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await broker.forsaken()


async def last_life(folder: Path, broker: BrokerStub) -> None:
    """Let the hub take everything that still waits, then stop it in order."""
    process = await start(folder, HUB)
    try:
        await asyncio.wait_for(broker.subscribed(), CONNECT_S)
        await _until(lambda: not broker.unacknowledged(), CATCH_UP_S)
        wanted = len(too_hot(broker))
        with contextlib.suppress(TimeoutError):  # then the comparison says what is not there
            await _until(lambda: len(_ticket_devices(folder)) >= wanted, TICKET_S)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), STOP_S) == 0, said(folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until(look: Callable[[], bool], patience_s: float) -> None:
    """Wait until the hub has caught up so far."""
    async with asyncio.timeout(patience_s):
        while not look():  # noqa: ASYNC110 - what it looks at lies in another process
            await asyncio.sleep(0.1)


async def start(folder: Path, program: Sequence[str]) -> asyncio.subprocess.Process:
    with (folder / "hub.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, *program, "run", "--config", str(folder),
            cwd=CHECKOUT, stdout=asyncio.subprocess.DEVNULL, stderr=log,
        )  # fmt: skip


def said(folder: Path) -> str:
    return f"the hub ended by itself: {(folder / 'hub.log').read_text('utf-8')[-4000:]}"


def _ticket_devices(folder: Path) -> list[str]:
    database = open_database(folder / "var" / "hub.sqlite")
    try:
        every = records.tickets(database, limit=1000)
        # The disk of the machine that tests may fill up, too; that is none of their faults.
        return [ticket.device for ticket in every if ticket.device != HUB_ITSELF]
    finally:
        database.close()


def kept_in(folder: Path) -> Kept:
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


def told(letters: Sequence[Letter]) -> set[Reading]:
    return {one for letter in letters for one in readings(letter)}


def too_hot(broker: BrokerStub) -> set[str]:
    """Return the terminals that the hub has been told of, and has said so."""
    hot = (one for one in told(broker.acknowledged) if one[2] >= TOO_HOT)
    return {point.removesuffix(HOT_POINT) for point, _, _ in hot if point.endswith(HOT_POINT)}


def expect_all_once(broker: BrokerStub, folder: Path) -> None:
    """Compare what was acknowledged with what is kept, one by one: 0 lost, 0 doubled."""
    acknowledged, kept = told(broker.acknowledged), kept_in(folder)
    print(
        f"{broker.connections} connections, {broker.sent_again} messages sent again, "
        f"{len(acknowledged)} readings acknowledged, {len(kept.tickets)} tickets"
    )
    assert len(acknowledged) > 1000
    assert lost(acknowledged, kept.journal) == []
    assert lost(acknowledged, set(kept.store)) == []
    assert lost(kept.journal, told(broker.sent)) == []
    assert doubled([(point, at_ms) for point, at_ms, _ in kept.store]) == []
    assert sorted(kept.tickets) == sorted(too_hot(broker)) != []


def lost(wanted: set[Reading], found: set[Reading]) -> list[Reading]:
    """Return a few readings that are wanted and not there."""
    return sorted(wanted - found)[:10]


def doubled(rows: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return [row for row, count in Counter(rows).items() if count > 1][:10]
