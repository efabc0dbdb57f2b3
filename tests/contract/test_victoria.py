"""What the hub writes for InfluxDB, read back from VictoriaMetrics: a parser that is not theirs.

VictoriaMetrics takes the line protocol and does not answer InfluxQL, so it is no store for a hub.
"""

import json
from typing import Any

import httpx
import pytest

from hub.model import Batch
from hub.ports import StoreError
from hub.store.influx import InfluxStore
from hub.store.influx_lines import Heads, reading_lines
from hub.store.influx_sender import Sender
from hub.store.influx_server import Address, Server
from tests.contract.readings import BAD, MISSING, NAN, NO_CLOCK, POINTS, batch
from tests.contract.servers import PATIENCE_S

T0 = 1_700_000_000_000  # it drops what is more than two days ahead of its clock


def sent(url: str, bucket: str, said: Batch, letters: list[str]) -> None:
    server = Server(Address(url, bucket))
    sender = Sender(server, bucket, lambda reason, line: letters.append(line.decode()))
    sender.send([reading_lines(said, Heads(POINTS))], lambda: None)
    assert not server.old_path  # it knows /api/v2/write
    server.close()


def exported(url: str) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """Return the samples of each metric and point; it keeps no buckets apart on this path."""
    httpx.get(f"{url}/internal/force_flush", timeout=PATIENCE_S).raise_for_status()
    answer = httpx.get(
        f"{url}/api/v1/export", params={"match[]": '{__name__!=""}'}, timeout=PATIENCE_S
    )
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for line in answer.text.splitlines():
        said: dict[str, Any] = json.loads(line)
        key = (said["metric"]["__name__"], said["metric"]["point"])
        values = map(float, said["values"])
        found.setdefault(key, []).extend(zip(said["timestamps"], values, strict=True))
    return {key: sorted(samples) for key, samples in found.items()}


def test_victoria_metrics_has_what_was_written(victoria_url: str) -> None:
    letters: list[str] = []
    said = batch(
        (1, T0, 1.0),
        (1, T0 + 1, -1e-7, NO_CLOCK),
        (1, T0 + 2, NAN, MISSING),
        (1, T0 + 3, 7.0, BAD),
        (2, T0, 1e300),
        (3, T0, 4_294_967_295.0),
        (77, T0, 3.0),
    )
    for _ in range(2):  # again: nothing is doubled
        sent(victoria_url, "campus", said, letters)
    found = exported(victoria_url)
    assert found["power_value", "1"] == [(T0, 1.0), (T0 + 1, -1e-7), (T0 + 3, 7.0)]
    assert found["power_quality", "1"] == [
        (T0, 0), (T0 + 1, NO_CLOCK), (T0 + 2, 256 + MISSING), (T0 + 3, BAD)
    ]  # fmt: skip
    assert found["power_value", "2"] == [(T0, 1e300)]
    assert found["energy_value", "3"] == [(T0, 4_294_967_295.0)]
    assert found["unnamed_value", "77"] == [(T0, 3.0)]
    assert letters == []


def test_victoria_metrics_is_refused_as_a_store(victoria_url: str) -> None:
    store = InfluxStore(POINTS, Address(victoria_url, "campus"))
    for ask in (store.applied, lambda: store.append(batch((1, T0, 1.0)), 1), store.last):
        with pytest.raises(StoreError, match="does not answer InfluxQL"):
            ask()
    store.close()
