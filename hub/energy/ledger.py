"""The uses of counters per step: the one answer behind every figure, kept and put right as needed.

Whole civil days are kept once they have been read. A late or corrected reading, or a change of a
meter entered afterwards, makes the ledger forget exactly the days that it can touch; they are read
again when somebody asks. So any order of arrival gives the figures of the right order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np

import hub
from hub.energy import calendar, readout, stuck
from hub.energy.counter import (
    RULES,
    CounterRule,
    Finding,
    Flags,
    Instants,
    Intervals,
    Kind,
    MeterChange,
    Numbers,
)
from hub.energy.counter import joined as put_together
from hub.energy.day import NOTHING, PARTS, REACH_MS
from hub.energy.days import Days
from hub.energy.known import Known
from hub.energy.metering import UTILITIES, counter_of
from hub.energy.spread import Laid, PointFinding, Rows, Uses, lay
from hub.energy.stuck import Pace
from hub.energy.weeks import CELLS_AT_ONCE, Weeks
from hub.model import Batch, Point
from hub.ports import TimeSeriesStore
from hub.site import Device, Site

# What so few counters need is read faster than it is kept.
FEW = 32
DAYS_AT_ONCE = 400_000  # days of counters that are put together at once, likewise
GAP_INTERVALS = 3
SHORTEST_GAP_MS = 900_000
LITRES = 1000.0
AHEAD_DAYS = 400  # so many closed days are worked out before anybody asks
AHEAD_COUNTERS = 300  # of so many counters at once, so that nobody waits for it
_BEGIN, _END = PARTS.index("begin"), PARTS.index("end")
FORMAT = 3  # to be raised when the same readings give other days


def rule_of(point: Point, device: Device) -> CounterRule:
    """Return what can be true of a counter, by its profile and its unit."""
    interval_ms = device.interval.total_seconds() * 1000
    gap_ms = max(round(GAP_INTERVALS * interval_ms), SHORTEST_GAP_MS)
    if point.unit == "kWh":
        rule = RULES["heat" if "heat" in point.name else "electricity"]
    elif point.unit in ("m3", "L"):
        rule = RULES["gas" if "gas" in point.name else "water"]
        if point.unit == "L":
            most = rule.most_per_h * LITRES
            rule = replace(rule, resolution=rule.resolution * LITRES, most_per_h=most)
    else:
        rule = CounterRule(most_per_h=1e6)
    most = rule.most_per_h if point.most_per_h is None else point.most_per_h
    return replace(
        rule,
        modulus=point.rollover,
        resolution=max(rule.resolution, point.digit or 0.0),
        gap_ms=gap_ms,
        most_per_h=most,
    )


class Ledger:
    """Reads counters from the store; calls block: run them in a worker."""

    def __init__(self, site: Site, store: TimeSeriesStore) -> None:
        self._store = store
        self._zone = site.zone
        counters = [
            (point, rule_of(point, device))
            for device in site.devices.values()
            for point in device.points
            if point.kind == "counter"
        ]
        counters.sort(key=lambda one: one[0].number)
        self._numbers = np.array([point.number for point, _ in counters], np.int32)
        self._rules = [rule for _, rule in counters]
        paces = stuck.paces(site)
        self._paces = [paces.get(point.number) for point, _ in counters]
        # Days are kept of the counters that figures are made of, not of the phases beside them.
        main = sorted(main_counters(site))
        self._main = np.searchsorted(self._numbers, np.array(main, np.int32))
        self._place = np.full(len(counters), -1, np.intp)
        self._place[self._main] = np.arange(len(main))
        self.days = Days(self._numbers[self._main])
        self._beside = [
            (np.array(points, np.int32), self._place[its]) for points, its in _layers(self._paces)
        ]
        self._weeks = Weeks(self._read, site.zone)

    @property
    def key(self) -> str:
        """Return what names all that days are worked out by, but readings and changes."""
        main = [(self._numbers[n], self._rules[n], self._paces[n]) for n in self._main.tolist()]
        said = repr((FORMAT, hub.__version__, self._zone.key, main))
        return hashlib.sha256(said.encode()).hexdigest()

    def uses(self, points: Sequence[Point], edges: Instants) -> Uses:
        """Return what counters used between edges (UTC ms, rising), in the unit of each point."""
        numbers = np.array([point.number for point in points], np.int32)
        which, back = np.unique(np.searchsorted(self._numbers, numbers), return_inverse=True)
        days = self._days_within(edges)
        if len(days) > 1:
            laid, findings = self._by_days(which, edges, days)
        else:
            laid, findings = self._directly(which, edges)
        told = laid.columns(edges, self._digits(which))
        columns = {name: column[back] for name, column in told.items()}
        findings += self._changed(which, edges)
        return Uses(numbers, edges, **columns, findings=self._told(which, findings, edges))

    def unread(self, points: Sequence[Point], edges: Instants) -> int:
        """Return how many hours of counters must be read for a question; what is kept is not."""
        numbers = np.unique(np.array([point.number for point in points], np.int32))
        days = self._days_within(edges)
        cuts = _cuts(edges, days) if len(days) > 1 else edges[[0, -1]]
        place = self._place[np.searchsorted(self._numbers, numbers)]
        hours = -(-np.diff(cuts) // calendar.HOUR_MS)
        return int((hours * self.days.absent(place, cuts)).sum())

    def work_out(self, now_ms: int) -> bool:
        """Work out some of the closed days that are not known, newest first; False: all are."""
        last = calendar.day_of(now_ms - REACH_MS, self._zone)
        span = calendar.span_of_days(last - timedelta(AHEAD_DAYS), last - timedelta(1), self._zone)
        lacking = self.days.lacking(self._whole_days(np.array(span, np.int64)), AHEAD_COUNTERS)
        if lacking is None:
            return False
        rows, cuts = lacking
        self._known(self._main[rows], cuts, np.ones(len(cuts) - 1, np.bool_))
        return True

    def _digits(self, which: Rows) -> Numbers:
        """Return the last digit that each counter shows, as use."""
        changes = self.days.changes
        multipliers = [
            max(
                (one.multiplier for one in changes.get(number, ()) if one.multiplier is not None),
                default=0.0,
            )
            for number in self._numbers[which].tolist()
        ]
        rules = [self._rules[n] for n in which.tolist()]
        return np.array(
            [
                rule.resolution * max(rule.multiplier, changed)
                for rule, changed in zip(rules, multipliers, strict=True)
            ],
            np.float64,
        )

    def _changed(self, which: Rows, edges: Instants) -> list[tuple[int, Finding]]:
        """Return the changes of meters that people entered, as findings."""
        changes = self.days.changes
        return [
            (n, Finding("change", one.at_ms, one.at_ms, one.closing, one.opening, 0.0, 0.0, 0.0))
            for n, number in enumerate(self._numbers[which].tolist())
            for one in changes.get(number, ())
            if edges[0] <= one.at_ms < edges[-1]
        ]

    def _told(
        self, which: Rows, findings: Sequence[tuple[int, Finding]], edges: Instants
    ) -> tuple[PointFinding, ...]:
        """Return what was found by points and time, each once."""
        met = {
            PointFinding(int(self._numbers[which[n]]), one)
            for n, one in findings
            if one.start_ms < edges[-1] and (one.end_ms > edges[0] or one.kind == "change")
        }
        found = sorted(met, key=lambda one: (one.point, one.finding.start_ms, one.finding.kind))
        return stuck.put_together(found)

    def recorded(self, batch: Batch, seq: int) -> None:
        """Forget what readings touch, once the store has kept them up to an entry of the journal.

        Any thread may call, in the order of the entries.
        """
        at = np.minimum(np.searchsorted(self._numbers, batch.point), max(len(self._numbers) - 1, 0))
        mine = np.flatnonzero(self._numbers[at] == batch.point) if len(self._numbers) else at[:0]
        rows, at_ms = [self._place[at[mine]]], [batch.at_ms[mine]]
        for points, place in self._beside:
            at_pace = np.minimum(np.searchsorted(points, batch.point), len(points) - 1)
            its = np.flatnonzero(points[at_pace] == batch.point)
            rows.append(place[at_pace[its]])
            at_ms.append(batch.at_ms[its])
        every, instants = np.concatenate(rows), np.concatenate(at_ms)
        kept = every >= 0
        self.days.touch(every[kept], instants[kept], seq)
        if len(mine):
            self._weeks.touch(at[mine], batch.at_ms[mine])

    def change(self, changes: Mapping[int, Sequence[MeterChange]]) -> None:
        """Take over all changes of meters as they now stand, by the numbers of their points."""
        new = {point: tuple(them) for point, them in changes.items() if them}
        old = self.days.changes
        altered = [point for point in {*old, *new} if old.get(point, ()) != new.get(point, ())]
        which = np.flatnonzero(np.isin(self._numbers, altered))
        place = self._place[which]
        self.days.change(new, place[place >= 0])
        if altered:
            self._weeks.touch(which, None)

    def _days_within(self, edges: Instants) -> Instants:
        """Return the edges of the civil days that steps are made of; none where they are not."""
        start, end = int(edges[0]), int(edges[-1])
        every = self._whole_days(edges)
        first = calendar.day_start(calendar.day_of(start, self._zone), self._zone)
        last = calendar.day_start(calendar.day_of(end, self._zone), self._zone)
        days = every[int(first != start) : len(every) - int(last != end)]
        inner = edges[(edges != start) & (edges != end)]
        return days if np.isin(inner, days).all() else days[:0]

    def _whole_days(self, edges: Instants) -> Instants:
        """Return the edges of the civil days between the first and the last of some edges."""
        days = calendar.edges(int(edges[0]), int(edges[-1]), "day", self._zone)
        return np.array(days, np.int64)

    def _lay(self, which: Rows, row: Rows, made: Intervals, edges: Instants) -> Laid:
        """Lay intervals of counters over steps, long gaps by the weeks before them."""
        courses = self._weeks.courses(which, row, made, edges)
        return lay(row, made, edges, len(which), courses)

    def _read(self, which: Rows, edges: Instants) -> Known:
        rules = [self._rules[n] for n in which.tolist()]
        return readout.read(self._store, self._numbers[which], edges, rules, self.days.changes)

    def _stuck(self, which: Rows, laid: Laid, edges: Instants) -> list[tuple[int, Finding]]:
        """Return the counters that stood still in a step although they should not have."""
        pairs = [
            None if (pace := self._paces[n]) is None else (pace, self._rules[n])
            for n in which.tolist()
        ]
        paced = np.array([pair is not None for pair in pairs], np.bool_)
        return stuck.stuck(self._store, pairs, stuck.still(laid, paced), edges)

    def _directly(self, which: Rows, edges: Instants) -> tuple[Laid, list[tuple[int, Finding]]]:
        hours = int(edges[-1] - edges[0]) // calendar.HOUR_MS + 1
        at_once = max(CELLS_AT_ONCE // hours, 1)
        parts, findings = [], []
        days = self._whole_days(edges)
        for first in range(0, max(len(which), 1), at_once):
            some = which[first : first + at_once]
            known = self._read(some, edges)
            parts.append(self._lay(some, known.row, known.intervals, edges))
            daily = lay(known.row, known.intervals, days, len(some), {})
            found = [*known.findings, *self._stuck(some, daily, days)]
            findings += [(first + n, one) for n, one in found]
        whole = np.concatenate([_stacked(part) for part in parts], axis=1)
        return Laid(*whole), findings

    def _by_days(
        self, which: Rows, edges: Instants, days: Instants
    ) -> tuple[Laid, list[tuple[int, Finding]]]:
        """Put whole days together, and what hangs over at both ends."""
        cuts = _cuts(edges, days)
        whole = np.isin(cuts[:-1], days[:-1])
        begins = np.searchsorted(cuts, edges[:-1])
        ends = np.searchsorted(cuts, edges[1:]) - 1
        sums = np.empty((len(begins), len(PARTS), len(which)))
        at_once = max(DAYS_AT_ONCE // len(cuts), 1)
        over: list[tuple[Rows, Intervals]] = [(which[:0], NOTHING)]
        findings: list[tuple[int, Finding]] = []
        for first in range(0, len(which), at_once):
            part = slice(first, first + at_once)
            cells, across, found = self._cells(which[part], cuts, whole)
            sums[:, :, part] = np.add.reduceat(cells, begins, axis=0)
            # What is in doubt at the edges between them the times of a step share.
            sums[:, _BEGIN, part] = cells[begins, _BEGIN]
            sums[:, _END, part] = cells[ends, _END]
            over += across
            findings += [(first + n, one) for n, one in found]
        hanging = self._lay(which, *_once(over, which), edges)
        return Laid(*(sums.transpose(1, 2, 0) + _stacked(hanging))), findings

    def _cells(
        self, which: Rows, cuts: Instants, whole: Flags
    ) -> tuple[Numbers, list[tuple[Rows, Intervals]], list[tuple[int, Finding]]]:
        """Return (times x parts x counters), gaps across cuts and findings; what is not kept, read.

        ``whole`` tells which times are civil days.
        """
        cells = np.empty((len(whole), len(PARTS), len(which)))
        absent, across, findings = self.days.fill(self._place[which], cuts, cells)
        over = [(self._main[rows], made) for rows, made in across]
        for first, last, rows in _runs(absent):
            span = cuts[first : last + 1]
            for some in self._pieces(which, rows, span):
                keep = whole[first:last] & (len(rows) > FEW)
                known, laid, crossing = self._known(which[some], span, keep)
                cells[first:last, :, some] = laid.transpose(2, 0, 1)
                made = known.intervals.taken(crossing)
                over.append((which[some][known.row[crossing]], made))
                findings += [(int(some[n]), one) for n, one in known.findings]
        return cells, over, findings

    def _pieces(self, which: Rows, rows: Rows, span: Instants) -> Iterator[Rows]:
        """Yield rows that are read at once, those whose days are kept apart from the others."""
        hours = int(span[-1] - span[0] + 2 * REACH_MS) // calendar.HOUR_MS
        at_once = max(CELLS_AT_ONCE // hours, 1)
        kept = self._place[which[rows]] >= 0
        for some in (rows[kept], rows[~kept]):
            yield from (some[n : n + at_once] for n in range(0, len(some), at_once))

    def _known(self, which: Rows, cuts: Instants, keep: Flags) -> tuple[Known, Numbers, Flags]:
        """Read counters between cuts; return parts x counters x times, and which gaps cross cuts.

        ``keep`` tells which times are days to be kept, where days of these counters are.
        """
        with self.days.reading() as session:
            known = self._read(which, cuts)
            laid, across = _split(known, cuts, len(which))
            found = self._stuck(which, Laid(*laid), cuts)
            known = replace(known, findings=(*known.findings, *found))
            place = self._place[which]
            if keep.any() and (place >= 0).all():
                self.days.put(session, place, cuts, keep, laid, known, across)
        return known, laid, across


def main_counters(site: Site) -> set[int]:
    """Return the numbers of the counters that the use of places is made of."""
    return {
        found[0].number
        for device in site.devices.values()
        for utility in UTILITIES
        if (found := counter_of(device, utility)) is not None
    }


def _layers(paces: Sequence[Pace | None]) -> list[tuple[list[int], list[int]]]:
    """Return the points of paces, rising, and the places of their counters.

    A point that says how fast several counters should count stands once in each of several layers.
    """
    layers: list[dict[int, int]] = []
    for n, pace in enumerate(paces):
        if pace is not None:
            free = next((layer for layer in layers if pace.point not in layer), None)
            if free is None:
                layers.append(free := {})
            free[pace.point] = n
    return [(sorted(layer), [layer[point] for point in sorted(layer)]) for layer in layers]


def _cuts(edges: Instants, days: Instants) -> Instants:
    """Return the edges of days, and the ends of what hangs over at both ends."""
    return np.unique(np.append(days, edges[[0, -1]]))


def _runs(absent: Flags) -> Iterator[tuple[int, int, Rows]]:
    """Yield (first, last, counters) of times of which the same counters are not known."""
    alike = (absent[1:] == absent[:-1]).all(axis=1)
    ends = [0, *(np.flatnonzero(~alike) + 1).tolist(), len(absent)]
    for first, last in pairwise(ends):
        rows = np.flatnonzero(absent[first])
        if len(rows):
            yield first, last, rows


def _split(known: Known, edges: Instants, rows: int) -> tuple[Numbers, Flags]:
    """Return what lies inside the steps (parts x rows x steps), and which gaps cross edges."""
    made = known.intervals
    first = np.searchsorted(edges, made.start_ms, "right")
    last = np.searchsorted(edges, made.end_ms, "left")
    across = (made.kind != Kind.MEASURED) & (first != last)
    inside = ~across
    laid = lay(known.row[inside], made.taken(inside), edges, rows, {})
    return _stacked(laid), across


def _stacked(laid: Laid) -> Numbers:
    return np.stack([getattr(laid, name) for name in PARTS])


def _once(parts: Sequence[tuple[Rows, Intervals]], which: Rows) -> tuple[Rows, Intervals]:
    """Return gaps of some counters, each once although two days hold it, by their places there."""
    whose = np.concatenate([some for some, _ in parts])
    every = put_together([made for _, made in parts])
    order = np.lexsort((every.start_ms, whose))
    whose, every = whose[order], every.taken(order)
    new = np.isin(whose, which)
    new[1:] &= (whose[1:] != whose[:-1]) | (every.start_ms[1:] != every.start_ms[:-1])
    return np.searchsorted(which, whose[new]), every.taken(new)
