"""A labelled month as columns: what the hub would read of a site, from the physics alone.

Sound rooms are a closed form and are taken together; whatever has a fault, and every plant, is the
twin itself, stepped and looked at when the hub would ask. A day at a time is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from drivers.profile import Profile
from hub.model import Batch, Json
from hub.ports import Clock
from hub.site import Device, Site
from simulators.agenda import Agenda
from simulators.asking import Asking
from simulators.boiler import BoilerTwin
from simulators.campus import Day, Fleet, Plant
from simulators.climate import DAY_MS
from simulators.columns import EXCEPTION, seen
from simulators.episode import Episode, write_truth
from simulators.events import Event, events_of, spans_of
from simulators.main_meter import Feeder, MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.month_life import MonthLife
from simulators.month_plan import BROUGHT_ABOUT, DAYS
from simulators.pieces import Piece, batches
from simulators.polls import Instants, asked_after
from simulators.room_days import RoomDay
from simulators.twin import Twin
from simulators.weather import Weather

_DARK = ("supply_cut", "planned_outage")
_AWAY = (*_DARK, "bus_cut", "gateway_cut", "broker_down")


@dataclass(slots=True)
class _Watched:
    """A twin that is looked at one by one, and what it showed."""

    twin: Twin
    at_ms: Instants
    rows: list[tuple[float, ...]] = field(default_factory=list)
    exceptions: list[bool] = field(default_factory=list)


class Month:
    """A month of a site, its truth and its readings; the same seed gives the same bytes."""

    def __init__(
        self,
        site: Site,
        profiles: Mapping[str, Profile],
        clock: Clock,
        agenda: Agenda,
        days: int = DAYS,
    ) -> None:
        """Begin at ``clock``'s instant, which stands; days are counted from there.

        ``truth`` tells from when on a slow fault is evident once its history has been lived.
        """
        self.start_ms = clock.now_ms()
        self.end_ms = self.start_ms + days * DAY_MS
        self.seed = agenda.seed
        self.devices: Sequence[Device] = list(site.devices.values())
        life = life_of(agenda)
        self.truth = [one for one in agenda.episodes if one.start_ms < self.end_ms]
        self._events = events_of(self.truth)
        self.fleet = Fleet(self.devices, profiles, clock, day=Day(life=life), zone=site.zone)
        self._profiles = profiles
        self._numbers = {device.id: _numbers(device, profiles) for device in self.devices}
        away = spans_of(self.truth, _AWAY, "silent")
        self._asking = Asking(site, profiles, self.start_ms, away)
        self._dark = spans_of([one for one in self.truth if _of_building(one)], _DARK)
        self._plants: dict[str, Plant] = {
            twin.device.id: plant
            for plant in self.fleet.plants
            for twin in (*plant.boilers, *plant.showers)
        }

    @property
    def days(self) -> int:
        """Return how many days it has."""
        return (self.end_ms - self.start_ms) // DAY_MS

    def true_kwh(self) -> dict[str, float]:
        """Return what every device has truly used or counted, once the history is over."""
        truth = {device.id: self.fleet.twin(device.id).truth() for device in self.devices}
        return {device: one["energy_kwh"] for device, one in truth.items() if "energy_kwh" in one}

    def head(self, name: str) -> dict[str, Json]:
        """Return the first line of the truth file."""
        return {
            "scenario": name,
            "seed": self.seed,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "devices": len(self.devices),
        }

    def write_truth(self, path: Path, name: str) -> None:
        """Write the truth file."""
        write_truth(path, self.head(name), self.truth)

    def history(self) -> Iterator[Batch]:
        """Return the readings in order of time; once only, for the twins live through it."""
        for start_ms in range(self.start_ms, self.end_ms, DAY_MS):
            yield from batches(self._day(start_ms))

    def _day(self, start_ms: int) -> list[Piece]:
        end_ms = start_ms + DAY_MS
        polls = self._asking.day(start_ms, end_ms)
        events = [event for event in self._events if start_ms <= event.at_ms < end_ms]
        struck = {event.episode.subject for event in events}
        rooms = self._room_days(start_ms, struck)
        together = {room.device.id for day in rooms.values() for room in day.rooms}
        watched = [
            _Watched(self.fleet.twin(device.id), polls[device.id])
            for device in self.devices
            if device.id not in together
        ]
        self._feed_mains(rooms, watched)
        self._live(watched, rooms, events, end_ms)
        pieces = [self._of_rooms(day, polls) for day in rooms.values() if day.rooms]
        for day in rooms.values():
            day.finish()
        return pieces + [self._of_one(one) for one in watched if len(one.rows)]

    def _room_days(self, start_ms: int, struck: set[str]) -> dict[str, RoomDay]:
        """Take the rooms together that are sound all day, by building."""
        sound: dict[str, list[RoomMeterTwin]] = {}
        for device in self.devices:
            rooms = sound.setdefault(_building(device), [])
            twin = self.fleet.twin(device.id)
            if isinstance(twin, RoomMeterTwin) and twin.sound and device.id not in struck:
                rooms.append(twin)
        return {
            building: RoomDay(rooms, start_ms, self._dark.get(building, ()))
            for building, rooms in sound.items()
        }

    def _feed_mains(self, rooms: Mapping[str, RoomDay], watched: Sequence[_Watched]) -> None:
        """Hang below each main meter what there is today, one by one or taken together."""
        for one in watched:
            if isinstance(one.twin, MainMeterTwin):
                building = _building(one.twin.device)
                below: list[Feeder] = [
                    other.twin
                    for other in watched
                    if isinstance(other.twin, (BoilerTwin, RoomMeterTwin))
                    and _building(other.twin.device) == building
                ]
                one.twin.children = [*below, rooms[building]]

    def _live(
        self,
        watched: Sequence[_Watched],
        rooms: Mapping[str, RoomDay],
        events: Sequence[Event],
        end_ms: int,
    ) -> None:
        """Let a day pass for the twins that are looked at one by one."""
        at_ms = np.concatenate([one.at_ms for one in watched])
        whose = np.repeat(np.arange(len(watched)), [len(one.at_ms) for one in watched])
        order = np.argsort(at_ms, kind="stable")
        due = iter(events)
        event = next(due, None)
        asked = [_parts(self._profiles[one.twin.device.profile]) for one in watched]
        for now_ms, n in zip(at_ms[order].tolist(), whose[order].tolist(), strict=True):
            while event is not None and event.at_ms <= now_ms:
                self._happen(event, watched, rooms)
                event = next(due, None)
            one = watched[n]
            row: list[float] = []
            for before_ms, names in asked[n]:
                self._stand(one.twin, now_ms - before_ms, rooms)
                values = one.twin.values()
                row += [values[name] for name in names]
            one.rows.append(tuple(row))
            one.exceptions.append(one.twin.exception is not None)
        while event is not None:
            self._happen(event, watched, rooms)
            event = next(due, None)
        for one in watched:
            self._stand(one.twin, end_ms, rooms)

    def _happen(
        self, event: Event, watched: Sequence[_Watched], rooms: Mapping[str, RoomDay]
    ) -> None:
        """Let an event happen; rooms that are taken together feel it in their columns."""
        touched = {event.episode.subject, *event.episode.members}
        for one in watched:
            if one.twin.device.id in touched:
                self._stand(one.twin, event.at_ms, rooms)
        if not event.begins:
            self._note_evident(event.episode)
        event.happen(self.fleet)

    def _note_evident(self, episode: Episode) -> None:
        """Note in the truth from when on a device has shown its fault, which ends now.

        What a fault has brought about is an episode of its own, and ends with it.
        """
        if episode.subject not in self.fleet.devices:
            return
        shown = self.fleet.twin(episode.subject).evident_ms
        if episode.kind in shown:
            noted = replace(episode, evident_ms=shown[episode.kind])
            self.truth[self.truth.index(episode)] = noted
        for kind in BROUGHT_ABOUT.get(episode.kind, ()):
            if kind in shown:
                id_ = f"{kind}-by-{episode.id}"
                self.truth.append(replace(episode, id=id_, kind=kind, start_ms=shown[kind]))

    def _stand(self, twin: Twin, at_ms: int, rooms: Mapping[str, RoomDay]) -> None:
        """Let a twin, and what it depends on, stand at an instant."""
        plant = self._plants.get(twin.device.id)
        if plant is not None:
            plant.move(at_ms)
        elif isinstance(twin, MainMeterTwin):
            for child in twin.children:
                if isinstance(child, Twin):
                    self._stand(child, at_ms, rooms)
            rooms[_building(twin.device)].now_ms = at_ms
        twin.advance(at_ms)

    def _of_rooms(self, day: RoomDay, polls: Mapping[str, Instants]) -> Piece:
        """Return what the rooms of a building showed that were sound all day."""
        instants = [polls[room.device.id] for room in day.rooms]
        room = np.repeat(np.arange(len(instants)), [len(one) for one in instants])
        at_ms = np.concatenate(instants)
        profile = self._profiles[day.rooms[0].device.profile]
        values, flags = seen(profile, day.shown(room, at_ms))
        numbers = np.stack([self._numbers[one.device.id] for one in day.rooms])
        return Piece(at_ms, numbers[room], values, flags)

    def _of_one(self, one: _Watched) -> Piece:
        """Return what a twin showed that was looked at."""
        device = one.twin.device
        profile = self._profiles[device.profile]
        columns = np.array(one.rows).T
        names = [name for names in asked_after(profile).values() for name in names]
        values, flags = seen(profile, dict(zip(names, columns, strict=True)))
        refused = np.array(one.exceptions)
        values[refused] = np.nan
        flags[refused] = EXCEPTION
        points = np.broadcast_to(self._numbers[device.id], values.shape)
        return Piece(one.at_ms, points, values, flags)


def life_of(agenda: Agenda) -> MonthLife:
    """Return the life of an agenda."""
    weather = Weather(agenda.seed, agenda.snaps)
    return MonthLife(agenda.seed, weather, agenda.calendar, agenda.episodes)


def _parts(profile: Profile) -> list[tuple[int, list[str]]]:
    """Return the points of each request of a poll, and how long before its end it is answered."""
    asked = asked_after(profile)
    return [(max(asked) - after_ms, names) for after_ms, names in asked.items()]


def _building(device: Device) -> str:
    return device.place.split("/", 1)[0]


def _numbers(device: Device, profiles: Mapping[str, Profile]) -> NDArray[np.int32]:
    """Return the numbers of a device's points in the order of its profile."""
    known = {point.name: point.number for point in device.points}
    return np.array([known[name] for name in profiles[device.profile].points], np.int32)


def _of_building(episode: Episode) -> bool:
    """Tell whether a whole building is concerned, and not a gateway."""
    return any(member.startswith(f"{episode.subject}/") for member in episode.members)
