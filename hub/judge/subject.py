"""Which rules over days are about what: each subject with the points that are looked at; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from hub.desk import cause_of
from hub.energy.metering import FACTORS, Counter, Metering, Utility, counter_of
from hub.model import Point
from hub.site import Device, Place, Site
from rules.day_columns import Term
from rules.spec import Pack
from rules.spec_windows import (
    BalanceRule,
    EfficiencyRule,
    ExposureRule,
    NightFlowRule,
    PeersRule,
    WindowForm,
    WindowRule,
)

LITRES = 1000.0
AS_IT_IS: Mapping[str, float] = {}
Terms = tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One rule on one subject: a device or a place.

    ``terms`` are the points of each part that the rule compares; ``counted`` tells whether the
    first part is of counters, ``group`` whose peers it is among, ``divisor`` students or m2.
    """

    cause: str
    subject: str
    rule: WindowRule
    terms: tuple[Terms, ...]
    counted: bool = True
    group: str = ""
    divisor: float = 1.0


def cases_of(site: Site, packs: Sequence[Pack]) -> list[Case]:
    """Return every rule over days on every subject that has its points, in the site's order."""
    finder = _Finder(site)
    return [
        case
        for pack in packs
        for rule in pack.rules
        if isinstance(rule, WindowForm)
        for subject in _subjects(site, pack)
        if (case := finder.case(rule, subject)) is not None
    ]


def _subjects(site: Site, pack: Pack) -> Iterator[Device | Place]:
    wanted = pack.applies_to
    yield from (
        device
        for device in site.devices.values()
        if device.kind == wanted.kind and (not wanted.profiles or device.profile in wanted.profiles)
    )
    yield from (place for place in site.places.values() if place.kind == wanted.kind)


class _Finder:
    """Finds the points of a rule on one subject."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._metering: Callable[[Utility], Metering] = cache(lambda one: Metering(site, one))

    def case(self, rule: WindowRule, subject: Device | Place) -> Case | None:
        """Return the case of a subject; None where it has not what the rule looks at."""
        terms = self._terms(rule, subject)
        if terms is None or not all(terms):
            return None
        place = subject.place if isinstance(subject, Device) else subject.id
        like = subject.profile if isinstance(subject, Device) else subject.kind
        within = isinstance(rule, PeersRule) and rule.within == "building"
        divisor = self._divisor(rule, subject)
        if not divisor:
            return None
        return Case(
            cause=cause_of(subject.id, rule.id),
            subject=subject.id,
            rule=rule,
            terms=terms,
            counted=self._site.points[terms[0][0].point].kind == "counter",
            group=f"{like} {self._site.building_of(place) if within else ''}",
            divisor=divisor,
        )

    def _divisor(self, rule: WindowRule, subject: Device | Place) -> float:
        if not isinstance(rule, PeersRule) or rule.per is None or isinstance(subject, Device):
            return 1.0
        return float(subject.students if rule.per == "student" else subject.area_m2)

    def _terms(self, rule: WindowRule, subject: Device | Place) -> tuple[Terms, ...] | None:
        if isinstance(rule, BalanceRule):
            return self._balance(rule, subject)
        if isinstance(rule, EfficiencyRule):
            return _own(subject, rule.inputs, AS_IT_IS)
        if isinstance(rule, ExposureRule):
            litres = {unit: one * LITRES for unit, one in FACTORS["m3"].items()}
            return _own(subject, rule.inputs, litres)
        if rule.point is not None:
            cubic = FACTORS["m3"] if isinstance(rule, NightFlowRule) else AS_IT_IS
            return _own(subject, rule.inputs, cubic)
        return (self._used(rule.utility or "electricity", subject),)

    def _used(self, utility: Utility, subject: Device | Place) -> Terms:
        """Return the counters that add up to what a subject uses."""
        if isinstance(subject, Device):
            counter = counter_of(subject, utility)
            return () if counter is None else (Term(counter[0].number, counter[1]),)
        return _summed(self._metering(utility).of(subject.id))

    def _balance(self, rule: BalanceRule, subject: Device | Place) -> tuple[Terms, ...] | None:
        if isinstance(subject, Device):
            names = ("heat", "hot_water", "supply_temperature")
            return _own(subject, names, FACTORS["m3"]) if rule.of == "heat" else None
        if rule.of == "meters":
            metering = self._metering(rule.utility)
            return _summed(metering.own(subject.id)), _summed(metering.beneath(subject.id))
        if rule.of == "heat":
            return None
        inside = self._site.below(subject.id)
        plants = [one for one in inside if one.kind == "boiler"]
        drawn = [counter_of(one, "hot_water") for one in inside if one.kind == "shower"]
        return (
            _named(plants, rule.given, FACTORS["m3"]),
            tuple(Term(one[0].number, one[1]) for one in drawn if one is not None),
            _named(plants, "supply_temperature", AS_IT_IS),
        )


def _summed(counters: Sequence[Counter]) -> Terms:
    return tuple(Term(one.point.number, one.factor) for one in counters)


def _named(devices: Sequence[Device], name: str, factors: Mapping[str, float]) -> Terms:
    points = [point for device in devices for point in device.points if point.name == name]
    return tuple(_term(point, factors) for point in points)


def _term(point: Point, factors: Mapping[str, float]) -> Term:
    return Term(point.number, factors.get(point.unit, 1.0))


def _own(
    subject: Device | Place, names: Sequence[str], factors: Mapping[str, float]
) -> tuple[Terms, ...] | None:
    """Return the points of a device by their names; None where one is missing."""
    if not isinstance(subject, Device):
        return None
    points = {point.name: point for point in subject.points}
    if not all(name in points for name in names):
        return None
    return tuple((_term(points[name], factors),) for name in names)
