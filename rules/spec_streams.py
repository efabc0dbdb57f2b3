"""The kinds of rule that step with every reading."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from rules.form import Condition, Duration, Failure, PointForm, StreamForm

InvalidReason = Literal["invalid_marker", "out_of_range", "not_a_number"]
HOUR = timedelta(hours=1)


class HighRule(PointForm):
    """A fault when the point is above ``limit`` for ``on_delay``; clear at or below ``clear``."""

    kind: Literal["high"]
    limit: float
    clear: float

    @model_validator(mode="after")
    def _clear_inside(self) -> HighRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        return self


class LowRule(PointForm):
    """A fault when the point is below ``limit`` for ``on_delay``; clear at or above ``clear``."""

    kind: Literal["low"]
    limit: float
    clear: float

    @model_validator(mode="after")
    def _clear_inside(self) -> LowRule:
        if self.clear < self.limit:
            raise ValueError("clear must not be below limit")
        return self


class RangeRule(PointForm):
    """A fault when the point is outside ``low`` to ``high``; clear ``deadband`` inside them."""

    kind: Literal["range"]
    low: float
    high: float
    deadband: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _clear_inside(self) -> RangeRule:
        if self.low + 2 * self.deadband >= self.high:
            raise ValueError("between low and high is no room for twice the deadband")
        return self


class StaleRule(PointForm):
    """A fault when no good reading came for ``on_delay``; clear after ``off_delay`` of them.

    With ``once_heard`` it is silent about a device that was never heard: ``never_seen`` is not.
    """

    shown_unit: ClassVar[str | None] = "s"
    kind: Literal["stale"]
    effect_of: tuple[Failure, ...] = ("line", "supply")
    once_heard: bool = False


class NeverSeenRule(PointForm):
    """A fault when the point was never read well, ``on_delay`` after the hub began to listen."""

    shown_unit: ClassVar[str | None] = "s"
    kind: Literal["never_seen"]
    on_delay: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(days=1)


class RateRule(PointForm):
    """A fault when the point rises (or falls) by more than this ``per`` time, over a ``window``.

    The change is that over the window, looked at with every reading; ``clear`` is per time too.
    With ``minus`` it is about what the point is more than a second one, read at the same instant:
    a counter of which less comes out at another than goes in.
    """

    kind: Literal["rate"]
    minus: str | None = None
    window: Annotated[Duration, Field(gt=timedelta(0))]
    per: Annotated[Duration, Field(gt=timedelta(0))] = HOUR
    rise: float | None = Field(None, gt=0)
    fall: float | None = Field(None, gt=0)
    clear: float = Field(ge=0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return (self.point,) if self.minus is None else (self.point, self.minus)

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value: a fall is below zero."""
        return self.rise if self.rise is not None else -(self.fall or 0.0)

    @model_validator(mode="after")
    def _clear_inside(self) -> RateRule:
        limits = [limit for limit in (self.rise, self.fall) if limit is not None]
        if not limits:
            raise ValueError("a rate has one or both of rise and fall")
        if self.clear > min(limits):
            raise ValueError("clear must not be above rise or fall")
        if self.minus == self.point:
            raise ValueError("point and minus are two points")
        return self


class JumpRule(PointForm):
    """A fault when the point steps further than it can, ``times`` times within ``on_delay``.

    A step may be as large as ``step`` and, for the time since the last good reading, ``per_hour``
    or ``rated`` times what the profile says the point counts at most. Clear when no step was too
    large for ``off_delay``. An ``on_delay`` of zero sets no time to the ``times``.
    """

    kind: Literal["jump"]
    step: float = Field(0.0, ge=0)
    per_hour: float | None = Field(None, gt=0)
    rated: float | None = Field(None, gt=0)
    direction: Literal["both", "up", "down"] = "both"
    times: int = Field(1, ge=1)

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value."""
        return self.step or self.per_hour or self.rated or 0.0

    @model_validator(mode="after")
    def _one_measure(self) -> JumpRule:
        if not (self.step or self.per_hour or self.rated):
            raise ValueError("a jump has one of step, per_hour and rated")
        if self.per_hour and self.rated:
            raise ValueError("a jump has one of per_hour and rated")
        return self


class StuckRule(PointForm):
    """A fault when the point stays as it is for ``on_delay`` although it should vary.

    As it is: within ``of_usual`` of what usually lies between two of its readings, which is
    learned from them. A value in ``ignore`` (no use: 0) may stay for ever; with ``while`` only
    the time counts in which that holds. Clear after ``changes`` further values, over ``off_delay``.
    """

    shown_unit: ClassVar[str | None] = "s"
    kind: Literal["stuck"]
    on_delay: Annotated[Duration, Field(gt=timedelta(0))]
    of_usual: float = Field(0.1, ge=0, le=1)
    ignore: tuple[float, ...] = ()
    changes: int = Field(3, ge=1)
    while_: Condition | None = Field(None, alias="while")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return (self.point, *(self.while_.points if self.while_ else ()))


class BackwardsRule(PointForm):
    """A fault when a counter goes back, ``times`` readings in a row below where it was.

    Starting again from 0 is none: at ``rollover``, or at that of the point when none is given.
    Clear when it has not gone back for ``off_delay``.
    """

    kind: Literal["backwards"]
    rollover: float | None = Field(None, gt=0)
    tolerance: float = Field(0.0, ge=0)
    times: int = Field(2, ge=1)


class MismatchRule(StreamForm):
    """A fault when ``must`` does not hold although ``while`` holds, for ``on_delay``.

    Once a fault, it ends when ``must`` holds again; ``clear`` is then its limit, further inside.
    When ``while`` ends, that ends the fault too, unless ``idle`` is ``keeps``: then only ``must``
    holding while ``while`` holds is evidence enough. ``lag`` is how long ``must`` may take to
    follow: what does not hold for no longer does not begin the off-delay anew.
    """

    kind: Literal["mismatch"]
    while_: Condition | None = Field(None, alias="while")
    must: Condition
    clear: float | None = None
    idle: Literal["clears", "keeps"] = "clears"
    lag: Duration = timedelta(0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return tuple(
            dict.fromkeys((*self.must.points, *(self.while_.points if self.while_ else ())))
        )

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value."""
        return self.must.limit

    @model_validator(mode="after")
    def _clear_inside(self) -> MismatchRule:
        if self.clear is None:
            return self
        if self.must.above is None and self.must.below is None:
            raise ValueError("clear belongs to above or below")
        if self.must.above is not None and self.clear < self.must.above:
            raise ValueError("clear must not be below above")
        if self.must.below is not None and self.clear > self.must.below:
            raise ValueError("clear must not be above below")
        return self


class CodeRule(PointForm):
    """A fault while the point shows a fault code, or with ``mask`` any of these bits.

    ``except`` lists codes that are none; 0 never is one.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["code"]
    mask: int | None = Field(None, gt=0)
    except_: tuple[int, ...] = Field((), alias="except")


class CyclingRule(StreamForm):
    """A fault when ``starts`` begins to hold more than ``limit`` times ``per`` time.

    It is one when that is so for ``on_delay``; clear at or below ``clear`` for ``off_delay``.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["cycling"]
    starts: Condition
    limit: int = Field(ge=1)
    clear: int = Field(ge=0)
    per: Annotated[Duration, Field(gt=timedelta(0))] = HOUR

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return self.starts.points

    @model_validator(mode="after")
    def _clear_inside(self) -> CyclingRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        return self


class SessionRule(PointForm):
    """A valve that does not do what a session wants; ``point`` is the flow.

    ``no_open``: a session and a flow below ``limit`` for ``on_delay``; clear after ``good``
    sessions with flow. ``no_close``: no session and a flow above ``limit`` for ``on_delay``; clear
    when it was at or below for ``off_delay`` outside sessions.
    """

    kind: Literal["session"]
    valve: Literal["no_open", "no_close"]
    session: Condition
    limit: float
    good: int = Field(2, ge=1)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return (self.point, *self.session.points)

    @model_validator(mode="after")
    def _of_one_point(self) -> SessionRule:
        if self.session.minus is not None:
            raise ValueError("a session is a condition on one point, without minus")
        if self.point == self.session.point:
            raise ValueError("flow and session are two points")
        return self


class SpreadRule(StreamForm):
    """A fault when the smallest of the points lies a share of the largest below it.

    (largest - smallest) / largest above ``limit``, while the largest is at or above ``floor``: a
    lost phase, or a load that is not in balance. Clear at or below ``clear``.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["spread"]
    points: tuple[str, ...] = Field(min_length=2, max_length=3)
    limit: float = Field(gt=0, lt=1)
    clear: float = Field(ge=0)
    floor: float = Field(gt=0)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points whose readings it takes; their order is that of ``of``."""
        return self.points

    @model_validator(mode="after")
    def _clear_inside(self) -> SpreadRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        if len(set(self.points)) < len(self.points):
            raise ValueError("the same point stands here twice")
        return self


class InvalidRule(PointForm):
    """A fault when the point says ``times`` times in a row that its value is none.

    Clear after ``good`` good readings in a row. What the bus or the device does not answer at all
    counts as neither.
    """

    shown_unit: ClassVar[str | None] = ""
    kind: Literal["invalid"]
    times: int = Field(3, ge=1)
    good: int = Field(10, ge=1)
    reasons: tuple[InvalidReason, ...] = ("invalid_marker", "out_of_range", "not_a_number")

    @property
    def shown_limit(self) -> float:
        """Return the number that an alarm shows beside its value."""
        return float(self.times)


StreamRule = (
    HighRule
    | LowRule
    | RangeRule
    | StaleRule
    | NeverSeenRule
    | RateRule
    | JumpRule
    | StuckRule
    | BackwardsRule
    | MismatchRule
    | CodeRule
    | CyclingRule
    | SessionRule
    | SpreadRule
    | InvalidRule
)
