"""Whose work a ticket is, and whom a rung of the ladder tells; pure, time is an argument."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from hub.desk.action import Action
from hub.desk.section import Assignment, Swapping
from hub.desk.swap import check, swaps_of
from hub.model import Json, Swap, Ticket
from hub.ports import Refused
from hub.site import Site
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
    """The roster in force with its swaps, and who was given work last."""

    def __init__(self, roster: Roster, site: Site) -> None:
        self.roster = roster
        self._site = site
        self._given: dict[str, int] = {}

    def skill(self, subject: str) -> str:
        """Return the skill that a device or place asks for; empty: any."""
        return self.roster.skill_of(self._site.kind_of(subject))

    def person(self, actor: str) -> str:
        """Return the person that a user is; an actor who is none stays as he is."""
        found = self.roster.person_of(actor)
        return found.id if found else actor

    def choose(
        self,
        ticket: Ticket,
        at_ms: int,
        loads: Mapping[str, int],
        but: Collection[str] = (),
        crew: str | None = None,
    ) -> Choice:
        """Choose whose a ticket is: the fittest on duty, of them who has least to do.

        ``loads`` are the open tickets of each person, ``but`` those who do not take it, ``crew`` is
        one that was named. Of two with as much to do it is who was given work longer ago.
        """
        place, skill = ticket.place, ticket.skill
        there = self.roster.on_duty(at_ms, place, skill)
        there = self.roster.of_crew(at_ms, crew) if crew else there
        free = [one for one in there if one.person not in but]
        if not free:
            why = "nobody else is on duty" if but else "nobody is on duty"
            reason = {"skill": skill, "nobody": why, **_listed("declined", but)}
            theirs = self.roster.crew_of(place, skill)
            return Choice(None, crew or (theirs.id if theirs else None), reason)
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
        theirs = self.roster.of_crew(at_ms, ticket.crew or "")
        there = [*theirs, *self.roster.on_duty(at_ms, ticket.place, ticket.skill)]
        crew = self.roster.crews.get(ticket.crew or "")
        if tell == "assignee":
            return (ticket.assignee,) if ticket.assignee else ()
        if tell == "lead":
            return (crew.lead,) if crew and crew.lead else ()
        if tell == "crew":
            return tuple(dict.fromkeys(one.person for one in (theirs if crew else there)))
        if tell == "on_duty":
            people = [one.person for one in there]
            first = [ticket.assignee] if ticket.assignee in people else []
            return tuple(one for one in [*first, *people] if one and one not in tried)[:1]
        return ()

    def crew(self, subject: str, place: str) -> str:
        """Return the crew that an alarm belongs to; empty: nobody's."""
        return crew_of(self.roster, self._site.kind_of(subject), place)

    def check(self, whose: Assignment) -> None:
        """Raise Refused where there is no such person or crew to give work to."""
        for what, id_, known in (
            ("person", whose.person, self.roster.people),
            ("crew", whose.crew, self.roster.crews),
        ):
            if id_ is not None and id_ not in known:
                raise Refused(f"{id_}: the roster has no such {what}; it has {', '.join(known)}")

    def swap(self, action: Action, swapping: Swapping, now_ms: int) -> tuple[Swap, ...]:
        """Make a swap, or raise Refused with what is in its way."""
        swaps = swaps_of(action, swapping, now_ms)
        self.roster = check(self.roster, swaps, list(self._site.places), now_ms)
        return swaps

    def adopt(self, swaps: Iterable[Swap]) -> None:
        """Take over swaps that were made, unless this state knows them."""
        known = {swap.id: swap for swap in (*self.roster.swaps, *swaps)}
        self.roster = self.roster.with_swaps(known.values())

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; the swaps are in their table, too."""
        return {"given": self._given, "swaps": [asdict(swap) for swap in self.roster.swaps]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`save` returned."""
        self._given = dict(state["given"])
        self.adopt(Swap(**swap) for swap in state["swaps"])

    def _rank(self, one: OnDuty, loads: Mapping[str, int]) -> tuple[Json, ...]:
        return one.fit, loads.get(one.person, 0), self._given.get(one.person, 0)


def _listed(name: str, people: Collection[str]) -> dict[str, Json]:
    return {name: list(people)} if people else {}
