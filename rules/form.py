"""The forms that all rules share: words, durations, proofs and the keys of every rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.model import Severity, Text, written_duration

Duration = Annotated[timedelta, BeforeValidator(written_duration), Field(ge=timedelta(0))]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class FormError(ValueError):
    """What does not fit the rest of a form; ``key`` says where, from the form it is said of."""

    def __init__(self, key: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.key = key


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


class Condition(Spec):
    """What is asked of a point, or of what it is more than a second one (``minus``).

    One of ``equals`` (give or take ``within``), ``above``, ``below``, and ``bits``: any of the
    bits of this mask is set.
    """

    point: str
    minus: str | None = None
    equals: float | None = None
    within: float = Field(0.0, ge=0)
    above: float | None = None
    below: float | None = None
    bits: int | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = (self.equals, self.above, self.below, self.bits)
        if sum(test is not None for test in tests) != 1:
            raise ValueError("a condition has one of equals, above, below and bits")
        if self.within and self.equals is None:
            raise ValueError("within belongs to equals")
        if self.minus is not None and self.bits is not None:
            raise ValueError("bits are those of one point, without minus")
        return self

    @property
    def points(self) -> tuple[str, ...]:
        """Return the points that it asks about."""
        return (self.point,) if self.minus is None else (self.point, self.minus)

    @property
    def limit(self) -> float:
        """Return the number that the points are held against."""
        tests = (self.equals, self.above, self.below, self.bits)
        return next(float(test) for test in tests if test is not None)


Failure = Literal["line", "supply", "heat"]


class When(Spec):
    """When a rule is in force; all that is written must hold.

    By the names of the calendar: inside ``hours``, ``outside`` other hours, ``in`` a season. And by
    the ``mode`` that the device itself last said it is in; before it has said any, the rule is in
    force.
    """

    hours: Id | None = None
    outside: Id | None = None
    season: Literal["term", "vacation"] | None = Field(None, alias="in")
    mode: Condition | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("write one or more of hours, outside, in and mode")
        if self.mode is not None and self.mode.minus is not None:
            raise ValueError("a mode is a condition on one point, without minus")
        return self


class RuleForm(Spec):
    """The keys of every rule.

    ``finds`` names the faults of the twins that this rule must find. One that is not
    ``suppressible`` is told whatever calendar, outage or other alarm is in force; a ``latched``
    alarm stays until a person has reset it. ``inhibits`` names what has failed when it rises: the
    ``line`` to all that hangs on its subject, their ``supply``, or the ``heat`` that it gives; an
    alarm there, or on the subject itself, whose ``effect_of`` names the same is its effect.
    ``shown_unit`` is the unit of an alarm's value and limit; None: that of the first input.
    """

    shown_unit: ClassVar[str | None] = None

    id: Id
    severity: Severity
    title: Words
    guidance: Words
    parts: tuple[str, ...] = ()
    finds: tuple[str, ...] = ()
    suppressible: bool = True
    latched: bool = False
    when: When | None = None
    inhibits: Failure | None = None
    effect_of: tuple[Failure, ...] = ()

    @model_validator(mode="after")
    def _held_back_by_nothing(self) -> Self:
        if not self.suppressible and (self.when or self.effect_of):
            raise ValueError("what is not suppressible has neither when nor effect_of")
        return self

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return ()

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value; 0 where there is none."""
        return float(getattr(self, "limit", 0.0))

    @property
    def delay(self) -> timedelta:
        """Return how long a fault is there at least before it is told."""
        return timedelta(0)


class StreamForm(RuleForm):
    """The keys of a rule that takes readings one by one.

    ``unit`` says in which unit its numbers are meant: that of the point, or the rule is refused.
    """

    unit: str | None = None
    on_delay: Duration = timedelta(0)
    off_delay: Duration = timedelta(0)
    proof: Proof | None = None

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value: the delay where it is a time."""
        return self.on_delay.total_seconds() if self.shown_unit == "s" else super().shown_limit

    @property
    def delay(self) -> timedelta:
        """Return the on-delay."""
        return self.on_delay


class PointForm(StreamForm):
    """The keys of a rule about one point."""

    point: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return (self.point,)
