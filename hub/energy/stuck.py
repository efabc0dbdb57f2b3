"""Counters that stand still although what they count goes on, as the device itself says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hub.energy.calendar import HOUR_MS
from hub.energy.counter import CounterRule, Finding, Flags, Instants, Numbers
from hub.energy.spread import Laid, PointFinding, Rows
from hub.model import Point
from hub.ports import TimeSeriesStore
from hub.site import Site

# So many of its smallest steps a counter must have missed, in so much time that it was read.
MISSED_STEPS = 20
SHORTEST_MS = 2 * HOUR_MS
# What a rate point's unit counts in an hour, in the counter's unit.
RATES: Mapping[tuple[str, str], float] = {("W", "kWh"): 0.001, ("kW", "kWh"): 1, ("L/min", "L"): 60}
PAIRS: Mapping[str, Sequence[str]] = {
    "energy": ("power",),
    "total_energy": ("power", "total_power"),
    "total_litres": ("flow",),
}


class Pace(NamedTuple):
    """The point that says how fast a counter should count, and what one of its unit counts."""

    point: int
    per_h: float


def paces(site: Site) -> dict[int, Pace]:
    """Return by the numbers of counters what says how fast they should count."""
    found = {}
    for device in site.devices.values():
        named = {point.name: point for point in device.points}
        for name, others in PAIRS.items():
            if name in named and (pace := _pace(named[name], named, others)) is not None:
                found[named[name].number] = pace
    return found


def _pace(counter: Point, named: Mapping[str, Point], others: Sequence[str]) -> Pace | None:
    for name in others:
        if name in named and (rate := RATES.get((named[name].unit, counter.unit))):
            return Pace(named[name].number, rate)
    return None


def still(laid: Laid, rows: Flags) -> Flags:
    """Tell in which steps (rows x steps) counters were read for long enough and did not move."""
    used = laid.measured + laid.estimated
    return np.asarray((used == 0) & (laid.known >= SHORTEST_MS) & rows[:, np.newaxis])


def stuck(
    store: TimeSeriesStore,
    counters: Sequence[tuple[Pace, CounterRule] | None],
    stood: Flags,
    edges: Instants,
) -> list[tuple[int, Finding]]:
    """Return, by row, a finding for each step in which a counter stood still but should not.

    ``stood`` (rows x steps) tells where each of ``counters`` did; ``high`` of a finding is what it
    should have counted.
    """
    rows = [n for n in np.flatnonzero(stood.any(axis=1)).tolist() if counters[n] is not None]
    if not rows:
        return []
    asked = [pair for n in rows if (pair := counters[n]) is not None]
    should = _counted(store, [pace for pace, _ in asked], edges)
    found = []
    for n, (_, rule), amounts in zip(rows, asked, should, strict=True):
        for step in np.flatnonzero(stood[n] & (amounts > MISSED_STEPS * rule.resolution)).tolist():
            start, end, amount = int(edges[step]), int(edges[step + 1]), float(amounts[step])
            nothing = (float("nan"), float("nan"))
            found.append((n, Finding("stuck", start, end, *nothing, 0.0, 0.0, amount)))
    return found


def put_together(found: Sequence[PointFinding]) -> tuple[PointFinding, ...]:
    """Return findings by point and time, those of a counter that stands still on and on as one."""
    told: list[PointFinding] = []
    last: dict[int, int] = {}
    for point, one in found:
        at = last.get(point) if one.kind == "stuck" else None
        if at is not None and told[at].finding.end_ms == one.start_ms:
            before = told[at].finding
            one = before._replace(end_ms=one.end_ms, high=before.high + one.high)  # noqa: PLW2901
            told[at] = PointFinding(point, one)
            continue
        if one.kind == "stuck":
            last[point] = len(told)
        told.append(PointFinding(point, one))
    return tuple(told)


def _counted(store: TimeSeriesStore, asked: Sequence[Pace], edges: Instants) -> Numbers:
    """Return what paces come to per step, as far as they were read."""
    numbers = np.array([pace.point for pace in asked], np.int32)
    rolled = store.rollups(numbers.tolist(), int(edges[0]), int(edges[-1]))
    there = rolled.good > 0
    order = np.argsort(numbers)
    row: Rows = order[np.searchsorted(numbers[order], rolled.point[there])]
    mean = np.maximum(rolled.sum[there] / rolled.good[there], 0.0)
    per_h = np.array([pace.per_h for pace in asked])[row]
    amount = mean * per_h * rolled.coverage_ms[there] / HOUR_MS
    step = np.clip(np.searchsorted(edges, rolled.start_ms[there], "right") - 1, 0, len(edges) - 2)
    shape = (len(asked), len(edges) - 1)
    sums = np.bincount(row * shape[1] + step, amount, shape[0] * shape[1])
    return np.asarray(sums.reshape(shape), np.float64)
