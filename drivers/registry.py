"""The tables protocol -> factory; the hub knows the drivers by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TypeVar

from drivers.cjt188.driver import Cjt188Driver
from drivers.dlt645.driver import Dlt645Driver, Secret
from drivers.modbus.connection import RtuTcpBus, SerialBus, TcpBus, TlsBus
from drivers.modbus.driver import ModbusDriver
from drivers.mqtt.broker import EmbeddedBroker
from drivers.mqtt.connection import Broker, PahoMessages
from drivers.mqtt.driver import MqttDriver, topic_of, topics
from drivers.mqtt.guard import GuardedMessages, PublishGuard
from drivers.octets import LineBus
from drivers.profile import Cjt188Profile, Dlt645Profile, ModbusProfile, MqttProfile, Profile
from drivers.wire import GuardedBus, WireGuard
from hub.ports import (
    Clock,
    ConfigError,
    Credentials,
    Holes,
    Messages,
    OctetBus,
    PolledDriver,
    PushedDriver,
    RegisterBus,
)
from hub.site import Device, Gateway, Line

P = TypeVar("P", ModbusProfile, MqttProfile, Dlt645Profile, Cjt188Profile)

BUSES: Mapping[str, Callable[[str, float, Clock, Line], RegisterBus]] = {
    "tcp": TcpBus,
    "tcp+tls": TlsBus,
    "rtu+tcp": RtuTcpBus,
    "serial": SerialBus,
}


def open_bus(gateway: Gateway, clock: Clock) -> RegisterBus:
    """Make the connection to a gateway; it connects when it is first asked."""
    if gateway.transport not in BUSES:
        what = f"unknown scheme {gateway.transport!r}; known: {', '.join(BUSES)}"
        raise ConfigError([f"gateway {gateway.id}: {what}"])
    open_ = BUSES[gateway.transport]
    return open_(gateway.url, gateway.timeout.total_seconds(), clock, gateway.line)


def open_line(gateway: Gateway, clock: Clock) -> OctetBus:
    """Make the connection to a line whose frames say for whom they are."""
    return LineBus(gateway, clock)


@dataclass(frozen=True, slots=True)
class Ways:
    """What the drivers behind gateways need besides their devices; twins may stand in for lines."""

    secret: Secret
    bus_of: Callable[[Gateway, Clock], RegisterBus] = open_bus
    line_of: Callable[[Gateway, Clock], OctetBus] = open_line
    holes: Holes | None = None


def behind(
    gateway: Gateway,
    devices: Sequence[Device],
    profiles: Mapping[str, Profile],
    clock: Clock,
    ways: Ways,
) -> PolledDriver:
    """Open a gateway by the protocol of its devices and make their driver."""
    first = profiles[devices[0].profile]
    if isinstance(first, Dlt645Profile):
        meters = _pairs(devices, profiles, Dlt645Profile, "does not speak DL/T 645")
        return Dlt645Driver(ways.line_of(gateway, clock), meters, clock, ways.secret)
    if isinstance(first, Cjt188Profile):
        water = _pairs(devices, profiles, Cjt188Profile, "does not speak CJ/T 188")
        return Cjt188Driver(ways.line_of(gateway, clock), water, clock)
    bus = ways.bus_of(gateway, clock)
    return polled(bus, devices, profiles, clock, ways.holes, gateway.line.in_flight)


def polled(
    bus: RegisterBus,
    devices: Sequence[Device],
    profiles: Mapping[str, Profile],
    clock: Clock,
    holes: Holes | None = None,
    at_once: int = 1,
) -> PolledDriver:
    """Make the driver of the devices on one bus; the wire guard stands between the two."""
    pairs = _pairs(devices, profiles, ModbusProfile, "is not for a bus")
    guarded = GuardedBus(bus, WireGuard(devices, profiles))
    return ModbusDriver(guarded, pairs, clock, holes, at_once)


def pushed(
    messages: Messages,
    devices: Sequence[Device],
    profiles: Mapping[str, Profile],
    clock: Clock,
    zone: tzinfo = UTC,
) -> PushedDriver:
    """Make the driver of the devices that publish; ``zone`` is that of clocks that name none.

    The wire guard stands between it and the broker.
    """
    pairs = _publishing(devices, profiles)
    return MqttDriver(GuardedMessages(messages, PublishGuard(pairs)), pairs, clock, zone)


def _publishing(
    devices: Sequence[Device], profiles: Mapping[str, Profile]
) -> list[tuple[Device, MqttProfile]]:
    return _pairs(devices, profiles, MqttProfile, "does not publish")


def _pairs(
    devices: Sequence[Device], profiles: Mapping[str, Profile], kind: type[P], what: str
) -> list[tuple[Device, P]]:
    pairs = []
    for device in devices:
        profile = profiles[device.profile]
        if not isinstance(profile, kind):
            raise ConfigError([f"device {device.id}: profile {profile.id} {what}"])
        pairs.append((device, profile))
    return pairs


def open_messages(
    url: str,
    client_id: str,
    devices: Sequence[Device],
    profiles: Mapping[str, Profile],
    clock: Clock,
    credentials: Credentials | None = None,
) -> Messages:
    """Make the connection to a broker, subscribed to what these devices publish."""
    broker = Broker.of(url, client_id, credentials or Credentials())
    return PahoMessages(broker, topics(_publishing(devices, profiles)), clock)


def topics_heard(profile: MqttProfile, heard: Iterable[str]) -> list[str]:
    """Return the topics of the devices of this profile that may have said something there."""
    found = (topic_of(profile, topic) for topic in heard)
    return list(dict.fromkeys(topic for topic in found if topic))


def embedded_broker(port: int = 0) -> EmbeddedBroker:
    """Make the broker for demonstrations; it listens on loopback only."""
    return EmbeddedBroker(port)
