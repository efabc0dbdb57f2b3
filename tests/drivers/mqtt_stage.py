"""An MQTT driver between a line that a test fills and a hub that notes what it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from typing import Any

import yaml

from drivers.mqtt.driver import MqttDriver
from drivers.profile import MqttProfile
from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Point, Quality, Reason, Text, quality_of, reason_of
from hub.ports import Message, Reach
from hub.site import Device

PROFILES = Path(__file__).parents[2] / "config" / "profiles"
START_MS = 1_700_000_000_000
DEVICE = "dorm-01/shower-1"
PROFILE = MqttProfile.model_validate(
    {
        "version": 1, "id": "test", "maker": "m", "model": "m", "kind": "shower", "source": "s",
        "protocol": "mqtt",
        "points": {
            "flow": {"unit": "L/min", "min": 0, "max": 60},
            "litres": {"key": "total", "kind": "counter"},
            "valve": {"write": {"min": 0, "max": 1, "step": 1}},
        },
    }
)  # fmt: skip


def shipped(id_: str) -> MqttProfile:
    """Read a profile that comes with the program."""
    return MqttProfile.model_validate(yaml.safe_load((PROFILES / f"{id_}.yaml").read_text("utf-8")))


class Line:
    """A broker connection that a test fills."""

    def __init__(self) -> None:
        self.waiting: list[Message] = []
        self.acknowledged: list[Message] = []
        self.published: list[tuple[str, bytes]] = []
        self.closed = False
        self.wake: Callable[[], None] = lambda: None

    async def start(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def drain(self) -> list[Message]:
        taken, self.waiting = self.waiting, []
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        self.acknowledged.extend(messages)

    async def publish(self, topic: str, payload: bytes) -> None:
        self.published.append((topic, payload))

    def connected(self) -> bool:
        return True

    async def close(self) -> None:
        self.closed = True


class Hub:
    """What the driver tells the hub."""

    def __init__(self) -> None:
        self.puts: list[tuple[Batch, Callable[[], None] | None]] = []
        self.told: list[tuple[str, ...]] = []
        self.skews: list[tuple[str, int]] = []

    def put(self, batch: Batch, durable: Callable[[], None] | None, waiting: int = 1) -> None:
        self.puts.append((batch, durable))

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        self.told.append(("seen", device))

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        self.told.append(("failed", device))

    def skewed(self, device: str, ahead_ms: int) -> None:
        self.skews.append((device, ahead_ms))

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:
        self.told.append(("rejected", source, reason))

    def rows(self) -> list[tuple[int, int, float, Quality, Reason]]:
        return [
            (number, at_ms - START_MS, value, quality_of(packed), reason_of(packed))
            for batch, _ in self.puts
            for number, at_ms, value, packed in zip(
                batch.point.tolist(),
                batch.at_ms.tolist(),
                batch.value.tolist(),
                batch.quality.tolist(),
                strict=True,
            )
        ]


def device_of(profile: MqttProfile, id_: str = DEVICE, topic: str | None = None) -> Device:
    points = tuple(
        Point(n, f"{id_}/{name}", id_, name, spec.unit, spec.kind, Text(name, name))
        for n, (name, spec) in enumerate(profile.points.items(), 1)
    )
    minute = timedelta(minutes=1)
    return Device(id_, profile.id, profile.kind, "dorm-01", minute, None, None, points, topic=topic)


class Scene:
    """A driver of one device in virtual time."""

    def __init__(
        self, clock: VirtualClock, profile: MqttProfile, topic: str | None, zone: tzinfo
    ) -> None:
        self.line, self.hub, self.clock = Line(), Hub(), clock
        one = device_of(profile, topic=topic)
        self.points = {point.name: point for point in one.points}
        self.driver = MqttDriver(self.line, [(one, profile)], clock, zone)

    async def start(self) -> Scene:
        await self.driver.start(self.hub.put, self.hub)
        return self

    def say(self, topic: str, *payloads: object, **more: Any) -> list[Message]:
        messages = [
            Message(
                topic,
                payload if isinstance(payload, bytes) else json.dumps(payload).encode(),
                more.get("retained", False),
                more.get("received_ms", self.clock.now_ms()),
                n,
                more.get("waited", False),
            )
            for n, payload in enumerate(payloads)
        ]
        self.line.waiting.extend(messages)
        self.line.wake()
        return messages

    def hear(self, *payloads: object, kind: str = "telemetry", **more: Any) -> list[Message]:
        return self.say(f"campus/{DEVICE}/{kind}", *payloads, **more)

    def commands(self) -> list[tuple[str, Any]]:
        return [(topic, json.loads(payload)) for topic, payload in self.line.published]

    def values(self) -> dict[str, float]:
        """Return the good values heard so far, by point name; of equals the last."""
        names = {point.number: point.name for point in self.points.values()}
        rows = self.hub.rows()
        return {names[n]: value for n, _, value, quality, _ in rows if quality is Quality.GOOD}

    def latest(self) -> dict[str, float]:
        """Return what the last batch brought, and forget the batches."""
        try:
            return self.values()
        finally:
            self.hub.puts.clear()


def played(
    story: Callable[[Scene], Coroutine[Any, Any, None]],
    profile: MqttProfile = PROFILE,
    topic: str | None = None,
    zone: tzinfo = UTC,
    start_ms: int = START_MS,
) -> None:
    """Let a story happen to a started driver."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, start_ms, 7)

    async def whole() -> None:
        await story(await Scene(clock, profile, topic, zone).start())

    try:
        loop.run_until_complete(whole())
    finally:
        loop.close()
