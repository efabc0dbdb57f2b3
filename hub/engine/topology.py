"""What hangs on what: above a device its gateway, its places and the hub; pure."""

from __future__ import annotations

from collections.abc import Mapping

from hub.site import HUB, Site

BROKER = "hub/broker"  # what all devices that publish hang on; no place, gateway or device is so


class Topology:
    """The subjects above every subject, the topmost first."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._gateway_places = _gateway_places(site)

    def above(self, subject: str) -> tuple[str, ...]:
        """Return what a device, gateway or place hangs on, the topmost first.

        A gateway lies in the places that all its devices lie in.
        """
        if subject in (HUB, BROKER):
            return () if subject == HUB else (HUB,)
        if device := self._site.devices.get(subject):
            line = device.gateway or BROKER
            return (HUB, *_levels(device.place), line)
        if subject in self._gateway_places:
            return (HUB, *_levels(self._gateway_places[subject]))
        return (HUB, *_levels(subject)[:-1])

    def within(self, subject: str, area: str) -> bool:
        """Tell whether a subject is an area, or hangs on it."""
        return area in (subject, self._site.id) or area in self.above(subject)


def is_area(site: Site, id_: str) -> bool:
    """Tell whether an outage can be about it: the site, a place, a gateway or a device."""
    return id_ == site.id or any(
        id_ in known for known in (site.places, site.gateways, site.devices)
    )


def _levels(place: str) -> list[str]:
    """Return a place and those it lies in, the topmost first.

    >>> _levels("dorm-07/3/312")
    ['dorm-07', 'dorm-07/3', 'dorm-07/3/312']
    """
    parts = place.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)] if place else []


def _gateway_places(site: Site) -> Mapping[str, str]:
    """Return of each gateway with devices the lowest place that all of them lie in, or none."""
    places: dict[str, list[str]] = {}
    for device in site.devices.values():
        if device.gateway is None:
            continue
        levels = device.place.split("/")
        known = places.setdefault(device.gateway, levels)
        shared = 0
        while shared < min(len(known), len(levels)) and known[shared] == levels[shared]:
            shared += 1
        places[device.gateway] = known[:shared]
    return {gateway: "/".join(levels) for gateway, levels in places.items()}
