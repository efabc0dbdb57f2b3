"""What energy costs, as a site writes it down: dated versions, hours of the day, tiers; pure.

Prices are decimals and stay decimals. Nothing here reads a clock or a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from hub.energy.metering import UNITS, Utility
from hub.energy.timetable import DAY_MIN, DAY_TYPES, MONTHS, STEP_MIN, DayType, Hours, Rate, Spec
from hub.model import Text

SATURDAY = 5
ROUNDINGS: Mapping[str, str] = {
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
    "down": ROUND_DOWN,
    "up": ROUND_UP,
}

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([-.][a-z0-9]+)*$", max_length=60)]
Price = Annotated[Decimal, Field(ge=-1_000_000, le=1_000_000, max_digits=16)]
Amount = Annotated[Decimal, Field(ge=0, le=1_000_000_000, max_digits=16)]


class Name(Spec):
    """A text for people in both languages."""

    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)

    def text(self) -> Text:
        """Return the value that travels inside the hub."""
        return Text(self.zh, self.en)


class Rounding(Spec):
    """How a line of a bill is rounded; nothing else of it is."""

    places: int = Field(2, ge=0, le=6)
    mode: Literal["half_up", "half_even", "down", "up"] = "half_up"

    def __call__(self, amount: Decimal) -> Decimal:
        """Return an amount as it stands on a bill."""
        return amount.quantize(Decimal(1).scaleb(-self.places), ROUNDINGS[self.mode])


class Block(Spec):
    """One tier: what is added to every unit up to a use; the last has no end."""

    up_to: Amount | None = None
    add: Price


class Tiers(Spec):
    """Blocks of use in a month or a year, each with what it adds to the price of the hour.

    ``per: student`` multiplies the ends of the blocks by the students of the place.
    """

    period: Literal["month", "year"] = "month"
    per: Literal["place", "student"] = "place"
    blocks: tuple[Block, ...] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _rising(self) -> Tiers:
        ends = [block.up_to for block in self.blocks]
        if ends[-1] is not None or None in ends[:-1]:
            raise ValueError("every block but the last has up_to, and the last has none")
        known = [end for end in ends if end is not None]
        if any(one >= other for one, other in pairwise([Decimal(0), *known])):
            raise ValueError("up_to rises from block to block, above 0")
        return self


class Discount(Spec):
    """A share of the demand charge that a high use of the capacity leaves (0.9: ten per cent off).

    ``use`` is what is used in a month per kW of demand, or per kVA where ``of`` is capacity.
    """

    use: Amount
    factor: Annotated[Decimal, Field(gt=0, le=1)]
    of: Literal["demand", "capacity"] = "capacity"


class DemandCharge(Spec):
    """The second part of a two-part tariff, a month.

    maximum: of the highest 15 minutes; contracted: of what was agreed, and ``over_factor`` times
    for what is above it by more than ``tolerance``; capacity: of the transformers in kVA.
    """

    basis: Literal["maximum", "contracted", "capacity"]
    price: Price
    tolerance: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.05")
    over_factor: Annotated[Decimal, Field(ge=1, le=10)] = Decimal(2)
    discount: Discount | None = None


class Surcharge(Spec):
    """A tax, a fund or a fee: per unit used, or a percentage of the lines above it."""

    id: Id
    name: Name
    per_unit: Price | None = None
    percent: Annotated[Decimal, Field(ge=-100, le=100)] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Surcharge:
        if (self.per_unit is None) == (self.percent is None):
            raise ValueError("write one of per_unit and percent")
        return self


class Version(Spec):
    """What was in force from a day on; ``until`` is the first day on which it is not."""

    id: Id
    from_: date = Field(alias="from")
    until: date | None = None
    source: str = Field(min_length=1, max_length=500)
    prices: dict[Rate, Price] = Field(min_length=1)
    hours: tuple[Hours, ...] = ()
    tiers: Tiers | None = None
    demand: DemandCharge | None = None
    surcharges: tuple[Surcharge, ...] = ()
    rounding: Rounding = Rounding()

    @model_validator(mode="after")
    def _every_day(self) -> Version:
        wrong = [*self._days_wrong(), *self._prices_wrong()]
        if self.until is not None and self.until <= self.from_:
            wrong.append("until must be after from")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _days_wrong(self) -> Iterator[str]:
        """Find months and kinds of days with no hours, or with two."""
        if not self.hours:
            return
        taken: dict[tuple[int, DayType], int] = {}
        twice: dict[str, list[int]] = {}
        for n, hours in enumerate(self.hours):
            for month in hours.months:
                for day in hours.days:
                    before = taken.setdefault((month, day), n)
                    if before != n:
                        twice.setdefault(f"hours[{before}] and hours[{n}] on {day}", []).append(
                            month
                        )
        for both, months in twice.items():
            yield f"{both} both in {_months(months)}"
        for day in DAY_TYPES:
            if without := [month for month in MONTHS if (month, day) not in taken]:
                yield f"no hours on {day} in {_months(without)}"

    def _prices_wrong(self) -> Iterator[str]:
        used = {rate for hours in self.hours for rate in hours.rates} or {"flat"}
        for rate in sorted(used - set(self.prices)):
            yield f"no price for {rate}; add it to prices"
        for rate in sorted(set(self.prices) - used):
            yield f"the price of {rate} is never used; add it to hours or remove it"

    def day(self, month: int, kind: DayType) -> Sequence[Rate]:
        """Return the rate of each quarter of an hour of such a day."""
        for hours in self.hours:
            if month in hours.months and kind in hours.days:
                return [rate for rate in hours.by_quarter() if rate is not None]
        return ["flat"] * (DAY_MIN // STEP_MIN)


def _months(months: Sequence[int]) -> str:
    word = "month" if len(months) == 1 else "months"
    return f"{word} {', '.join(str(month) for month in months)}"


class Tariff(Spec):
    """One tariff with all its versions, oldest first."""

    id: Id
    name: Name
    utility: Utility = "electricity"
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] = "CNY"
    versions: tuple[Version, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_after_another(self) -> Tariff:
        wrong = [*_repeated("version", [one.id for one in self.versions])]
        for one, other in pairwise(self.versions):
            if other.from_ <= one.from_:
                wrong.append(f"{other.id} must begin after {one.id}; write them in order")
            elif one.until is not None and one.until < other.from_:
                wrong.append(f"nothing is in force from {one.until} to {other.from_}")
            elif one.until is not None and one.until > other.from_:
                wrong.append(f"{one.id} and {other.id} are both in force from {other.from_}"
                             f" to {one.until}")  # fmt: skip
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def unit(self) -> str:
        """Return what the prices are per."""
        return UNITS[self.utility]

    def on(self, day: date) -> Version | None:
        """Return the version in force on a day, None where there was none."""
        for version in reversed(self.versions):
            if version.from_ <= day:
                return version if version.until is None or day < version.until else None
        return None

    def version(self, id_: str) -> Version | None:
        """Return a version by its id."""
        return next((one for one in self.versions if one.id == id_), None)


def _repeated(what: str, ids: Sequence[str]) -> Iterator[str]:
    for id_ in dict.fromkeys(ids):
        if ids.count(id_) > 1:
            yield f"{what} {id_!r} stands here twice"


class Account(Spec):
    """Who is billed by which tariff: a place with all below it, and what was agreed for it."""

    place: str = Field(min_length=1)
    tariff: Id
    contracted_kw: Amount | None = None
    capacity_kva: Amount | None = None


class TariffsFile(Spec):
    """tariffs.yaml: tariffs, who is billed by them, and the days that are not what they seem.

    A place without an account of a utility is billed like the one it lies in, at last by the
    utility's ``standard``. ``holidays`` and ``workdays`` go before the day of the week.
    """

    version: Literal[1]
    holidays: tuple[date, ...] = ()
    workdays: tuple[date, ...] = ()
    tariffs: tuple[Tariff, ...] = Field(min_length=1)
    standard: dict[Utility, Id] = Field(default_factory=dict)
    accounts: tuple[Account, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> TariffsFile:
        ids = [tariff.id for tariff in self.tariffs]
        wrong = [*_repeated("tariff", ids)]
        both = sorted(set(self.holidays) & set(self.workdays))
        wrong += [f"{day} is both a holiday and a workday" for day in both]
        named = [*self.standard.values(), *(one.tariff for one in self.accounts)]
        wrong += [
            f"there is no tariff {id_!r}; known: {', '.join(ids)}"
            for id_ in dict.fromkeys(named)
            if id_ not in ids
        ]
        wrong += [
            f"the standard of {utility} is {id_!r}, a tariff of {tariff.utility}"
            for utility, id_ in self.standard.items()
            if (tariff := self.tariff(id_)) is not None and tariff.utility != utility
        ]
        accounts = [f"{one.place} ({self._utility(one.tariff)})" for one in self.accounts]
        wrong += _repeated("the account of", accounts)
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _utility(self, tariff: str) -> str:
        known = self.tariff(tariff)
        return known.utility if known else "?"

    def tariff(self, id_: str) -> Tariff | None:
        """Return a tariff by its id."""
        return next((tariff for tariff in self.tariffs if tariff.id == id_), None)

    def account(self, place: str, utility: Utility) -> Account | None:
        """Return who is billed for a place: its own account, else of what holds it, else none."""
        own = {one.place: one for one in self.accounts if self._utility(one.tariff) == utility}
        while place not in own and "/" in place:
            place = place.rpartition("/")[0]
        return own.get(place)

    def kind_of(self, day: date) -> DayType:
        """Tell what kind of day one is; public holidays and moved working days are listed."""
        if day in self.holidays:
            return "holiday"
        if day in self.workdays or day.weekday() < SATURDAY:
            return "workday"
        return "weekend"
