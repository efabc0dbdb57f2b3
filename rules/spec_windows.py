"""The kinds of rule that look back over days: judged once a day from the columns of the day.

``nights`` judgements of a fault in a row raise, ``clear_nights`` fine ones in a row clear. Every
default is a starting value from ``devices-and-numbers``, section 2.5, by the number of its rule.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hub.model import Severity
from rules.form import Duration, RuleForm, Spec

Utility = Literal["electricity", "water", "hot_water", "gas", "heat"]
Statistic = Literal["use", "night_use", "mean", "high", "low"]
Side = Literal["high", "low", "both"]
Hour = Annotated[int, Field(ge=0, le=24)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Nights = Annotated[int, Field(ge=1, le=31)]
Days = Annotated[int, Field(ge=1, le=60)]


class WindowForm(RuleForm):
    """The keys of a rule that is judged once a day.

    Its ``inputs`` are points of the subject itself; no machine takes their readings one by one.
    """

    every: Duration = timedelta(days=1)
    nights: Nights = 1
    clear_nights: Nights = 1
    proof: None = None  # what was judged a fault must be judged fine

    @property
    def delay(self) -> timedelta:
        """Return the days that are judged a fault before it is told, and what they look back on."""
        return self.nights * self.every

    @model_validator(mode="after")
    def _once_a_day(self) -> WindowForm:
        if self.every != timedelta(days=1):
            raise ValueError("every is P1D: a day is judged when it is over")
        return self


class _UseRule(WindowForm):
    """A rule on one point of a device, or on what a place uses of a utility."""

    point: str | None = None
    utility: Utility | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the point; none where the meters of the place are looked at."""
        return (self.point,) if self.point else ()

    @model_validator(mode="after")
    def _one_of_both(self) -> _UseRule:
        if (self.point is None) == (self.utility is None):
            raise ValueError("a rule over days has one of point (of a device), utility (of places)")
        return self


class PeersRule(_UseRule):
    """A fault when a day of one is ``limit`` robust deviations from the median of its peers.

    Peers are the devices of the same profile, or the places of the same kind, in one building or
    on the whole campus. Places of unlike size are compared ``per`` student or m2. ``floor`` is how
    far from the median it must be in the unit of the statistic, however alike the others are.
    """

    kind: Literal["peers"]
    statistic: Statistic = "use"
    within: Literal["building", "campus"] = "building"
    per: Literal["student", "m2"] | None = None
    members: Annotated[int, Field(ge=3)] = 8
    side: Side = "both"
    limit: Positive = 5.0
    clear: Positive = 3.0
    floor: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _comparable(self) -> PeersRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        if self.utility is not None and self.statistic not in ("use", "night_use"):
            raise ValueError("of a utility the statistic is use or night_use")
        if self.per is not None and self.utility is None:
            raise ValueError("per is for the use of places: of a utility")
        return self


class BalanceRule(WindowForm):
    """A fault when what is given in a day differs from what is taken by a share (rule 14).

    ``of`` meters: the meters of a place against those beneath it, of ``utility``. heat: what a
    plant makes against the water it delivers, warmed from ``cold`` (degC), and ``losses`` (kW).
    water: what the counters ``given`` of a building's plants say (m3) against what its terminals
    draw, at ``mixed`` degC with cold water. ``limit`` and ``clear`` are shares of what is given,
    ``floor`` is in its unit (kWh or m3); of the ``side`` high is more given than taken.
    """

    kind: Literal["balance"]
    of: Literal["meters", "heat", "water"] = "meters"
    utility: Utility = "electricity"
    side: Side = "both"
    limit: Share = 0.10
    clear: Share = 0.05
    floor: Annotated[float, Field(ge=0)] = 5.0
    given: str = "make_up_water"
    cold: float = 15.0
    mixed: float = 38.0
    losses: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _clear_inside(self) -> BalanceRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        if self.mixed <= self.cold:
            raise ValueError("mixed water is warmer than cold water")
        return self


class _LearnedRule(_UseRule):
    """A rule that learns from the subject's own weeks, days of each class for themselves.

    ``limit`` and ``clear`` are robust deviations. The spread is taken as no less than ``spread``
    of what is usual; ``floor`` is the least difference, in the unit of the use of an hour or day.
    """

    weeks: Annotated[int, Field(ge=3, le=8)] = 4
    limit: Positive = 4.0
    clear: Positive = 2.0
    spread: Share = 0.05
    floor: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _clear_inside(self) -> _LearnedRule:
        if self.clear > self.limit:
            raise ValueError("clear must not be above limit")
        return self


class ExpectedRule(_LearnedRule):
    """A fault when the use of a day is not what such days of the weeks before let expect."""

    kind: Literal["expected"]
    side: Side = "both"


class NightRule(_LearnedRule):
    """A fault when more is used by night than in the nights of the weeks before (rule 13)."""

    kind: Literal["night"]
    from_: Hour = Field(0, alias="from")
    until: Hour = 5
    nights: Nights = 2

    @model_validator(mode="after")
    def _in_one_day(self) -> NightRule:
        if self.from_ >= self.until:
            raise ValueError("from is before until: hours of one civil day")
        return self


class NightFlowRule(_UseRule):
    """A fault when water flows also in the stillest hour of every night (rule 25).

    The lowest ``quantile`` of the smallest hours of ``window`` days is above ``limit`` (m3/h) and
    above what was usual in the ``weeks`` before by ``deviations``, and no hour of the last
    ``still`` was without flow. Of severity ``urgent`` from when it is above ``grave`` (m3/h).
    """

    kind: Literal["night_flow"]
    window: Days = 7
    quantile: Share = 0.2
    weeks: Annotated[int, Field(ge=1, le=8)] = 4
    deviations: Positive = 3.0
    limit: Positive = 0.1
    still: Duration = timedelta(hours=48)
    zero: Annotated[float, Field(ge=0)] = 0.001
    nights: Nights = 2
    grave: Positive = 1.0
    urgent: Severity = "large"

    @property
    def delay(self) -> timedelta:
        """Return the days whose smallest hours are looked at."""
        return max(self.window, self.nights) * self.every


class Performance(Spec):
    """What a good plant makes of a kWh: COP by the air outside (degC), for water of ``water`` degC.

    Between the rows on a straight line; ``per_kelvin`` is the share lost with each warmer degree.
    The defaults are a certified on-off air-to-water pump's (hplib's fit to the Keymark list).
    """

    air: tuple[float, ...] = (-10.0, 0.0, 7.0, 15.0, 25.0, 35.0)
    cop: tuple[float, ...] = (1.7, 2.6, 3.3, 4.1, 5.1, 6.0)
    water: float = 50.0
    per_kelvin: Share = 0.02

    @model_validator(mode="after")
    def _a_table(self) -> Performance:
        if len(self.air) != len(self.cop) or len(self.air) < 2:  # noqa: PLR2004 - a line
            raise ValueError("air and cop are of the same length, at least two")
        if any(b <= a for a, b in zip(self.air, self.air[1:], strict=False)) or min(self.cop) <= 0:
            raise ValueError("air rises and every cop is above 0")
        return self


class EfficiencyRule(WindowForm):
    """A fault when a plant makes less heat of a kWh than it should in such weather (rule 23).

    ``limit`` and ``clear`` are shares of the expected COP over ``window`` days: so much of it is
    reached in the ``quantile`` of the hours, weighed by what they use. The best hours are those of
    the heat pump alone; in the others elements help, or something else is wrong for a while.
    ``made`` counts heat (kWh); days with less than ``least`` kWh of it tell nothing.
    """

    kind: Literal["efficiency"]
    made: str = "heat"
    used: str = "energy"
    air: str = "outdoor_temperature"
    water: str = "tank_temperature"
    expected: Performance = Performance()
    window: Days = 7
    least: Positive = 20.0
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.75
    limit: Share = 0.8
    clear: Share = 0.9
    clear_nights: Nights = 3

    @property
    def delay(self) -> timedelta:
        """Return the days whose heat is summed up."""
        return max(self.window, self.nights) * self.every

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the points: made, used, air and water."""
        return (self.made, self.used, self.air, self.water)

    @model_validator(mode="after")
    def _clear_inside(self) -> EfficiencyRule:
        if self.clear < self.limit:
            raise ValueError("clear must not be below limit")
        return self


class ExposureRule(WindowForm):
    """A fault when legionella can grow (rule 19).

    ``of`` store: ``point`` (degC) was below ``limit`` in all of ``for``; clear after an hour at
    ``clear`` or above. outlet: the counter ``point`` drew no more than ``limit`` litres in ``for``;
    clear when ``clear`` litres were drawn in a day, about what flows in two minutes.
    """

    kind: Literal["exposure"]
    of: Literal["store", "outlet"]
    point: str
    limit: Annotated[float, Field(ge=0)]
    clear: Positive
    for_: Duration = Field(timedelta(hours=24), alias="for")

    @property
    def delay(self) -> timedelta:
        """Return how long the water must have stood, or been too cold."""
        return max(self.for_, self.nights * self.every)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the point."""
        return (self.point,)

    @model_validator(mode="after")
    def _whole_hours(self) -> ExposureRule:
        least = timedelta(days=1) if self.of == "outlet" else timedelta(hours=1)
        if self.for_ < least or self.for_ % least:
            raise ValueError("for is whole hours of a store, whole days of an outlet")
        if self.clear < self.limit:
            raise ValueError("clear must not be below limit")
        return self


WindowRule = (
    PeersRule
    | BalanceRule
    | ExpectedRule
    | NightRule
    | NightFlowRule
    | EfficiencyRule
    | ExposureRule
)
"""Every rule that is judged once a day; for the closed union of rules/spec.py."""
