"""Who can be told, by which channels, in which language, and when they want to be left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from hub.database.outbox import DESK
from rules.roster_form import RosterFile

DUTY = DESK
"""The channel of the duty desk."""


class Way(NamedTuple):
    """A channel, and the address that a person has there; empty: the channel's own."""

    channel: str
    address: str = ""


class Quiet(NamedTuple):
    """Hours of the wall clock in which only what is urgent is told; over midnight if it must."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is told things; ``ways`` in the order in which they are tried.

    ``language`` is ``zh``, ``en`` or empty for both.
    """

    id: str
    name: str
    ways: tuple[Way, ...]
    language: str = ""
    quiet: Quiet | None = None


class People(Protocol):
    """Finds people; a roster is one."""

    def person(self, id_: str) -> Person:
        """Return who an id is; who is not known has no ways."""


DUTY_DESK = Person(DESK, DESK, (Way(DUTY),))


class DutyDesk:
    """The people of a site without a roster: the duty desk is told everything."""

    def person(self, id_: str) -> Person:
        """Return the duty desk, whoever is meant."""
        del id_
        return DUTY_DESK


class OfRoster:
    """The people of a roster; who has no language there is told in that of the site."""

    def __init__(self, roster: RosterFile, locale: str) -> None:
        self._known = {one.id: one for one in roster.people}
        self._language = "en" if locale.startswith("en") else "zh"

    def person(self, id_: str) -> Person:
        """Return who an id is; who is not in the roster has no ways."""
        if id_ == DESK:
            return DUTY_DESK
        one = self._known.get(id_)
        if one is None:
            return Person(id_, id_, ())
        edges = (one.quiet.from_, one.quiet.to) if one.quiet else None
        quiet = Quiet(*map(time.fromisoformat, edges)) if edges else None
        ways = tuple(Way(name, one.addresses.get(name, "")) for name in one.channels)
        return Person(id_, one.name, ways, one.language or self._language, quiet)


def quiet_until_ms(quiet: Quiet | None, now_ms: int, zone: ZoneInfo) -> int | None:
    """Return when the quiet hours that hold an instant are over; None outside of them."""
    if quiet is None:
        return None
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    clock = now.time()
    over_midnight = quiet.end <= quiet.start
    if over_midnight:
        inside = clock >= quiet.start or clock < quiet.end
    else:
        inside = quiet.start <= clock < quiet.end
    if not inside:
        return None
    tomorrow = over_midnight and clock >= quiet.start
    day = now.date() + timedelta(days=int(tomorrow))
    end = datetime.combine(day, quiet.end, zone)
    return max(round(end.timestamp() * 1000), now_ms + 1)
