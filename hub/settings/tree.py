"""Make the campus tree from checked settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.model import Point, Text
from hub.settings.in_force import Settings
from hub.settings.spec import DeviceSpec, GatewaySpec, PlaceSpec
from hub.site import Device, Gateway, Line, Place, Site

NumberOf = Callable[[Sequence[str]], Mapping[str, int]]
"""Give each point id its lasting number."""


def build_site(settings: Settings, number_of: NumberOf) -> Site:
    """Return the campus tree with the lasting numbers of its points."""
    numbers = number_of(
        [
            f"{device.id}/{name}"
            for device in settings.devices
            for name in settings.profiles[device.profile].points
        ]
    )
    return Site(
        settings.site.id,
        settings.site.name.text(),
        ZoneInfo(settings.site.timezone),
        [_place(place) for place in settings.places],
        [_gateway(gateway, settings.folder) for gateway in settings.gateways],
        [_device(settings, device, numbers) for device in settings.devices],
    )


def _place(place: PlaceSpec) -> Place:
    last = place.id.rpartition("/")[2]
    name = place.name.text() if place.name else Text(last, last)
    return Place(place.id, place.kind, name, place.students, place.area_m2)


def _gateway(gateway: GatewaySpec, folder: Path) -> Gateway:
    written = {field.name: getattr(gateway, field.name) for field in fields(Line)}
    for key, file in written.items():
        if key.endswith("_file") and file is not None:
            written[key] = folder / file
    return Gateway(gateway.id, gateway.url, gateway.timeout, Line(**written))


def _device(settings: Settings, device: DeviceSpec, numbers: Mapping[str, int]) -> Device:
    return Device(
        id=device.id,
        profile=device.profile,
        kind=settings.profiles[device.profile].kind,
        place=device.place,
        interval=device.interval,
        gateway=device.gateway,
        unit_id=device.unit_id,
        points=tuple(_points(settings, device, numbers)),
        topic=device.topic,
        address=device.address,
        password_file=device.password_file,
    )


def _points(settings: Settings, device: DeviceSpec, numbers: Mapping[str, int]) -> Iterator[Point]:
    for name, spec in settings.profiles[device.profile].points.items():
        id_ = f"{device.id}/{name}"
        yield Point(
            number=numbers[id_],
            id=id_,
            device=device.id,
            name=name,
            unit=spec.unit,
            kind=spec.kind,
            label=spec.label.text() if spec.label else Text(name, name),
            writable=spec.write is not None,
            rollover=spec.rollover,
            most_per_h=spec.most_per_h,
            digit=spec.digit,
        )
