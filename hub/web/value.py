"""A point's last value as people see it: with its age, and never an old one as if it were live."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.profile import Profile
from hub.model import Point, Quality, quality_of, reason_of
from hub.site import Device, Site
from hub.web import form
from hub.web.parts import Parts

OLD_AFTER_INTERVALS = 3
RATIO_DECIMALS = 2
LEAST_OLD_AFTER_MS = 30 * form.SECOND_MS


@dataclass(frozen=True, slots=True)
class Shown:
    """One point with its last value; ``value`` is None when there is no usable one."""

    point: Point
    at_ms: int | None
    value: float | None
    quality: str
    reason: str
    age_ms: int | None
    old_after_ms: int
    switch: bool

    @property
    def old(self) -> bool:
        """Tell whether this must not look like the present state."""
        return self.age_ms is None or self.age_ms > self.old_after_ms or self.value is None

    @property
    def decimals(self) -> int:
        """Return how many decimals the unit is shown with."""
        if not self.point.unit and self.point.kind == "gauge":  # a ratio: power factor, COP
            return RATIO_DECIMALS
        return form.decimals(self.point.unit)

    @property
    def text(self) -> str:
        """Write the number alone."""
        return form.number(self.value, self.decimals)


def old_after_ms(device: Device) -> int:
    """Return the age from which a value of a device is old."""
    interval_ms = round(device.interval.total_seconds() * 1000)
    return max(OLD_AFTER_INTERVALS * interval_ms, LEAST_OLD_AFTER_MS)


def is_switch(profile: Profile | None, point: Point) -> bool:
    """Tell whether a point is simply on or off: a coil, a discrete input or one bit."""
    spec = profile.points.get(point.name) if profile else None
    return (
        spec is not None
        and point.kind == "state"
        and (getattr(spec, "type", None) == "bool" or (spec.min, spec.max) == (0, 1))
    )


def shown(parts: Parts, point: Point) -> Shown:
    """Return a point with its last value as of now."""
    device = parts.site.devices[point.device]
    switch = is_switch(parts.profiles.get(device.profile), point)
    row = parts.live.value(point.number)
    if row is None:
        return Shown(point, None, None, "missing", "none", None, old_after_ms(device), switch)
    at_ms, value, packed, _ = row
    usable = quality_of(packed) <= Quality.UNCERTAIN and math.isfinite(value)
    return Shown(
        point,
        at_ms,
        value if usable else None,
        quality_of(packed).name.lower(),
        reason_of(packed).name.lower(),
        max(parts.clock.now_ms() - at_ms, 0),
        old_after_ms(device),
        switch,
    )


def shown_by_name(
    parts: Parts, device: Device, names: Sequence[str] | None = None
) -> Mapping[str, Shown]:
    """Return the named points of a device, or all, with their last values, by name."""
    return {
        point.name: shown(parts, point)
        for point in device.points
        if names is None or point.name in names
    }


def point_named(device: Device, names: Iterable[str]) -> Point | None:
    """Return the first point of a device that has one of the names."""
    by_name = {point.name: point for point in device.points}
    return next((by_name[name] for name in names if name in by_name), None)


def place_words(site: Site, place: str, language: str) -> list[tuple[str, str]]:
    """Return a place and what holds it as (id, words), outermost first; the site stands alone."""
    if place == site.id:
        return [(place, site.name.in_language(language))]
    return [
        (one.id, one.name.in_language(language) or one.id.rsplit("/", 1)[-1])
        for one in site.path(place)
    ] or [(place, place)]


def device_words(device: str) -> str:
    """Return the short name of a device: the last level of its id.

    >>> device_words("dorm-07/boiler-1")
    'boiler-1'
    """
    return device.rsplit("/", 1)[-1]
