"""Answers questions about hot water: what is counted by the ledger, what is seen in readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hub.energy import calendar
from hub.energy.calendar import Step
from hub.energy.consumption import Consumption
from hub.energy.hot_water import NO_SESSIONS, NO_TIME, Delivery, Trend, trend
from hub.energy.hot_water_readings import Seen, look, too_many
from hub.energy.hot_water_row import NOTHING, Answer, By, Row, Source, losses, summed
from hub.energy.metering import Utility, counter_of
from hub.energy.question import Figure, Query
from hub.model import Text
from hub.ports import Refused, TimeSeriesStore
from hub.site import Device, Place, Site

TREND_DAYS = 90
_UTILITIES: tuple[Utility, ...] = ("hot_water", "water", "electricity", "heat")


@dataclass(frozen=True, slots=True)
class _Group:
    """What makes one row."""

    place: Place
    kind: str
    boilers: Sequence[Device]
    showers: Sequence[Device]

    @property
    def devices(self) -> Sequence[Device]:
        """Return all of it."""
        return (*self.boilers, *self.showers)


class HotWater:
    """Answers questions; calls block: run them in a worker."""

    def __init__(
        self, site: Site, store: TimeSeriesStore, consumption: Consumption, delivery: Delivery
    ) -> None:
        self._site = site
        self._store = store
        self._consumption = consumption
        self._delivery = delivery

    def ask(
        self, place: str, start_ms: int, end_ms: int, step: Step = "total", by: By = "plant"
    ) -> Answer:
        """Return the figures of a place (or the whole site, by its id) between two instants."""
        self.check(place, start_ms, end_ms, step)
        whole = self._whole(place)
        counted = _Counted(self._consumption, whole.devices, start_ms, end_ms, step)
        detailed = not too_many(len(whole.devices), start_ms, end_ms)
        span = (start_ms, end_ms)
        zone = self._site.zone
        seen = look(self._store, whole.devices, span, self._delivery, zone) if detailed else {}
        days = (end_ms - start_ms) / calendar.DAY_MS
        rows = [self._row(group, counted, seen, days) for group in self._groups(whole, by)]
        return Answer(
            place=place,
            by=by,
            edges=tuple(calendar.edges(start_ms, end_ms, step, zone)),
            rows=tuple(rows),
            total=self._row(whole, counted, seen, days),
            delivery=self._delivery,
            trend=self._trend(whole, end_ms),
            detailed=detailed,
        )

    def check(self, place: str, start_ms: int, end_ms: int, step: Step) -> None:
        """Refuse a question that could not be answered in a moment, or not at all."""
        devices = tuple(one.id for one in self._whole(place).devices)
        self._consumption.check(
            Query(start_ms=start_ms, end_ms=end_ms, devices=devices, step=step, utility="hot_water")
        )

    def _whole(self, place: str) -> _Group:
        known = self._site.places.get(place)
        campus = place == self._site.id or (known is not None and known.kind == "campus")
        if known is None and not campus:
            raise Refused(f"hot water: no place {place!r} in this site")
        devices = list(self._site.devices.values()) if campus else self._site.below(place)
        kind = "campus" if campus or known is None else known.kind
        return self._group(self._place(place), kind, devices)

    def _group(self, place: Place, kind: str, devices: Sequence[Device]) -> _Group:
        boilers = [one for one in devices if one.kind == "boiler"]
        return _Group(place, kind, boilers, [one for one in devices if one.kind == "shower"])

    def _groups(self, whole: _Group, by: By) -> list[_Group]:
        if by == "campus":
            return [whole]
        if by == "terminal":
            return [
                self._group(Place(one.id, "room", Text(one.id, one.id)), "terminal", [one])
                for one in whole.showers
            ]
        found: dict[str, list[Device]] = {}
        for one in whole.devices:
            found.setdefault(self._key(one, by), []).append(one)
        return [self._group(self._place(key), by, devices) for key, devices in found.items()]

    def _key(self, device: Device, by: By) -> str:
        """Return the place whose row a device belongs to; a plant feeds the building around it."""
        building = self._site.building_of(device.place)
        if by == "building":
            return building
        if device.kind == "boiler":
            return device.place
        return next((one.place for one in self._boilers(building)), building)

    def _boilers(self, building: str) -> list[Device]:
        return [one for one in self._site.below(building) if one.kind == "boiler"]

    def _place(self, id_: str) -> Place:
        return self._site.places.get(id_) or Place(id_, "campus", self._site.name)

    def _students(self, group: _Group) -> int:
        held = dict.fromkeys(self._site.building_of(one.place) for one in group.devices)
        return sum(self._site.places[one].students for one in held if one in self._site.places)

    def _row(self, group: _Group, counted: _Counted, seen: Mapping[str, Seen], days: float) -> Row:
        source, delivering = self._source(group)
        boilers = [seen[one.id] for one in group.boilers if one.id in seen]
        showers = [seen[one.id] for one in group.showers if one.id in seen]
        return Row(
            id=group.place.id,
            kind=group.kind,
            name=group.place.name,
            source=source,
            plants=len(dict.fromkeys(one.place for one in group.boilers)),
            terminals=len(group.showers),
            students=0 if group.kind == "terminal" else self._students(group),
            days=days,
            steps=counted.steps(delivering),
            delivered=counted.total(delivering),
            made_up=counted.total([("water", one) for one in group.boilers]),
            tapped=counted.total([("hot_water", one) for one in group.showers]),
            energy=counted.total([("electricity", one) for one in group.boilers]),
            heat=counted.total([("heat", one) for one in group.boilers]),
            supply=sum((one.supply for one in boilers), NO_TIME).figure,
            compliance=sum((one.compliance for one in boilers), NO_TIME).figure,
            outlet=sum((one.outlet for one in showers), NO_TIME).figure,
            standing=losses([one.standing for one in boilers]),
            loop=losses([one.loop for one in boilers]),
            sessions=sum((one.sessions for one in showers), NO_SESSIONS),
            delivery=self._delivery,
        )

    def _source(self, group: _Group) -> tuple[Source, list[tuple[Utility, Device]]]:
        """Return what says how much hot water each plant of a group delivered."""
        found: dict[Source, list[tuple[Utility, Device]]] = {}
        for plant in self._groups(group, "plant"):
            way, counters = _of_plant(plant)
            if counters:
                found.setdefault(way, []).extend(counters)
        source: Source = "none" if not found else next(iter(found)) if len(found) == 1 else "mixed"
        return source, [one for counters in found.values() for one in counters]

    def _trend(self, whole: _Group, end_ms: int) -> Trend:
        """Return how the civil days before the end went."""
        _, delivering = self._source(whole)
        zone = self._site.zone
        last = calendar.day_of(end_ms, zone)
        start = calendar.day_start(last - timedelta(TREND_DAYS), zone)
        end = calendar.day_start(last, zone)
        if not delivering or start <= 0:
            return Trend(0)
        devices = [device for _, device in delivering]
        days = _Counted(self._consumption, devices, start, end, "day").steps(delivering)
        return trend(days, self._delivery.capacity if whole.kind == "campus" else None)


def _of_plant(plant: _Group) -> tuple[Source, list[tuple[Utility, Device]]]:
    ways: tuple[tuple[Source, Utility, Sequence[Device]], ...] = (
        ("hot_water", "hot_water", plant.boilers),
        ("make_up_water", "water", plant.boilers),
        ("terminals", "hot_water", plant.showers),
    )
    for source, utility, devices in ways:
        counters = [(utility, one) for one in devices if counter_of(one, utility) is not None]
        if counters and len(counters) == len(devices):
            return source, counters
    return "none", []


class _Counted:
    """What the counters of some devices say, by utility and device; tonnes are cubic metres."""

    def __init__(
        self,
        consumption: Consumption,
        devices: Sequence[Device],
        start_ms: int,
        end_ms: int,
        step: Step,
    ) -> None:
        self._steps: dict[tuple[Utility, str], tuple[Figure, ...]] = {}
        self._total: dict[tuple[Utility, str], Figure] = {}
        for utility in _UTILITIES:
            chosen = tuple(one.id for one in devices if counter_of(one, utility) is not None)
            if not chosen:
                continue
            query = Query(
                start_ms=start_ms,
                end_ms=end_ms,
                devices=chosen,
                step=step,
                by="device",
                utility=utility,
            )
            for row in consumption.use(query).rows:
                self._steps[utility, row.id] = row.steps
                self._total[utility, row.id] = row.total

    def total(self, counters: Sequence[tuple[Utility, Device]]) -> Figure:
        """Return the sum of counters over the whole time."""
        keys = [(utility, device.id) for utility, device in counters]
        return summed([self._total.get(key, NOTHING) for key in keys])

    def steps(self, counters: Sequence[tuple[Utility, Device]]) -> tuple[Figure, ...]:
        """Return the sum of counters in each step."""
        keys = [(utility, device.id) for utility, device in counters]
        rows = [self._steps[key] for key in keys if key in self._steps]
        return tuple(summed(column) for column in zip(*rows, strict=True))
