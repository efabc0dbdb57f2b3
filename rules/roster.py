"""Who is on duty: rotations, shifts and swaps as spans of UTC instants; pure.

A shift belongs to the civil day that it begins on. Its edges are those of the wall clock, so that
shifts that meet on the clock meet at one instant, also on the days on which clocks are changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.model import Swap
from rules.calendar import NO_CALENDAR, Calendar, CalendarFile, first_instant
from rules.roster_form import Crew, Person, RosterFile

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_DAYS = 64
NIGHT = time(3)


class Turn(NamedTuple):
    """One shift of one day and the people on it; ``id`` is crew, shift and civil day."""

    id: str
    crew: str
    shift: str
    start_ms: int
    end_ms: int
    people: tuple[str, ...]


class OnDuty(NamedTuple):
    """Somebody who is on duty, for which crew, in which turn and until when.

    ``fit`` is how well the crew fits, least is best. ``skilled``: it is there for the skill that
    was asked for; crews that take anything come after those.
    """

    person: str
    crew: str
    turn: str
    until_ms: int
    skilled: bool
    fit: tuple[int, ...] = ()


class Roster:
    """A roster in the civil time of a zone, with the swaps that were made."""

    def __init__(
        self,
        file: RosterFile,
        zone: ZoneInfo,
        calendar: CalendarFile = NO_CALENDAR,
        swaps: Iterable[Swap] = (),
    ) -> None:
        self.file = file
        self.zone = zone
        self.calendar = Calendar(calendar, zone)
        self.people = {one.id: one for one in file.people}
        self.crews = {one.id: one for one in file.crews}
        self._calendar_file = calendar
        self.swaps = tuple(swaps)
        self._swapped: dict[str, list[Swap]] = {}
        for swap in self.swaps:
            self._swapped.setdefault(swap.turn, []).append(swap)
        self._turns_of = lru_cache(_KEPT_DAYS)(self._worked_out)

    def with_swaps(self, swaps: Iterable[Swap]) -> Roster:
        """Return the same roster with these swaps in the place of its own."""
        return Roster(self.file, self.zone, self._calendar_file, swaps)

    def turns(self, start_ms: int, end_ms: int) -> list[Turn]:
        """Return the turns that touch start <= at < end, in order of their start."""
        first, last = (_day(at_ms, self.zone) for at_ms in (start_ms, end_ms))
        days = (first + timedelta(n) for n in range(-1, (last - first).days + 1))
        found = (turn for day in days for turn in self._turns_of(day))
        touching = [turn for turn in found if turn.start_ms < end_ms and turn.end_ms > start_ms]
        return sorted(touching, key=lambda turn: (turn.start_ms, turn.id))

    def turn(self, id_: str) -> Turn | None:
        """Return the turn of an id, as it is after the swaps."""
        try:
            day = date.fromisoformat(id_.rpartition("/")[2])
        except ValueError:
            return None
        return next((turn for turn in self._turns_of(day) if turn.id == id_), None)

    def working(self, at_ms: int) -> list[Turn]:
        """Return the turns that run at an instant."""
        today = _day(at_ms, self.zone)
        of_days = (*self._turns_of(today - timedelta(1)), *self._turns_of(today))
        return [turn for turn in of_days if turn.start_ms <= at_ms < turn.end_ms]

    def on_duty(self, at_ms: int, place: str, skill: str = "") -> list[OnDuty]:
        """Return who is on duty for a place and a skill, the fittest first.

        First who is there for the skill, or where none is asked for, for anything; of them the
        site's own people, then contractors; then who is bound most closely to the place, then the
        order of the file.
        """
        found: list[OnDuty] = []
        for turn in self.working(at_ms):
            crew = self.crews[turn.crew]
            fit = self.fit(crew, place, skill)
            if fit is None:
                continue
            skilled = bool(skill and crew.skills)
            found += [
                OnDuty(person, crew.id, turn.id, turn.end_ms, skilled, fit)
                for person in turn.people
                if self.can(person, crew, skill)
            ]
        order = list(self.crews)
        found.sort(key=lambda one: (one.fit, order.index(one.crew)))
        return list({one.person: one for one in reversed(found)}.values())[::-1]

    def of_crew(self, at_ms: int, crew: str) -> list[OnDuty]:
        """Return who of a crew is on duty, whatever for."""
        turns = (turn for turn in self.working(at_ms) if turn.crew == crew)
        return [
            OnDuty(person, crew, turn.id, turn.end_ms, skilled=False)
            for turn in turns
            for person in turn.people
        ]

    def fit(self, crew: Crew, place: str, skill: str) -> tuple[int, ...] | None:
        """Return how well a crew fits a place and a skill, least is best; None: not at all."""
        depth = crew.depth(place)
        if depth is None or (skill and crew.skills and skill not in crew.skills):
            return None
        other = bool(skill) != bool(
            crew.skills
        )  # there for any trade, or for a trade not asked for
        return other, crew.contractor, -depth

    def can(self, person: str, crew: Crew, skill: str) -> bool:
        """Tell whether a member of a crew that fits has the skill."""
        own = self.people[person].skills
        return not skill or not crew.skills or not own or skill in own

    def crew_of(self, place: str, skill: str = "") -> Crew | None:
        """Return the crew that a place and a skill belong to, whoever is on duty."""
        fits = [(fit, crew) for crew in self.file.crews if (fit := self.fit(crew, place, skill))]
        return min(fits, key=lambda one: one[0])[1] if fits else None

    def skill_of(self, kind: str) -> str:
        """Return the skill that a kind of device, place or report asks for; empty: any."""
        return next((one.id for one in self.file.skills if kind in one.kinds), "")

    def person_of(self, user: str) -> Person | None:
        """Return the person that a user is."""
        return next((one for one in self.file.people if one.user == user), None)

    def crews_of(self, person: str) -> list[Crew]:
        """Return the crews that a person belongs to."""
        return [crew for crew in self.file.crews if person in crew.members]

    def is_night(self, turn: Turn) -> bool:
        """Tell whether a turn lasts over 03:00 of the wall clock."""
        first = _day(turn.start_ms, self.zone)
        nights = (datetime.combine(first + timedelta(n), NIGHT) for n in (0, 1))
        return any(
            turn.start_ms <= first_instant(night, self.zone) < turn.end_ms for night in nights
        )

    def is_free_day(self, turn: Turn) -> bool:
        """Tell whether a turn begins on a day off."""
        return not self.calendar.is_workday(_day(turn.start_ms, self.zone))

    def _worked_out(self, day: date) -> tuple[Turn, ...]:
        """Return the turns that begin on a civil day."""
        return tuple(
            Turn(id_, crew, shift, start_ms, end_ms, self._after_swaps(id_, people))
            for id_, crew, shift, start_ms, end_ms, people in self._planned(day)
        )

    def _planned(self, day: date) -> Iterator[Turn]:
        for rotation in self.file.rotations:
            for n, shift in enumerate(rotation.shifts):
                people = rotation.people(n, day)
                if not people or not self.calendar.opens(shift, day):
                    continue
                start = datetime.combine(day, time.fromisoformat(shift.from_))
                end = datetime.combine(day, time.fromisoformat(shift.to))
                end = end if end > start else end + timedelta(1)
                edges = (first_instant(start, self.zone), first_instant(end, self.zone))
                id_ = f"{rotation.crew}/{shift.name}/{day}"
                yield Turn(id_, rotation.crew, shift.name, *edges, people)

    def _after_swaps(self, id_: str, people: Sequence[str]) -> tuple[str, ...]:
        """Apply swaps in their order; one whose giver is not on the turn changes nothing."""
        now = list(people)
        for swap in self._swapped.get(id_, ()):
            if swap.gives in now:
                now[now.index(swap.gives)] = swap.takes
        return tuple(dict.fromkeys(now))


def _day(at_ms: int, zone: ZoneInfo) -> date:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()
