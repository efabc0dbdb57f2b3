"""What goes to a broker is a declared command with an absolute value, once, and never retained."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator

import pytest

from drivers.mqtt.connection import Broker, PahoMessages
from drivers.mqtt.driver import MqttDriver
from drivers.mqtt.guard import GuardedMessages, PublishGuard
from drivers.profile import MqttProfile
from drivers.registry import pushed
from drivers.wire import StrayWriteError
from hub.clock import RealClock
from hub.ports import Credentials, NoAnswerError, Refused
from tests.crash.broker_stub import PUBLISH, BrokerStub
from tests.drivers.mqtt_line import until
from tests.drivers.mqtt_stage import START_MS, Hub, Line, Scene, device_of, played, shipped

OWN, PLUG, LAMP = (
    shipped("reference-shower-terminal"),
    shipped("tasmota-plug"),
    shipped("zigbee2mqtt-plug"),
)
DIMMER = MqttProfile.model_validate(
    {
        "version": 1, "id": "dimmer", "maker": "m", "model": "m", "kind": "meter", "source": "s",
        "protocol": "mqtt", "dialect": "tasmota",
        "points": {
            "level": {"key": "Dimmer", "scale": 10, "write": {"min": 0, "max": 1000, "step": 100}},
            "relay": {"key": "POWER2", "write": {"min": 0, "max": 2}},
            "scene": {"key": "Scene", "write": {"min": 0, "max": 9, "one_of": [1, 4]}},
            "mode": {"key": "Mode", "words": {"A": 0, "TOGGLE": 1}, "write": {"min": 0, "max": 1}},
        },
    }
)  # fmt: skip
DEVICES = [
    (device_of(OWN, "dorm-01/shower-1"), OWN),
    (device_of(PLUG, "dorm-01/plug-7", "plug-7"), PLUG),
    (device_of(PLUG, "dorm-01/plug-8", "campus/%prefix%/plug-8"), PLUG),
    (device_of(LAMP, "dorm-01/lamp"), LAMP),
    (device_of(DIMMER, "dorm-01/dimmer", "dimmer"), DIMMER),
]
VALVE = "campus/dorm-01/shower-1/command"


def valve(**changes: object) -> bytes:
    return json.dumps({"id": "1", "point": "valve", "value": 1, "expires_at": 5} | changes).encode()


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (VALVE, valve()), (VALVE, valve(value=0.0)),
        ("cmnd/plug-7/POWER", b"ON"), ("cmnd/plug-7/POWER", b"OFF"),
        ("campus/cmnd/plug-8/POWER", b"ON"),
        ("zigbee2mqtt/dorm-01/lamp/set", b'{"state":"OFF"}'),
        ("cmnd/dimmer/Dimmer", b"70"), ("cmnd/dimmer/POWER2", b"1"), ("cmnd/dimmer/Scene", b"4"),
        ("cmnd/dimmer/Mode", b"A"),
    ],
)  # fmt: skip
def test_what_a_profile_declares_is_published(topic: str, payload: bytes) -> None:
    assert PublishGuard(DEVICES).objection(topic, payload) is None


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("campus/dorm-01/shower-2/command", valve(), "no profile declares a command there"),
        ("campus/dorm-01/shower-1/telemetry", valve(), "no profile declares a command there"),
        ("cmnd/plug-7/Restart", b"1", "no profile declares a command there"),
        ("cmnd/plug-8/POWER", b"ON", "no profile declares a command there"),
        (VALVE, valve(point="flow"), "no profile declares a write of 'flow'"),
        (VALVE, valve(point=None), "no profile declares a write of None"),
        (VALVE, valve(value=2), "valve: 2 is outside 0..1"),
        (VALVE, valve(value=0.5), "valve: 0.5 is not on a step of 1"),
        (VALVE, valve(value=math.nextafter(1, 2)), "valve: 1 is outside 0..1"),
        (VALVE, valve(value=float("nan")), "nan is outside"),
        (VALVE, valve(value="1"), "is no value of valve"),
        (VALVE, valve(value=True), "is no value of valve"),
        (VALVE, valve(force=1), "no command with id, point, value and expires_at"),
        (VALVE, b"[1]", "no command with id, point, value and expires_at"),
        (VALVE, b"{", "Expecting"), (VALVE, b"\xff", "decode"),
        ("cmnd/plug-7/POWER", b"TOGGLE", "nothing is toggled"),
        ("cmnd/plug-7/POWER", b"2", "nothing is toggled"),
        ("cmnd/plug-7/POWER", b"on", "is no value of POWER"),
        ("cmnd/plug-7/POWER", b"", "is no value of POWER"),
        ("cmnd/dimmer/POWER2", b"2", "nothing is toggled"),
        ("cmnd/dimmer/Mode", b"TOGGLE", "nothing is toggled"),
        ("cmnd/dimmer/Dimmer", b"101", "1010 is outside 0..1000"),
        ("cmnd/dimmer/Dimmer", b"75", "750 is not on a step of 100"),
        ("cmnd/dimmer/Scene", b"2", "2 is none of its values"),
        ("zigbee2mqtt/dorm-01/lamp/set", b'{"state":"TOGGLE"}', "nothing is toggled"),
        ("zigbee2mqtt/dorm-01/lamp/set", b'{"state":"ON","x":1}', "changes one point"),
        ("zigbee2mqtt/dorm-01/lamp/set", b'{"power":1}', "no profile declares a write of 'power'"),
    ],
)  # fmt: skip
def test_what_no_profile_declares_is_not(topic: str, payload: bytes, expected: str) -> None:
    assert expected in str(PublishGuard(DEVICES).objection(topic, payload))


async def test_every_driver_of_devices_that_publish_stands_behind_the_guard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line()
    one = DEVICES[0][0]
    driver = pushed(line, [one], {OWN.id: OWN}, RealClock())
    await driver.start(Hub().put, Hub())
    monkeypatch.setattr("drivers.mqtt.driver.command", lambda *_: valve(value=9))
    point = next(point for point in one.points if point.name == "valve")
    with pytest.raises(StrayWriteError, match="stopped before the broker: campus/dorm-01"):
        await driver.write(point, 1)
    assert line.published == []
    assert [line.levelno for line in caplog.records] == [logging.CRITICAL]


@pytest.mark.parametrize(("left_s", "valid_ms"), [(1.5, 1500), (60.0, 5000), (None, 5000)])
def test_a_device_is_given_no_longer_than_the_command_is_valid(
    left_s: float | None, valid_ms: int
) -> None:
    async def story(scene: Scene) -> None:
        writing = asyncio.create_task(scene.driver.write(scene.points["valve"], 1, lambda: left_s))
        await scene.clock.sleep(0)
        ((_, wish),) = scene.commands()
        assert wish["expires_at"] == START_MS + valid_ms
        with pytest.raises(NoAnswerError):
            await writing

    played(story)


def test_a_command_without_leave_is_not_published() -> None:
    def refuse() -> None:
        raise Refused("it expired")

    async def story(scene: Scene) -> None:
        with pytest.raises(Refused, match="it expired"):
            await scene.driver.write(scene.points["valve"], 1, refuse)
        assert scene.commands() == []

    played(story)


def test_a_value_for_which_the_device_has_no_word_is_not_published() -> None:
    async def story(scene: Scene) -> None:
        for value in (5e-324, 1 - 1e-9):  # as good as a value that it has a word for
            with pytest.raises(NoAnswerError):
                await scene.driver.write(scene.points["relay"], value)
        assert [payload for _, payload in scene.line.published] == [b"OFF", b"ON"]

    played(story, PLUG, "plug-7")


def test_a_step_without_a_word_is_refused() -> None:
    points = {"relay": {"key": "POWER", "words": {"A": 0, "B": 2}, "write": {"min": 0, "max": 2}}}
    profile = MqttProfile.model_validate(DIMMER.model_dump(by_alias=True) | {"points": points})

    async def story(scene: Scene) -> None:
        with pytest.raises(Refused, match="no word means 1; known: A, B"):
            await scene.driver.write(scene.points["relay"], 1)
        assert scene.line.published == []

    played(story, profile, "dimmer")


class Ear(BrokerStub):
    """A broker of 3.1.1 that notes the first byte and the body of what is published to it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, bytes]] = []

    def _pass_on(self, writer: asyncio.StreamWriter, head: int, body: bytes) -> None:
        if b"/command" in body:
            self.heard.append((head, body))
            at = body.index(b'{"id"')
            reply = {"id": json.loads(body[at:])["id"], "outcome": "done", "value": 1}
            self.publish("campus/dorm-01/shower-1/reply", json.dumps(reply).encode())
        super()._pass_on(writer, head, body)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    made = Ear()
    await made.start()
    yield made
    await made.stop()


async def test_a_command_leaves_once_with_qos_1_and_is_never_retained(
    ear: Ear, full_scale: bool
) -> None:
    clock = RealClock()
    one = DEVICES[0]
    broker = Broker.of(f"{ear.url}?version=3.1.1", "hub", Credentials())
    messages = PahoMessages(broker, ["campus/+/+/reply"], clock)
    driver = MqttDriver(GuardedMessages(messages, PublishGuard([one])), [one], clock)
    await driver.start(Hub().put, Hub())
    try:
        await asyncio.wait_for(ear.subscribed(), 10)
        await until(messages.connected)
        point = next(point for point in one[0].points if point.name == "valve")
        count = 500 if full_scale else 20
        for _ in range(count):
            assert await driver.write(point, 1) == 1
    finally:
        await driver.close()
    qos_1 = PUBLISH << 4 | 1 << 1
    assert [head for head, _ in ear.heard] == [qos_1] * count  # not again, not retained
