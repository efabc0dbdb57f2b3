"""Which counters measure which place: the tree of meters of each utility; pure.

A meter stands for its place and everything below it. One in a plant stands for the whole building,
unless the building has a meter on itself; what a plant delivers as hot water is what its building
is given. A boiler and a shower terminal otherwise stand for themselves alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, get_args

from hub.model import Point
from hub.site import Device, Site

Utility = Literal["electricity", "water", "hot_water", "gas", "heat"]
UTILITIES: tuple[Utility, ...] = get_args(Utility)
UNITS: Mapping[Utility, str] = {
    "electricity": "kWh",
    "water": "m3",
    "hot_water": "m3",
    "gas": "m3",
    "heat": "kWh",
}
# By the names that profiles give their counters; of several the first that a device has.
NAMES: Mapping[Utility, Sequence[str]] = {
    "electricity": ("energy", "total_energy"),
    "water": ("water", "total", "make_up_water"),
    "hot_water": ("hot_water", "total_litres"),
    "gas": ("gas", "gas_total"),
    "heat": ("heat", "heat_energy"),
}
# How many of the utility's unit one of the counter's unit is.
FACTORS: Mapping[str, Mapping[str, float]] = {
    "kWh": {"kWh": 1.0, "Wh": 0.001, "MWh": 1000.0, "MJ": 1 / 3.6, "GJ": 1000 / 3.6},
    "m3": {"m3": 1.0, "L": 0.001},
}


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter of one utility: its point, its factor to the utility's unit, what it stands for.

    ``whole`` tells a meter of a place and everything below it from a device that counts only what
    it uses itself at that place.
    """

    device: Device
    point: Point
    factor: float
    place: str
    whole: bool


def counter_of(device: Device, utility: Utility) -> tuple[Point, float] | None:
    """Return the point of a device that counts a utility, and its factor to the utility's unit."""
    factors = FACTORS[UNITS[utility]]
    named = {
        point.name: point
        for point in device.points
        if point.kind == "counter" and point.unit in factors
    }
    for name in NAMES[utility]:
        if name in named:
            return named[name], factors[named[name].unit]
    return None


class Metering:
    """The counters of one utility of a site, and which of them add up to a place."""

    def __init__(self, site: Site, utility: Utility) -> None:
        self._site = site
        self.utility = utility
        found = [
            (device, *counter)
            for device in site.devices.values()
            if (counter := counter_of(device, utility)) is not None
        ]
        metered = {device.place for device, *_ in found if device.kind == "meter"}
        self.counters: Sequence[Counter] = tuple(
            self._placed(device, point, factor, metered) for device, point, factor in found
        )
        self._wholes = frozenset(one.place for one in self.counters if one.whole)
        self._parents = frozenset(
            next((at for at in self._holding(one) if at in self._wholes), "")
            for one in self.counters
        )
        self._within: dict[str, list[Counter]] = {}
        for one in self.counters:
            for place in dict.fromkeys((one.place, *self._holding(one))):
                self._within.setdefault(place, []).append(one)

    def _placed(
        self, device: Device, point: Point, factor: float, metered: AbstractSet[str]
    ) -> Counter:
        place = self._site.places.get(device.place)
        kind = place.kind if place else "room"
        meter = device.kind == "meter"
        stands_for = self._site.id if kind == "campus" else device.place
        if kind == "plant":
            building = device.place.rpartition("/")[0]
            supply = meter or (device.kind == "boiler" and self.utility == "hot_water")
            if supply and building and building not in metered:
                return Counter(device, point, factor, building, whole=True)
        return Counter(device, point, factor, stands_for, meter)

    def root(self, place: str) -> str:
        """Return the place whose counters are meant: a campus is the whole site."""
        known = self._site.places.get(place)
        return self._site.id if known is not None and known.kind == "campus" else place

    def of(self, place: str) -> Sequence[Counter]:
        """Return the fewest counters whose sum is what a place uses: its own, else those below."""
        return self._outermost(self.root(place), beneath=False)

    def own(self, place: str) -> Sequence[Counter]:
        """Return the meters of a place itself."""
        root = self.root(place)
        return [one for one in self._within.get(root, ()) if one.whole and one.place == root]

    def beneath(self, place: str) -> Sequence[Counter]:
        """Return those that share out what the meter of a place itself says."""
        return self._outermost(self.root(place), beneath=True)

    def leaves(self, place: str) -> Sequence[Counter]:
        """Return the counters below which there is no other: where the use is told finest."""
        return [
            one
            for one in self._within.get(self.root(place), ())
            if not (one.whole and one.place in self._parents)
        ]

    def _outermost(self, root: str, *, beneath: bool) -> Sequence[Counter]:
        return [
            one
            for one in self._within.get(root, ())
            if not (beneath and one.whole and one.place == root)
            and not self._counted_above(one, root, beneath=beneath)
        ]

    def _counted_above(self, one: Counter, root: str, *, beneath: bool) -> bool:
        """Tell whether a meter further out, up to ``root``, counts the same use already."""
        if one.whole and one.place == root:
            return False
        for place in self._holding(one):
            if place == root:
                return not beneath and place in self._wholes
            if place in self._wholes:
                return True
        return False

    def _holding(self, one: Counter) -> list[str]:
        """Return the places whose meter would count this use too, innermost first."""
        held = [] if one.whole else [one.place]
        at = one.place
        while "/" in at:
            at = at.rpartition("/")[0]
            held.append(at)
        return held if self._site.id in (one.place, at) else [*held, self._site.id]
