from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from drivers.mqtt import connection
from drivers.mqtt.broker import EmbeddedBroker
from drivers.mqtt.connection import Broker
from hub.clock import RealClock
from hub.ports import ConfigError, Credentials, DeviceError, StartError
from tests.drivers.mqtt_line import PATIENCE_S, Ear, Mosquitto, ear, publish, session, until


@pytest.fixture
def mosquitto(binary, tmp_path) -> Iterator[Mosquitto]:
    made = Mosquitto(binary("mosquitto", "/usr/sbin"), tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker()
    made.start()
    yield made
    made.stop()


async def test_speaks_mqtt_5_with_mosquitto_and_has_many_messages_in_flight(mosquitto) -> None:
    async with ear(mosquitto.url) as hub:
        assert session(hub.line) == "MQTTv5"
        await publish(mosquitto.url, *(b"%d" % n for n in range(100)))
        await until(lambda: len(hub.heard) == 100)  # mosquitto alone would stop at 20
        assert hub.payloads() == [b"%d" % n for n in range(100)]


async def test_what_was_not_acknowledged_comes_again_and_only_that(mosquitto) -> None:
    async with ear(mosquitto.url) as hub:
        await publish(mosquitto.url, b"1", b"2", b"3", b"4")
        await until(lambda: len(hub.heard) == 4)
        hub.line.acknowledge(hub.heard[:2])
    await publish(mosquitto.url, b"5")  # while the hub is away
    async with ear(mosquitto.url) as hub:
        await until(lambda: len(hub.heard) == 3)
        assert hub.payloads() == [b"3", b"4", b"5"]
        assert all(message.waited for message in hub.heard)
        hub.line.acknowledge(hub.heard)
    async with ear(mosquitto.url) as hub:
        await publish(mosquitto.url, b"6")
        await until(lambda: hub.heard)
        assert hub.payloads() == [b"6"]


async def test_an_acknowledgement_of_an_earlier_connection_is_dropped(mosquitto) -> None:
    async with ear(mosquitto.url) as hub:
        await publish(mosquitto.url, b"old")
        await until(lambda: hub.heard)
        old = list(hub.heard)
    async with ear(mosquitto.url) as hub:
        await until(lambda: hub.heard)  # "old" again, under the same packet id or another
        hub.line.acknowledge(old)
    async with ear(mosquitto.url) as hub:
        await until(lambda: hub.heard)
        assert hub.payloads() == [b"old"]


async def test_finds_the_broker_again_after_it_was_away(mosquitto) -> None:
    async with ear(mosquitto.url) as hub:
        mosquitto.stop()
        await until(lambda: not hub.line.connected())
        with pytest.raises(DeviceError, match="no connection to the broker"):
            await hub.line.publish("campus/dorm-01/shower-1/command", b"{}")
        mosquitto.start()
        await until(hub.subscribed)
        await publish(mosquitto.url, b"back")
        await until(lambda: hub.heard)
        assert session(hub.line) == "MQTTv5"


async def test_starts_before_the_broker_does(mosquitto) -> None:
    mosquitto.stop()
    hub = Ear(mosquitto.url)
    await hub.start()
    await asyncio.sleep(0.05)
    assert not hub.line.connected()
    mosquitto.start()
    await until(hub.line.connected)
    await hub.line.close()


async def test_a_dead_link_is_found_by_its_own_heartbeat(mosquitto, monkeypatch) -> None:
    monkeypatch.setattr(connection, "BEAT_S", 1.0)
    async with ear(mosquitto.url) as hub:
        first = hub.line._link
        assert first is not None
        first.client.on_message = None  # as if its thread had died: nothing comes in any more
        await until(lambda: hub.line._link not in (None, first) and hub.line.connected())


async def test_falls_back_to_3_1_1_where_the_broker_misreads_mqtt_5(embedded) -> None:
    async with ear(f"mqtt://127.0.0.1:{embedded.port}") as hub:
        assert session(hub.line) == "MQTTv311"
        await publish(embedded.url, b"1", b"2")
        await until(lambda: len(hub.heard) == 2)
        hub.line.acknowledge(hub.heard)


def test_a_connection_that_amqtt_gives_up_with_an_error_is_closed(monkeypatch, caplog) -> None:
    """It raises when a client goes before it is greeted, and would leave the socket open."""

    async def give_up(*_: object) -> None:
        raise OSError(107, "Transport endpoint is not connected")

    monkeypatch.setattr("amqtt.broker.Broker.stream_connected", give_up)
    broker = EmbeddedBroker()
    broker.start()
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE_S) as client:
        assert client.recv(1) == b""
    broker.stop()
    assert "never retrieved" not in caplog.text


async def test_falls_back_at_once_where_the_broker_refuses_mqtt_5() -> None:
    """A stub that answers CONNECT with "unacceptable protocol version", as old brokers do."""
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        levels.append((await reader.read(200))[8])
        writer.write(bytes([0x20, 2, 0, 1 if levels[-1] == 5 else 0]))
        if levels[-1] == 4:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    hub = Ear(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    waits: list[float] = []

    class Noting(RealClock):
        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)

    hub.line.clock = Noting()
    await hub.start()
    await until(hub.line.connected)
    assert levels == [5, 4]
    assert waits == []
    await hub.line.close()
    server.close()
    await server.wait_closed()


async def test_a_wrong_password_is_no_reason_to_fall_back(caplog) -> None:
    levels: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        levels.append((await reader.read(200))[8])
        writer.write(bytes([0x20, 3, 0, 0x86, 0]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hub = Ear(f"mqtt://someone:hidden@127.0.0.1:{port}")
    await hub.start()
    await until(lambda: len(levels) == 2)
    assert levels == [5, 5]
    assert "user name or password" in caplog.text
    assert "hidden" not in caplog.text
    await hub.line.close()
    server.close()
    await server.wait_closed()


async def test_the_embedded_broker_carries_messages_over_3_1_1(embedded) -> None:
    async with ear(embedded.url) as hub:
        await publish(embedded.url, *(b"%d" % n for n in range(30)))
        await until(lambda: len(hub.heard) >= 30)
        assert hub.payloads() == [b"%d" % n for n in range(30)]
        assert hub.line.connected()
        assert session(hub.line) == "MQTTv311"


def test_the_embedded_broker_never_listens_beyond_this_machine() -> None:
    with pytest.raises(StartError, match=r"127\.0\.0\.1 only"):
        EmbeddedBroker(0, "0.0.0.0")


def test_a_taken_port_is_one_clear_line(embedded) -> None:
    with pytest.raises(StartError, match=f"port {embedded.port} is taken"):
        EmbeddedBroker(embedded.port).start()


def test_a_broker_that_never_started_can_be_stopped() -> None:
    EmbeddedBroker().stop()
    assert "broker" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "mqtt://", "mqtt://a?version=6", "wss://user:secret@b:8883"]
)
def test_another_address_is_refused_without_showing_a_password(url) -> None:
    with pytest.raises(ConfigError, match=r"only mqtt:// or mqtts://host:port") as caught:
        Broker.of(url, "hub", Credentials())
    assert "secret" not in str(caught.value)
