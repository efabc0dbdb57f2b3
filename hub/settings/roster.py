"""Check what a roster refers to: people, crews, skills, places, hours; and two turns at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.model import Json
from hub.settings.form import suggestion
from hub.settings.source import Document, Key, Problem, Row
from rules.calendar import NO_CALENDAR, CalendarFile
from rules.coverage import clashes
from rules.roster import Roster
from rules.roster_form import RosterFile

_YEAR_MS = 366 * 86_400_000
_MOST_CLASHES = 20


class WrittenRoster(NamedTuple):
    """A roster as it was written, and in its form where that is right."""

    document: Document
    file: RosterFile | None
    calendar: CalendarFile | None


def without_addresses(file: RosterFile) -> RosterFile:
    """Return a roster without telephones and addresses.

    They change nothing that the hub decides, and what is in the journal stays there.
    """
    bare: dict[str, Json] = {"phone": None, "addresses": {}}
    return file.model_copy(
        update={"people": tuple(one.model_copy(update=bare) for one in file.people)}
    )


def wrong_roster(
    written: WrittenRoster, places: Collection[str] | None, hours: Collection[str] | None
) -> Iterator[Problem]:
    """Find what names something that is not there; ``places`` or ``hours`` None: not known."""
    document = written.document
    people, crews, skills = (_ids(document, name) for name in ("people", "crews", "skills"))
    for name in ("people", "crews", "skills"):
        yield from _twice(document.rows(name), "id")
    yield from _twice(document.rows("people"), "user")
    for row in document.rows("people"):
        yield from _unknown(row, "skills", skills, "skill")
    for row in document.rows("crews"):
        yield from _unknown(row, "members", people, "person")
        yield from _unknown(row, "lead", people, "person")
        yield from _unknown(row, "skills", skills, "skill")
        yield from _unknown(row, "places", places, "place")
    for row in document.rows("cover"):
        yield from _unknown(row, "place", places, "place")
        yield from _unknown(row, "skill", skills, "skill")
        yield from _unknown(row, "hours", hours, "hours of the calendar,")
    yield from _rotations(document, crews)
    if written.file is not None:
        yield from _clashes(document, written.file, written.calendar)


def _rotations(document: Document, crews: Collection[str]) -> Iterator[Problem]:
    members = {row.text("id"): _listed(row, "members") for row in document.rows("crews")}
    named: dict[tuple[str | None, object], Key] = {}
    for row in document.rows("rotations"):
        yield from _unknown(row, "crew", crews, "crew")
        crew = row.text("crew")
        shifts = row.data.get("shifts")
        for n, shift in enumerate(shifts if isinstance(shifts, list) else ()):
            name = shift.get("name") if isinstance(shift, dict) else None
            key: Key = (*row.key, "shifts", n, "name")
            first = named.setdefault((crew, name), key)
            if name is not None and first != key:
                what = f"the crew has a shift {name!r} on line {document.line(first)}; name it else"
                yield document.problem(key, what)
        if crew in members:
            for key, person in _workers(row):
                if person not in members[crew]:
                    hint = suggestion(person, members[crew]) or "; add it to its members"
                    yield document.problem(key, f"{person!r} is no member of {crew!r}{hint}")


def _workers(row: Row) -> Iterator[tuple[Key, str]]:
    """Yield who is named in the groups of a rotation, and where."""
    for name in ("order", "week"):
        groups = row.data.get(name)
        if not isinstance(groups, (dict, list)):
            continue
        parts = groups if isinstance(groups, dict) else dict(enumerate(groups))
        for part, group in parts.items():
            for n, person in enumerate(group if isinstance(group, list) else ()):
                if isinstance(person, str):
                    yield (*row.key, name, part, n), person


def _clashes(
    document: Document, file: RosterFile, calendar: CalendarFile | None
) -> Iterator[Problem]:
    """Find who is on two turns at once in the year after the last rotation has begun."""
    crews = {crew.id for crew in file.crews}
    if not file.rotations or any(one.crew not in crews for one in file.rotations):
        return
    # In which zone the clock of the wall stands matters to no clash but one of a changed clock.
    roster = Roster(file, ZoneInfo("UTC"), calendar or NO_CALENDAR)
    begins = datetime.combine(max(one.starts for one in file.rotations), time(), ZoneInfo("UTC"))
    start_ms = round(begins.timestamp()) * 1000
    seen: set[tuple[str, ...]] = set()
    for clash in clashes(roster.turns(start_ms, start_ms + _YEAR_MS)):
        shifts = (id_.rpartition("/")[0] for id_ in (clash.first, clash.second))
        pair = (clash.person, *shifts)
        if pair in seen or len(seen) >= _MOST_CLASHES:
            continue
        seen.add(pair)
        crew = clash.second.partition("/")[0]
        n = next(n for n, one in enumerate(file.rotations) if one.crew == crew)
        what = f"{clash.person!r} is on two shifts at once: {clash.first} and {clash.second}"
        yield document.problem(("rotations", n), f"{what}; give one of them to somebody else")


def _ids(document: Document, name: str) -> list[str]:
    return [id_ for row in document.rows(name) if (id_ := row.text("id"))]


def _listed(row: Row, name: str) -> list[str]:
    value = row.data.get(name)
    listed = value if isinstance(value, list) else [value]
    return [one for one in listed if isinstance(one, str)]


def _unknown(row: Row, name: str, known: Collection[str] | None, what: str) -> Iterator[Problem]:
    for n, id_ in enumerate(_listed(row, name)) if known is not None else ():
        if known is not None and id_ not in known:
            key: Key = (*row.key, name, n) if isinstance(row.data[name], list) else (*row.key, name)
            hint = suggestion(id_, sorted(known)) or "; add it"
            yield row.document.problem(key, f"there is no {what} {id_!r}{hint}")


def _twice(rows: Iterable[Row], name: str) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    for row in rows:
        value = row.text(name)
        before = first.setdefault(value, row) if value else row
        if before is not row:
            line = before.document.line((*before.key, name))
            yield row.problem(name, f"{value!r} is taken on line {line}")
