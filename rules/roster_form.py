"""What people write in roster.yaml: people, crews, who works when, what is covered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from rules.calendar import WEEKDAYS, ClockTime, Weekday, Window
from rules.form import Duration, FormError, Id, Spec, Words

PlaceId = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Group = Annotated[tuple[Id, ...], Field(min_length=1)]
_DAY = timedelta(days=1)


class Quiet(Spec):
    """Hours in which a person is told only what is urgent; over midnight where they end first."""

    from_: ClockTime = Field(alias="from")
    to: ClockTime


class Person(Spec):
    """Somebody who works here; ``user`` is who signs in, ``channels`` by what they are told.

    ``addresses`` are their own on a channel: a mail address, say. ``language``: None: the site's.
    Without ``skills`` of their own they have those of the crew that they are on duty for.
    """

    id: Id
    name: str = Field(min_length=1, max_length=60)
    user: str | None = Field(None, min_length=1, max_length=100)
    phone: str | None = Field(None, min_length=3, max_length=30)
    channels: tuple[Id, ...] = ()
    addresses: Mapping[Id, str] = Field(default_factory=dict)
    language: Literal["zh", "en"] | None = None
    quiet: Quiet | None = None
    skills: tuple[Id, ...] = ()


class Skill(Spec):
    """A trade; ``kinds`` are the kinds of devices, places and reports that ask for it."""

    id: Id
    name: Words
    kinds: tuple[str, ...] = ()


class Crew(Spec):
    """People who repair; without ``places`` on the whole campus, without ``skills`` anything.

    A crew of a ``contractor`` sees no tickets but its own.
    """

    id: Id
    name: Words
    members: Annotated[tuple[Id, ...], Field(min_length=1)]
    lead: Id | None = None
    skills: tuple[Id, ...] = ()
    places: tuple[PlaceId, ...] = ()
    contractor: bool = False

    def depth(self, place: str) -> int | None:
        """Return how closely the crew is bound to a place, in levels; None: it is not theirs."""
        if not self.places:
            return 0
        fits = [own for own in self.places if place == own or place.startswith(own + "/")]
        return max((own.count("/") + 1 for own in fits), default=None)


class Shift(Window):
    """Hours of work by a name that is its own within the crew; from 08:00 to 08:00 is a day."""

    name: Id


class Rotation(Spec):
    """Who works the shifts of a crew: groups in turn (``order``), or the same every ``week``.

    Each group of ``order`` works the first shift for a turn, then the second, and so on, and rests
    until its next first one; a turn lasts ``every``, and the first group begins on ``starts``.
    """

    crew: Id
    starts: date
    until: date | None = None
    every: Duration = _DAY
    shifts: Annotated[tuple[Shift, ...], Field(min_length=1)]
    order: tuple[Group, ...] = ()
    week: Mapping[Weekday, Group] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Rotation:
        if bool(self.order) == bool(self.week):
            raise ValueError("write one of order (groups in turn) and week (groups by weekday)")
        if self.every < _DAY or self.every % _DAY:
            raise FormError(("every",), "a turn lasts whole days, like P1D or P7D")
        if self.until is not None and self.until < self.starts:
            raise FormError(("until",), "lies before starts")
        return self

    def people(self, shift: int, day: date) -> tuple[str, ...]:
        """Return who works the shift of that number that begins on a day; nobody outside."""
        if day < self.starts or (self.until is not None and day > self.until):
            return ()
        if self.week:
            return self.week.get(WEEKDAYS[day.weekday()], ())
        turn = (day - self.starts) // self.every
        return self.order[(turn - shift) % len(self.order)]


class Cover(Spec):
    """What must be covered: ``least`` people on duty for a skill at a place.

    Without ``place`` everywhere, without ``skill`` by anybody, without ``hours`` day and night.
    """

    place: PlaceId | None = None
    skill: Id | None = None
    hours: Id | None = None
    least: int = Field(1, ge=1, le=100)


class RosterFile(Spec):
    """roster.yaml: people, crews and their shifts."""

    version: Literal[1]
    skills: tuple[Skill, ...] = ()
    people: tuple[Person, ...] = ()
    crews: tuple[Crew, ...] = ()
    rotations: tuple[Rotation, ...] = ()
    cover: tuple[Cover, ...] = (Cover(),)
