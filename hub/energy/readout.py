"""What the store knows of counters, as intervals: from roll-ups, and from readings where needed.

Where nothing strange happened in a step of the roll-ups, its first and last reading say all: the
use at the edges of steps is the same to the last reading. Around everything strange (a step that
the counter cannot have made, a reading outside of its neighbours, a change of the meter) the
readings themselves are asked. What is decided about an interval depends only on readings around
it, so that it is the same whatever span was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hub.energy.calendar import DAY_MS, HOUR_MS
from hub.energy.counter import (
    HORIZON_MS,
    HORIZON_READINGS,
    CounterRule,
    Finding,
    Flags,
    Instants,
    Intervals,
    Kind,
    MeterChange,
    Numbers,
    countable,
    intervals,
    joined,
    roll_overs,
)
from hub.energy.known import ALWAYS_MS, CONTEXT_MS, Known
from hub.energy.spread import Rows
from hub.model import Rollups
from hub.ports import TimeSeriesStore
from hub.store import rollup

MOST_READINGS = 20_000_000
Changes = Mapping[int, Sequence[MeterChange]]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules of many counters as columns; ``inf`` is the modulus of one that has none."""

    each: Sequence[CounterRule]
    modulus: Numbers = field(init=False)
    resolution: Numbers = field(init=False)
    most_per_h: Numbers = field(init=False)
    gap_ms: Numbers = field(init=False)

    def __post_init__(self) -> None:
        """Lay the rules out."""
        for name in ("resolution", "most_per_h", "gap_ms"):
            column = np.array([getattr(rule, name) for rule in self.each], np.float64)
            object.__setattr__(self, name, column)
        modulus = [rule.modulus or np.inf for rule in self.each]
        object.__setattr__(self, "modulus", np.array(modulus, np.float64))

    def most(self, row: Rows, lasted_ms: Instants) -> Numbers:
        """Return the most that counters can have counted in a time."""
        return np.asarray(self.most_per_h[row] * lasted_ms / HOUR_MS + 2 * self.resolution[row])


@dataclass(frozen=True, slots=True, eq=False)
class _Knots:
    """Readings that intervals lie between, by row and instant.

    ``begins`` tells those that are the first of a roll-up of which only the last one follows.
    """

    row: Rows
    at: Instants
    level: Numbers
    begins: Flags


def read(
    store: TimeSeriesStore,
    points: NDArray[np.int32],
    edges: Instants,
    rules: Sequence[CounterRule],
    changes: Changes,
) -> Known:
    """Return the intervals of counters between the first and the last edge, and around them.

    ``points`` rising, one rule each. Edges that lie inside a step of the roll-ups cost readings.
    """
    return _Reading(store, points, edges, Rules(rules), changes).known()


class _Reading:
    """One reading of many counters."""

    def __init__(
        self,
        store: TimeSeriesStore,
        points: NDArray[np.int32],
        edges: Instants,
        rules: Rules,
        changes: Changes,
    ) -> None:
        self.store, self.points, self.edges = store, points, edges
        self.rules = rules
        self.changes = {
            row: changes[number] for row, number in enumerate(points.tolist()) if number in changes
        }
        self.start, self.end = int(edges[0]), int(edges[-1])
        self.since = np.full(len(points), self.start - CONTEXT_MS, np.int64)
        self.until = np.full(len(points), self.end + CONTEXT_MS, np.int64)

    def known(self) -> Known:
        """Read and return all."""
        rows = self._rolled()
        self.step_ms = rows.step_ms
        row = np.searchsorted(self.points, rows.point)
        self.empty_before = self._empty_before(rows, row)
        strange = self._strange(rows, row)
        fine = strange | self._too_coarse(rows, row)
        knots = self._knots(rows, row, fine)
        slow = np.zeros(len(self.points), np.bool_)
        slow[row[fine]] = True
        slow[list(self.changes)] = True
        return self._intervals(knots, slow)

    def _rolled(self) -> Rollups:
        """Return the roll-ups around the span, and around the next readings across gaps."""
        first, last = self.start - CONTEXT_MS, self.end + CONTEXT_MS
        near = self.store.rollups(self.points.tolist(), first, last)
        near = rollup.taken(near, near.good > 0)
        row = np.searchsorted(self.points, near.point)
        parts = [near]
        # One who stands alone may be wrong: there must be others further out, too.
        inner, outer = self.start - HORIZON_MS, near.first_ms <= self.start
        left = self._without(row[outer & (near.first_ms > inner)], row[near.first_ms <= inner])
        parts += self._beyond(left, near.step_ms, before=True)
        inner, outer = self.end + HORIZON_MS, near.last_ms >= self.end
        right = self._without(row[outer & (near.last_ms < inner)], row[near.last_ms >= inner])
        parts += self._beyond(right, near.step_ms, before=False)
        if len(parts) == 1:
            return near
        every = rollup.joined(parts, near.step_ms)
        new = np.ones(len(every), np.bool_)
        same = (every.point[1:] == every.point[:-1]) & (every.start_ms[1:] == every.start_ms[:-1])
        new[1:] = ~same
        return rollup.taken(every, new & (every.good > 0))

    def _empty_before(self, rows: Rollups, row: Rows) -> Instants:
        """Return before which instant nothing is there, of what has nothing before the context."""
        first = np.full(len(self.points), self.end, np.int64)
        at = np.flatnonzero(np.diff(row, prepend=-1))
        first[row[at]] = np.minimum(rows.first_ms[at], self.end)
        return np.where(self.since == -ALWAYS_MS, first, -ALWAYS_MS)

    def _without(self, near: Rows, further: Rows) -> Rows:
        there = np.zeros((2, len(self.points)), np.bool_)
        there[0, near] = there[1, further] = True
        return np.flatnonzero(~there.all(axis=0))

    def _beyond(self, rows: Rows, step_ms: int, *, before: bool) -> list[Rollups]:
        """Return the roll-ups around the next readings beyond what is at hand."""
        if not before:
            return self._further(rows, self.end + CONTEXT_MS, step_ms, HORIZON_READINGS)
        # At hand are whole steps only: what comes before the first of them is further out.
        first = -(-(self.start - CONTEXT_MS) // step_ms) * step_ms
        return self._further(rows, first - 1, step_ms, -HORIZON_READINGS)

    def _further(self, rows: Rows, at: int, step_ms: int, wanted: int) -> list[Rollups]:
        """Return the roll-ups around so many readings after an instant, less than 0: before it."""
        if not len(rows) or not wanted:
            return []
        before = wanted < 0
        found = self.store.edges(self.points[rows].tolist(), at)
        when = found.before_ms if before else found.after_ms
        there = ~np.isnan(found.before if before else found.after)
        if before:
            self.since[rows] = np.where(there, when - CONTEXT_MS, -ALWAYS_MS)
        else:
            self.until[rows] = np.where(there, when + CONTEXT_MS, ALWAYS_MS)
        rows, day = rows[there], when[there] // DAY_MS
        parts = []
        for one in np.unique(day).tolist():
            some = rows[day == one]
            begin, end = one * DAY_MS - CONTEXT_MS, (one + 1) * DAY_MS + CONTEXT_MS
            rolled = self.store.rollups(self.points[some].tolist(), begin, end + step_ms)
            parts.append(rolled)
            beyond = rolled.last_ms <= at if before else rolled.first_ms >= at
            its = np.searchsorted(self.points[some], rolled.point)
            count = np.bincount(its, rolled.good * beyond, len(some))
            # Where readings are rare, one is judged by several further away.
            few, on = some[count < abs(wanted)], begin - 1 if before else end + step_ms - 1
            parts += self._further(few, on, step_ms, wanted + (1 if before else -1))
        return parts

    def _strange(self, rows: Rollups, row: Rows) -> Flags:
        """Tell in or near which roll-ups a counter was changed, or did what none can do."""
        step, lasted = rows.last - rows.first, rows.last_ms - rows.first_ms
        odd = (rows.min < rows.first) | (rows.max > rows.last)
        odd |= (rows.first < 0) | (rows.last >= self.rules.modulus[row])
        odd |= ~((step >= 0) & (step <= self.rules.most(row, lasted)))
        same = row[1:] == row[:-1]
        across = rows.first[1:] - rows.last[:-1]
        most = self.rules.most(row[1:], rows.first_ms[1:] - rows.last_ms[:-1])
        broken = np.flatnonzero(same & ~countable(across, most, self.rules.modulus[row[1:]]))
        odd[broken] = odd[broken + 1] = True
        for number, changes in self.changes.items():
            mine = np.flatnonzero(row == number)
            for change in changes if len(mine) else ():
                after = np.searchsorted(rows.start_ms[mine], change.at_ms, "right")
                odd[mine[np.clip([after - 1, after], 0, len(mine) - 1)]] = True
        return _around(odd, row, rows.start_ms, rows.step_ms)

    def _too_coarse(self, rows: Rollups, row: Rows) -> Flags:
        """Tell which roll-ups hide something: an edge or a gap."""
        edges = self.edges
        behind = np.searchsorted(edges, rows.start_ms, "right")
        inside = edges[np.minimum(behind, len(edges) - 1)]
        hides = (inside > rows.start_ms) & (inside < rows.start_ms + rows.step_ms)
        lasted = rows.last_ms - rows.first_ms
        gap = self.rules.gap_ms[row]
        interval = gap / 3
        lost = (rows.good - 1) * interval <= lasted - 2 * interval
        return np.asarray(hides | ((lasted > gap) & (rows.coverage_ms < lasted) & lost))

    def _knots(self, rows: Rollups, row: Rows, fine: Flags) -> _Knots:
        """Return first and last readings of roll-ups, where ``fine`` all of their readings."""
        parts = [self._readings(rows, row, fine)] if fine.any() else []
        if parts:
            # Readings that are kept no more leave the first and the last one.
            has = np.isin(_key(row, rows.start_ms), _key(parts[0].row, _floor(parts[0].at, rows)))
            fine = fine & has
        coarse = ~fine
        two = coarse & (rows.last_ms > rows.first_ms)
        parts.append(_Knots(row[coarse], rows.first_ms[coarse], rows.first[coarse], two[coarse]))
        none = np.zeros(int(two.sum()), np.bool_)
        parts.append(_Knots(row[two], rows.last_ms[two], rows.last[two], none))
        every = _together(parts)
        return _picked(every, np.lexsort((every.at, every.row)))

    def _readings(self, rows: Rollups, row: Rows, fine: Flags) -> _Knots:
        wanted, start = _key(row[fine], rows.start_ms[fine]), rows.start_ms[fine]
        day = start // DAY_MS
        found = []
        for one in np.unique(day).tolist():
            mine = day == one
            begin, end = int(start[mine].min()), int(start[mine].max()) + rows.step_ms
            points = self.points[np.unique(row[fine][mine])].tolist()
            batch = self.store.raw(points, begin, end, MOST_READINGS)
            batch = batch.taken(rollup.usable(batch))
            its = np.searchsorted(self.points, batch.point)
            asked = np.isin(_key(its, _floor(batch.at_ms, rows)), wanted)
            its, batch = its[asked], batch.taken(asked)
            found.append(_Knots(its, batch.at_ms, batch.value, np.zeros(len(its), np.bool_)))
        return _together(found)

    def _intervals(self, knots: _Knots, slow: Flags) -> Known:
        plain = ~slow[knots.row]
        its = _picked(knots, plain)
        on = its.row[1:] == its.row[:-1]
        parts = [_straight(its, self.rules)]
        rows = [its.row[1:][on]]
        begins = np.searchsorted(knots.row, np.arange(len(self.points) + 1))
        before, after = its.level[:-1][on], its.level[1:][on]
        rolled = zip(
            rows[0][after < before].tolist(), roll_overs(parts[0], before, after), strict=True
        )
        findings = [pair for pair in rolled if self._meets(pair[1])]
        for n in np.flatnonzero(slow).tolist():
            part = slice(int(begins[n]), int(begins[n + 1]))
            made = self._careful(n, knots.at[part], knots.level[part])
            parts.append(replace(made, findings=()))
            rows.append(np.full(len(made), n, np.intp))
            findings += [(n, one) for one in made.findings if self._meets(one)]
        row, every = np.concatenate(rows), joined(parts)
        # Between the first and the last reading of a roll-up there were more, near each other.
        within = every.start_ms // self.step_ms == every.end_ms // self.step_ms
        wide = np.flatnonzero(within & (every.kind == Kind.ESTIMATED))
        keys, mine = _key(knots.row, knots.at), _key(row[wide], every.start_ms[wide])
        knot = np.minimum(np.searchsorted(keys, mine), max(len(keys) - 1, 0))
        if len(wide):
            every.kind[wide[knots.begins[knot] & (keys[knot] == mine)]] = Kind.MEASURED
        there = (every.start_ms < self.end) & (every.end_ms > self.start)
        return Known(
            row[there],
            every.taken(there),
            self.since,
            self.until,
            self.empty_before,
            tuple(findings),
        )

    def _meets(self, finding: Finding) -> bool:
        return finding.start_ms < self.end and finding.end_ms > self.start

    def _careful(self, n: int, at: Instants, level: Numbers) -> Intervals:
        """Return the intervals of a counter to which something happened."""
        rule, changes = self.rules.each[n], self.changes.get(n, ())
        # What was before the first reading at hand only leaves its multiplier.
        first = int(at[0]) if self.since[n] > -ALWAYS_MS and len(at) else -ALWAYS_MS
        last = int(self.until[n])
        for change in sorted(changes, key=lambda one: one.at_ms):
            if change.at_ms < first and change.multiplier is not None:
                rule = replace(rule, multiplier=change.multiplier)
        return intervals(
            at, level, rule, [change for change in changes if first <= change.at_ms <= last]
        )


def _key(row: Rows, at_ms: Instants) -> Instants:
    """Return one number for a row and an instant."""
    return np.asarray((row.astype(np.int64) << 43) + at_ms)


def _together(parts: Sequence[_Knots]) -> _Knots:
    return _Knots(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.level for part in parts]),
        np.concatenate([part.begins for part in parts]),
    )


def _picked(knots: _Knots, rows: Flags | Rows) -> _Knots:
    return _Knots(knots.row[rows], knots.at[rows], knots.level[rows], knots.begins[rows])


def _floor(at: Instants, rows: Rollups) -> Instants:
    return np.asarray(at - at % rows.step_ms)


def _around(odd: Flags, row: Rows, start_ms: Instants, step_ms: int) -> Flags:
    """Return what lies within the horizon of something odd, of the same row."""
    index = np.arange(len(odd))
    near = odd.copy()
    before = np.maximum.accumulate(np.where(odd, index, -1))
    after = np.minimum.accumulate(np.where(odd, index, len(odd))[::-1])[::-1]
    for nearest, there in ((before, before >= 0), (after, after < len(odd))):
        which = index[there]
        far = np.abs(start_ms[which] - start_ms[nearest[there]])
        close = (far <= HORIZON_MS + step_ms) | (np.abs(which - nearest[there]) <= HORIZON_READINGS)
        near[which[close & (row[which] == row[nearest[there]])]] = True
    return near


def _straight(knots: _Knots, rules: Rules) -> Intervals:
    """Return the intervals of counters to which nothing happened."""
    on = knots.row[1:] == knots.row[:-1]
    row, lasted = knots.row[1:][on], np.diff(knots.at)[on]
    step = np.diff(knots.level)[on]
    used = np.where(step < 0, step + rules.modulus[row], step)
    multiplier = np.array([rule.multiplier for rule in rules.each], np.float64)[row]
    used = used * multiplier
    kind = np.where(lasted > rules.gap_ms[row], Kind.ESTIMATED, Kind.MEASURED)
    return Intervals(
        knots.at[:-1][on],
        knots.at[1:][on],
        used,
        kind.astype(np.uint8),
        used,
        used,
        used - step,
        rules.most(row, lasted) * multiplier,
    )
