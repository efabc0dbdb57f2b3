"""What places cost: their use, as the consumption tells it, by the tariffs then in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Literal

import numpy as np

from hub.energy import bill, calendar, demand
from hub.energy.bill import Bill, Contract, Demand, Money, Quantities
from hub.energy.consumption import MOST_FIGURES, Consumption
from hub.energy.metering import Utility
from hub.energy.question import Figure, Query, Row
from hub.energy.rate import rates, step_of
from hub.energy.tariff import Account, Tariff, TariffsFile, Version
from hub.model import Text
from hub.ports import Refused
from hub.site import PlaceKind, Site

CostBy = Literal["place", "building", "floor", "room"]
MOST_MONTHS = 36
KINDS: Mapping[CostBy, tuple[PlaceKind, ...]] = {
    "building": ("building",),
    "floor": ("floor",),
    "room": ("room", "shower_room", "plant"),
}
NO_FILE = "cost: no tariffs.yaml beside campus.yaml; config/tariffs.yaml is one to copy"


@dataclass(frozen=True, slots=True)
class CostQuery:
    """Which places (none: the whole site) from when to when (UTC ms), by which tariff.

    ``tariff`` is none (each place's own, in the version then in force), a tariff's id, a version's
    id, or both as ``tariff@version``: the same use priced by another, for comparison.
    """

    start_ms: int
    end_ms: int
    places: tuple[str, ...] = ()
    by: CostBy = "place"
    utility: Utility = "electricity"
    tariff: str | None = None


@dataclass(frozen=True, slots=True)
class PlaceCost:
    """What one place costs: its bills in order of time, one per civil month and version."""

    id: str
    name: Text
    bills: tuple[Bill, ...]

    @property
    def money(self) -> Money:
        """Return the sum of the bills."""
        return sum((one.money for one in self.bills), Money())

    @property
    def missing(self) -> float:
        """Return the share of the meters' time of which nothing is known, and nothing billed."""
        lasted = [one.end_ms - one.start_ms for one in self.bills]
        shares = [one.missing for one in self.bills]
        return sum(a * b for a, b in zip(lasted, shares, strict=True)) / sum(lasted)


@dataclass(frozen=True, slots=True)
class CostTable:
    """The answer: one row per place; money adds up only where all have one currency."""

    query: CostQuery
    rows: tuple[PlaceCost, ...]

    @property
    def currency(self) -> str | None:
        """Return the currency of all bills, None where there are several or none."""
        found = {one.currency for row in self.rows for one in row.bills}
        return found.pop() if len(found) == 1 else None

    @property
    def total(self) -> Money | None:
        """Return the sum of the rows: what they would be billed, each for itself."""
        if self.currency is None:
            return None
        return sum((row.money for row in self.rows), Money())


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of the time asked for: within one civil month, by one version."""

    start_ms: int
    end_ms: int
    month: date
    version: Version


class Cost:
    """Prices use; calls block: run them in a worker."""

    def __init__(self, site: Site, consumption: Consumption, tariffs: TariffsFile | None) -> None:
        self._site = site
        self._consumption = consumption
        self._tariffs = tariffs

    def of(self, query: CostQuery) -> CostTable:
        """Answer a question; Refused, in words, where it cannot be priced."""
        if self._tariffs is None:
            raise Refused(NO_FILE)
        # The consumption's own limits first: an unknown place, an inverted or endless time.
        self._consumption.check(
            Query(
                start_ms=query.start_ms, end_ms=query.end_ms,
                places=query.places, utility=query.utility,
            )
        )  # fmt: skip
        months = calendar.count_steps(query.start_ms, query.end_ms, "month")
        if months > MOST_MONTHS:
            raise Refused(f"cost: {months} months; at most {MOST_MONTHS} are priced at once")
        priced: dict[str, list[Bill]] = {}
        names: dict[str, Text] = {}
        for tariff, version, places in self._by_tariff(query, self._tariffs):
            for part in self._parts(query, tariff, version):
                for row, one in self._bills(self._tariffs, query, tariff, part, places):
                    names[row.id] = row.name
                    priced.setdefault(row.id, []).append(one)
        rows = tuple(PlaceCost(id_, names[id_], tuple(priced[id_])) for id_ in self._places(query))
        return CostTable(query, rows)

    def _places(self, query: CostQuery) -> list[str]:
        """Return the places that are billed each for itself, in the site's order."""
        if query.by == "place":
            return list(query.places or (self._site.id,))
        roots = query.places or (self._site.id,)
        metering = self._consumption.metering(query.utility)
        whole = self._site.id in {metering.root(one) for one in roots}
        return [
            place.id
            for place in self._site.places.values()
            if place.kind in KINDS[query.by]
            and (whole or any(f"{place.id}/".startswith(f"{root}/") for root in roots))
            and metering.of(place.id)
        ]

    def _by_tariff(
        self, query: CostQuery, file: TariffsFile
    ) -> list[tuple[Tariff, str | None, list[str]]]:
        """Return the places by what they are priced by."""
        found: dict[tuple[str, str | None], list[str]] = {}
        for place in self._places(query):
            account = file.account(place, query.utility)
            own = account.tariff if account else file.standard.get(query.utility)
            found.setdefault(_named(file, query, own), []).append(place)
        return [(_known(file, id_), version, of) for (id_, version), of in found.items()]

    def _parts(self, query: CostQuery, tariff: Tariff, chosen: str | None) -> Iterator[_Part]:
        """Cut the time asked for at civil months and where a version comes into force."""
        zone = self._site.zone
        for start_ms, end_ms in pairwise(
            calendar.edges(query.start_ms, query.end_ms, "month", zone)
        ):
            month = calendar.month_start(calendar.day_of(start_ms, zone))
            if chosen is not None:
                version = tariff.version(chosen)
                if version is None:
                    ids = ", ".join(one.id for one in tariff.versions)
                    raise Refused(f"cost: {tariff.id} has no version {chosen!r}; known: {ids}")
                yield _Part(start_ms, end_ms, month, version)
                continue
            changes = {
                calendar.day_start(day, zone)
                for one in tariff.versions
                for day in (one.from_, one.until)
                if day is not None
            }
            inside = sorted(at for at in changes if start_ms < at < end_ms)
            for begin, end in pairwise([start_ms, *inside, end_ms]):
                day = calendar.day_of(begin, zone)
                version = tariff.on(day)
                if version is None:
                    first = tariff.versions[0]
                    raise Refused(
                        f"cost: no version of {tariff.id} was in force on {day}; name one to "
                        f"compare with, like {tariff.id}@{first.id}"
                    )
                yield _Part(begin, end, month, version)

    def _bills(
        self,
        file: TariffsFile,
        query: CostQuery,
        tariff: Tariff,
        part: _Part,
        places: Sequence[str],
    ) -> Iterator[tuple[Row, Bill]]:
        """Yield the bill of each place for one part."""
        version, step = part.version, step_of(part.version)
        rows = self._rows(part, step, places, query.utility)
        demands = self._demands(part, places, query.utility)
        before = self._before(part, places, query.utility)
        students = self._students(part, places, query.utility)
        edges = calendar.edges(part.start_ms, part.end_ms, step, self._site.zone)
        rate = rates(np.asarray(edges, np.int64), version, file, self._site.zone)
        months = (part.month, calendar.month_start(part.month, 1))
        begin, end = (calendar.day_start(day, self._site.zone) for day in months)
        for n, row in enumerate(rows):
            account = file.account(places[n], query.utility) or Account(
                place=places[n], tariff=tariff.id
            )
            contract = Contract(
                students=students[n],
                contracted_kw=account.contracted_kw,
                capacity_kva=account.capacity_kva,
                demand=demands[n],
                before=before[n],
                part=(part.end_ms - part.start_ms, end - begin),
            )
            lines = bill.lines(version, tariff.unit, quantities(row.steps), rate, contract)
            yield row, Bill(
                tariff.id, version.id, tariff.currency, tariff.unit,
                part.start_ms, part.end_ms, lines, row.total.missing,
            )  # fmt: skip

    def _rows(
        self, part: _Part, step: calendar.Step, places: Sequence[str], utility: Utility
    ) -> Iterator[Row]:
        """Yield the use of each place, asking for no more at once than is answered."""
        steps = calendar.count_steps(part.start_ms, part.end_ms, step)
        many = max(MOST_FIGURES // (steps + 1), 1)
        for first in range(0, len(places), many):
            asked = Query(
                start_ms=part.start_ms, end_ms=part.end_ms, step=step,
                places=tuple(places[first : first + many]), utility=utility,
            )  # fmt: skip
            rows = {row.id: row for row in self._consumption.use(asked).rows}
            yield from (rows[place] for place in asked.places)

    def _demands(self, part: _Part, places: Sequence[str], utility: Utility) -> list[Demand | None]:
        charge = part.version.demand
        if charge is None or charge.basis == "capacity":
            return [None] * len(places)
        edges = calendar.edges(part.start_ms, part.end_ms, "quarter", self._site.zone)
        rows = self._rows(part, "quarter", places, utility)
        return [demand.maximum(edges, row.steps) for row in rows]

    def _before(self, part: _Part, places: Sequence[str], utility: Utility) -> list[int]:
        """Return what the tiers were filled with since their period began, in nano-units."""
        tiers = part.version.tiers
        month = part.month
        if tiers is not None and tiers.period == "year":
            month = date(month.year, 1, 1)
        begin = calendar.day_start(month, self._site.zone)
        if tiers is None or begin >= part.start_ms:
            return [0] * len(places)
        earlier = _Part(begin, part.start_ms, month, part.version)
        rows = self._rows(earlier, "total", places, utility)
        return [int(bill.nano(np.array([row.total.value or 0.0]))[0]) for row in rows]

    def _students(self, part: _Part, places: Sequence[str], utility: Utility) -> list[int]:
        """Return how many students each place has, where the tariff asks."""
        tiers = part.version.tiers
        if tiers is None or tiers.per != "student":
            return [0] * len(places)
        asked = Query(
            start_ms=part.start_ms, end_ms=part.end_ms, places=tuple(places), utility=utility,
            per="student",
        )  # fmt: skip
        found = {row.id: row.divisor for row in self._consumption.use(asked).rows}
        return [round(found[place] or 0) for place in places]


def quantities(figures: Sequence[Figure]) -> Quantities:
    """Return figures of use as the columns that are billed; what is not known is nothing.

    What the ends of a step leave open is billed in it or in the next one: low and high do without.
    """
    known = [one.value or 0.0 for one in figures]
    guessed = [
        one.value * one.estimated / (1 - one.missing) if one.value and one.missing < 1 else 0.0
        for one in figures
    ]
    low = [(one.value or 0.0) if one.low is None else one.low for one in figures]
    high = [(one.value or 0.0) if one.high is None else one.high for one in figures]
    value, estimated = np.asarray(known, np.float64), np.asarray(guessed, np.float64)
    missing = np.asarray([one.missing for one in figures], np.float64)
    return Quantities(
        value - estimated, estimated, np.asarray(low, np.float64), np.asarray(high, np.float64),
        missing,
    )  # fmt: skip


def _named(file: TariffsFile, query: CostQuery, own: str | None) -> tuple[str, str | None]:
    """Return the tariff and the version that a question names, else a place's own tariff."""
    if query.tariff is None:
        if own is None:
            raise Refused(
                f"cost: tariffs.yaml has no standard tariff of {query.utility}; add it or an "
                "account"
            )
        return own, None
    id_, _, version = query.tariff.partition("@")
    if version:
        return id_, version
    if file.tariff(id_) is not None:
        return id_, None
    if own is not None and _known(file, own).version(id_) is not None:
        return own, id_
    raise Refused(
        f"cost: {id_!r} is neither a tariff nor a version of {own or 'one'}; known tariffs: "
        + ", ".join(one.id for one in file.tariffs)
    )


def _known(file: TariffsFile, id_: str) -> Tariff:
    found = file.tariff(id_)
    if found is None:
        ids = ", ".join(one.id for one in file.tariffs)
        raise Refused(f"cost: there is no tariff {id_!r}; known: {ids}")
    return found
