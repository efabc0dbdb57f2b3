from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from drivers import registry
from drivers.profile import ModbusProfile, MqttProfile
from hub.clock import RealClock
from hub.health import Health
from hub.model import Batch
from hub.ports import ConfigError
from hub.site import Gateway

HEAD = {"version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter", "source": "s"}
MODBUS = ModbusProfile.model_validate(
    HEAD | {"protocol": "modbus", "points": {"x": {"table": "input", "address": 3}}}
)
MQTT = MqttProfile.model_validate(HEAD | {"protocol": "mqtt", "points": {"x": {}}})


async def test_a_gateway_s_device_is_polled_over_its_bus(server, device) -> None:
    clock = RealClock()
    bus = registry.open_bus(Gateway("gw-1", server.url, timedelta(seconds=1)), clock)
    driver = registry.polled(bus, [device("dorm-01/m-1", "x")], {"test": MODBUS}, clock)
    batch = await driver.poll("dorm-01/m-1")
    assert batch.value.tolist() == [3.0]
    await driver.close()


def test_an_unknown_scheme_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"gw-1: unknown scheme 'udp'; known: tcp, tcp\+tls"):
        registry.open_bus(Gateway("gw-1", "udp://10.0.7.10:502", timedelta(seconds=1)), RealClock())


def test_a_profile_of_the_other_kind_is_refused(server, device) -> None:
    clock = RealClock()
    one = device("dorm-01/m-1", "x")
    with pytest.raises(ConfigError, match="is not for a bus"):
        registry.polled(None, [one], {"test": MQTT}, clock)
    with pytest.raises(ConfigError, match="does not publish"):
        registry.pushed(None, [one], {"test": MODBUS}, clock)


async def test_a_terminal_s_message_becomes_a_batch_over_the_embedded_broker(device) -> None:
    clock, one = RealClock(), device("dorm-01/shower-1", "x", unit_id=None)
    broker = registry.embedded_broker()
    broker.start()
    line = registry.open_messages(broker.url, "hub", [one], {"test": MQTT}, clock)
    driver = registry.pushed(line, [one], {"test": MQTT}, clock)
    heard: asyncio.Queue[Batch] = asyncio.Queue()
    health = Health([one], clock, lambda entry: None)
    await driver.start(lambda batch, *_: heard.put_nowait(batch), health)
    async with asyncio.timeout(5):
        while not line.connected():  # noqa: ASYNC110 - the port has no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the subscriptions
        await line.publish("campus/dorm-01/shower-1/telemetry", b'{"values": {"x": 5}}')
        batch = await heard.get()
    assert batch.value.tolist() == [5.0]
    assert health.of("dorm-01/shower-1")["state"] == "online"
    await driver.close()
    broker.stop()
