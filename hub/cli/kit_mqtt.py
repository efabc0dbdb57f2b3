"""The conformance kit for products that publish: what they say is written here, not by a driver."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import isnan

from drivers import registry
from drivers.profile import MqttProfile
from hub.cli.bench import Check, bench_device, said, unwritable, writable
from hub.cli.golden import NOTHING, Case, Found
from hub.model import Batch, Json, Quality, quality_of, reason_of
from hub.ports import Clock, DeviceError, Message, Reach, Refused
from hub.site import Device
from simulators.dialects import Speaker
from simulators.generic import GenericTwin

_BAD_PAYLOADS: Mapping[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{not json",
    "a number": b"17",
    "bytes that are not UTF-8": b'{"values": "\xff\xfe"}',
    "half a message": b'{"at": 1, "values": {"power": 1',
    "more than 64 KiB": b'{"values": {"x": "' + b"y" * 70_000 + b'"}}',
    "2,000 brackets": b"[" * 2_000 + b"]" * 2_000,
}


async def examine(profile: MqttProfile, golden: Sequence[Case], check: Check, clock: Clock) -> None:
    """Let a product's twin speak to the driver, rightly and wrongly."""
    stage = Stage(profile, bench_device(profile), clock)
    await stage.driver.start(stage.keep, stage)
    for variant in (1, 0):
        stage.twin.turn(variant)
        _told(stage, check)
    await _write(stage, check)
    _markers(stage, check)
    _faults(stage, check)
    for case in golden:
        await _golden(profile, case, check, clock)


class Voice:
    """A connection to a broker with one device behind it, in place."""

    def __init__(self, clock: Clock, obeyed: Callable[[str, bytes], tuple[str, bytes]]) -> None:
        self.said = self.acknowledged = self.commands = 0
        self._clock = clock
        self._obeyed = obeyed
        self._waiting: list[Message] = []
        self._wake: Callable[[], None] = lambda: None

    async def start(self, wake: Callable[[], None]) -> None:
        """Remember whom to wake."""
        self._wake = wake

    def say(self, topic: str, payload: bytes) -> None:
        """Hand a message to the driver."""
        self.said += 1
        self._waiting.append(Message(topic, payload, False, self._clock.now_ms()))
        self._wake()

    def drain(self) -> list[Message]:
        """Take the messages that wait."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Count."""
        self.acknowledged += len(messages)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Take a command to the device and say what it answers."""
        self.commands += 1
        self.say(*self._obeyed(topic, payload))

    def connected(self) -> bool:
        """Say yes."""
        return True

    async def close(self) -> None:
        """Have nothing to close."""


class Stage:
    """A twin that publishes, the driver that hears it, and what came of it."""

    def __init__(self, profile: MqttProfile, device: Device, clock: Clock) -> None:
        self.profile = profile
        self.device = device
        self.twin = GenericTwin(device, profile, clock.now_ms())
        self.speaker = Speaker(device, profile)
        self.voice = Voice(clock, self._obey)
        self.driver = registry.pushed(self.voice, [device], {profile.id: profile}, clock)
        self.refusals: list[str] = []
        self.lost = 0
        self._found: Found = {}
        self._at_ms = clock.now_ms() // 1000 * 1000

    def keep(
        self, batch: Batch, durable: Callable[[], None] | None = None, _waiting: int = 1
    ) -> None:
        """Take a batch as intake does."""
        names = {point.number: point.name for point in self.device.points}
        rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
        self._found |= {names[n]: (value, quality_of(q), reason_of(q)) for n, value, q in rows}
        if durable:
            durable()

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        """Have no use for it."""

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:  # noqa: ARG002 - the port's
        """Count that the device says it goes."""
        self.lost += 1

    def skewed(self, device: str, ahead_ms: int) -> None:
        """Have no use for it."""

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:  # noqa: ARG002
        """Note a message that could not be used."""
        self.refusals.append(reason)

    def heard(self, topic: str, payload: bytes) -> Found:
        """Let the device publish; return what the driver made of it."""
        self._found = {}
        self.voice.say(topic, payload)
        return self._found

    def telemetry(self, shown: Mapping[str, Json] | None = None) -> tuple[str, bytes]:
        """Write what the device says a second later; ``shown`` in place of its own."""
        self._at_ms += 1000
        seq = self._at_ms // 1000
        said = self.speaker.telemetry(self.twin.values(), self._at_ms, seq, shown or {})
        return said.topic, said.payload

    def _obey(self, topic: str, payload: bytes) -> tuple[str, bytes]:
        """Carry out a command the way of the dialect and answer it."""
        if self.profile.dialect == "own":
            wish = json.loads(payload)
            self.twin.write(wish["point"], wish["value"])
            answer = self.speaker.replied(
                {"id": wish["id"], "outcome": "done", "value": wish["value"]}
            )
            return answer.topic, answer.payload
        wishes = self.speaker.wishes(topic, payload)
        for name, value in wishes:
            self.twin.write(name, value)
        answer = self.speaker.obeyed(self.twin.values(), [name for name, _ in wishes])
        return answer.topic, answer.payload


def _told(stage: Stage, check: Check) -> None:
    """Hear every point as the twin has it."""
    found = stage.heard(*stage.telemetry())
    for name, wanted in stage.twin.values().items():
        problem = f"{name}: the twin says {wanted:g}, heard was {said(found.get(name))}"
        check("read", _same(found, name, wanted), problem)


def _same(found: Found, name: str, wanted: float) -> bool:
    value, quality, _ = found.get(name, NOTHING)
    return quality is Quality.GOOD and abs(value - wanted) <= 1e-9 * max(abs(wanted), 1.0)


async def _write(stage: Stage, check: Check) -> None:
    """Write what may be written; see everything else refused and not published."""
    for name, spec in stage.profile.points.items():
        point = next(point for point in stage.device.points if point.name == name)
        for value in writable(spec.write, 0.0):
            problem = ""
            try:
                actual = await stage.driver.write(point, value)
                if (actual, stage.twin.values()[name]) != (value, value):
                    problem = f"answered {actual:g}, the twin has {stage.twin.values()[name]:g}"
            except (DeviceError, Refused) as error:
                problem = str(error)
            check("write", not problem, f"{name} = {value:g}: {problem}")
        for value in unwritable(spec.write, 1.0) if spec.write else [stage.twin.values()[name]]:
            before, problem = stage.voice.commands, "was taken"
            try:
                await stage.driver.write(point, value)
            except Refused:
                problem = "was published" if stage.voice.commands != before else ""
            except DeviceError as error:
                problem = str(error)
            check("refuse", not problem, f"{name} = {value:g}: {problem}")
    stage.twin.turn(0)


def _markers(stage: Stage, check: Check) -> None:
    """Say what is no value, or none that can be; it must be bad and nothing else."""
    for name, spec in stage.profile.points.items():
        wrong: dict[str, Json] = {
            "null": None,
            "a word that means nothing": "nonsense",
            "a list": [],
        }
        if spec.max is not None and not spec.words:
            wrong["more than max"] = (spec.max * 2 + 1 - spec.offset) / spec.scale
        if spec.min is not None and not spec.words:
            wrong["less than min"] = (-abs(spec.min) * 2 - 1 - spec.offset) / spec.scale
        for what, raw in wrong.items():
            found = stage.heard(*stage.telemetry({name: raw}))
            value, quality, _ = found.get(name, NOTHING)
            bad = quality is Quality.BAD and isnan(value)
            check("markers", bad, f"{name} being {what}: heard was {said(found.get(name))}")
            shown = stage.twin.values()
            spoiled = [one for one in shown if one != name and not _same(found, one, shown[one])]
            check("markers", not spoiled, f"{name} being {what} spoiled others: {spoiled}")


def _faults(stage: Stage, check: Check) -> None:
    """Say what is no message; nothing may come of it but a count, and the next one is heard."""
    topic, _ = stage.telemetry()
    for what, payload in _BAD_PAYLOADS.items():
        before = len(stage.refusals)
        found = stage.heard(topic, payload)
        check("faults", not found, f"{what}: taken for values: {sorted(found)}")
        check("faults", len(stage.refusals) > before, f"{what}: was not counted")
    before = len(stage.refusals)
    found = stage.heard("some/other/device", stage.telemetry()[1])
    check("faults", not found and len(stage.refusals) > before, "another device's topic was taken")
    will = stage.speaker.status(online=False)
    stage.heard(will.topic, will.payload)
    check("faults", stage.lost == 1, "the device said that it goes, and nobody noted it")
    message = stage.telemetry()
    _, again = stage.heard(*message), stage.heard(*message)
    check("faults", not again, f"a message that came twice was taken twice: {sorted(again)}")
    stage.twin.turn(1)
    _told(stage, lambda _, holds, problem: check("faults", holds, f"after it all: {problem}"))
    every = stage.voice.said == stage.voice.acknowledged
    check("faults", every, "a message was not acknowledged: the broker would keep it for ever")


async def _golden(profile: MqttProfile, case: Case, check: Check, clock: Clock) -> None:
    """Hear messages that others have written down."""
    if case.topic is None or case.payload is None:
        check("golden", False, f"{case.source}: needs topic and payload")
        return
    topics = registry.topics_heard(profile, [case.topic])
    check(
        "golden", bool(topics), f"{case.source}: no device of this product speaks on {case.topic}"
    )
    for topic in topics:
        stage = Stage(profile, bench_device(profile, topic=topic), clock)
        await stage.driver.start(stage.keep, stage)
        found = stage.heard(case.topic, case.payload.encode())
        for problem in case.objections(found):
            check("golden", not problem, problem)
