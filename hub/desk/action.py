"""What people do to tickets and alarms, as it stands in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.model import Json
from hub.ports import Refused

TicketKind = Literal["acknowledge", "arrive", "fix", "note"]
AlarmKind = Literal[
    "acknowledge_alarm", "reset", "shelve", "unshelve", "remove", "return_to_service"
]
OutageKind = Literal["plan_outage", "end_outage"]
Kind = TicketKind | AlarmKind | OutageKind
REASONED = ("note", "shelve", "remove")  # without a word of why they are refused


class Planned(BaseModel):
    """A planned outage as a person enters it; of ``rules`` alarms are expected."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str = Field(min_length=1, max_length=200)
    start_ms: int
    end_ms: int
    reason: str = Field(min_length=1, max_length=500)
    rules: tuple[str, ...] = Field((), max_length=50)

    @model_validator(mode="after")
    def _in_order(self) -> Planned:
        if self.end_ms <= self.start_ms:
            raise ValueError("the end of an outage is not after its start")
        return self


class Action(BaseModel):
    """One thing that somebody did; the same ``id`` again is the same thing, told twice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    kind: Kind
    actor: str = Field(min_length=1, max_length=100)
    at_ms: int
    ticket: str | None = None
    alarm: str | None = None
    note: str = Field("", max_length=2000)
    part: str | None = Field(None, max_length=100)
    until_ms: int | None = None
    outage: str | None = None
    planned: Planned | None = None

    @property
    def subject(self) -> str:
        """Return the ticket, alarm or outage that is meant; empty for one that is planned now."""
        return self.ticket or self.alarm or self.outage or ""

    @model_validator(mode="after")
    def _one_subject(self) -> Action:
        wanted = _WANTED[self.kind]
        given = [name for name in dict.fromkeys(_WANTED.values()) if getattr(self, name)]
        if given != [wanted]:
            raise ValueError(f"{self.kind} needs one {wanted}, and nothing else")
        if self.kind in REASONED and not self.note.strip():
            raise ValueError("an empty note says nothing")
        return self


_WANTED: Mapping[Kind, str] = {
    **dict.fromkeys(get_args(TicketKind), "ticket"),
    **dict.fromkeys(get_args(AlarmKind), "alarm"),
    "plan_outage": "planned",
    "end_outage": "outage",
}
"""What each kind of action is about."""


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
