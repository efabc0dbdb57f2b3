"""What explains an alarm, or that there is none: what was kept, what is so now, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.profile import Profile
from hub.database import records
from hub.database.connection import Database
from hub.model import Alarm, AlarmEvent, Json, Point
from hub.site import Site
from hub.web import explain
from hub.web.explain import Named, Reader, Why
from hub.web.form import iso
from hub.web.parts import Parts
from hub.web.value import device_words, is_switch, place_words

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Case:
    """A rule on a subject: how it is ``now``; its alarm, what was held as it rose, its root."""

    subject: str
    rule: str
    now: Mapping[str, Any] | None
    alarm: Alarm | None = None
    then: Why | None = None
    root: Alarm | None = None


def case_of(
    database: Database, subject: str, rule: str, now: Mapping[str, Any] | None, alarm: str = ""
) -> Case:
    """Look up what belongs to a rule on a subject: ``now`` is what the engine says of it."""
    id_ = alarm or (now or {}).get("alarm") or ""
    found = records.alarm(database, id_) if id_ else None
    hold = (now or {}).get("hold")
    root_id = found.root if found and found.root else hold["root"] if hold else None
    root = records.alarm(database, root_id) if root_id else None
    then = then_of(records.alarm_history(database, id_)) if found else None
    return Case(subject, rule, now, found, then, root)


def then_of(events: Sequence[AlarmEvent]) -> Why | None:
    """Return what was held when an alarm rose, or rose again while it was held back."""
    kept = [event.detail["why"] for event in events if event.detail.get("why")]
    return kept[-1] if kept else None


def naming(site: Site, profiles: Mapping[str, Profile], subject: str) -> Callable[[str, str], Any]:
    """Return what names the points of a subject; those of a place are those of its devices."""
    device = site.devices.get(subject)
    own = {point.name: point for point in (device.points if device else ())}

    def name(point: str, language: str) -> Named:
        found = own.get(point) or _anywhere(site, point)
        if found is None:
            return Named(point)
        profile = profiles.get(site.devices[found.device].profile)
        label = found.label.in_language(language) or point
        return Named(label, found.unit, is_switch(profile, found))

    return name


def _anywhere(site: Site, name: str) -> Point | None:
    points = (point for device in site.devices.values() for point in device.points)
    return next((point for point in points if point.name == name), None)


def reader_of(
    site: Site, profiles: Mapping[str, Profile], subject: str, language: str, now_ms: int
) -> Reader:
    """Return who reads about a subject."""
    name = naming(site, profiles, subject)
    return Reader(language, site.zone, now_ms, lambda point: name(point, language))


def sentences(parts: Parts, subject: str, why: Why, language: str) -> list[str]:
    """Say why an alarm of a subject rose."""
    now_ms = parts.clock.now_ms()
    reader = reader_of(parts.site, parts.profiles, subject, language, now_ms)
    return explain.sentences_then(why, reader)


def then_words(case: Case, reader: Reader) -> list[str]:
    """Say why the alarm rose; nothing where that was not kept."""
    return explain.sentences_then(case.then, reader) if case.then else []


def now_words(case: Case, reader: Reader, site: Site) -> list[str]:
    """Say how the rule stands now; nothing where it is no longer in force."""
    if case.now is None:
        return []
    return explain.sentences_now(case.now["why"], reader, hold_of(case, reader, site))


def hold_of(case: Case, reader: Reader, site: Site) -> str:
    """Say what holds the alarm back, or would if it rose now."""
    hold = (case.now or {}).get("hold")
    if not hold:
        return ""
    words = explain.hold_words(hold, reader, alarm_words(case.root, reader.language, site))
    there = case.now is not None and case.now["alarm"] is not None
    return words if there else reader.say("hold-would", hold=words)


def alarm_words(alarm: Alarm | None, language: str, site: Site) -> str:
    """Name an alarm: what, and where."""
    if alarm is None:
        return ""
    where = subject_words(site, alarm.device, language)
    return f"{alarm.title.in_language(language)} · {where}"


def subject_words(site: Site, subject: str, language: str) -> str:
    """Name a subject: a device by its short name, a place by its own, a gateway by its id."""
    if subject in site.places:
        return " · ".join(words for _, words in place_words(site, subject, language))
    return device_words(subject) if subject in site.devices else subject


def written(
    case: Case, site: Site, profiles: Mapping[str, Profile], now_ms: int
) -> dict[str, Json]:
    """Write an explanation for programs, its sentences in both languages."""
    readers = {one: reader_of(site, profiles, case.subject, one, now_ms) for one in LANGUAGES}
    then, now, alarm = case.then, case.now, case.alarm
    return {
        "subject": case.subject,
        "rule": case.rule,
        "alarm": alarm.id if alarm else None,
        "state": str(alarm.state) if alarm else None,
        "raised": iso(alarm.raised_ms, site.zone) if alarm else None,
        "rose": then
        and {
            "at": iso(then["at_ms"], site.zone),
            "why": dict(then),
            "sentences": {one: then_words(case, reader) for one, reader in readers.items()},
        },
        "now": now
        and {
            "at": iso(now_ms, site.zone),
            "why": dict(now["why"]),
            "hold": now["hold"],
            "sentences": {one: now_words(case, reader, site) for one, reader in readers.items()},
        },
    }
