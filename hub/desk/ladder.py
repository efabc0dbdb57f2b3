"""Who is told when: the rungs of the ladder on each clock of a ticket; pure.

A rung is told once for each start of its clock. A clock that has stopped has no more rungs. A rung
that reaches nobody makes the next one of its clock due at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.model import Json, TicketEvent
from rules.service import Rung, Target
from rules.sla import Clocks, Plan

AGAIN: tuple[Target, ...] = ("response", "on_site", "crew")
"""The clocks that start again when a ticket is opened again."""


class Due(NamedTuple):
    """A rung that is to be told, and from when on."""

    at_ms: int
    rung: Rung
    key: str


class Ahead(NamedTuple):
    """What lies ahead of a ticket whose history is ``events`` long, by the ``plan`` of its clocks.

    Only an event changes either, so it need not be worked out at each look. ``due_ms`` is when time
    alone changes the ticket.
    """

    events: int
    plan: Plan
    rungs: Sequence[Due]
    first: Due | None
    due_ms: int | None


@dataclass(slots=True)
class Climb:
    """How far a ticket has climbed.

    ``told`` are the keys of the rungs that were told. ``asked`` are those whom the last rung of a
    clock has told and who can be reached as far as is known; ``tried`` all who were told of a
    clock. ``hurried``: since when its next rung is due because the last one reached nobody.
    """

    told: list[str] = field(default_factory=list)
    asked: dict[Target, list[str]] = field(default_factory=dict)
    tried: dict[Target, list[str]] = field(default_factory=dict)
    hurried: dict[Target, int] = field(default_factory=dict)

    def tell(
        self, key: str, clock: Target, people: Sequence[str], at_ms: int, *, desk: bool
    ) -> None:
        """Note whom a rung has told; the desk is always reached."""
        self.told.append(key)
        self.asked[clock] = list(people)
        tried = self.tried.setdefault(clock, [])
        tried += [person for person in people if person not in tried]
        self.hurried.pop(clock, None)
        if not people and not desk:
            self.hurried[clock] = at_ms

    def miss(self, person: str, at_ms: int) -> None:
        """Note that a person cannot be reached; the next rung is due if nobody else was asked."""
        for clock, asked in self.asked.items():
            if person in asked:
                asked.remove(person)
                if not asked:
                    self.hurried[clock] = at_ms

    def remember(self, event: TicketEvent) -> None:
        """Take what an event says about who was told, or could not be."""
        detail, at_ms = event.detail, event.at_ms
        match event.kind:
            case "told":
                self.tell(detail["key"], detail["clock"], detail["to"], at_ms, desk=detail["desk"])
            case "undelivered":
                self.miss(detail["person"], at_ms)
            case "assigned" if "hurries" in detail:
                self.hurried.setdefault(detail["hurries"], at_ms)
            case "reopened":
                for known in (self.asked, self.tried, self.hurried):
                    for clock in AGAIN:
                        known.pop(clock, None)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {
            "told": self.told,
            "asked": self.asked,
            "tried": self.tried,
            "hurried": self.hurried,
        }

    @classmethod
    def load(cls, state: Mapping[str, Json]) -> Climb:
        """Return what :meth:`save` returned."""
        asked, tried = ({k: list(v) for k, v in state[name].items()} for name in ("asked", "tried"))
        return cls(list(state["told"]), asked, tried, dict(state["hurried"]))


def rungs(clocks: Clocks, plan: Plan) -> list[Due]:
    """Return all rungs of a plan, in the order they are due."""
    found = []
    for rung in clocks.service.ladder:
        at_ms = clocks.rung(plan, rung)
        if at_ms is not None:
            found.append(Due(at_ms, rung, f"{plan.since_ms(rung.clock)} {rung.id}"))
    return sorted(found, key=lambda due: due.at_ms)


def dues(rungs: Iterable[Due], running: Collection[Target], climb: Climb) -> list[Due]:
    """Return the rungs of the running clocks that are not told yet, in the order they are due."""
    found = [due for due in rungs if due.rung.clock in running and due.key not in climb.told]
    for clock, since_ms in climb.hurried.items():
        first = next((n for n, due in enumerate(found) if due.rung.clock == clock), None)
        if first is not None and found[first].at_ms > since_ms:
            found[first] = found[first]._replace(at_ms=since_ms)
    return sorted(found, key=lambda due: due.at_ms)
