"""The reference campus as a config folder: 27 buildings, 4,000 rooms, 816 shower terminals.

It stands on 152 simulated gateways of this machine: 125 buses of exactly 32 room meters and one
gateway for each of the 27 hot-water plants.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_BUILDINGS = 27
_LARGE = 17  # buildings with 160 rooms; the others have 128
_WITH_FIVE = 16  # buildings with five shower rooms; the others have four
_WITH_SEVEN = 72  # shower rooms with seven terminals; the others have six
_NORTH = 14  # buildings of the North Garden; the others stand in the South Garden
_FLOORS = 8
_BUS = 32
_STUDENTS = 10
_ROOM_M2 = 42
_PLACES = ("id", "kind", "name.zh", "name.en", "students", "area_m2")
_DEVICES = ("id", "profile", "place", "gateway", "unit_id", "interval")
_BOILER = "reference-boiler"
_TERMINAL = "reference-shower-terminal"
Row = tuple[str | int, ...]

_CAMPUS = """\
version: 1
site: {{id: reference, name: {{zh: 参考校园, en: Reference campus}}, timezone: Asia/Shanghai}}
data: var
web: {{host: 127.0.0.1, port: {web_port}}}
mqtt: {mqtt}
hot_water: {{capacity: 540}}
gateways:
"""


@dataclass(frozen=True, slots=True)
class Building:
    """What one dormitory of the reference campus has."""

    number: int
    rooms_per_floor: int
    terminals: tuple[int, ...]

    @property
    def id(self) -> str:
        """Return the id of the building."""
        return f"dorm-{self.number:02}"

    @property
    def rooms(self) -> list[tuple[int, int]]:
        """Return floor and number of every room, in the order of its bus."""
        return [
            (floor, floor * 100 + room)
            for floor in range(1, _FLOORS + 1)
            for room in range(1, self.rooms_per_floor + 1)
        ]

    @property
    def gateways(self) -> list[str]:
        """Return the gateways of the room buses and of the plant."""
        buses = len(self.rooms) // _BUS
        return [f"gw-{self.id}-{n}" for n in range(1, buses + 1)] + [f"gw-{self.id}-plant"]


def buildings() -> list[Building]:
    """Return the 27 dormitories."""
    found = []
    shower_room = 0
    for number in range(1, _BUILDINGS + 1):
        count = 5 if number <= _WITH_FIVE else 4
        rooms = range(shower_room, shower_room + count)
        terminals = tuple(7 if room < _WITH_SEVEN else 6 for room in rooms)
        shower_room += count
        found.append(Building(number, 20 if number <= _LARGE else 16, terminals))
    return found


def write_reference(
    folder: Path, first_port: int = 15100, web_port: int = 8080, mqtt_url: str | None = None
) -> None:
    """Write campus.yaml, places.csv and devices.csv of the reference campus into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    dorms = buildings()
    mqtt = f"{{url: {mqtt_url}}}" if mqtt_url else "{embedded: true}"
    gateways = [gateway for dorm in dorms for gateway in dorm.gateways]
    lines = [
        f'  - {{id: {gateway}, url: "tcp://127.0.0.1:{port}"}}\n'
        for port, gateway in enumerate(gateways, first_port)
    ]
    text = _CAMPUS.format(web_port=web_port, mqtt=mqtt) + "".join(lines)
    (folder / "campus.yaml").write_text(text, encoding="utf-8")
    _write_csv(folder / "places.csv", _PLACES, [row for dorm in dorms for row in _places(dorm)])
    _write_csv(folder / "devices.csv", _DEVICES, [row for dorm in dorms for row in _devices(dorm)])


def write_hot_water(folder: Path, count: int, plants: timedelta, terminals: timedelta) -> None:
    """Write the plants and shower terminals of its first ``count`` buildings, and nothing else.

    ``plants`` and ``terminals`` are their intervals.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dorms = buildings()[:count]
    lines = [
        f'  - {{id: {dorm.gateways[-1]}, url: "tcp://127.0.0.1:{port}"}}\n'
        for port, dorm in enumerate(dorms, 15100)
    ]
    text = _CAMPUS.format(web_port=8080, mqtt="{embedded: true}") + "".join(lines)
    (folder / "campus.yaml").write_text(text, encoding="utf-8")
    places = [row for dorm in dorms for row in _places(dorm) if row[1] != "room"]
    _write_csv(folder / "places.csv", _PLACES, places)
    every = {
        profile: f"PT{interval.total_seconds():.0f}S"
        for profile, interval in ((_BOILER, plants), (_TERMINAL, terminals))
    }
    devices = [
        (*row[:-1], every[str(row[1])])
        for dorm in dorms
        for row in _devices(dorm)
        if row[1] in every
    ]
    _write_csv(folder / "devices.csv", _DEVICES, devices)


def write_building(folder: Path, units: int = 1) -> None:
    """Write its first building alone, with a plant of so many units."""
    folder.mkdir(parents=True, exist_ok=True)
    dorm = buildings()[0]
    lines = [
        f'  - {{id: {gateway}, url: "tcp://127.0.0.1:{port}"}}\n'
        for port, gateway in enumerate(dorm.gateways, 15100)
    ]
    text = _CAMPUS.format(web_port=8080, mqtt="{embedded: true}") + "".join(lines)
    (folder / "campus.yaml").write_text(text, encoding="utf-8")
    _write_csv(folder / "places.csv", _PLACES, list(_places(dorm)))
    _write_csv(folder / "devices.csv", _DEVICES, list(_devices(dorm, units)))


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _places(dorm: Building) -> Iterator[Row]:
    zh, en = ("北苑", "North Garden") if dorm.number <= _NORTH else ("南苑", "South Garden")
    rooms = len(dorm.rooms)
    name = (f"{zh}{dorm.number}栋", f"{en} {dorm.number}")
    yield (dorm.id, "building", *name, _STUDENTS * rooms, _ROOM_M2 * rooms)
    yield (f"{dorm.id}/plant", "plant", "热水机房", "Hot-water plant", 0, 0)
    for floor in range(1, _FLOORS + 1):
        yield (f"{dorm.id}/{floor}", "floor", f"{floor}层", f"Floor {floor}", 0, 0)
    for floor, room in dorm.rooms:
        yield (f"{dorm.id}/{floor}/{room}", "room", str(room), str(room), _STUDENTS, _ROOM_M2)
    for n in range(1, len(dorm.terminals) + 1):
        yield (f"{dorm.id}/{n}/shower-{n}", "shower_room", f"{n}层浴室", f"Showers {n}", 0, 0)


def _devices(dorm: Building, units: int = 1) -> Iterator[Row]:
    for n, (floor, room) in enumerate(dorm.rooms):
        gateway = dorm.gateways[n // _BUS]
        place = f"{dorm.id}/{floor}/{room}"
        meter = "reference-room-meter"
        yield (f"{dorm.id}/meter-{room}", meter, place, gateway, n % _BUS + 1, "PT60S")
    plant = f"gw-{dorm.id}-plant"
    yield (f"{dorm.id}/boiler-1", _BOILER, f"{dorm.id}/plant", plant, 1, "PT60S")
    yield (f"{dorm.id}/main", "eastron-sdm630", dorm.id, plant, 2, "PT60S")
    for unit in range(2, units + 1):
        yield (f"{dorm.id}/boiler-{unit}", _BOILER, f"{dorm.id}/plant", plant, unit + 1, "PT60S")
    for n, terminals in enumerate(dorm.terminals, 1):
        place = f"{dorm.id}/{n}/shower-{n}"
        for terminal in range(1, terminals + 1):
            device = f"{dorm.id}/shower-{n}-{terminal:02}"
            yield (device, _TERMINAL, place, "", "", "PT60S")
