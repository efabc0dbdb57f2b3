"""What there is and what it says now: places, devices, points, live values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from hub.model import Json, Point
from hub.site import Device, Site
from hub.web.api import written
from hub.web.api.paging import Answer, Paged
from hub.web.days import days_of
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK
from hub.web.value import shown

router = APIRouter(prefix="/api/v1", tags=["campus"], dependencies=[LOOK])
Ids = Annotated[list[str] | None, Query(max_length=1000)]


def place_named(site: Site, place: str) -> str:
    """Return the id of a place that exists, or say that it does not."""
    if place not in site.places and place != site.id:
        raise Problem(404, f"There is no place {place}.", "GET /api/v1/places lists them.")
    return place


def device_named(site: Site, device: str) -> Device:
    """Return a device, or say that there is none."""
    if device not in site.devices:
        raise Problem(404, f"There is no device {device}.", "GET /api/v1/devices lists them.")
    return site.devices[device]


def point_named(site: Site, point: str) -> Point:
    """Return a point, or say that there is none."""
    if point not in site.numbers:
        raise Problem(404, f"There is no point {point}.", "GET /api/v1/points lists them.")
    return site.points[site.numbers[point]]


def devices_in(site: Site, place: str | None) -> Sequence[Device]:
    """Return the devices of a place, or all."""
    if place is None or place_named(site, place) == site.id:
        return list(site.devices.values())
    return site.below(place)


def chosen_points(
    site: Site, places: Sequence[str], devices: Sequence[str], points: Sequence[str]
) -> list[Point]:
    """Return the points of places, of devices and by id, each once, in the site's order."""
    wanted = {point_named(site, point).number for point in points}
    found = [device_named(site, device) for device in devices]
    found += [device for place in places for device in devices_in(site, place)]
    wanted.update(point.number for device in found for point in device.points)
    return [site.points[number] for number in sorted(wanted)]


def chosen(
    request: Request, device: Ids = None, place: Ids = None, point: Ids = None
) -> list[Point]:
    """Return the points that a request names by device, place or point."""
    if not (device or place or point):
        raise Problem(422, "Nothing is asked for.", "Name at least one device, place or point.")
    return chosen_points(parts_of(request).site, place or [], device or [], point or [])


Chosen = Annotated[list[Point], Depends(chosen)]


def _device(parts: Parts, device: Device) -> dict[str, Json]:
    return written.device(device, parts.health.of(device.id), parts.site.zone)


@router.get("/places")
async def places(request: Request, part: Paged, kind: str | None = None) -> Answer:
    """List the places."""
    rows = [p for p in parts_of(request).site.places.values() if kind in (None, p.kind)]
    return part.of(rows, written.place)


@router.get("/devices")
async def devices(
    request: Request,
    part: Paged,
    place: str | None = None,
    kind: str | None = None,
) -> Answer:
    """List the devices, of a place and everything below it if one is named."""
    parts = parts_of(request)
    rows = [d for d in devices_in(parts.site, place) if kind in (None, d.kind)]
    return part.of(rows, lambda device: _device(parts, device))


@router.get("/devices/{id_:path}")
async def device(request: Request, id_: str) -> Answer:
    """Return one device with its points, their last values, its health and how its days went."""
    parts = parts_of(request)
    found = device_named(parts.site, id_)
    zone = parts.site.zone
    rows = [written.point(p) | {"last": written.value(shown(parts, p), zone)} for p in found.points]
    days = await days_of(parts, "device", found.id)
    return _device(parts, found) | {"availability": [*map(written.day, days)], "points": rows}


@router.get("/points")
async def points(
    request: Request,
    part: Paged,
    device: Ids = None,
    place: Ids = None,
) -> Answer:
    """List the points of the named devices and places, or all."""
    site = parts_of(request).site
    places = place or ([] if device else [site.id])
    return part.of(chosen_points(site, places, device or [], []), written.point)


@router.get("/live")
async def live(request: Request, part: Paged, points: Chosen) -> Answer:
    """Return last values with their age; old or unusable ones say so."""
    parts = parts_of(request)
    return part.of(points, lambda one: written.value(shown(parts, one), parts.site.zone))
