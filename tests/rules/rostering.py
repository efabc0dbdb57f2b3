"""Make rosters for the tests."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from hub.model import Swap
from rules.calendar import CalendarFile
from rules.roster import Roster
from rules.roster_form import RosterFile

MINUTE = 60_000
NAMES = {"zh": "词", "en": "word"}
DAY = {"name": "day", "from": "08:00", "to": "20:00"}
NIGHT = {"name": "night", "from": "20:00", "to": "08:00"}


def roster(
    *rotations: dict[str, object],
    zone: str = "Asia/Shanghai",
    calendar: CalendarFile | None = None,
    swaps: tuple[Swap, ...] = (),
    **keys: object,
) -> Roster:
    """Make a roster of people a to d; without keys one crew that takes anything anywhere."""
    content: dict[str, object] = {
        "version": 1,
        "people": [{"id": id_, "name": id_} for id_ in "abcd"],
        "crews": [{"id": "duty", "name": NAMES, "members": list("abcd")}],
        "rotations": [{"crew": "duty", "starts": "2026-01-05", **one} for one in rotations],
    }
    file = RosterFile.model_validate(content | keys)
    return Roster(file, ZoneInfo(zone), calendar or CalendarFile(version=1), swaps)


def at(one: Roster, text: str) -> int:
    """Return an instant by the wall clock of the roster."""
    return round(datetime.fromisoformat(text).replace(tzinfo=one.zone).timestamp()) * 1000


CREWS = {
    "skills": [
        {"id": "water", "name": NAMES, "kinds": ["boiler"]},
        {"id": "lifts", "name": NAMES},
    ],
    "people": [
        {"id": "a", "name": "a", "user": "anna"},
        {"id": "b", "name": "b"},
        {"id": "c", "name": "c", "skills": ["lifts"]},
        {"id": "d", "name": "d"},
    ],
    "crews": [
        {"id": "duty", "name": NAMES, "members": ["a"]},
        {"id": "firm", "name": NAMES, "members": ["d"], "skills": ["water"], "places": ["x/1"],
         "contractor": True},
        {"id": "all-water", "name": NAMES, "members": ["b"], "skills": ["water"]},
        {"id": "house", "name": NAMES, "members": ["c"], "skills": ["water", "lifts"],
         "places": ["x"]},
    ],
}  # fmt: skip
ALL_DAY = {"starts": "2026-01-05", "shifts": [{"name": "all", "from": "00:00", "to": "00:00"}]}
