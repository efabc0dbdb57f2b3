"""What use costs by one version of a tariff: the lines of a bill, exact to the cent; pure.

Use is counted in whole nano-units (1e-9 kWh), prices are decimals: sums and splits over rates and
blocks lose nothing, in any order. Only the lines are rounded, and a bill is the sum of its lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

from hub.energy.rate import RATE_NAMES
from hub.energy.tariff import (
    DemandCharge,
    Discount,
    Surcharge,
    Tiers,
    Version,
)
from hub.energy.timetable import RATES
from hub.model import Text
from hub.ports import Refused

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]
Nano = NDArray[np.int64]

NANO = 9
MOST = 9.0e9  # units; more is no use of a campus and would not fit
DIGITS = 60
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """Use per step: what is measured, what is estimated with its bounds, and what is not known.

    Columns in the tariff's unit, 0 where nothing is known; ``low`` and ``high`` bound measured and
    estimated together, ``missing`` (0..1) is the share of the step of which nothing is known.
    """

    measured: Numbers
    estimated: Numbers
    low: Numbers
    high: Numbers
    missing: Numbers

    def cut(self, rows: slice) -> Quantities:
        """Return some of the steps."""
        columns = (self.measured, self.estimated, self.low, self.high, self.missing)
        return Quantities(*(column[rows] for column in columns))


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, the part of it that rests on estimates, and between what it lies."""

    amount: Decimal = ZERO
    estimated: Decimal = ZERO
    low: Decimal = ZERO
    high: Decimal = ZERO

    @property
    def measured(self) -> Decimal:
        """Return the part that rests on measurement."""
        return self.amount - self.estimated

    def __add__(self, other: Money) -> Money:
        """Return the sum, column by column."""
        return Money(
            self.amount + other.amount,
            self.estimated + other.estimated,
            self.low + other.low,
            self.high + other.high,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: quantity times price, rounded; ``missing`` is the share not known.

    What is charged by the month counts only for ``part`` of it, where a bill covers no more.
    """

    kind: str  # energy, demand, discount, surcharge
    id: str
    name: Text
    quantity: Decimal
    unit: str
    price: Decimal
    money: Money
    missing: float = 0.0
    part: float = 1.0


@dataclass(frozen=True, slots=True)
class Bill:
    """What a period of at most one month costs by one version; ``notes`` say what was assumed."""

    tariff: str
    version: str
    currency: str
    unit: str
    start_ms: int
    end_ms: int
    lines: tuple[Line, ...]
    missing: float
    notes: tuple[str, ...] = ()

    @property
    def money(self) -> Money:
        """Return the sum of the lines."""
        return sum((line.money for line in self.lines), Money())

    @property
    def quantity(self) -> Decimal:
        """Return the energy of all lines."""
        return sum((line.quantity for line in self.lines if line.kind == "energy"), ZERO)


@dataclass(frozen=True, slots=True)
class Demand:
    """The highest mean power of 15 minutes; None where no window is known.

    ``missing`` is the share of the windows of which nothing is known; ``low`` and ``high`` bound
    the known ones, where some are estimated.
    """

    kw: float | None
    low: float | None
    high: float | None
    missing: float
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """What a bill must know of who is billed, beside the use itself.

    ``before`` is what was used since the tiers' period began (nano-units), ``part`` the share of a
    month that the bill covers, as (part, whole), for what is charged by the month.
    """

    students: int = 0
    contracted_kw: Decimal | None = None
    capacity_kva: Decimal | None = None
    demand: Demand | None = None
    before: int = 0
    part: tuple[int, int] = (1, 1)


def nano(units: Numbers) -> Nano:
    """Return use in whole nano-units; Refused where it is no number or beyond all bounds."""
    if not np.isfinite(units).all() or float(np.abs(units).sum()) > MOST:
        raise Refused(f"cost: a use that is no number, or more than {MOST:g} in one bill")
    whole: Nano = np.rint(units * 10.0**NANO).astype(np.int64)
    return whole


def decimal(count: int) -> Decimal:
    """Return nano-units as units."""
    return Decimal(count).scaleb(-NANO)


def lines(
    version: Version, unit: str, used: Quantities, rate: NDArray[np.int8], contract: Contract
) -> tuple[Line, ...]:
    """Return the lines of a bill; ``rate`` is of the steps of ``used``."""
    with localcontext() as context:
        context.prec = DIGITS
        counted = _Counted.of(used)
        written = list(_energy(version, unit, counted, rate, contract))
        if version.demand is not None:
            written += _demand(version, version.demand, counted, contract)
        for one in version.surcharges:
            written.append(_surcharge(version, unit, one, counted, written))
        return tuple(written)


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """Use per step in nano-units."""

    known: Nano
    measured: Nano
    low: Nano
    high: Nano
    missing: Numbers

    @classmethod
    def of(cls, used: Quantities) -> _Counted:
        measured = nano(used.measured)
        low, high = nano(used.low), nano(used.high)
        return cls(measured + nano(used.estimated), measured, low, high, used.missing)

    def money(self, version: Version, price: Decimal) -> Money:
        """Return what all of it costs at one price."""
        known, measured, low, high = (
            version.rounding(decimal(int(one.sum())) * price)
            for one in (self.known, self.measured, self.low, self.high)
        )
        return Money(known, known - measured, *sorted((low, high)))


def _energy(
    version: Version, unit: str, used: _Counted, rate: NDArray[np.int8], contract: Contract
) -> Iterator[Line]:
    ends = _ends(version.tiers, contract)
    known = _parts(used.known, rate, ends, contract.before)
    # Within a step what is measured fills a block first, and what is estimated comes after it.
    measured = _parts(used.measured, rate, ends, contract.before, used.known)
    low = _parts(used.low, rate, ends, contract.before)
    high = _parts(used.high, rate, ends, contract.before)
    for n, block in sorted({*known, *low, *high}):
        price = version.prices[RATES[n]] + (version.tiers.blocks[block].add if version.tiers else 0)

        def amount(of: Mapping[tuple[int, int], int], at: Decimal = price) -> Decimal:
            return version.rounding(decimal(of.get((n, block), 0)) * at)  # noqa: B023 - used at once

        lowest, highest = sorted((amount(low), amount(high)))
        money = Money(amount(known), amount(known) - amount(measured), lowest, highest)
        id_, name = RATES[n], RATE_NAMES[RATES[n]]
        if version.tiers is not None:
            name = Text(f"{name.zh} 第{block + 1}档", f"{name.en}, tier {block + 1}")
        yield Line(
            "energy",
            id_ if version.tiers is None else f"{id_}-{block + 1}",
            name,
            decimal(known.get((n, block), 0)),
            unit,
            price,
            money,
            float(used.missing[rate == n].mean()),
        )


def _ends(tiers: Tiers | None, contract: Contract) -> list[int | None]:
    """Return where the blocks end, in nano-units; None is no end."""
    if tiers is None:
        return [None]
    times = contract.students if tiers.per == "student" else 1
    if not times:
        raise Refused("cost: its tariff has blocks per student; write students at the place")
    ends: list[int | None] = []
    for block in tiers.blocks:
        end = block.up_to
        ends.append(None if end is None else int((end * times).scaleb(NANO).to_integral_value()))
    return ends


def _parts(
    units: Nano,
    rate: NDArray[np.int8],
    ends: Sequence[int | None],
    before: int,
    filling: Nano | None = None,
) -> dict[tuple[int, int], int]:
    """Return use by rate and block; the blocks are filled in order of time.

    ``filling`` is what fills them where that is more than ``units``, which come first in a step.
    """
    whole = units if filling is None else filling
    done = before + np.cumsum(whole)
    begun = done - whole
    parts: dict[tuple[int, int], int] = {}
    first = np.iinfo(np.int64).min  # what is fed back goes out of the block it would come into
    for block, end in enumerate(ends):
        last = np.iinfo(np.int64).max if end is None else end
        within = np.clip(begun + units, first, last) - np.clip(begun, first, last)
        for n in np.unique(rate).tolist():
            chosen = within[rate == n]
            if chosen.any() or len(ends) == 1:
                parts[n, block] = int(chosen.sum())
        first = last
    return parts


@dataclass(frozen=True, slots=True)
class _Power:
    """What is charged for power: its quantity, and between what it lies."""

    id: str
    name: Text
    quantity: Decimal
    low: Decimal
    high: Decimal
    times: Decimal = Decimal(1)
    missing: float = 0.0


def _demand(
    version: Version, charge: DemandCharge, used: _Counted, contract: Contract
) -> Iterator[Line]:
    """Yield what is charged by the month for power, whatever was used."""
    part, whole = contract.part
    unit = "kVA" if charge.basis == "capacity" else "kW"
    written = []
    for one in _charged(charge, contract):
        price = charge.price * one.times
        known, low, high = (
            version.rounding(quantity * price * part / whole)
            for quantity in (one.quantity, one.low, one.high)
        )
        money = Money(known, known - low, low, high)
        written.append(
            Line(
                "demand",
                one.id,
                one.name,
                one.quantity,
                unit,
                price,
                money,
                one.missing,
                part / whole,
            )
        )
    yield from written
    if charge.discount is not None and part == whole:
        yield from _discount(version, charge.discount, used, contract, written)


def _discount(
    version: Version,
    discount: Discount,
    used: _Counted,
    contract: Contract,
    demand: Sequence[Line],
) -> Iterator[Line]:
    base = (
        contract.capacity_kva
        if discount.of == "capacity"
        else sum((line.quantity for line in demand), ZERO)
    )
    if base and decimal(int(used.known.sum())) >= discount.use * base:
        share = discount.factor - 1
        name = Text("需量电费折扣", "discount on the demand charge")
        whole = sum((line.money.amount for line in demand), ZERO)
        yield Line("discount", "use", name, whole, "", share, _share(version, share, demand))


def _charged(charge: DemandCharge, contract: Contract) -> Iterator[_Power]:
    """Yield what is charged for power."""
    if charge.basis == "capacity":
        agreed = _agreed(contract.capacity_kva, "capacity_kva")
        yield _Power("capacity", Text("容量电费", "capacity"), agreed, agreed, agreed)
        return
    demand = contract.demand or Demand(None, None, None, 1.0)
    missing = demand.missing
    # A power is rounded like the energy that it comes from, so that no float's tail is billed.
    seen, low, high = (
        Decimal(repr(round(power or 0.0, NANO))) for power in (demand.kw, demand.low, demand.high)
    )
    if charge.basis == "maximum":
        name = Text("最大需量", "maximum demand")
        yield _Power("maximum", name, seen, low, high, missing=missing)
        return
    agreed = _agreed(contract.contracted_kw, "contracted_kw")
    yield _Power("contracted", Text("合同需量", "contracted demand"), agreed, agreed, agreed)
    limit = agreed * (1 + charge.tolerance)
    if high > limit:
        name = Text("超合同需量", "above the contract")
        seen, low, high = (max(power - limit, ZERO) for power in (seen, low, high))
        yield _Power("over", name, seen, low, high, charge.over_factor, missing)


def _agreed(value: Decimal | None, key: str) -> Decimal:
    if value is None:
        raise Refused(f"cost: its tariff charges by {key}; write it at the account of the place")
    return value


def _share(version: Version, share: Decimal, of: Sequence[Line]) -> Money:
    """Return a share of some lines, rounded."""
    whole = sum((line.money for line in of), Money())
    low, high = sorted(version.rounding(one * share) for one in (whole.low, whole.high))
    amount, estimated = version.rounding(whole.amount * share), whole.estimated * share
    return Money(amount, version.rounding(estimated), low, high)


def _surcharge(
    version: Version, unit: str, one: Surcharge, used: _Counted, above: Sequence[Line]
) -> Line:
    name = one.name.text()
    if one.percent is not None:
        money = _share(version, one.percent / 100, above)
        base = sum((line.money.amount for line in above), ZERO)
        return Line("surcharge", one.id, name, base, "", one.percent / 100, money)
    price = one.per_unit or ZERO
    missing = float(used.missing.mean())
    quantity = decimal(int(used.known.sum()))
    money = used.money(version, price)
    return Line("surcharge", one.id, name, quantity, unit, price, money, missing)
