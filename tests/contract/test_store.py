"""One contract for every time-series store: memory, DuckDB, and InfluxDB on a real server."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.ports import StartError, StoreError
from hub.store import open_store
from hub.store.duckdb import DuckStore
from hub.store.influx import InfluxStore

T0 = 1_800_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
EVER = (T0 - 24 * HOUR, T0 + 24 * HOUR)
BAD = flag(Quality.BAD, Reason.OUT_OF_RANGE)
MISSING = flag(Quality.MISSING, Reason.NO_ANSWER)
NO_CLOCK = flag(Quality.GOOD, Reason.RECEIPT_TIME)
NAN = float("nan")
POINTS = {
    number: Point(number, f"dorm-07/meter-{number}/power", f"dorm-07/meter-{number}", name, "W",
                  "gauge", Text("功率", "Power"))
    for number, name in ((1, "power"), (2, "power"), (3, "energy"), (40_000, "energy"))
}  # fmt: skip


@dataclass
class Made:
    """A store under test and how to open it again."""

    open: Callable[[], Any]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def influx_url(
    binary: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start a real InfluxDB 1.x on a free port."""
    program = binary("influxd", "/usr/sbin")
    folder = tmp_path_factory.mktemp("influx")
    port, inner = free_port(), free_port()
    (folder / "influx.conf").write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{inner}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
[monitor]
store-enabled = false
"""
    )
    with (folder / "log").open("wb") as out:
        server = subprocess.Popen(
            [program, "-config", str(folder / "influx.conf")], stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                httpx.get(f"{url}/ping")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield url
        server.send_signal(signal.SIGTERM)
        server.wait(10)
    finally:  # a process that is left behind fails another test
        server.kill()
        server.wait()


@pytest.fixture
def influx_bucket(influx_url: str) -> str:
    name = f"hub{os.urandom(4).hex()}"
    httpx.post(f"{influx_url}/query", params={"q": f'CREATE DATABASE "{name}"'}).raise_for_status()
    return name


@pytest.fixture(params=["memory", "duckdb", "influx"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    if request.param == "influx":
        url, bucket = (request.getfixturevalue(name) for name in ("influx_url", "influx_bucket"))
        where = {"url": url, "bucket": bucket}
        return Made(lambda: open_store("influx", points=POINTS, influx=where))
    if request.param == "duckdb":
        return Made(lambda: open_store("duckdb", tmp_path / "telemetry.duckdb"))
    return Made(lambda: open_store("memory"))


@pytest.fixture
def store(made: Made) -> Iterator[Any]:
    opened = made.open()
    yield opened
    opened.close()


def batch(*rows: tuple[int, int, float] | tuple[int, int, float, int]) -> Batch:
    full = [row if len(row) == 4 else (*row, 0) for row in rows]
    point, at_ms, value, quality = zip(*full, strict=True)
    return Batch.of(point, at_ms, value, quality, T0)


def rows_of(found: Batch) -> list[tuple[int, int, float | None, int]]:
    return [
        (point, at_ms, None if math.isnan(value) else value, quality)
        for point, at_ms, value, quality in zip(
            found.point.tolist(),
            found.at_ms.tolist(),
            found.value.tolist(),
            found.quality.tolist(),
            strict=True,
        )
    ]


def test_begins_with_nothing(store: Any) -> None:
    assert store.applied() == 0
    assert rows_of(store.raw([1, 2], *EVER)) == []
    assert rows_of(store.last()) == []
    assert store.series([1], T0, T0 + 2, 1, ["mean"]) == {1: {"mean": [None, None]}}


def test_returns_readings_in_order_of_point_and_instant(store: Any) -> None:
    store.append(batch((2, T0 + 5, 2.5), (1, T0 + 9, 1.5), (1, T0, -1e-7)), 3)
    store.append(batch((1, T0 + 5, 1e300), (40_000, T0, 0.1), (1, T0 - 1, 0)), 4)
    assert rows_of(store.raw([2, 1], T0, T0 + 9)) == [
        (1, T0, -1e-7, 0),
        (1, T0 + 5, 1e300, 0),
        (2, T0 + 5, 2.5, 0),
    ]
    assert rows_of(store.raw([2, 1], T0 - 1, T0 + 10, limit=2)) == [
        (1, T0 - 1, 0, 0),
        (1, T0, -1e-7, 0),
    ]
    assert rows_of(store.raw([40_000, 77], *EVER)) == [(40_000, T0, 0.1, 0)]
    assert store.applied() == 4


def test_quality_and_missing_values_survive(store: Any) -> None:
    said = [
        (1, T0, NAN, MISSING),
        (1, T0 + 1, 7.5, BAD),
        (1, T0 + 2, 8.0, NO_CLOCK),
        (2, T0, 0.0, 0),
    ]
    store.append(batch(*said), 1)
    assert rows_of(store.raw([1, 2], T0, T0 + 9)) == [(1, T0, None, MISSING), *said[1:]]
    assert rows_of(store.last()) == [said[2], said[3]]


def test_a_sequence_that_was_passed_is_ignored(store: Any) -> None:
    store.append(batch((1, T0, 1.0)), 5)
    store.append(batch((1, T0, 2.0), (1, T0 + 1, 2.0)), 5)
    store.append(batch((1, T0 + 2, 2.0)), 4)
    assert rows_of(store.raw([1], *EVER)) == [(1, T0, 1.0, 0)]
    assert store.applied() == 5


def test_of_one_instant_the_last_said_is_kept_once(store: Any) -> None:
    store.append(batch((1, T0, 1.0), (1, T0, 1.5), (2, T0, 9.0)), 1)
    assert rows_of(store.raw([1], *EVER)) == [(1, T0, 1.5, 0)]
    store.append(batch((1, T0 + 10, 2.0), (2, T0 + 10, 9.0)), 2)
    store.append(batch((1, T0, 3.0), (2, T0 + 20, 9.0), (1, T0 + 5, 4.0)), 3)
    store.append(batch((2, T0 + 20, NAN, BAD)), 4)
    assert [row[:3] for row in rows_of(store.raw([1], *EVER))] == [
        (1, T0, 3.0),
        (1, T0 + 5, 4.0),
        (1, T0 + 10, 2.0),
    ]
    assert store.raw([2], *EVER).quality.tolist() == [0, 0, BAD]
    assert store.series([1, 2], T0, T0 + 30, 30, ["count"]) == {
        1: {"count": [3]},
        2: {"count": [2]},
    }


def test_a_late_reading_takes_its_place_and_does_not_become_the_last(store: Any) -> None:
    store.append(batch((1, T0 + 10, 2.0), (2, T0 + 10, 2.0)), 1)
    store.append(batch((1, T0 + 5, 1.0), (2, T0 + 15, 3.0)), 2)
    assert store.raw([1], *EVER).at_ms.tolist() == [T0 + 5, T0 + 10]
    assert rows_of(store.last()) == [(1, T0 + 10, 2.0, 0), (2, T0 + 15, 3.0, 0)]


def test_a_series_has_one_number_per_step_of_good_readings(store: Any) -> None:
    store.append(
        batch(
            (1, T0, 4.0),
            (1, T0 + 10, 2.0),
            (1, T0 + 59, 6.0, NO_CLOCK),
            (1, T0 + 30, 1000.0, BAD),
            (1, T0 + 31, NAN, MISSING),
            (1, T0 + 120, 5.0),
            (1, T0 + 149, 7.0),
            (1, T0 + 150, 99.0),
            (2, T0 + 60, NAN, MISSING),
        ),
        1,
    )
    found = store.series([1, 2], T0, T0 + 150, 60, ["count", "min", "max", "mean", "first", "last"])
    assert found[1] == {
        "count": [3, None, 2],
        "min": [2.0, None, 5.0],
        "max": [6.0, None, 7.0],
        "mean": [4.0, None, 6.0],
        "first": [4.0, None, 5.0],
        "last": [6.0, None, 7.0],
    }
    assert found[2]["mean"] == [None, None, None]


def test_a_series_of_many_days_has_no_seams(store: Any) -> None:
    start = T0 + 17 * MINUTE
    every = [(1, start + n * 2 * HOUR, float(n)) for n in range(84)]
    store.append(batch(*every), 1)
    found = store.series([1], start, start + 7 * 24 * HOUR, 5 * HOUR, ["count", "last"])[1]
    expected: dict[int, float] = {}
    for _, at_ms, value in every:
        expected[(at_ms - start) // (5 * HOUR)] = value
    assert found["last"] == [expected.get(step) for step in range(34)]
    assert sum(count or 0 for count in found["count"]) == 84
    assert len(store.raw([1], start, start + 7 * 24 * HOUR)) == 84


@pytest.mark.parametrize(("start", "end", "step"), [(5, 5, 1), (5, 4, 1), (0, 9, 0), (0, 10**9, 1)])
def test_steps_that_make_no_sense_are_refused(store: Any, start: int, end: int, step: int) -> None:
    with pytest.raises(StoreError, match=r"^series: .*(step|after the start)"):
        store.series([1], start, end, step, ["mean"])


@pytest.mark.parametrize("made", ["duckdb", "influx"], indirect=True)
def test_everything_is_there_after_closing_and_opening(made: Made) -> None:
    first = made.open()
    first.append(batch((1, T0, 1.0), (2, T0, NAN, MISSING)), 7)
    first.close()
    second = made.open()
    assert second.applied() == 7
    assert rows_of(second.last()) == [(1, T0, 1.0, 0), (2, T0, None, MISSING)]
    second.append(batch((1, T0, 1.25), (1, T0 + 1, 2.0)), 7)  # a replay
    second.append(batch((1, T0, 1.5)), 8)  # a correction of what an earlier run kept
    assert rows_of(second.raw([1], *EVER)) == [(1, T0, 1.5, 0)]
    second.close()


def test_duckdb_keeps_nothing_of_a_batch_that_fails(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry")
    store.append(batch((1, T0, 1.0)), 1)
    broken = Batch.of([1, 2], [T0 + 1, T0 + 1], [1.0, 2.0], [0, 0], T0)
    store._writer.execute("DROP TABLE cursor")  # the second statement of the transaction fails
    with pytest.raises(StoreError, match="2 readings not kept"):
        store.append(broken, 2)
    assert len(store.raw([1, 2], *EVER)) == 1
    assert store.applied() == 1
    store._writer.execute("CREATE TABLE cursor AS SELECT 1 AS applied")
    store.append(broken, 2)
    assert len(store.raw([1, 2], *EVER)) == 3
    store.close()


def test_duckdb_in_use_by_another_process_is_one_clear_error(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry")
    script = (
        "import sys; from hub.store.duckdb import DuckStore\n"
        "try: DuckStore(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "telemetry"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    ).stdout  # fmt: skip
    store.close()
    assert said.startswith("StartError telemetry ")
    assert "is another hub using it?" in said


def test_influx_falls_back_to_the_old_path_and_one_bad_line_loses_no_batch(
    influx_url: str, influx_bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    httpx.post(
        f"{influx_url}/write",
        params={"db": influx_bucket, "precision": "ms"},
        content=f'energy,device=dorm-07/meter-3,point=3 value="words" {T0}',
    ).raise_for_status()
    store = InfluxStore(POINTS, influx_url, influx_bucket)
    store.append(batch(*((1, T0 + n, float(n)) for n in range(50)), (3, T0 + 7, 1.0)), 1)
    assert store._old_path
    assert len(store.raw([1], *EVER)) == 50
    assert store.refused == 1
    assert "influx refused a reading: energy,device=dorm-07/meter-3" in caplog.text
    store.close()


def test_influx_away_is_a_store_error() -> None:
    store = InfluxStore(POINTS, f"http://127.0.0.1:{free_port()}", "campus")
    with pytest.raises(StoreError, match="influx: no answer"):
        store.append(batch((1, T0, 1.0)), 1)
    with pytest.raises(StoreError, match="influx: no answer"):
        store.raw([1], *EVER)
    store.close()


def test_influx_without_its_database_says_so(influx_url: str) -> None:
    store = InfluxStore(POINTS, influx_url, "missing")
    with pytest.raises(StoreError, match="database not found"):
        store.append(batch((1, T0, 1.0)), 1)
    store.close()


def test_a_store_that_is_not_described_is_refused() -> None:
    with pytest.raises(StartError, match="url and bucket"):
        open_store("influx")
