"""What people do to tickets and alarms, as it stands in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hub.model import Json
from hub.ports import Refused

Kind = Literal["acknowledge", "arrive", "fix", "note", "acknowledge_alarm"]


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

    @property
    def subject(self) -> str:
        """Return the ticket or alarm that is meant."""
        return self.ticket or self.alarm or ""

    @model_validator(mode="after")
    def _one_subject(self) -> Action:
        wanted = "alarm" if self.kind == "acknowledge_alarm" else "ticket"
        if not getattr(self, wanted) or (self.ticket and self.alarm):
            raise ValueError(f"{self.kind} needs the id of one {wanted}")
        if self.kind == "note" and not self.note.strip():
            raise ValueError("an empty note says nothing")
        return self


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
