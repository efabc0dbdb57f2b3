"""Check that what a configuration refers to is there, even where some of its form is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.profile import Profile
from hub.model import Json
from hub.reports.kind import ReportsFile
from hub.settings.connection import shared_lines, where, wrong_connections
from hub.settings.form import suggestion
from hub.settings.pack import wrong_packs
from hub.settings.roster import WrittenRoster, wrong_roster
from hub.settings.source import Document, Problem, Row
from rules.calendar import CalendarFile
from rules.spec import Pack


@dataclass(slots=True)
class Draft:
    """What was read so far: rows as written, profiles and packs whose form is right.

    Only the site's own packs are judged by its profiles: a site may have another profile than the
    one a shipped pack was written for, and that pack's rules then apply to nothing.
    What could not be read is remembered, so that what refers to it is not blamed for it.
    """

    campus: Mapping[str, Json] = field(default_factory=dict)
    places: list[Row] = field(default_factory=list)
    gateways: list[Row] = field(default_factory=list)
    devices: list[Row] = field(default_factory=list)
    accounts: list[Row] = field(default_factory=list)
    holds: list[Row] = field(default_factory=list)
    profiles: dict[str, tuple[Document, Profile]] = field(default_factory=dict)
    own_packs: list[tuple[Document, Pack]] = field(default_factory=list)
    shipped_packs: list[Pack] = field(default_factory=list)
    calendar: CalendarFile | None = None  # None: it could not be read
    policies: list[Row] = field(default_factory=list)
    roster: WrittenRoster | None = None
    reports: tuple[Document, ReportsFile] | None = None  # the site's own
    places_unread: bool = False
    packs_unread: bool = False
    profiles_unread: set[str] = field(default_factory=set)


def broken_references(draft: Draft) -> Iterator[Problem]:
    """Find what names something that is not there, or the same thing twice."""
    for rows in (draft.places, draft.gateways, draft.devices):
        yield from _twice(rows)
    yield from _places_outside(draft)
    yield from shared_lines(draft.gateways)
    yield from _device_references(draft)
    yield from _accounts_outside(draft)
    yield from _holds_outside(draft)
    yield from _hours_outside(draft)
    yield from _policies_outside(draft)
    if draft.roster is not None:
        places = None if draft.places_unread else set(_ids(draft.places))
        hours = None if draft.calendar is None else set(draft.calendar.hours)
        yield from wrong_roster(draft.roster, places, hours)
    yield from _rules_outside(draft)
    for document, profile in draft.profiles.values():
        yield from _within_profile(document, profile)
    if not draft.profiles_unread:
        profiles = [profile for _, profile in draft.profiles.values()]
        yield from wrong_packs(draft.own_packs, draft.shipped_packs, profiles)


def _ids(rows: Sequence[Row]) -> dict[str, Row]:
    return {id_: row for row in rows if (id_ := row.text("id"))}


def _twice(rows: Sequence[Row]) -> Iterator[Problem]:
    first: dict[str, Row] = {}
    for row in rows:
        id_ = row.text("id")
        if id_ is None:
            continue
        before = first.setdefault(id_, row)
        if before is not row:
            yield row.problem("id", f"{id_!r} is taken {where(before)}; ids are unique")


def _places_outside(draft: Draft) -> Iterator[Problem]:
    if draft.places_unread:
        return
    known = _ids(draft.places)
    for row in draft.places:
        building, level, _ = (row.text("id") or "").partition("/")
        if level and building not in known:
            yield row.problem("id", f"there is no building {building!r}; add it to the places")


def _accounts_outside(draft: Draft) -> Iterator[Problem]:
    if draft.places_unread:
        return
    site = draft.campus.get("site")
    known = {
        *_ids(draft.places),
        *([site["id"]] if isinstance(site, dict) and "id" in site else []),
    }
    for row in draft.accounts:
        yield from _unknown(row, "place", known, "add it to the places")


def _holds_outside(draft: Draft) -> Iterator[Problem]:
    if draft.places_unread:
        return
    places, devices = _ids(draft.places), _ids(draft.devices)
    for row in draft.holds:
        yield from _unknown(row, "place", places, "name one of the places")
        yield from _unknown(row, "device", devices, "name one of the devices")
        device = (row.text("point") or "").rpartition("/")[0]
        if row.text("point") and device not in devices:
            yield row.problem("point", f"there is no device {device!r}; name a point of one")


def _hours_outside(draft: Draft) -> Iterator[Problem]:
    if draft.calendar is None:
        return
    for document, pack in draft.own_packs:
        for n, rule in enumerate(pack.rules):
            for name in ("hours", "outside"):
                hours: str | None = getattr(rule.when, name, None)
                if hours is not None and hours not in draft.calendar.hours:
                    what = _no_hours(hours, draft.calendar)
                    yield document.problem(("rules", n, "when", name), what)


def _no_hours(name: str, calendar: CalendarFile) -> str:
    hint = suggestion(name, sorted(calendar.hours)) or "; add it to calendar.yaml"
    return f"the calendar has no hours {name!r}{hint}"


def _policies_outside(draft: Draft) -> Iterator[Problem]:
    """Find hours that there are not or that may never come, and places that there are not."""
    for row in draft.policies:
        hours, calendar = row.text("hours"), draft.calendar
        if hours is not None and calendar is not None:
            if hours not in calendar.hours:
                yield row.problem("hours", _no_hours(hours, calendar))
            elif not calendar.comes_again(hours):
                what = f"{hours!r} are open in vacations only; a clock may stand for ever"
                yield row.problem("hours", what)
        yield from _places_of_policy(row, draft)


def _places_of_policy(row: Row, draft: Draft) -> Iterator[Problem]:
    scope = row.data.get("for")
    places = scope.get("places") if isinstance(scope, dict) else None
    if draft.places_unread or not isinstance(places, list):
        return
    known = _ids(draft.places)
    for n, place in enumerate(places):
        if isinstance(place, str) and place not in known:
            hint = suggestion(place, sorted(known)) or "; add it to the places"
            key = (*row.key, "for", "places", n)
            yield row.document.problem(key, f"there is no place {place!r}{hint}")


def _rules_outside(draft: Draft) -> Iterator[Problem]:
    """Find what reports may be, and no pack has."""
    if draft.reports is None or draft.packs_unread:
        return
    packs = [*draft.shipped_packs, *(pack for _, pack in draft.own_packs)]
    known = {rule.id for pack in packs for rule in pack.rules}
    document, file = draft.reports
    for g, group in enumerate(file.groups):
        for k, kind in enumerate(group.kinds):
            for n, rule in enumerate(kind.rules):
                if rule not in known:
                    hint = suggestion(rule, sorted(known)) or "; name one of a rule pack"
                    key = ("groups", g, "kinds", k, "rules", n)
                    yield document.problem(key, f"there is no rule {rule!r}{hint}")


def _device_references(draft: Draft) -> Iterator[Problem]:
    places, gateways = _ids(draft.places), _ids(draft.gateways)
    profiles = {*draft.profiles, *draft.profiles_unread}
    for row in draft.devices:
        yield from _unknown(row, "profile", profiles, "add profiles/<id>.yaml")
        if not draft.places_unread:
            yield from _unknown(row, "place", places, "add it to the places")
        yield from _unknown(row, "gateway", gateways, "add it to gateways:")
    of = {id_: profile for id_, (_, profile) in draft.profiles.items()}
    yield from wrong_connections(draft.devices, of, gateways, draft.campus)


def _unknown(row: Row, key: str, known: Collection[str], what_to_do: str) -> Iterator[Problem]:
    id_ = row.text(key)
    if id_ and id_ not in known:
        hint = suggestion(id_, sorted(known)) or f"; {what_to_do}"
        yield row.problem(key, f"there is no {key} {id_!r}{hint}")


def _within_profile(document: Document, profile: Profile) -> Iterator[Problem]:
    if profile.probe and profile.probe.point not in profile.points:
        hint = suggestion(profile.probe.point, sorted(profile.points))
        yield document.problem(
            ("probe", "point"), f"there is no point {profile.probe.point!r}{hint}"
        )
    for n, name in enumerate(profile.restless.points if profile.restless else ()):
        if name not in profile.points:
            hint = suggestion(name, sorted(profile.points))
            yield document.problem(("restless", "points", n), f"there is no point {name!r}{hint}")
    for name, point in profile.points.items():
        if not name.isidentifier() or name != name.lower() or not name.isascii():
            yield document.problem(
                ("points", name), f"{name!r} is no point name: lower-case letters, digits and _"
            )
        write = point.write
        if write and write.safe is not None and not write.min <= write.safe <= write.max:
            yield document.problem(
                ("points", name, "write", "safe"),
                f"{write.safe:g} is outside {write.min:g} to {write.max:g}",
            )
