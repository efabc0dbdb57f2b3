"""Who can be told, by which channels, in which language, and when they want to be left alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from hub.database.outbox import DESK

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
