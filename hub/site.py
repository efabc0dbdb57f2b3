"""The campus tree: places, gateways, devices and their points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from hub.model import Point, Text

PlaceKind = Literal["campus", "building", "floor", "room", "shower_room", "plant"]
DeviceKind = Literal["meter", "boiler", "shower", "hub"]
HUB = "hub"  # its id; those of devices have two levels


@dataclass(frozen=True, slots=True)
class Place:
    """A building, floor or room; its parent is the id without its last level."""

    id: str
    kind: PlaceKind
    name: Text
    students: int = 0
    area_m2: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """How a gateway or serial line wants to be talked to; the defaults suit almost all.

    ``retries`` is how often a read is asked again; writes never are. ``baudrate``, ``parity`` and
    ``stopbits`` matter to a serial port only, the files to TLS only.
    """

    in_flight: int = 1
    pause_after_connect: timedelta = timedelta(0)
    pause_between: timedelta = timedelta(0)
    close_after_poll: bool = False
    transaction_ids: Literal["strict", "lenient"] = "strict"
    retries: int = 0
    baudrate: int = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stopbits: Literal[1, 2] = 1
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """The box, or the serial port, that leads to a bus of Modbus devices."""

    id: str
    url: str
    timeout: timedelta
    line: Line = Line()

    @property
    def transport(self) -> str:
        """Return what the URL begins with: tcp, tcp+tls, rtu+tcp or serial."""
        return self.url.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Device:
    """One physical thing. ``gateway`` and ``unit_id`` are None for devices that speak MQTT.

    ``address`` stands for the unit id where the protocol has addresses of its own (DL/T 645,
    CJ/T 188); ``password_file`` names the file with what its commands must show. ``topic`` is where
    a device that speaks MQTT publishes, if not where its id says.
    """

    id: str
    profile: str
    kind: DeviceKind
    place: str
    interval: timedelta
    gateway: str | None
    unit_id: int | None
    points: tuple[Point, ...]
    address: str | None = None
    password_file: str | None = None
    topic: str | None = None


class Site:
    """One campus: look-ups by id and number, and what lies below a place."""

    def __init__(
        self,
        id_: str,
        name: Text,
        zone: ZoneInfo,
        places: Iterable[Place],
        gateways: Iterable[Gateway],
        devices: Iterable[Device],
    ) -> None:
        self.id = id_
        self.name = name
        self.zone = zone
        self.places: Mapping[str, Place] = {place.id: place for place in places}
        self.gateways: Mapping[str, Gateway] = {gateway.id: gateway for gateway in gateways}
        self.devices: Mapping[str, Device] = {device.id: device for device in devices}
        self.points: Mapping[int, Point] = {
            point.number: point for device in self.devices.values() for point in device.points
        }
        self.numbers: Mapping[str, int] = {point.id: point.number for point in self.points.values()}

    @property
    def itself(self) -> Device:
        """Return the hub as what its own alarms are about; it stands for no place but the site."""
        return Device(HUB, "", "hub", self.id, timedelta(minutes=1), None, None, ())

    def kind_of(self, subject: str) -> str:
        """Return the kind of a device or a place, ``gateway`` for one; empty for anything else."""
        if found := self.devices.get(subject) or self.places.get(subject):
            return found.kind
        return "gateway" if subject in self.gateways else ""

    def below(self, place: str) -> list[Device]:
        """Return the devices of a place and of everything below it."""
        return [
            device
            for device in self.devices.values()
            if device.place == place or device.place.startswith(place + "/")
        ]

    def path(self, place: str) -> list[Place]:
        """Return a place and what holds it, outermost first; what is not known is left out."""
        levels = place.split("/")
        ids = ("/".join(levels[: n + 1]) for n in range(len(levels)))
        return [self.places[id_] for id_ in ids if id_ in self.places]

    def buildings(self) -> list[Place]:
        """Return the buildings in their order in the configuration."""
        return [place for place in self.places.values() if place.kind == "building"]

    def building_of(self, place: str) -> str:
        """Return the building that a place belongs to: the first level of its id."""
        return place.split("/", 1)[0]
