"""What people do to tickets and alarms, as it stands in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.desk.section import (
    Assignment,
    Classing,
    Correction,
    Linking,
    Opening,
    Pausing,
    Planned,
    Rating,
    Swapping,
)
from hub.model import Json
from hub.ports import Refused

TicketKind = Literal[
    "acknowledge",
    "accept",
    "decline",
    "assign",
    "transfer",
    "arrive",
    "fix",
    "note",
    "pause",
    "resume",
    "reclassify",
    "close",
    "refuse",
    "reopen",
    "rate",
    "complain",
    "link",
    "correct",
]
AlarmKind = Literal[
    "acknowledge_alarm", "reset", "shelve", "unshelve", "remove", "return_to_service"
]
OutageKind = Literal["plan_outage", "end_outage"]
Kind = Literal["open", "swap", "undelivered"] | TicketKind | AlarmKind | OutageKind
REASONED = (
    *("note", "decline", "transfer", "reclassify", "refuse", "reopen", "complain", "correct"),
    *("shelve", "remove"),
)  # without a word of why they are refused


class Action(BaseModel):
    """One thing that somebody did; the same ``id`` again is the same thing, told twice.

    ``own_ms`` is when it was done by the clock of a phone that was offline. ``reporter`` is the
    digest of a token, where who acts has no account; ``photos`` are ids of kept ones. ``proof`` is
    the device or place whose signed label was scanned, as the edge has verified it. ``person`` is
    who could not be reached by any channel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    kind: Kind
    actor: str = Field(min_length=1, max_length=100)
    at_ms: int
    own_ms: int | None = None
    ticket: str | None = None
    alarm: str | None = None
    note: str = Field("", max_length=2000)
    part: str | None = Field(None, max_length=100)
    photos: tuple[str, ...] = Field((), max_length=10)
    reporter: str = Field("", max_length=100)
    proof: str = Field("", max_length=200)
    person: str | None = Field(None, max_length=100)
    until_ms: int | None = None
    outage: str | None = None
    planned: Planned | None = None
    opening: Opening | None = None
    assignment: Assignment | None = None
    pausing: Pausing | None = None
    swapping: Swapping | None = None
    classing: Classing | None = None
    rating: Rating | None = None
    linking: Linking | None = None
    correction: Correction | None = None

    @property
    def subject(self) -> str:
        """Return the ticket, alarm or outage that is meant; empty for one that begins now."""
        return self.ticket or self.alarm or self.outage or ""

    @model_validator(mode="after")
    def _one_subject(self) -> Action:
        wanted = _WANTED[self.kind]
        given = [name for name in dict.fromkeys(_WANTED.values()) if getattr(self, name)]
        if given != [wanted]:
            raise ValueError(f"{self.kind} needs one {wanted}, and nothing else")
        section = _SECTIONS.get(self.kind)
        told = [name for name in _SECTIONS.values() if getattr(self, name) and name != section]
        if told or (section and getattr(self, section) is None):
            raise ValueError(f"{self.kind} has {section or 'no section'}, and nothing else")
        if (self.person is not None) != (self.kind == "undelivered"):
            raise ValueError("undelivered names the person who was not reached, and nothing else")
        if self.kind in REASONED and not self.note.strip():
            raise ValueError("an empty note says nothing")
        return self


_WANTED: Mapping[Kind, str] = {
    "open": "opening",
    "swap": "swapping",
    "undelivered": "ticket",
    **dict.fromkeys(get_args(TicketKind), "ticket"),
    **dict.fromkeys(get_args(AlarmKind), "alarm"),
    "plan_outage": "planned",
    "end_outage": "outage",
}
"""What each kind of action is about."""

_SECTIONS: Mapping[Kind, str] = {
    "assign": "assignment",
    "transfer": "assignment",
    "pause": "pausing",
    "reclassify": "classing",
    "rate": "rating",
    "link": "linking",
    "correct": "correction",
}
"""What each kind of action says beside its note."""


def action_of(content: Mapping[str, Json]) -> Action:
    """Check an action, or raise Refused with every mistake in it."""
    try:
        return Action.model_validate(dict(content))
    except ValidationError as error:
        mistakes = (
            ".".join(map(str, one["loc"])) + ": " + one["msg"] if one["loc"] else one["msg"]
            for one in error.errors()
        )
        raise Refused("action: " + "; ".join(mistakes)) from error
