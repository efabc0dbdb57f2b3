"""The stores under test: in memory, DuckDB, and InfluxDB on whatever real servers there are."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.store import open_store
from hub.store.influx_lines import quoted
from hub.store.influx_server import shown
from tests.contract.proxy import Proxy
from tests.contract.readings import POINTS
from tests.contract.servers import PATIENCE_S, influxd, victoria_metrics

# "influx-v2": the same server behind our proxy, as one that knows /api/v2/write.
KINDS = ["memory", "duckdb", "influx", "influx-v2"]
NAMED = os.environ.get("CAMPUS_HUB_TEST_INFLUX_URL")
if NAMED:
    KINDS.append("influx-named")


@dataclass
class Made:
    """A store under test and how to open it again."""

    open: Callable[[], Any]


@pytest.fixture(scope="session")
def influx_url(
    binary: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start a real InfluxDB 1.x on a free port."""
    with influxd(binary("influxd", "/usr/sbin"), tmp_path_factory.mktemp("influx")) as url:
        yield url


@pytest.fixture(scope="session")
def victoria_url(
    binary: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start a real VictoriaMetrics on a free port."""
    program = binary("victoria-metrics")
    with victoria_metrics(program, tmp_path_factory.mktemp("victoria")) as url:
        yield url


@pytest.fixture
def influx_bucket(influx_url: str) -> str:
    return new_bucket(influx_url)


def new_bucket(url: str) -> str:
    name = f"hub{os.urandom(4).hex()}"
    httpx.post(
        f"{url}/query", params={"q": f'CREATE DATABASE "{name}"'}, timeout=PATIENCE_S
    ).raise_for_status()
    return name


@pytest.fixture
def proxy(influx_url: str) -> Iterator[Proxy]:
    """Stand before the real InfluxDB; as made it passes everything on."""
    with Proxy(influx_url) as standing:
        yield standing


def influx_named(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return where the server is that the environment names; its bucket, if named, is emptied."""
    named = {"url": NAMED or ""}
    for key in ("org", "token", "bucket"):
        if value := os.environ.get(f"CAMPUS_HUB_TEST_INFLUX_{key.upper()}"):
            named[key] = value
    if "bucket" in named:
        empty(**named)
        return named
    named["bucket"] = new_bucket(named["url"])
    drop = {"q": f'DROP DATABASE "{named["bucket"]}"'}
    request.addfinalizer(
        lambda: httpx.post(f"{named['url']}/query", params=drop, timeout=PATIENCE_S)
    )
    return named


def empty(url: str, bucket: str, token: str = "", org: str = "") -> None:
    """Take away what an earlier test has left in a bucket."""
    with httpx.Client(
        base_url=url, auth=shown(token), params={"db": bucket}, timeout=PATIENCE_S
    ) as client:
        found = client.post("/query", params={"q": "SHOW MEASUREMENTS"}).raise_for_status()
        for series in found.json()["results"][0].get("series", []):
            for (name,) in series["values"]:
                drop = {"q": f"DROP MEASUREMENT {quoted(name)}"}
                client.post("/query", params=drop).raise_for_status()


def influx_at(request: pytest.FixtureRequest, kind: str) -> dict[str, str]:
    """Return where a server of this kind is: 1.6.7 itself, or as one that knows /api/v2/write."""
    if kind == "influx-named":
        return influx_named(request)
    url, bucket = (request.getfixturevalue(name) for name in ("influx_url", "influx_bucket"))
    if kind == "influx-v2":
        standing = request.getfixturevalue("proxy")
        standing.rewrite = True
        url = standing.url
    return {"url": url, "bucket": bucket}


@pytest.fixture(params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    if request.param.startswith("influx"):
        where = influx_at(request, request.param)
        return Made(lambda: open_store("influx", points=POINTS, influx=where))
    if request.param == "duckdb":
        return Made(lambda: open_store("duckdb", tmp_path / "telemetry.duckdb"))
    return Made(lambda: open_store("memory"))


@pytest.fixture
def store(made: Made) -> Iterator[Any]:
    opened = made.open()
    yield opened
    opened.close()
