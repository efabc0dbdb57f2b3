"""A hub whose store is an InfluxDB: it starts without the server, and its journal bridges that."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from hub.clock import RealClock
from hub.database import dead_letters
from hub.journal import Journal
from hub.kept import Kept, last_readings, open_kept
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from hub.recorder import Recorder
from hub.settings import load
from tests.contract.readings import MINUTE, T0
from tests.contract.servers import PATIENCE_S, influxd
from tests.ports import free_port

CAMPUS = """\
version: 1
site: {{id: try, name: {{zh: 试, en: Try}}, timezone: Asia/Shanghai}}
store: {{kind: influx, url: "http://127.0.0.1:{port}", bucket: days, rollup_bucket: ever}}
places: [{{id: a, kind: building, name: {{zh: 甲, en: A}}}}]
gateways: [{{id: gw, url: "tcp://127.0.0.1:1"}}]
devices:
  - {{id: a/m, place: a, profile: eastron-sdm630, gateway: gw, unit_id: 1}}
"""
EVER = (T0 - MINUTE, T0 + 1000 * MINUTE)


def journaled(journal: Journal, *instants: int) -> None:
    for at_ms in instants:
        said = Batch.of([1, 2], [at_ms, at_ms], [1.0, 2.0], [0, 0], at_ms)
        journal.append([Entry(EntryKind.READINGS, at_ms, said)])


def record(kept: Kept, clock: RealClock, *, away: bool = False) -> None:
    async def flush() -> None:
        recorder = Recorder(kept.journal, kept.store, clock)  # needs no server
        with pytest.raises(StoreError, match="no answer") if away else contextlib.nullcontext():
            await recorder.flush()
        recorder.close()

    asyncio.run(flush())


def make_databases(url: str) -> None:
    for name in ("days", "ever"):
        httpx.post(
            f"{url}/query", params={"q": f"CREATE DATABASE {name}"}, timeout=PATIENCE_S
        ).raise_for_status()


async def opened(folder: Path, clock: RealClock) -> tuple[Kept, AsyncExitStack]:
    stack = AsyncExitStack()
    return open_kept(load(folder), clock, stack, memory=False), stack


def test_a_hub_starts_without_its_server_and_sends_everything_later(
    binary: Callable[..., str], tmp_path: Path
) -> None:
    program, port, clock = binary("influxd", "/usr/sbin"), free_port(), RealClock()
    site, data = tmp_path / "site", tmp_path / "influx"
    site.mkdir()
    data.mkdir()
    (site / "campus.yaml").write_text(CAMPUS.format(port=port), "utf-8")

    kept, stack = asyncio.run(opened(site, clock))
    assert len(last_readings(kept.store)) == 0
    journaled(kept.journal, T0, T0 + MINUTE)
    record(kept, clock, away=True)
    with influxd(program, data, port) as url:
        make_databases(url)
        record(kept, clock)
        assert kept.store.raw([1], *EVER).at_ms.tolist() == [T0, T0 + MINUTE]
    passed = kept.store.applied()
    asyncio.run(stack.aclose())

    # The journal and the database are lost, and the server is away when the hub starts again: what
    # it journals now must not look like what the server has passed already.
    for file in (site / "var").glob("*.sqlite*"):
        file.unlink()
    kept, stack = asyncio.run(opened(site, clock))
    journaled(kept.journal, T0 + 2 * MINUTE)
    assert kept.journal.last() > passed
    with influxd(program, data, port):
        record(kept, clock)
        assert kept.store.raw([1], *EVER).at_ms.tolist() == [T0, T0 + MINUTE, T0 + 2 * MINUTE]
        assert kept.store.rollups([1], *EVER).count.tolist() == [3]
        assert last_readings(kept.store).at_ms.tolist() == [T0 + 2 * MINUTE] * 2
    asyncio.run(stack.aclose())


def test_a_refused_reading_is_among_the_dead_letters_of_the_hub(
    influx_url: str, influx_bucket: str, tmp_path: Path
) -> None:
    text = CAMPUS.format(port=httpx.URL(influx_url).port)
    text = text.replace("days", influx_bucket).replace("ever", influx_bucket)
    (tmp_path / "campus.yaml").write_text(text, "utf-8")
    clock = RealClock()
    kept, stack = asyncio.run(opened(tmp_path, clock))
    name = kept.site.points[1].name
    httpx.post(
        f"{influx_url}/write",
        params={"db": influx_bucket, "precision": "ms"},
        content=f'{name},device=a/m,point=1 value="words" {T0}',
        timeout=PATIENCE_S,
    ).raise_for_status()
    journaled(kept.journal, T0)
    record(kept, clock)
    (letter,) = dead_letters.latest(kept.database)
    assert letter.source == "store"
    assert "field type conflict" in letter.reason
    assert letter.payload.decode().startswith(f"{name},device=a/m,point=1 value=1.0,")
    assert len(kept.store.raw([2], *EVER)) == 1
    asyncio.run(stack.aclose())
