"""What places use, by time: the one answer behind the page, the API, the report and the export."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hub.energy import calendar
from hub.energy.explained import MOST_FINDINGS, explained
from hub.energy.figures import Read, UseSource
from hub.energy.metering import UNITS, Counter, Metering, Utility
from hub.energy.question import MOST_UNKNOWN, Balance, By, Compare, Per, Query, Row, Table
from hub.model import Text
from hub.ports import Refused
from hub.site import Place, Site

MOST_FIGURES = 100_000
MOST_METER_HOURS = 10_000_000
MOST_DAYS = 36_600  # a century; looking which of its days are known takes its time, too
_LESS = "a shorter time or fewer places, or again once the hub has worked out the days before"
_KINDS: Mapping[By, tuple[str, ...]] = {
    "building": ("building",),
    "floor": ("floor",),
    "room": ("room", "shower_room", "plant"),
}
KIND_NAMES: Mapping[str, Text] = {
    "campus": Text("校园", "Campus"),
    "building": Text("楼栋", "Buildings"),
    "floor": Text("楼层", "Floors"),
    "room": Text("房间", "Rooms"),
    "shower_room": Text("浴室", "Shower rooms"),
    "plant": Text("热水机房", "Hot-water plants"),
}
TOTAL = Text("合计", "Total")


class Consumption:
    """Answers questions about use; calls block: run them in a worker."""

    def __init__(self, site: Site, ledger: UseSource) -> None:
        self._site = site
        self._ledger = ledger
        self.metering: Callable[[Utility], Metering] = cache(lambda one: Metering(site, one))
        self._place: Callable[[str], Place] = cache(self._read_place)
        self._inner: dict[str, list[Place]] = {}
        for place in site.places.values():
            self._inner.setdefault(place.id.rpartition("/")[0], []).append(place)

    def use(self, query: Query) -> Table:
        """Answer a question; Refused when it is too large, inverted or names what is not there."""
        groups = self._asked(query)
        counters = _distinct([*groups.total, *(one for group in groups.rows for one in group.of)])
        edges = calendar.edges(query.start_ms, query.end_ms, query.step, self._site.zone)
        read = Read(self._ledger, counters, np.asarray(edges, np.int64))
        others = {name: self.compared(query, name) for name in query.compare}
        before = {
            name: Read(self._ledger, counters, np.asarray(span, np.int64))
            for name, span in others.items()
        }
        rows = [_row(group, query.per, read, before) for group in groups.rows]
        whole = _Group(self._total_place(query), groups.total)
        return Table(
            query,
            UNITS[query.utility],
            tuple(edges),
            tuple(_ranked(rows)),
            _row(whole, query.per, read, before),
            self._balances(query) if query.balance else (),
            others,
            explained(read.findings, counters)[:MOST_FINDINGS],
            len(read.findings),
        )

    def check(self, query: Query) -> None:
        """Refuse a question that could not be answered in a moment, or not at all."""
        self._asked(query)

    def compared(self, query: Query, with_: Compare) -> tuple[int, int]:
        """Return start and end of the period that a question is compared with."""
        shifted = calendar.previous if with_ == "previous" else calendar.year_before
        return shifted(query.start_ms, query.end_ms, self._site.zone)

    def _asked(self, query: Query) -> _Groups:
        """Return what counters a question is about, once it is known to be a fair one."""
        if not 0 <= query.start_ms < query.end_ms:
            raise Refused("consumption: start must be before end, and after 1970")
        if query.end_ms > calendar.LAST_MS:
            raise Refused("consumption: the end lies after the year 9998")
        for place in query.places:
            if place not in self._site.places and place != self._site.id:
                raise Refused(f"consumption: no place {place!r} in this site")
        for device in query.devices:
            if device not in self._site.devices:
                raise Refused(f"consumption: no device {device!r} in this site")
        steps = calendar.count_steps(query.start_ms, query.end_ms, query.step)
        days = (query.end_ms - query.start_ms) // calendar.DAY_MS
        _check(days, MOST_DAYS, "days", "a shorter time")
        # Before the counters are chosen: even choosing among thousands takes its time.
        _check(steps, MOST_FIGURES, "figures", "a longer step or a shorter time")
        groups = self._groups(query)
        _check(steps * len(groups.rows), MOST_FIGURES, "figures", "a longer step or fewer places")
        counters = _distinct([*groups.total, *(c for group in groups.rows for c in group.of)])
        edges = calendar.edges(query.start_ms, query.end_ms, query.step, self._site.zone)
        spans = [edges, *(self.compared(query, name) for name in query.compare)]
        self._check_hours(counters, spans)
        return groups

    def _check_hours(self, counters: Sequence[Counter], spans: Iterable[Sequence[int]]) -> None:
        """Refuse what needs too many readings; days that are worked out already cost nothing."""
        points = [one.point for one in counters]
        unread = sum(self._ledger.unread(points, np.asarray(span, np.int64)) for span in spans)
        _check(unread, MOST_METER_HOURS, "hours of meters that are not worked out yet", _LESS)

    def _groups(self, query: Query) -> _Groups:
        metering = self.metering(query.utility)
        places = query.places or (self._site.id,)
        if query.devices:
            chosen = [one for one in metering.counters if one.device.id in query.devices]
            return _Groups([self._device(one) for one in chosen], chosen)
        total = _distinct([one for place in places for one in metering.of(place)])
        if query.by == "place":
            return _Groups([_Group(self._place(one), metering.of(one)) for one in places], total)
        if query.by in ("device", "kind"):
            leaves = _distinct([one for place in places for one in metering.leaves(place)])
            if query.by == "device":
                return _Groups([self._device(one) for one in leaves], total)
            return _Groups(self._kinds(leaves), total)
        inside = [one for one in self._inside(places, query.by) if metering.of(one.id)]
        return _Groups([_Group(self._place(one.id), metering.of(one.id)) for one in inside], total)

    def _inside(self, places: Sequence[str], by: By) -> list[Place]:
        """Return the places of a level that are, or lie in, one of the places."""
        roots = {self._site.id if self._is_campus(one) else one for one in places}
        return [
            place
            for place in self._site.places.values()
            if place.kind in _KINDS[by] and (self._site.id in roots or _held(place.id) & roots)
        ]

    def _is_campus(self, place: str) -> bool:
        known = self._site.places.get(place)
        return known is not None and known.kind == "campus"

    def _kinds(self, leaves: Sequence[Counter]) -> list[_Group]:
        found: dict[str, list[Counter]] = {}
        for one in leaves:
            found.setdefault(self._place(one.place).kind, []).append(one)
        return [_Group(self._kind(kind, of), of) for kind, of in sorted(found.items())]

    def _kind(self, kind: str, of: Sequence[Counter]) -> Place:
        places = [self._place(id_) for id_ in dict.fromkeys(one.place for one in of)]
        students, area = sum(one.students for one in places), sum(one.area_m2 for one in places)
        return Place(kind, places[0].kind, KIND_NAMES[kind], students, area)

    def _device(self, one: Counter) -> _Group:
        place = self._place(one.place)
        name = Text(one.device.id, one.device.id)
        return _Group(replace(place, id=one.device.id, name=name), [one], "device")

    def _read_place(self, id_: str) -> Place:
        """Return a place with the people and the area in it, its own or those of what it holds."""
        known = self._site.places.get(id_)
        if id_ == self._site.id or (known is not None and known.kind == "campus"):
            place = Place(id_, "campus", known.name if known is not None else self._site.name)
            inside = self._site.buildings()
        elif known is None:
            return Place(id_, "room", Text(id_, id_))
        else:
            place, inside = known, self._inner.get(id_, [])
        summed = [self._place(one.id) for one in inside]
        students = place.students or sum(one.students for one in summed)
        area = place.area_m2 or sum(one.area_m2 for one in summed)
        return replace(place, students=students, area_m2=area)

    def _total_place(self, query: Query) -> Place:
        if not query.devices and len(query.places) <= 1:
            return self._place(query.places[0] if query.places else self._site.id)
        outer = [one for one in query.places if not _held(one, itself=False) & set(query.places)]
        places = [self._place(one) for one in dict.fromkeys(outer)]
        students, area = sum(one.students for one in places), sum(one.area_m2 for one in places)
        return Place("total", "campus", TOTAL, students, area)

    def _balances(self, query: Query) -> tuple[Balance, ...]:
        """Return what lies between meters, for the places asked for and those of the rows."""
        if query.utility == "hot_water":
            return ()  # what terminals count is mixed with cold water: no part of the plant's
        metering = self.metering(query.utility)
        places = list(query.places or (self._site.id,))
        if query.by in _KINDS:
            places += [one.id for one in self._inside(places, query.by)]
        span = np.asarray([query.start_ms, query.end_ms], np.int64)
        asked = {
            place: (own, below)
            for place in dict.fromkeys(places)
            if (own := metering.own(place)) and (below := metering.beneath(place))
        }
        all_ = _distinct([one for own, below in asked.values() for one in (*own, *below)])
        self._check_hours(all_, [span.tolist()])
        read = Read(self._ledger, all_, span)
        return tuple(
            _balance(self._place(place), own, below, read) for place, (own, below) in asked.items()
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """What makes one row: a place (or what stands for one) and its counters."""

    place: Place
    of: Sequence[Counter]
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class _Groups:
    """The rows of a table, and the counters of its total."""

    rows: Sequence[_Group]
    total: Sequence[Counter]


def _row(group: _Group, per: Per | None, read: Read, before: Mapping[Compare, Read]) -> Row:
    divisor = _divisor(group.place, per)
    nothing = divisor is not None and not divisor
    counters: Sequence[Counter] = () if nothing else group.of
    by = divisor or 1.0
    steps = read.steps(counters, by)
    return Row(
        id=group.place.id,
        kind=group.kind or group.place.kind,
        name=group.place.name,
        steps=steps,
        total=read.total(counters, by, steps),
        meters=len(group.of),
        divisor=divisor,
        before={name: other.total(counters, by) for name, other in before.items()},
    )


def _divisor(place: Place, per: Per | None) -> float | None:
    if per is None:
        return None
    return float(place.students if per == "student" else place.area_m2)


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Give each row with a figure its rank; equal ones share it."""
    values = sorted((row.total.value for row in rows if row.total.value is not None), reverse=True)
    places: dict[float, int] = {}
    for n, value in enumerate(values, 1):
        places.setdefault(value, n)
    return [
        row if row.total.value is None else replace(row, rank=places[row.total.value])
        for row in rows
    ]


def _balance(place: Place, own: Sequence[Counter], below: Sequence[Counter], read: Read) -> Balance:
    parent, children = read.total(own), read.total(below)
    gone = tuple(
        one.device.id
        for one in (*own, *below)
        if abs(read.total([one]).missing - parent.missing) > MOST_UNKNOWN
    )
    comparable = parent.value is not None and children.value is not None and not gone
    loss = low = high = None
    if comparable and parent.value is not None and children.value is not None:
        loss = parent.value - children.value
        low = (parent.least or 0.0) - (children.most or 0.0)
        high = (parent.most or 0.0) - (children.least or 0.0)
    return Balance(place.id, place.name, parent, children, len(below), loss, low, high, gone)


def _distinct(counters: Sequence[Counter]) -> list[Counter]:
    return list({one.point.number: one for one in counters}.values())


def _held(place: str, *, itself: bool = True) -> set[str]:
    """Return a place and those that hold it."""
    parts = place.split("/")
    return {"/".join(parts[:n]) for n in range(1, len(parts) + itself)}


def _check(number: int, most: int, what: str, do: str) -> None:
    if number > most:
        raise Refused(
            f"consumption: the question asks for {number:,} {what}, at most {most:,} are answered "
            f"at once; ask for {do}"
        )
