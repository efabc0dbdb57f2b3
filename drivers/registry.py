"""The tables protocol -> factory; the hub knows the drivers by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from drivers.modbus.connection import TcpBus
from drivers.modbus.driver import ModbusDriver
from drivers.mqtt.broker import EmbeddedBroker
from drivers.mqtt.connection import Broker, PahoMessages
from drivers.mqtt.driver import MqttDriver, topics
from drivers.profile import ModbusProfile, MqttProfile, Profile
from hub.ports import (
    Clock,
    ConfigError,
    Messages,
    PolledDriver,
    PushedDriver,
    RegisterBus,
)
from hub.site import Device, Gateway

BUSES: Mapping[str, Callable[[str, float, Clock], RegisterBus]] = {"tcp": TcpBus}


def open_bus(gateway: Gateway, clock: Clock) -> RegisterBus:
    """Make the connection to a gateway; it connects when it is first asked."""
    scheme = urlsplit(gateway.url).scheme
    if scheme not in BUSES:
        known = ", ".join(BUSES)
        raise ConfigError([f"gateway {gateway.id}: unknown scheme {scheme!r}; known: {known}"])
    return BUSES[scheme](gateway.url, gateway.timeout.total_seconds(), clock)


def polled(
    bus: RegisterBus, devices: Sequence[Device], profiles: Mapping[str, Profile], clock: Clock
) -> PolledDriver:
    """Make the driver of the devices on one bus."""
    pairs = []
    for device in devices:
        profile = profiles[device.profile]
        if not isinstance(profile, ModbusProfile):
            raise ConfigError([f"device {device.id}: profile {profile.id} is not for a bus"])
        pairs.append((device, profile))
    return ModbusDriver(bus, pairs, clock)


def pushed(
    messages: Messages, devices: Sequence[Device], profiles: Mapping[str, Profile], clock: Clock
) -> PushedDriver:
    """Make the driver of the devices that publish."""
    pairs = []
    for device in devices:
        profile = profiles[device.profile]
        if not isinstance(profile, MqttProfile):
            raise ConfigError([f"device {device.id}: profile {profile.id} does not publish"])
        pairs.append((device, profile))
    return MqttDriver(messages, pairs, clock)


def open_messages(
    url: str,
    client_id: str,
    devices: Sequence[Device],
    clock: Clock,
    *,
    username: str | None = None,
    password: str | None = None,
) -> Messages:
    """Make the connection to a broker, subscribed to what these devices publish."""
    return PahoMessages(Broker.of(url, client_id, username, password), topics(devices), clock)


def embedded_broker(port: int = 0) -> EmbeddedBroker:
    """Make the broker for demonstrations; it listens on loopback only."""
    return EmbeddedBroker(port)
