"""What a counter says was used between its readings, whatever happened to the counter; pure.

The law: the uses of a counter's intervals add up to last - first + the recorded jumps, where a jump
is what the counter did not count itself: a roll-over's modulus, an exchange of the meter, a
multiplier, or the estimate across a reset that nobody recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hub.energy.calendar import HOUR_MS
from hub.energy.metering import Utility
from hub.store.rollup import FILLER, LARGEST
from hub.store.rollup import plausible as sane

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

# A wrong stretch is undone within this time, or within so many readings where they are rare.
HORIZON_MS = 6 * HOUR_MS
HORIZON_READINGS = 3
# A peak that lasted no longer than so many readings is told from a reset by what follows it.
PEAK_READINGS = 3
# Against the height of a counter such a step is small: it can hardly be another meter's level.
SMALL = 0.1


class Kind(IntEnum):
    """How the use of an interval is known.

    Measured between readings; estimated: its sum is measured, but the readings lie so far apart
    that its course is not; jump: the counter was changed in it and nobody said how.
    """

    MEASURED = 0
    ESTIMATED = 1
    JUMP = 2


@dataclass(frozen=True, slots=True)
class CounterRule:
    """What can be true of a counter, in the unit that it shows.

    It starts again from 0 at ``modulus``, shows steps of ``resolution``, and never counts more
    than ``most_per_h``. Use is what it counts times ``multiplier``. Readings further apart than
    ``gap_ms`` leave a gap.
    """

    modulus: float | None = None
    resolution: float = 0.01
    most_per_h: float = 1000.0
    multiplier: float = 1.0
    gap_ms: int = 3 * 60_000

    def most(self, lasted_ms: Numbers | Instants | float) -> Numbers:
        """Return the most that it can have counted in a time."""
        return np.asarray(self.most_per_h * np.asarray(lasted_ms) / HOUR_MS + 2 * self.resolution)


# What no counter of a campus exceeds, where its profile says nothing better: kWh/h, m3/h.
RULES: dict[Utility, CounterRule] = {
    "electricity": CounterRule(resolution=0.01, most_per_h=2000.0),
    "water": CounterRule(resolution=0.01, most_per_h=100.0),
    "hot_water": CounterRule(resolution=0.01, most_per_h=100.0),
    "gas": CounterRule(resolution=0.01, most_per_h=500.0),
    "heat": CounterRule(resolution=0.1, most_per_h=5000.0),
}


@dataclass(frozen=True, slots=True)
class MeterChange:
    """At this instant the old counter showed ``closing`` and its successor ``opening``.

    A new ``multiplier`` holds from then on, until another one is set.
    """

    at_ms: int
    closing: float
    opening: float
    multiplier: float | None = None


FindingKind = Literal[
    "reset", "swap", "glitch", "unconfirmed", "record", "stuck", "rollover", "change"
]


class Finding(NamedTuple):
    """Something about a counter that changes or explains a figure, between two instants.

    ``before`` and ``after`` are what it showed, ``used`` is the figure as it went into the sum,
    with the bounds of what it can be. Unconfirmed is a new level of which there is only one reading
    yet; a record is a person's that the readings contradict, a change one that stands.
    """

    kind: FindingKind
    start_ms: int
    end_ms: int
    before: float
    after: float
    used: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """The time between believed readings, in order: columns of equal length.

    ``start_ms`` and ``end_ms`` int64, ``kind`` uint8 (:class:`Kind`); float64 in the counter's
    unit: ``used``, its bounds ``low`` and ``high``, ``jump``, what of it the counter did not count,
    and ``most``, what can have been used in such a time at all.
    """

    start_ms: Instants
    end_ms: Instants
    used: Numbers
    kind: NDArray[np.uint8]
    low: Numbers
    high: Numbers
    jump: Numbers
    most: Numbers
    findings: tuple[Finding, ...] = ()

    def __len__(self) -> int:
        """Count the intervals."""
        return len(self.start_ms)

    def taken(self, rows: Flags | NDArray[np.intp]) -> Intervals:
        """Return some of them, without findings."""
        return Intervals(*(getattr(self, name)[rows] for name in COLUMNS))


COLUMNS = tuple(one.name for one in fields(Intervals) if one.name != "findings")


def intervals(
    at_ms: ArrayLike,
    value: ArrayLike,
    rule: CounterRule,
    changes: Sequence[MeterChange] = (),
) -> Intervals:
    """Return what was used between the readings of one counter.

    Readings in any order, of one instant the last said; whatever is no number, cannot be, or is
    denied by its neighbours counts for nothing. ``changes`` in any order, of distinct instants.

    >>> rule = CounterRule(modulus=100, most_per_h=60)
    >>> minutes = 1_800_000_000_000 + np.arange(4) * 60_000
    >>> intervals(minutes, [99.0, 99.5, 0.5, 1.0], rule).used.tolist()
    [0.5, 1.0, 0.5]
    >>> intervals(minutes, [50.0, 99.0, 50.5, 51.0], rule).used.tolist()
    [0.5, 0.5]
    """
    at, level = in_order(at_ms, value, rule)
    return joined(_stretches(at, level, rule, sorted(changes, key=lambda one: one.at_ms)))


def possible(at_ms: Instants, value: Numbers, rule: CounterRule) -> Flags:
    """Tell which readings can be at all: numbers that the counter can show, at sane instants."""
    top = rule.modulus or LARGEST
    with np.errstate(invalid="ignore"):
        shown = (value >= 0) & (value < top) & (value != FILLER)  # false for NaN, too
    return np.asarray(shown & sane(at_ms))


def in_order(at_ms: ArrayLike, value: ArrayLike, rule: CounterRule) -> tuple[Instants, Numbers]:
    """Return the possible readings by instant; of one instant the last said."""
    at, level = np.asarray(at_ms, np.int64), np.asarray(value, np.float64)
    can = possible(at, level, rule)
    at, level = at[can], level[can]
    if (np.diff(at) > 0).all():
        return at, level
    order = np.argsort(at, kind="stable")
    at, level = at[order], level[order]
    last = np.append(at[1:] != at[:-1], True)[: len(at)]
    return at[last], level[last]


def countable(step: Numbers, most: Numbers, modulus: Numbers | float) -> Flags:
    """Tell which steps a counter can have counted, roll-overs included (``inf``: it has none)."""
    rolled = (step < 0) & (step + modulus <= most)
    return np.asarray(((step >= 0) & (step <= most)) | rolled)


def plausible(before: Numbers, now: Numbers, lasted_ms: Instants, rule: CounterRule) -> Flags:
    """Tell which steps a counter of this rule can have made in a time."""
    return countable(now - before, rule.most(lasted_ms), rule.modulus or np.inf)


def _stretches(
    at: Instants, level: Numbers, rule: CounterRule, changes: Sequence[MeterChange]
) -> Iterator[Intervals]:
    """Yield the intervals of each meter that the counter was in turn, and of its changes."""
    opening: MeterChange | None = None
    for change in (*changes, None):
        rows = np.ones(len(at), np.bool_)
        if opening is not None:
            rows &= at > opening.at_ms
        if change is not None:
            rows &= at < change.at_ms
        ends = (opening is not None, change is not None)
        its_at, its_level = at[rows], level[rows]
        if opening is not None:
            its_at = np.append(opening.at_ms, its_at)
            its_level = np.append(opening.opening, its_level)
        if change is not None:
            its_at, its_level = (
                np.append(its_at, change.at_ms),
                np.append(its_level, change.closing),
            )
        yield _of_one_meter(its_at, its_level, rule, ends)
        if change is not None:
            opening = change
            if change.multiplier is not None:
                rule = replace(rule, multiplier=change.multiplier)


def _of_one_meter(
    at: Instants, level: Numbers, rule: CounterRule, sure: tuple[bool, bool]
) -> Intervals:
    """Return the intervals of one meter; ``sure``: a person read its first or last value."""
    steps = plausible(level[:-1], level[1:], np.diff(at), rule)
    findings: list[Finding] = []
    if not steps.all():
        keep, level, findings = _Sifted(at, level, steps, rule, closed=sure[1]).result()
        at, level = at[keep], level[keep]
    lasted, step = np.diff(at), np.diff(level)
    counted = plausible(level[:-1], level[1:], lasted, rule)
    used = np.where(step < 0, step + (rule.modulus or 0.0), step)
    kind = np.where(lasted > rule.gap_ms, Kind.ESTIMATED, Kind.MEASURED).astype(np.uint8)
    kind[~counted] = Kind.JUMP
    low, high, most = used.copy(), used.copy(), rule.most(lasted)
    low[~counted], high[~counted] = 0.0, most[~counted]
    for n in np.flatnonzero(~counted).tolist():
        used[n] = min(_rate_around(at, used, counted, n) * lasted[n], high[n])
    used, low, high, most = (column * rule.multiplier for column in (used, low, high, most))
    made = Intervals(at[:-1], at[1:], used, kind, low, high, used - step, most)
    told = [*_jumps(made, level, sure), *roll_overs(made, level[:-1], level[1:])]
    return replace(made, findings=(*findings, *told))


def _rate_around(at: Instants, used: Numbers, counted: Flags, n: int) -> float:
    """Return what was counted per ms around an interval that was not, 0 where nothing was."""
    reach = min(max(HOUR_MS, 2 * int(at[n + 1] - at[n])), HORIZON_MS)
    near = counted & (at[:-1] >= at[n] - reach) & (at[1:] <= at[n + 1] + reach)
    lasted = int(np.diff(at)[near].sum())
    return float(used[near].sum()) / lasted if lasted else 0.0


def _jumps(made: Intervals, level: Numbers, sure: tuple[bool, bool]) -> Iterator[Finding]:
    for n in np.flatnonzero(made.kind == Kind.JUMP).tolist():
        kind: FindingKind = "swap"
        if (sure[0] and n == 0) or (sure[1] and n == len(made) - 1):
            kind = "record"
        elif n == len(made) - 1:
            kind = "unconfirmed"
        elif level[n + 1] < level[n] and level[n + 1] <= made.high[n]:
            kind = "reset"
        yield _finding(kind, made, n, (float(level[n]), float(level[n + 1])))


def roll_overs(made: Intervals, before: Numbers, after: Numbers) -> Iterator[Finding]:
    """Yield the intervals in which a counter began again at 0, by what it showed around them."""
    for n in np.flatnonzero((after < before) & (made.kind != Kind.JUMP)).tolist():
        yield _finding("rollover", made, n, (float(before[n]), float(after[n])))


def _finding(kind: FindingKind, made: Intervals, n: int, shown: tuple[float, float]) -> Finding:
    return Finding(
        kind,
        int(made.start_ms[n]),
        int(made.end_ms[n]),
        *shown,
        float(made.used[n]),
        float(made.low[n]),
        float(made.high[n]),
    )


class _Sifted:
    """Goes through the steps that a counter cannot have made, and says which readings to believe.

    A stretch that comes back to where it left was wrong, and so is a reading whose both neighbours
    deny it; a new level that goes on by itself is one: the counter was reset or exchanged.
    """

    def __init__(
        self, at: Instants, level: Numbers, steps: Flags, rule: CounterRule, *, closed: bool
    ) -> None:
        self.closing = len(at) - 1 if closed else -1
        self.at, self.level, self.steps, self.rule = at, level.copy(), steps, rule
        self.keep = np.ones(len(at), np.bool_)
        self.findings: list[Finding] = []

    def result(self) -> tuple[Flags, Numbers, list[Finding]]:
        """Return which readings to believe, the levels, and what was found on the way."""
        breaks = (np.flatnonzero(~self.steps) + 1).tolist()
        done = 0
        for n in breaks:
            if n > done:
                done = self._resolve(n, n - 1)
        return self.keep, self.level, self.findings

    def _resolve(self, n: int, last: int) -> int:
        """Resolve the step to reading n from the last believed one; return the next believed."""
        while not self._follows(last, n):
            if believed := self._undone(n, last):
                return believed
            if n == len(self.at) - 1 or self.steps[n]:
                return n  # a new level, which goes on from here
            self._drop(n, n + 1)
            n += 1
        return n

    def _undone(self, n: int, last: int) -> int:
        """Return the next believed reading where what is wrong about n undoes itself, else 0."""
        if (end := self._stood_still(n, last)) > n:
            self.level[n:end] = self.level[last]
            return end - 1
        if n == self.closing:
            return n  # a person read it: what denies it is not left out, but told
        down = self.level[n] < self.level[last]
        if wrong := self._peak(n, last) if down else self._no_roll_over(n, last):
            self._drop(wrong, last + 1)
            return n
        if back := self._comes_back(n, last):
            self._drop(n, back)
        return back

    def _follows(self, one: int, other: int) -> bool:
        """Tell whether the counter can have gone from one reading to another."""
        lasted = self.at[other : other + 1] - self.at[one]
        before, now = self.level[one : one + 1], self.level[other : other + 1]
        return bool(plausible(before, now, lasted, self.rule)[0])

    def _stood_still(self, n: int, last: int) -> int:
        """Return up to where the counter is only a hair below where it stood: it stands still."""
        height, hair = self.level[last], 2 * self.rule.resolution
        end = n
        while end < len(self.at) and height - hair <= self.level[end] < height:
            end += 1
        return end

    def _peak(self, n: int, last: int) -> int:
        """Return where a peak before n began, whose steps could just have been; 0: it was none."""
        now, top = self.level[n], self.level[last]
        for start in range(last, max(last - PEAK_READINGS, 0), -1):
            base = self.level[start - 1]
            if not self.keep[start - 1] or not base <= now or not self._follows(start - 1, n):
                continue
            if top - base < SMALL * base or now - base < SMALL * (top - base):
                return start
        return 0

    def _no_roll_over(self, n: int, last: int) -> int:
        """Return where a dip before n began that looked like a roll-over; 0: there was none."""
        for start in range(last, max(last - PEAK_READINGS, 0), -1):
            height = self.level[start - 1]
            undone = self.keep[start - 1] and self.level[start] < height <= self.level[n]
            if undone and self._follows(start - 1, n):
                return start
        return 0

    def _comes_back(self, n: int, last: int) -> int:
        """Return where a wrong stretch that began at n ends, 0 when the counter goes on from it."""
        end = int(np.searchsorted(self.at, self.at[last] + HORIZON_MS, "right"))
        end = min(max(end, n + 1 + HORIZON_READINGS), len(self.at))
        rows = np.arange(n + 1, end)
        if not len(rows):
            return 0
        was, now = self.level[last], self.level[rows]
        on = plausible(np.full(len(rows), was), now, self.at[rows] - self.at[last], self.rule)
        up = now - self.level[rows - 1]
        undone = (now >= was) & (2 * up >= was - self.level[n]) & (was > self.level[n])
        found = np.flatnonzero(on & (~self.steps[rows - 1] | undone))
        return int(rows[found[0]]) if len(found) else 0

    def _drop(self, start: int, end: int) -> None:
        self.keep[start:end] = False
        around = (max(start - 1, 0), min(end, len(self.at) - 1))
        shown = (float(self.level[around[0]]), float(self.level[start]))
        span = (int(self.at[around[0]]), int(self.at[around[1]]))
        self.findings.append(Finding("glitch", *span, *shown, 0.0, 0.0, 0.0))


def joined(parts: Iterable[Intervals]) -> Intervals:
    """Put intervals one after the other."""
    every = list(parts)
    columns = {name: np.concatenate([getattr(part, name) for part in every]) for name in COLUMNS}
    return Intervals(**columns, findings=tuple(one for part in every for one in part.findings))
