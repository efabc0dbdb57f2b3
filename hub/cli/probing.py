"""The command probe: look at devices on a bus, or see what captured messages would become."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from drivers import registry
from drivers.profile import MqttProfile, Profile
from hub.cli import probe_bus, profiles
from hub.cli.sites import add_config
from hub.cli.virtual import site_of
from hub.clock import RealClock
from hub.model import Batch, Json, Point, Quality, Reason, Text, quality_of, reason_of
from hub.ports import ConfigError, Message, Reach
from hub.settings import load
from hub.settings.form import suggestion
from hub.site import Device


def add_commands(commands: Any) -> None:
    """Add probe."""
    one = commands.add_parser(
        "probe", help="look at devices on a bus, or see what captured messages would become"
    )
    add_config(one)
    probe_bus.add_arguments(one)
    one.add_argument(
        "--mqtt",
        type=Path,
        metavar="FILE",
        help="captured messages, one a line as mosquitto_sub -v or -F %%j prints; - for stdin",
    )
    one.add_argument(
        "--profile", metavar="ID", help="with --mqtt: who speaks there is one of these; no site"
    )
    one.set_defaults(carry_out=probe)


def probe(arguments: argparse.Namespace) -> int:
    """Examine a bus; with --mqtt print what each message would become, 1 when one is of no use."""
    if arguments.mqtt is None:
        if arguments.profile:
            raise ConfigError(["probe: --profile goes with --mqtt; a bus needs a site"])
        return probe_bus.probe(arguments)
    captured = list(messages_of(arguments.mqtt))
    scene = _by_profile(arguments, captured) if arguments.profile else _by_site(arguments)
    became = asyncio.run(dry_run(scene, captured))
    ok = all(one.fine for one in became) and any(one.readings for one in became)
    if arguments.json:
        rows = [_row(one) for one in became]
        print(json.dumps({"ok": ok, "messages": rows}, ensure_ascii=False))
    else:
        for one in became:
            print("\n".join(readable(one, scene.zone)))
        print(summary(became))
    return 0 if ok else 1


@dataclass(frozen=True, slots=True)
class Captured:
    """One line of a file; without ``at_ms`` nobody knows when it was said."""

    line: int
    topic: str
    payload: bytes
    retained: bool = False
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Whose messages these may be."""

    devices: Sequence[Device]
    profiles: Mapping[str, Profile]
    zone: tzinfo


@dataclass(slots=True)
class Became:
    """What a message became: readings (point, value, quality, reason, instant), or why not."""

    message: Captured
    device: str = ""
    readings: list[tuple[Point, float, Quality, Reason, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        """Tell whether all of it could be used; what nobody here said does not count."""
        bad = any(quality is Quality.BAD for _, _, quality, _, _ in self.readings)
        return not self.device or not (self.problems or bad)


def messages_of(path: Path) -> Iterator[Captured]:
    """Read captured messages; ConfigError names the line that is none."""
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    for n, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield _written(path, n, line) if line.startswith(b"{") else _plain(n, line)


def _plain(n: int, line: bytes) -> Captured:
    topic, _, payload = line.partition(b" ")
    return Captured(n, topic.decode("utf-8", "replace"), payload)


def _written(path: Path, n: int, line: bytes) -> Captured:
    """Read ``{"topic": …, "payload": …}``, with what mosquitto_sub -F %j adds."""
    try:
        content = json.loads(line)
        payload, tst = content["payload"], content.get("tst")
        at_ms = None if tst is None else round(datetime.fromisoformat(tst).timestamp() * 1000)
    except (ValueError, KeyError, TypeError) as error:
        what = 'is no message; write topic and payload, or {"topic": ..., "payload": ...}'
        raise ConfigError([f"{path}:{n}: {what} ({error!r})"]) from error
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return Captured(n, str(content.get("topic")), text.encode(), bool(content.get("retain")), at_ms)


def _by_site(arguments: argparse.Namespace) -> Scene:
    """Take the devices of a site, or the one named, that publish."""
    settings = load(arguments.config)
    site = site_of(settings)
    publishing = {
        device.id: device
        for device in site.devices.values()
        if isinstance(settings.profiles[device.profile], MqttProfile)
    }
    if arguments.device and arguments.device not in publishing:
        hint = suggestion(arguments.device, sorted(publishing))
        raise ConfigError([f"probe: no device {arguments.device} of this site publishes{hint}"])
    wanted = [publishing[arguments.device]] if arguments.device else list(publishing.values())
    return Scene(wanted, settings.profiles, site.zone)


def _by_profile(arguments: argparse.Namespace, captured: Iterable[Captured]) -> Scene:
    """Take every topic where a device of the product may speak for a device."""
    files = profiles.files(arguments.config)
    if arguments.profile not in files:
        hint = suggestion(arguments.profile, sorted(files)) or "; see: campus-hub profile list"
        raise ConfigError([f"probe: there is no profile {arguments.profile!r}{hint}"])
    profile = profiles.loaded(files[arguments.profile])
    if not isinstance(profile, MqttProfile):
        raise ConfigError([f"probe: {profile.id} speaks {profile.protocol}, not MQTT"])
    topics = registry.topics_heard(profile, (one.topic for one in captured))
    count = len(profile.points)
    devices = [_device(profile, topic, n * count) for n, topic in enumerate(topics)]
    return Scene(devices, {profile.id: profile}, UTC)


def _device(profile: MqttProfile, topic: str, first: int) -> Device:
    points = tuple(
        Point(n, f"{topic}/{name}", topic, name, spec.unit, spec.kind, Text(name, name))
        for n, (name, spec) in enumerate(profile.points.items(), first)
    )
    minute = timedelta(minutes=1)
    return Device(topic, profile.id, profile.kind, "", minute, None, None, points, topic=topic)


async def dry_run(scene: Scene, captured: Iterable[Captured]) -> list[Became]:
    """Lead messages through the driver that the hub uses, one by one."""
    tape = _Tape(scene.devices)
    driver = registry.pushed(tape, scene.devices, scene.profiles, RealClock(), scene.zone)
    await driver.start(tape.put, tape)
    return [tape.played(message) for message in captured]


class _Tape:
    """Captured messages in place of a broker, and what the driver tells of them."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._points = {point.number: point for device in devices for point in device.points}
        self._clock = RealClock()
        self._waiting: list[Message] = []
        self._wake: Callable[[], None]
        self._became: Became

    def played(self, captured: Captured) -> Became:
        """Let the driver hear a message.

        Where nobody knows when it was said, an old instant in it is no sign of a wrong clock.
        """
        self._became = became = Became(captured)
        at_ms, waited = captured.at_ms, captured.at_ms is None
        received_ms = self._clock.now_ms() if at_ms is None else at_ms
        topic, payload, retained = captured.topic, captured.payload, captured.retained
        self._waiting = [Message(topic, payload, retained, received_ms, None, waited)]
        self._wake()
        return became

    async def start(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake

    def drain(self) -> list[Message]:
        """Take the message that is played."""
        taken, self._waiting = self._waiting, []
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Have no broker that waits for it."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Have nobody to tell; a dry run writes nothing."""

    def connected(self) -> bool:
        """Tell that there is a broker."""
        return True

    async def close(self) -> None:
        """Have nothing to close."""

    def put(
        self, batch: Batch, _durable: Callable[[], None] | None = None, _waiting: int = 1
    ) -> None:
        """Note the readings."""
        if not len(batch):
            self._became.notes.append("all of it was said before")
        columns = (batch.point, batch.value, batch.quality, batch.at_ms)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for number, value, packed, at_ms in rows:
            point = self._points[number]
            self._became.device = point.device
            reading = (point, value, quality_of(packed), reason_of(packed), at_ms)
            self._became.readings.append(reading)

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        """Note whose message it is."""
        del at_ms, latency_s, whole
        self._became.device = device

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:  # noqa: ARG002 - the port's
        """Note that a device goes."""
        self._became.device = device
        self._became.notes.append(error)

    def skewed(self, device: str, ahead_ms: int) -> None:
        """Have no use for it: a reading whose time is not believed says so itself."""

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:  # noqa: ARG002 - the port's
        """Note why a message, or a part of it, cannot be used."""
        if reason == "undeclared device":
            self._became.notes.append("no device publishes here")
        else:
            self._became.device = source
            self._became.problems.append(reason)


def readable(one: Became, zone: tzinfo) -> Iterator[str]:
    """Lay out what became of a message."""
    speaker = one.device if one.device != one.message.topic else ""
    yield f"line {one.message.line}  {one.message.topic}  {speaker}".rstrip()
    for point, value, quality, reason, at_ms in one.readings:
        told = f"{value:.6g} {point.unit}".strip() if quality is Quality.GOOD else "bad"
        why = f"  {reason.name.lower().replace('_', ' ')}" if reason else ""
        at = datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="seconds")
        yield f"  {point.name:22} {told:>18}  {at}{why}"
    for problem in one.problems:
        yield f"  NOT USED: {problem}"
    if not one.readings and not one.problems:
        yield f"  no reading: {', '.join(one.notes) or 'none of the declared points is in it'}"


def summary(became: Sequence[Became]) -> str:
    """Count what became of the messages."""
    used = sum(bool(one.readings) for one in became)
    readings = sum(len(one.readings) for one in became)
    wrong = sum(not one.fine for one in became)
    return (
        f"{len(became)} messages: {used} became {readings} readings, {wrong} with something wrong"
    )


def _row(one: Became) -> dict[str, Json]:
    readings = [
        {
            "point": point.name,
            "value": None if math.isnan(value) else value,
            "unit": point.unit,
            "quality": quality.name.lower(),
            "reason": reason.name.lower(),
            "at_ms": at_ms,
        }
        for point, value, quality, reason, at_ms in one.readings
    ]
    return {
        "line": one.message.line,
        "topic": one.message.topic,
        "device": one.device or None,
        "readings": readings,
        "notes": one.notes,
        "problems": one.problems,
    }
