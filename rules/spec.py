"""Rules as people write them; a closed union, unknown keys are errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.model import Severity, Text, written_duration

Duration = Annotated[timedelta, BeforeValidator(written_duration)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Spec(BaseModel):
    """A frozen piece of configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Words(Spec):
    """A text for people in both languages."""

    zh: str
    en: str

    def text(self) -> Text:
        """Return the value that travels inside the hub."""
        return Text(self.zh, self.en)


class Proof(Spec):
    """What telemetry must show after a fix report before the ticket closes.

    Good readings of ``point`` above (or below) the limit for the whole of ``for``; a gap, a bad
    reading or one outside starts it again. Not there ``within`` the time: the fix did not hold.
    """

    point: str
    above: float | None = None
    below: float | None = None
    for_: Duration = Field(timedelta(minutes=10), alias="for")
    within: Duration = timedelta(hours=4)

    @model_validator(mode="after")
    def _one_side(self) -> Proof:
        if (self.above is None) == (self.below is None):
            raise ValueError("a proof has one of above and below")
        if self.for_ > self.within:
            raise ValueError("for is longer than within")
        return self


class _Rule(Spec):
    id: Id
    severity: Severity
    title: Words
    guidance: Words
    parts: tuple[str, ...] = ()


class _PointRule(_Rule):
    point: str
    on_delay: Duration = timedelta(0)
    off_delay: Duration = timedelta(0)
    proof: Proof | None = None


class HighRule(_PointRule):
    """A fault when the point is above ``limit`` for ``on_delay``; clear at or below ``clear``."""

    kind: Literal["high"]
    limit: float
    clear: float

    @model_validator(mode="after")
    def _clear_inside(self) -> HighRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        return self


class LowRule(_PointRule):
    """A fault when the point is below ``limit`` for ``on_delay``; clear at or above ``clear``."""

    kind: Literal["low"]
    limit: float
    clear: float

    @model_validator(mode="after")
    def _clear_inside(self) -> LowRule:
        if self.clear < self.limit:
            raise ValueError("clear must not be below limit")
        return self


class StaleRule(_PointRule):
    """A fault when no good reading came for ``on_delay``; clear after ``off_delay`` of them."""

    kind: Literal["stale"]


class HealthRule(_Rule):
    """A fault when the hub says that something of its own is in trouble; clear when it is over.

    Of severity ``urgent`` from when the hub says that it cannot wait. Its fix needs no proof but
    that: the hub says that the trouble is over.
    """

    kind: Literal["health"]
    subject: Literal["disk", "journal"]
    urgent: Severity
    proof: None = None


Rule = Annotated[HighRule | LowRule | StaleRule | HealthRule, Field(discriminator="kind")]


class Applies(Spec):
    """Which devices a pack is for: all of a kind, or only those of the profiles named.

    ``hub`` is the hub itself.
    """

    kind: Literal["meter", "boiler", "shower", "hub"]
    profiles: tuple[str, ...] = ()


class Pack(Spec):
    """The rules for one kind of device."""

    version: Literal[1]
    pack: Id
    applies_to: Applies
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Pack:
        ids = [rule.id for rule in self.rules]
        for one in ids:
            if ids.count(one) > 1:
                raise ValueError(f"two rules have the id {one}")
        return self

    @model_validator(mode="after")
    def _health_of_the_hub(self) -> Pack:
        for rule in self.rules:
            if (rule.kind == "health") != (self.applies_to.kind == "hub"):
                raise ValueError(
                    f"rule {rule.id}: rules of the kind health, and no others, apply to the hub"
                )
        return self
