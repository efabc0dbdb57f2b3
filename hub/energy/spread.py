"""Intervals laid out over steps of time: what was measured, what is spread, what is missing; pure.

A step begins at one edge and ends at the next. Energy between near readings is measured, and split
evenly where it crosses an edge. Energy across a gap belongs to the step that holds the whole gap;
where the gap crosses edges it is spread, and every step says between which bounds its share lies.
Before the first and after the last reading nothing is known: that time is missing, not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.energy.counter import Finding, Flags, Instants, Intervals, Kind, Numbers

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How the use of one gap went on: instants, rising, and the share (0..1) used up to each."""

    at_ms: Instants
    share: Numbers

    def until(self, at_ms: Instants) -> Numbers:
        """Return the share that was used up to instants; between its own it rises evenly."""
        return np.interp(at_ms, self.at_ms, self.share)

    def can_be(self, used: float, most: float) -> bool:
        """Tell whether so much can be used so, of a gap that can use ``most`` at all."""
        at, share = self.at_ms, self.share
        can = most * np.diff(at) / (at[-1] - at[0])
        return bool((used * np.diff(share) <= can + 1e-9).all())


Courses = Mapping[tuple[int, int], Course]
"""The courses that are known, by the row of a gap and its start."""


class PointFinding(NamedTuple):
    """What was found about one point."""

    point: int
    finding: Finding


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """What was used per point and step: arrays of shape (points, steps) in the point's unit.

    ``measured`` and ``estimated`` add up to the use, which lies between ``low`` and ``high``, give
    or take the ``doubt`` at both edges of the step: what the meter may have used on the other side
    of an edge between two readings, and half of its last digit. Between two steps that are added
    up it cancels out. ``gap`` and ``missing`` are shares (0..1) of the step's time: between
    readings too far apart to know its course; outside of all readings. Where ``missing`` is 1 the
    numbers are 0 and mean nothing. ``edges`` and ``doubt`` have one more element than there are
    steps.
    """

    points: NDArray[np.int32]
    edges: Instants
    measured: Numbers
    estimated: Numbers
    low: Numbers
    high: Numbers
    gap: Numbers
    missing: Numbers
    doubt: Numbers
    findings: tuple[PointFinding, ...] = ()

    @property
    def used(self) -> Numbers:
        """Return the use, NaN where nothing is known."""
        return np.where(self.missing < 1, self.measured + self.estimated, np.nan)


class Pieces(NamedTuple):
    """What lies of intervals in steps: one row per interval and step that it touches.

    ``part`` is the share (0..1) of the interval's time, ``weight`` that of its use.
    """

    interval: Rows
    step: Rows
    part: Numbers
    weight: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """Intervals laid over steps: arrays of shape (rows, steps), which add up but for two.

    ``measured``, ``estimated``, ``low``, ``high`` (these two of what is estimated only) in the
    counter's unit; ``known`` and ``gap`` in ms of the step. ``begin`` and ``end`` are what was
    measured between the two readings around the edge at which a step begins, or ends: on which
    side of it nobody knows. They have the precision of float32, as which they are kept.
    """

    measured: Numbers
    begin: Numbers
    end: Numbers
    estimated: Numbers
    low: Numbers
    high: Numbers
    known: Numbers
    gap: Numbers

    def columns(self, edges: Instants, digit: Numbers | float = 0.0) -> dict[str, Numbers]:
        """Return the columns of uses; ``digit`` is the last one that each row's counter shows."""
        length = np.diff(edges)
        doubt = np.zeros((len(self.measured), len(edges)))
        doubt[:, :-1] = self.begin
        doubt[:, 1:] = np.maximum(doubt[:, 1:], self.end)
        return {
            "doubt": doubt + np.reshape(digit, (-1, 1)) / 2,
            "measured": self.measured,
            "estimated": self.estimated,
            "low": self.measured + self.low,
            "high": self.measured + self.high,
            "gap": self.gap / length,
            "missing": np.maximum(1.0 - self.known / length, 0.0),
        }


def lay(
    row: Rows,
    intervals: Intervals,
    edges: Instants,
    rows: int,
    courses: Courses,
) -> Laid:
    """Lay intervals of many counters, each in its ``row``, over the steps between edges.

    Across gaps of which ``courses`` knows nothing the use is spread evenly.
    """
    lasted = intervals.end_ms - intervals.start_ms
    cut = cut_up(intervals.start_ms, intervals.end_ms, edges)
    interval, part = cut.interval, cut.part
    spread = intervals.kind[interval] != Kind.MEASURED
    if courses:
        _bend(cut, row, intervals, edges, courses)
    used = intervals.used[interval] * cut.weight
    most = intervals.most[interval]
    low = np.maximum(intervals.low[interval] - most * (1 - part), 0.0)
    high = np.minimum(intervals.high[interval], most * part)
    bins = row[interval] * (len(edges) - 1) + cut.step
    shape = (rows, len(edges) - 1)

    def summed(values: Numbers, chosen: NDArray[np.bool_] | slice) -> Numbers:
        sums = np.bincount(bins[chosen], values[chosen], shape[0] * shape[1])
        return np.asarray(sums.reshape(shape), np.float64)

    def cut_at(beyond: Flags) -> Numbers:
        """Return the measured intervals that go on beyond an edge of their step."""
        whole = summed(intervals.used[interval], ~spread & beyond)
        return whole.astype(np.float32).astype(np.float64)

    time = part * lasted[interval]
    return Laid(
        measured=summed(used, ~spread),
        begin=cut_at(intervals.start_ms[interval] < edges[cut.step]),
        end=cut_at(intervals.end_ms[interval] > edges[cut.step + 1]),
        estimated=summed(used, spread),
        low=summed(np.minimum(low, used), spread),
        high=summed(np.maximum(high, used), spread),
        known=summed(time, slice(None)),
        gap=summed(time, spread),
    )


def cut_up(start_ms: Instants, end_ms: Instants, edges: Instants) -> Pieces:
    """Cut intervals at the edges; what lies outside of them falls away."""
    first = np.clip(np.searchsorted(edges, start_ms, "right") - 1, 0, None)
    last = np.clip(np.searchsorted(edges, end_ms, "left") - 1, None, len(edges) - 2)
    count = np.maximum(last - first + 1, 0)
    interval = np.repeat(np.arange(len(start_ms)), count)
    before = np.cumsum(count) - count
    step = np.arange(len(interval)) - before[interval] + first[interval]
    begin = np.maximum(start_ms[interval], edges[step])
    end = np.minimum(end_ms[interval], edges[step + 1])
    part = (end - begin) / np.maximum(end_ms - start_ms, 1)[interval]
    return Pieces(interval, step, part, part.copy())


def _bend(cut: Pieces, row: Rows, intervals: Intervals, edges: Instants, courses: Courses) -> None:
    """Weigh the pieces of gaps by their courses, in place."""
    apart = np.flatnonzero((intervals.kind[cut.interval] != Kind.MEASURED) & (cut.part < 1))
    for pieces in np.split(apart, np.flatnonzero(np.diff(cut.interval[apart])) + 1):
        if not len(pieces):
            continue
        gap, step = cut.interval[pieces[0]], cut.step[pieces]
        start, end = int(intervals.start_ms[gap]), int(intervals.end_ms[gap])
        if (course := courses.get((int(row[gap]), start))) is not None:
            begin = course.until(np.maximum(start, edges[step]))
            cut.weight[pieces] = course.until(np.minimum(end, edges[step + 1])) - begin
