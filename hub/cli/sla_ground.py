"""The campus on which the service clocks are proven: its places, rules, policies and calendar.

What is promised is plain content: the hub and the oracle each read it for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import yaml

from hub.engine import Core
from hub.model import Json, Point, Severity, Text
from hub.settings import shipped
from hub.site import Device, DeviceKind, Place, Site
from rules.calendar import Calendar, CalendarFile
from rules.roster import Roster
from rules.roster_form import RosterFile
from rules.service import Service
from rules.spec import Pack
from simulators.service_year import Cause

ZONES = ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York")
BUILDINGS, ROOMS, DEVICES = 27, 150, 1200
LIMIT = 50.0
NAME = {"zh": "词", "en": "word"}
KINDS: Mapping[DeviceKind, Severity] = {"shower": "small", "meter": "ordinary", "boiler": "large"}
REPORTS: Sequence[tuple[str, str, Severity]] = (
    ("report", "no-hot-water", "ordinary"),
    ("report", "leak", "small"),
    ("report", "light-out", "small"),
    ("report", "furniture", "small"),
    ("report", "door-lock", "ordinary"),
    ("report", "network", "ordinary"),
    ("report", "danger", "large"),
    ("round", "round-finding", "small"),
    ("planned", "planned-work", "large"),
)
"""What is reported in the rooms, by source and kind."""

_SPANS = {"respond": "PT5M", "on_site": "PT20M"}
_MENDED = {"fix": {"small": "PT2H", "ordinary": "PT12H"}, "crew": {"large": "PT48H"}}
POLICIES: Sequence[Mapping[str, Any]] = (
    {
        "id": "large-at-home",
        "for": {"sources": ["report"], "severities": ["large"], "places": ["dorm-01", "dorm-02"]},
        **_SPANS,
        "crew": {"large": "PT24H"},
    },
    {"id": "lights", "for": {"kinds": ["light-out"]}, "hours": "daytime", **_SPANS, **_MENDED},
    {"id": "networks", "for": {"kinds": ["network"]}, "hours": "teaching", **_SPANS, **_MENDED},
    {
        "id": "workshop",
        "for": {"kinds": ["furniture", "door-lock"], "severities": ["small", "ordinary"]},
        "hours": "office",
        "respond": "PT30M",
        "on_site": "PT4H",
        "fix": {"small": "PT8H", "ordinary": "PT20H"},
    },
    {"id": "planned", "for": {"sources": ["planned"]}, "hours": "night", **_SPANS, **_MENDED},
)
CALENDAR: Mapping[str, Any] = {
    "version": 1,
    "vacations": [
        {"name": NAME, "from": "2027-07-12", "to": "2027-08-29"},
        {"name": NAME, "from": "2028-01-17", "to": "2028-02-27"},
    ],
    "holidays": [
        {
            "name": NAME,
            "from": "2027-10-01",
            "to": "2027-10-07",
            "makeup": ["2027-09-26", "2027-10-09"],
        },
        {"name": NAME, "from": "2028-01-01", "to": "2028-01-03"},
        {"name": NAME, "from": "2028-01-26", "to": "2028-02-01", "makeup": ["2028-02-05"]},
        {"name": NAME, "from": "2028-05-01", "to": "2028-05-05", "makeup": ["2028-05-06"]},
    ],
    "hours": {
        "daytime": [{"from": "06:00", "to": "20:00"}],
        "office": [
            {"from": "08:00", "to": "12:00", "days": ["workdays"]},
            {"from": "13:30", "to": "17:30", "days": ["workdays"]},
        ],
        "teaching": [
            {"from": "06:00", "to": "23:00", "in": "term"},
            {"from": "08:00", "to": "18:00", "days": ["workdays"], "in": "vacation"},
        ],
        "night": [{"from": "22:30", "to": "02:30"}],
    },
}

PEOPLE = ("an", "bo", "chen", "deng", "fang", "gu")
ROSTER: Mapping[str, Any] = {
    "version": 1,
    "people": [{"id": one, "name": one} for one in PEOPLE],
    "crews": [{"id": "crew", "name": NAME, "lead": "gu", "members": list(PEOPLE)}],
    "rotations": [
        {
            "crew": "crew",
            "starts": "2027-06-01",
            "every": "P2D",
            "shifts": [
                {"name": "early", "from": "06:00", "to": "14:00"},
                {"name": "late", "from": "14:00", "to": "22:00"},
                {"name": "night", "from": "22:00", "to": "05:15"},  # then nobody is there
            ],
            "order": [["an"], ["bo"], ["chen"], ["deng"], ["fang"]],
        },
    ],
}


class Ground(NamedTuple):
    """Where the clocks are proven: the plain promise, and the site for the hub."""

    service: Mapping[str, Json]
    calendar: Mapping[str, Json]
    roster: Mapping[str, Json]
    site: Site
    packs: Sequence[Pack]
    causes: Sequence[Cause]

    def core(self) -> Core:
        """Return a hub's engine that knows this campus and nothing of what happened."""
        dates = CalendarFile.model_validate(self.calendar)
        calendar = Calendar(dates, self.site.zone)
        service = Service.model_validate(self.service)
        roster = Roster(RosterFile.model_validate(self.roster), self.site.zone, dates)
        return Core(self.site, self.packs, service, calendar, roster)


def laid(zone: str) -> Ground:
    """Lay out the campus in the civil time of a zone."""
    raw = yaml.safe_load((shipped() / "service.yaml").read_text("utf-8"))
    rooms = [f"dorm-{b:02}/{n}" for b in range(1, BUILDINGS + 1) for n in range(1, ROOMS + 1)]
    buildings = sorted({room.partition("/")[0] for room in rooms})
    text = Text("地", "place")
    places = [Place(one, "building", text) for one in buildings]
    places += [Place(room, "room", text) for room in rooms]
    devices = [_device(n, buildings[n % BUILDINGS]) for n in range(DEVICES)]
    site = Site("campus", text, ZoneInfo(zone), places, [], devices)
    causes = [Cause(source, kind, room, "", s) for room in rooms for source, kind, s in REPORTS]
    causes += [Cause("alarm", f"{d.kind}-high", d.place, d.id, KINDS[d.kind]) for d in devices]
    service = {**raw, "policies": list(POLICIES)}
    return Ground(service, CALENDAR, ROSTER, site, _packs(), causes)


def _device(n: int, place: str) -> Device:
    kind = tuple(KINDS)[n % len(KINDS)]
    id_ = f"{place}/{kind}-{n}"
    point = Point(n + 1, f"{id_}/value", id_, "value", "", "gauge", Text("值", "value"))
    minute = timedelta(minutes=1)
    return Device(id_, f"proven-{kind}", kind, place, minute, None, None, (point,))


def _packs() -> list[Pack]:
    return [
        Pack.model_validate(
            {
                "version": 1,
                "pack": kind,
                "applies_to": {"kind": kind},
                "rules": [
                    {
                        "id": f"{kind}-high",
                        "kind": "high",
                        "point": "value",
                        "limit": LIMIT,
                        "clear": LIMIT - 1,
                        "severity": severity,
                        "title": NAME,
                        "guidance": NAME,
                    }
                ],
            }
        )
        for kind, severity in KINDS.items()
    ]
