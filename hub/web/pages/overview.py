"""The overview: what is wrong, what runs, what each building uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.database import records
from hub.model import Alarm, Ticket
from hub.site import Device, Place
from hub.web import promise
from hub.web.pages.alarms import causes
from hub.web.pages.frame import Frame
from hub.web.parts import Parts
from hub.web.session import Looks
from hub.web.use import UNREAD, HourlyUse
from hub.web.value import Shown, point_named, shown

router = APIRouter(include_in_schema=False)
MOST_WEAK = 20
TANK = ("tank_temperature", "tank_top")
POWER = ("power", "total_power")
ANSWERS = {"online", "degraded"}
STATE_ORDER = {"offline": 0, "degraded": 1, "never_seen": 2}


@dataclass(frozen=True, slots=True)
class BuildingRow:
    """One building in the table."""

    place: Place
    power: Shown | None
    tank: Shown | None
    use: HourlyUse
    devices: int
    online: int
    tickets: int


@dataclass(frozen=True, slots=True)
class Weak:
    """A device that does not answer as it should, or a line of so many of which none does.

    Or so many that one alarm took down, the ``cause``. ``place`` is its building; None where it
    serves several.
    """

    id: str
    place: str | None
    state: str
    seen_ms: int | None
    devices: int = 1
    line: bool = False
    cause: Alarm | None = None


def _main_power(parts: Parts, building: Place, devices: Sequence[Device]) -> Shown | None:
    """Return the power of the building's own meter, which measures all others."""
    for device in devices:
        if device.kind == "meter" and device.place == building.id:
            point = point_named(device, POWER)
            return shown(parts, point) if point else None
    return None


def _coldest(parts: Parts, devices: Sequence[Device]) -> Shown | None:
    points = [point_named(device, TANK) for device in devices if device.kind == "boiler"]
    tanks = [shown(parts, point) for point in points if point]
    # A tank without a value is no colder than one with: it stands last.
    return min(tanks, key=lambda one: (one.value is None, one.value or 0.0), default=None)


def _rows(
    parts: Parts,
    states: Mapping[str, str],
    uses: Mapping[str, HourlyUse],
    tickets: Mapping[str, int],
) -> list[BuildingRow]:
    by_building: dict[str, list[Device]] = {}
    for device in parts.site.devices.values():
        by_building.setdefault(parts.site.building_of(device.place), []).append(device)
    rows = []
    for building in parts.site.buildings():
        devices = by_building.get(building.id, [])
        rows.append(
            BuildingRow(
                building,
                _main_power(parts, building, devices),
                _coldest(parts, devices),
                uses.get(building.id, UNREAD),
                len(devices),
                sum(states.get(device.id) in ANSWERS for device in devices),
                tickets.get(building.id, 0),
            )
        )
    return rows


def _lost_lines(parts: Parts) -> dict[str, Weak]:
    """Return the lines of several devices of which none answers: one cut cable is one row."""
    buildings: dict[str | None, set[str]] = {}
    for device in parts.site.devices.values():
        buildings.setdefault(device.gateway, set()).add(parts.site.building_of(device.place))
    lost = {}
    for row in parts.health.lines():
        gateway, devices = str(row["gateway"]), int(row["bus"]["devices"])
        if devices > 1 and "offline" in (row["state"], row["bus"]["state"]):
            there = buildings[gateway]
            place = min(there) if len(there) == 1 else None
            lost[gateway] = Weak(gateway, place, "offline", row["bus"]["seen_ms"], devices, True)
    return lost


def _weak(
    parts: Parts, health: Sequence[Mapping[str, Any]], effects: Mapping[str, Alarm]
) -> list[Weak]:
    """Return lost lines first, then the devices that are weak although their line answers.

    What one alarm took down is one row; ``effects`` tells of whom that is.
    """
    lost = {id_: line for id_, line in _lost_lines(parts).items() if id_ not in effects}
    single, taken = [], Counter[str]()
    for row in health:
        device = parts.site.devices[row["device"]]
        if str(row["state"]) == "online" or device.gateway in lost:
            continue
        if cause := effects.get(device.id) or effects.get(device.gateway or ""):
            taken[cause.id] += 1
        else:
            place = parts.site.building_of(device.place)
            single.append(Weak(device.id, place, str(row["state"]), row["seen_ms"]))
    single.sort(key=lambda one: (STATE_ORDER.get(one.state, 9), one.id))
    causes_ = {cause.id: cause for cause in effects.values()}
    down = [_down(parts, causes_[id_], count) for id_, count in taken.items()]
    return [*sorted([*down, *lost.values()], key=lambda one: (-one.devices, one.id)), *single]


def _down(parts: Parts, cause: Alarm, devices: int) -> Weak:
    """Return the devices that an alarm took down, as one row."""
    place = cause.place if cause.place in parts.site.places else None
    return Weak(cause.device, place, "offline", cause.raised_ms, devices, cause=cause)


def _effects(parts: Parts, open_: Sequence[Alarm]) -> dict[str, Alarm]:
    """Return of whom an open alarm is the cause: devices, gateways and places, by their ids."""
    known = {alarm.id: alarm for alarm in open_}
    roots = records.effects(parts.database)
    return {subject: known[root] for subject, root in roots.items() if root in known}


def _looked_up(parts: Parts) -> tuple[list[Ticket], list[Alarm], dict[str, Alarm]]:
    """Return the open tickets, the open alarms, and of whom those are the cause."""
    alarms = causes(parts)
    return records.open_tickets(parts.database), alarms, _effects(parts, alarms)


@router.get("/")
async def overview(request: Request, viewer: Looks) -> Response:
    """Show the whole campus."""
    page = Frame.of(request, viewer)
    parts = page.parts
    tickets, alarms, effects = await parts.database_worker.run(lambda: _looked_up(parts))
    tickets.sort(key=lambda ticket: promise.urgency(ticket, page.now_ms))
    day = await request.app.state.uses.of(parts.site.id)
    health = parts.health.overview()
    states = {row["device"]: str(row["state"]) for row in health}
    per_building = Counter(parts.site.building_of(ticket.place) for ticket in tickets)
    rows = _rows(parts, states, day.buildings, per_building)
    weak = _weak(parts, health, effects)
    watched = [one for row in rows for one in (row.power, row.tank) if one]
    return page.render(
        "overview.html",
        section="overview",
        stream="/api/v1/stream?" + urlencode([("point", one.point.id) for one in watched]),
        tickets=tickets,
        alarms=alarms,
        unseen=sum(alarm.acknowledged_ms is None for alarm in alarms),
        late=sum(promise.is_late(ticket, page.now_ms) for ticket in tickets),
        devices=len(parts.site.devices),
        online=sum(state in ANSWERS for state in states.values()),
        weak=weak[:MOST_WEAK],
        weak_count=sum(one.devices for one in weak),
        weak_more=sum(one.devices for one in weak[MOST_WEAK:]),
        today=day.today,
        coldest=min(
            (row.tank for row in rows if row.tank),
            key=lambda one: (one.value is None, one.value or 0.0),
            default=None,
        ),
        rows=rows,
    )
