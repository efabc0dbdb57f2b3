"""Whatever a broker brings crashes nothing and hangs nothing; 200,000 with --scale full."""

from __future__ import annotations

import gc
import json
import logging
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hub.model import Quality
from tests.drivers.mqtt_stage import START_MS, Scene, played, shipped

COUNTS = {True: 200_000, False: 4_000}
LONGEST_S = 0.1
PROFILES = ("reference-shower-terminal", "tasmota-plug", "shelly-pro-3em", "zigbee2mqtt-plug")
SEEDS: dict[str, list[tuple[str, Any]]] = {
    "reference-shower-terminal": [
        ("{}/telemetry", {"at": START_MS, "seq": 1, "values": {"flow": 5.5, "valve": True}}),
        ("{}/telemetry", [{"at": START_MS - 9, "values": {"flow": 1}}, {"values": {"state": 2}}]),
        ("{}/status", "online"),
        ("{}/reply", {"id": "x", "outcome": "done", "value": 1}),
    ],
    "tasmota-plug": [
        (
            "tele/{}/SENSOR",
            {"Time": "2023-11-14T22:13:20", "ENERGY": {"Total": 1.5, "Power": [1, 2], "Factor": 1}},
        ),
        ("stat/{}/RESULT", {"POWER": "ON"}),
        ("tele/{}/LWT", "Online"),
    ],
    "shelly-pro-3em": [
        (
            "{}/events/rpc",
            {
                "method": "NotifyStatus",
                "params": {"ts": START_MS / 1000, "em:0": {"a_voltage": 229.5, "a_pf": None}},
            },
        ),
        ("{}/status/emdata:0", {"total_act": 2589773.39}),
        ("{}/online", "false"),
    ],
    "zigbee2mqtt-plug": [
        ("{}", {"state": "ON", "power": 12.5, "last_seen": "2023-11-14T22:13:20Z"}),
        ("{}/availability", {"state": "online"}),
    ],
}
ODD = [
    None, True, -1, 0, 1e308, -1e308, 2**63, 10**400, 1e-320, "", "ON", "\ud800", "x" * 500, [], {},
    [[[]]], {"": {}}, "9999-12-31T23:59:59", "0001-01-01T00:00:00", "2023-11-14T22:13:20+23:59",
    "1970-01-01", START_MS, -START_MS, "NaN",
]  # fmt: skip


def spoiled(chance: random.Random, content: Any) -> Any:
    """Put something odd somewhere into a content."""
    if isinstance(content, dict) and content and chance.random() < 0.85:
        key = chance.choice([*content])
        return content | {chance.choice([key, key, "at", "ts"]): spoiled(chance, content[key])}
    if isinstance(content, list) and content and chance.random() < 0.8:
        n = chance.randrange(len(content))
        return [*content[:n], spoiled(chance, content[n]), *content[n + 1 :]]
    return chance.choice(ODD)


def spoiled_bytes(chance: random.Random, payload: bytes) -> bytes:
    """Flip, cut, repeat or replace bytes."""
    data = bytearray(payload)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        what = chance.randrange(5)
        if what == 0:
            data[at:at] = chance.randbytes(chance.randint(1, 4))
        elif what == 1:
            del data[at : at + chance.randint(1, 9)]
        elif what == 2 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif what == 3:
            data[at:at] = data[: chance.randint(1, 60)]
        else:
            data[at:at] = chance.choice([b"{", b"[", b'"', b"\x00", b"1e999", b"\xff"]) * 9
    return bytes(data)


def payloads(chance: random.Random, profile: str, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield messages: right ones, spoiled ones, and bytes of no meaning."""
    for n in range(count):
        topic, content = chance.choice(SEEDS[profile])
        if n % 3:
            content = spoiled(chance, content)
        payload = content if isinstance(content, str) else json.dumps(content)
        data = payload.encode("utf-8", "surrogatepass")
        if n % 4 == 3:
            data = spoiled_bytes(chance, data)
        if n % 1000 == 999:
            data = chance.choice([b"[" * 60_000, b'{"a":' * 12_000, chance.randbytes(70_000)])
        if n % 50 == 49:
            topic = chance.choice(["", "\x00", "campus/#", "{}/{}", topic + "/", topic.upper()])
        yield topic, data


@pytest.fixture
def _swept() -> Iterator[None]:
    """Keep Python from looking through all that other tests left, in the middle of a message."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_swept")
@pytest.mark.parametrize("profile", PROFILES)
def test_random_messages_crash_nothing_and_hang_nothing(profile, full_scale, caplog) -> None:
    count = COUNTS[full_scale] // len(PROFILES)
    caplog.set_level(logging.ERROR)  # what is kept of the others would have to be swept again

    async def story(scene: Scene) -> None:
        chance = random.Random(f"mqtt {profile}")
        longest = 0.0
        for topic, data in payloads(chance, profile, count):
            said = {"retained": chance.random() < 0.1, "waited": chance.random() < 0.1}
            began = time.thread_time()  # other programs may need the machine meanwhile
            scene.say(topic.replace("{}", "x"), data, **said)
            longest = max(longest, time.thread_time() - began)
            for batch, durable in scene.hub.puts:
                assert durable is not None
                durable()
                good = (batch.quality & 3) == Quality.GOOD
                assert abs(batch.value[good]).max(initial=0) <= 1e9
                assert (batch.at_ms >= START_MS - 32 * 86_400_000).all()
                assert (batch.at_ms <= START_MS + 5 * 60_000).all()
            scene.hub.puts.clear()
        print(f"{profile}: {count} messages, the longest took {longest * 1000:.2f} ms")
        assert len(scene.line.acknowledged) == count
        assert longest < LONGEST_S
        assert "message failed" not in caplog.text  # the net below the driver stayed empty
        assert len([told for told in scene.hub.told if told[0] == "seen"]) > count / 20

    played(story, shipped(profile), "x")
