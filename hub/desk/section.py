"""What some kinds of action say beside a note: one section each."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.model import Json, Severity
from rules.form import Words
from rules.service import Target

Id = Annotated[str, Field(min_length=1, max_length=100)]
Place = Annotated[str, Field(min_length=1, max_length=200)]


class Section(BaseModel):
    """A frozen part of an action; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Planned(Section):
    """A planned outage as a person enters it; of ``rules`` alarms are expected."""

    area: str = Field(min_length=1, max_length=200)
    start_ms: int
    end_ms: int
    reason: str = Field(min_length=1, max_length=500)
    rules: tuple[str, ...] = Field((), max_length=50)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_ms <= self.start_ms:
            raise ValueError("the end of an outage is not after its start")
        return self


class Opening(Section):
    """A fault that a person reports, a round finds or a plan holds.

    The words of the person are the note of the action. ``title`` is that of the kind. It is
    plausibly what the alarms of ``rules`` are about, on its device, at its place or at one of
    ``areas``: their open ticket is joined.
    """

    source: Literal["report", "round", "planned"]
    kind: Id
    place: Place
    device: Place | None = None
    title: Words
    severity: Severity = "ordinary"
    skill: str = Field("", max_length=100)
    rules: tuple[Id, ...] = Field((), max_length=100)
    areas: tuple[Place, ...] = Field((), max_length=100)

    def told(self) -> dict[str, Json]:
        """Return what of it stands in the history of the ticket."""
        hidden = {"title", "rules", "areas"}
        return self.model_dump(mode="json", exclude=hidden, exclude_none=True)


class Assignment(Section):
    """Whose a ticket is from now on: a person, a crew, or a person of a crew."""

    person: Id | None = None
    crew: Id | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.person or self.crew):
            raise ValueError("name a person or a crew")
        return self


class Swapping(Section):
    """A turn of the roster that one person gives to another; ``back`` is one in return for it."""

    turn: Id
    gives: Id
    takes: Id
    back: Id | None = None


class Pausing(Section):
    """Why a clock stands: one of the reasons of service.yaml."""

    reason: Id


class Classing(Section):
    """How grave it is after all."""

    severity: Severity


class Rating(Section):
    """What the person who reported it thinks of the service, 5 stars at best."""

    stars: int = Field(ge=1, le=5)


class Linking(Section):
    """The problem that a ticket belongs to: by its id, by another ticket of it, or a ``new`` one.

    ``over``: it is solved, and what comes from now on is none of it.
    """

    problem: Id | None = None
    ticket: Id | None = None
    new: bool = False
    owner: Id | None = None
    due_ms: int | None = None
    over: bool = False

    @model_validator(mode="after")
    def _one_problem(self) -> Self:
        if bool(self.problem) + bool(self.ticket) + self.new != 1:
            raise ValueError("name one of problem, ticket and new")
        return self


class Correction(Section):
    """The right instant of what was reported wrongly; ``target`` is the clock that it stops."""

    target: Target
    to_ms: int
