"""Whose work a ticket is, and whom a rung of the ladder tells; pure, time is an argument."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from hub.model import Json, Ticket
from rules.roster import OnDuty, Roster
from rules.service import Listener


def crew_of(roster: Roster | None, kind: str, place: str) -> str:
    """Return the crew that an alarm on a kind of device belongs to; empty: nobody's."""
    crew = roster.crew_of(place, roster.skill_of(kind)) if roster else None
    return crew.id if crew else ""


class Choice(NamedTuple):
    """Whose work it is to be, with the facts that it rests on; nobody where nobody is there."""

    person: str | None
    crew: str | None
    reason: Mapping[str, Json]


class Duty:
    """The roster in force, and who was given work last."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._given: dict[str, int] = {}

    def person(self, actor: str) -> str:
        """Return the person that a user is; an actor who is none stays as he is."""
        found = self.roster.person_of(actor)
        return found.id if found else actor

    def choose(
        self,
        place: str,
        skill: str,
        at_ms: int,
        loads: Mapping[str, int],
        but: Collection[str] = (),
    ) -> Choice:
        """Choose who does work at a place: the fittest on duty, of them who has least to do.

        ``loads`` are the open tickets of each person, ``but`` those who do not take it. Of two with
        as much to do it is whose turn to be given work is longest ago.
        """
        free = [one for one in self.roster.on_duty(at_ms, place, skill) if one.person not in but]
        crew = self.roster.crew_of(place, skill)
        if not free:
            why = "nobody else is on duty" if but else "nobody is on duty"
            reason = {"skill": skill, "nobody": why, **_listed("declined", but)}
            return Choice(None, crew.id if crew else None, reason)
        best = min(free, key=lambda one: self._rank(one, loads))
        reason = {
            "skill": skill,
            "skilled": best.skilled,
            "turn": best.turn,
            "open": loads.get(best.person, 0),
            "others": [
                {"person": one.person, "open": loads.get(one.person, 0)}
                for one in free
                if one is not best
            ],
            **_listed("declined", but),
        }
        return Choice(best.person, best.crew, reason)

    def given(self, person: str, at_ms: int) -> None:
        """Note that somebody was given work."""
        self._given[person] = at_ms

    def listeners(
        self, tell: Listener, ticket: Ticket, at_ms: int, tried: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Return the people whom a rung tells; none where it is the duty desk, or nobody is there.

        ``on_duty`` is whose work it is, else the next fittest of those who were not tried before.
        """
        there = self.roster.on_duty(at_ms, ticket.place, ticket.skill)
        crew = self.roster.crews.get(ticket.crew or "")
        if tell == "assignee":
            return (ticket.assignee,) if ticket.assignee else ()
        if tell == "lead":
            return (crew.lead,) if crew and crew.lead else ()
        if tell == "crew":
            return tuple(one.person for one in there if crew is None or one.crew == crew.id)
        if tell == "on_duty":
            people = [one.person for one in there]
            first = [ticket.assignee] if ticket.assignee in people else []
            return tuple(one for one in [*first, *people] if one and one not in tried)[:1]
        return ()

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {"given": self._given}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self._given = dict(state["given"])

    def _rank(self, one: OnDuty, loads: Mapping[str, int]) -> tuple[Json, ...]:
        return one.fit, loads.get(one.person, 0), self._given.get(one.person, 0)


def _listed(name: str, people: Collection[str]) -> dict[str, Json]:
    return {name: list(people)} if people else {}
