"""Whose a ticket is and why, in the reader's words; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from hub.model import Ticket, TicketEvent
from hub.web.texts import say, say_code
from rules.roster import Roster

GIVEN = ("assigned", "transferred", "accepted")


class Names(NamedTuple):
    """The people, crews and trades of a roster by name; without one everybody is their id."""

    roster: Roster | None
    language: str

    def person(self, id_: str) -> str:
        """Return the name of a person, or of the person that a user is."""
        if self.roster is None:
            return id_
        found = self.roster.people.get(id_) or self.roster.person_of(id_)
        return found.name if found else id_

    def crew(self, id_: str) -> str:
        """Return the name of a crew."""
        found = self.roster.crews.get(id_) if self.roster else None
        return found.name.text().in_language(self.language) if found else id_

    def skill(self, id_: str) -> str:
        """Return the name of a trade."""
        skills = self.roster.file.skills if self.roster else ()
        found = next((one for one in skills if one.id == id_), None)
        return found.name.text().in_language(self.language) if found else id_

    def people(self, ids: Sequence[str]) -> str:
        """Return the names of some people."""
        return (
            "、".join(map(self.person, ids))
            if self.language == "zh"
            else ", ".join(map(self.person, ids))
        )

    def whose(self, person: str | None, crew: str | None) -> str:
        """Return whose something is: a person, their crew, or nobody."""
        named = [self.person(person)] if person else [say("nobody-yet", self.language)]
        return " · ".join([*named, self.crew(crew)] if crew else named)


def holder(ticket: Ticket, names: Names) -> str:
    """Return whose a ticket is."""
    return names.whose(ticket.assignee, ticket.crew)


def why(events: Sequence[TicketEvent], names: Names) -> list[str]:
    """Return why a ticket is whose it is: the facts of the latest choice, or who handed it on."""
    given = [event for event in events if event.kind in GIVEN]
    last = next((one for one in reversed(given) if one.kind != "accepted"), None)
    if last is None:
        return []
    if "reason" in last.detail:
        return reasons(last.detail["reason"], names)
    by = say(f"whose-{last.kind}", names.language, name=names.person(last.actor))
    return [by, *([last.detail["note"]] if last.detail.get("note") else [])]


def reasons(reason: Mapping[str, Any], names: Names) -> list[str]:
    """Return the facts that a choice rested on."""
    language, said = names.language, []
    if "nobody" in reason:
        key = "whose-nobody-else" if reason.get("declined") else "whose-nobody"
        said.append(say(key, language))
    else:
        shift = say_code("shift", reason["turn"].split("/")[1], language)
        said.append(say("whose-on-duty", language, shift=shift, n=reason["open"]))
        if reason["skilled"]:
            said.append(say("whose-skilled", language, skill=names.skill(reason["skill"])))
        others = [
            say("whose-other", language, name=names.person(one["person"]), n=one["open"])
            for one in reason["others"]
        ]
        if others:
            said.append(say("whose-others", language, people=" · ".join(others)))
    if declined := reason.get("declined"):
        said.append(say("whose-declined", language, people=names.people(declined)))
    return said
