"""One line of the hot-water report: figures of a plant, building, campus or terminal; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from hub.energy.hot_water import (
    NO_LOSS,
    NO_SESSIONS,
    Delivery,
    Loss,
    Sessions,
    Trend,
    heat_of_a_tonne,
)
from hub.energy.question import Figure
from hub.model import Text

By = Literal["plant", "building", "campus", "terminal"]
BYS: tuple[By, ...] = get_args(By)
Source = Literal["hot_water", "make_up_water", "terminals", "mixed", "none"]
NOTHING = Figure(None)
# By how much the missing shares of two figures may differ, for them to be of the same time.
MOST_APART = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The hot water of one plant, building, campus or terminal, in t, kWh, degC and kW.

    ``delivered`` is what left the plants hot, as ``source`` says: by their counters of hot water,
    else of make-up water, else what the terminals ran. ``tapped`` is the last: mixed with cold
    water, so it is more. ``supply`` is the mean temperature that left the plant in the open hours;
    ``compliance`` and ``outlet`` are the shares of the open time, and of the time in which showers
    ran, with the promised temperature or more.
    """

    id: str
    kind: str
    name: Text
    source: Source
    plants: int
    terminals: int
    students: int
    days: float
    steps: tuple[Figure, ...]
    delivered: Figure
    delivery: Delivery
    made_up: Figure = NOTHING
    tapped: Figure = NOTHING
    energy: Figure = NOTHING
    heat: Figure = NOTHING
    supply: Figure = NOTHING
    compliance: Figure = NOTHING
    outlet: Figure = NOTHING
    standing: Loss = NO_LOSS
    loop: Loss = NO_LOSS
    sessions: Sessions = NO_SESSIONS

    @property
    def per_day(self) -> Figure:
        """Return tonnes a day, of the time that is known."""
        return self._rate(self.delivered, 1.0)

    @property
    def unaccounted(self) -> Figure:
        """Return what was made up and not delivered hot, in t: leaks."""
        return combined(self.made_up, self.delivered, lambda made, out: made - out)

    @property
    def mixed_in(self) -> Figure:
        """Return the cold water in what the terminals ran, in t; below 0 water is lost before."""
        return combined(self.tapped, self.delivered, lambda ran, out: ran - out)

    @property
    def per_tonne(self) -> Figure:
        """Return the electricity for a tonne, kWh/t."""
        return combined(self.energy, self.delivered, _ratio)

    @property
    def heat_per_tonne(self) -> Figure:
        """Return the heat made for a tonne, losses included, kWh/t."""
        return combined(self.heat, self.delivered, _ratio)

    @property
    def cop(self) -> Figure:
        """Return the heat made by a unit of electricity."""
        return combined(self.heat, self.energy, _ratio)

    @property
    def physics_per_tonne(self) -> Figure:
        """Return the heat that a tonne at the supply temperature carries, kWh/t: 1.163 x rise."""
        hot = self.supply.value
        value = None if hot is None else heat_of_a_tonne(hot, self.delivery.cold)
        return replace(self.supply, value=value)

    @property
    def expected_per_tonne(self) -> Figure:
        """Return the electricity that physics and the expected coefficient make of a tonne."""
        return scaled(self.physics_per_tonne, 1 / self.delivery.cop)

    @property
    def per_terminal(self) -> Figure:
        """Return the litres that a terminal ran in a day, in the mean."""
        return self._rate(self.tapped, 1000 / self.terminals) if self.terminals else NOTHING

    @property
    def per_student(self) -> Figure:
        """Return the litres of hot water a student and day."""
        return self._rate(self.delivered, 1000 / self.students) if self.students else NOTHING

    def _rate(self, amount: Figure, factor: float) -> Figure:
        """Return what an amount comes to in a day: what is missing of the time is no zero in it."""
        known = self.days * (1 - amount.missing)
        return scaled(amount, factor / known) if known > 0 else NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The figures of a place: rows, their total, and how it stands to the capacity.

    ``edges`` (UTC ms) are one more than the steps of each row. ``detailed`` tells whether readings
    were looked at one by one; where they are too many, temperatures, losses and sessions are None.
    """

    place: str
    by: By
    edges: tuple[int, ...]
    rows: tuple[Row, ...]
    total: Row
    delivery: Delivery
    trend: Trend
    detailed: bool

    @property
    def used(self) -> Figure:
        """Return the mean day as a share of the capacity; None where that is not known."""
        capacity = self.capacity
        return scaled(self.total.per_day, 1 / capacity) if capacity else NOTHING

    @property
    def capacity(self) -> float | None:
        """Return what the plants can make, in t/day; it is known of all of them together only."""
        return self.delivery.capacity if self.total.kind == "campus" else None


def scaled(figure: Figure, factor: float) -> Figure:
    """Return a figure in another unit."""
    value, low, high = (
        None if one is None else one * factor for one in (figure.value, figure.low, figure.high)
    )
    return replace(figure, value=value, low=low, high=high, ends=figure.ends * factor)


def combined(first: Figure, second: Figure, of: Callable[[float, float], float]) -> Figure:
    """Return a figure made of two; None where they are not of the same time."""
    measured = min(first.measured, second.measured)
    missing = max(first.missing, second.missing)
    value = None
    if (
        first.value is not None
        and second.value is not None
        and abs(first.missing - second.missing) <= MOST_APART
    ):
        value = of(first.value, second.value)
        value = None if math.isnan(value) else value
    return Figure(value, measured, 1.0 - measured - missing, missing)


def summed(figures: Sequence[Figure]) -> Figure:
    """Return the sum of the figures of several counters; None where nothing at all is known."""
    known = [one for one in figures if one.value is not None]
    if not known:
        return NOTHING
    values = [one.value or 0.0 for one in known]
    value = math.fsum(values)
    missing = sum(one.missing for one in figures) / len(figures)
    guessed = math.fsum(
        amount * one.estimated / (1 - one.missing)
        for one, amount in zip(known, values, strict=True)
        if one.missing < 1
    )
    estimated = (1 - missing) * (guessed / value if value else 0.0)
    low, high = (
        math.fsum(end if end is not None else one.value or 0.0 for one, end in ends)
        for ends in (
            [(one, one.low) for one in known],
            [(one, one.high) for one in known],
        )
    )
    ends = math.fsum(one.ends for one in known)
    return Figure(value, 1 - missing - estimated, estimated, missing, low, high, ends=ends)


def losses(parts: Sequence[Loss]) -> Loss:
    """Return the losses of several plants together; None where one of them is not known."""
    hours = min((one.hours for one in parts), default=0.0)
    known = [one.kw for one in parts if one.kw is not None]
    return Loss(math.fsum(known) if known and len(known) == len(parts) else None, hours)


def _ratio(above: float, below: float) -> float:
    return above / below if below > 0 else math.nan
