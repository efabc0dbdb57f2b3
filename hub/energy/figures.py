"""From the uses of counters to the figures of places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hub.energy.metering import Counter
from hub.energy.question import Figure
from hub.energy.spread import PointFinding
from hub.model import Point

Numbers = NDArray[np.float64]
Instants = NDArray[np.int64]


class Uses(Protocol):
    """Per point and step (arrays of points x steps): parts of the use, and the share missing.

    ``measured + estimated`` is the use in the unit of the point; ``low`` and ``high`` bound it,
    give or take the ``doubt`` at the step's edges (of which there is one more). ``gap`` (0..1) is
    the share of the step's time between readings too far apart to know its course, ``missing``
    (0..1) that of which nothing is known.
    """

    @property
    def measured(self) -> Numbers:
        """Return what was measured in the step."""

    @property
    def estimated(self) -> Numbers:
        """Return the step's share of what was used in gaps."""

    @property
    def low(self) -> Numbers:
        """Return what was used at least."""

    @property
    def high(self) -> Numbers:
        """Return what was used at most."""

    @property
    def gap(self) -> Numbers:
        """Return the share of the time between readings too far apart."""

    @property
    def missing(self) -> Numbers:
        """Return the share of the step of which nothing is known."""

    @property
    def doubt(self) -> Numbers:
        """Return what may have been used on the other side of each edge."""

    @property
    def findings(self) -> Sequence[PointFinding]:
        """Return what was found about the points."""


class UseSource(Protocol):
    """Where the uses of counters come from; calls block: run them in a worker."""

    def uses(self, points: Sequence[Point], edges: Instants) -> Uses:
        """Return what counters used between edges (UTC ms, rising)."""

    def unread(self, points: Sequence[Point], edges: Instants) -> int:
        """Return how many hours of counters must be read for it, because nobody has asked yet."""


class Read:
    """The uses of some counters between some edges, in the unit of their utility."""

    def __init__(self, ledger: UseSource, counters: Sequence[Counter], edges: Instants) -> None:
        self.edges = edges
        self._ledger = ledger
        self._line = {one.point.number: n for n, one in enumerate(counters)}
        self._points = [one.point for one in counters]
        self._uses = ledger.uses(self._points, edges)
        self._parts = _Parts.of(self._uses, _counted(self._uses.findings, self._line, edges))

    def steps(self, counters: Sequence[Counter], divisor: float = 1.0) -> tuple[Figure, ...]:
        """Return the sum of counters, one figure per step."""
        if not counters:
            return (Figure(None),) * (len(self.edges) - 1)
        lines = [self._line[one.point.number] for one in counters]
        return _figures(self._parts, lines, _factors(counters) / divisor)

    @property
    def findings(self) -> Sequence[PointFinding]:
        """Return what was found about the counters, by their points and time."""
        return self._uses.findings

    @cached_property
    def _whole(self) -> _Parts:
        """Return the uses of the whole time, asked for once for all rows."""
        return _Parts.of(self._ledger.uses(self._points, self.edges[[0, -1]]), self._found)

    @cached_property
    def _found(self) -> NDArray[np.int64]:
        return _counted(self._uses.findings, self._line, self.edges[[0, -1]])

    def total(
        self,
        counters: Sequence[Counter],
        divisor: float = 1.0,
        steps: Sequence[Figure] | None = None,
    ) -> Figure:
        """Return the sum of counters over the whole time; ``steps`` where they are known."""
        steps = self.steps(counters, divisor) if steps is None else steps
        if len(steps) == 1:
            return steps[0]
        lines = [self._line[one.point.number] for one in counters]
        if any(one.estimated for one in steps):
            # What the steps share unknown to us is known of the whole: it is read as one.
            return _figures(self._whole, lines, _factors(counters) / divisor)[0]
        known = [one.value for one in steps if one.value is not None]
        if not known:
            return Figure(None)
        value = math.fsum(known)
        lasted = np.diff(self.edges) / (self.edges[-1] - self.edges[0])
        missing = float(np.dot([one.missing for one in steps], lasted))
        gap = float(np.dot([one.gap for one in steps], lasted))
        found = int(self._found[lines].sum())
        ends = _factors(counters) / divisor @ self._parts.doubt[lines][:, [0, -1]].sum(axis=1)
        return _figure(value, 0.0, (missing, gap), (value, value, float(ends)), found)


class _Parts(NamedTuple):
    """Uses laid out for summing: columns x counters x steps, 0 where nothing is known.

    ``sums`` are measured, estimated, low, high and what is in doubt at both ends of each step;
    ``shares`` missing and gap; ``doubt`` is that of each edge.
    """

    sums: Numbers
    shares: Numbers
    doubt: Numbers
    known: NDArray[np.bool_]
    found: NDArray[np.int64]

    @classmethod
    def of(cls, uses: Uses, found: NDArray[np.int64]) -> _Parts:
        """Lay uses out."""
        known = uses.missing < 1
        ends = uses.doubt[:, :-1] + uses.doubt[:, 1:]
        columns = np.stack([uses.measured, uses.estimated, uses.low, uses.high, ends])
        sums = np.where(known, columns, 0.0)
        return cls(sums, np.stack([uses.missing, uses.gap]), uses.doubt, known, found)


def _factors(counters: Sequence[Counter]) -> Numbers:
    return np.asarray([one.factor for one in counters], np.float64)


def _counted(
    findings: Sequence[PointFinding], line: Mapping[int, int], edges: Instants
) -> NDArray[np.int64]:
    """Return how many findings there are per counter (a line each) and step."""
    made = np.zeros((len(line), len(edges) - 1), np.int64)
    for point, one in findings:
        first = max(int(np.searchsorted(edges, one.start_ms, "right")) - 1, 0)
        last = max(int(np.searchsorted(edges, one.end_ms, "left")), first + 1)
        made[line[point], first:last] += 1
    return made


def _figures(parts: _Parts, lines: Sequence[int], factors: Numbers) -> tuple[Figure, ...]:
    columns = (factors @ parts.sums[:, lines]).tolist()
    there_ = np.asarray(parts.known[lines].any(axis=0)).tolist()
    missing, gap = parts.shares[:, lines].mean(axis=1).tolist()
    counts = parts.found[lines].sum(axis=0).tolist()
    return tuple(
        _figure(used + guessed, guessed, share, bounds, count)
        if there
        else Figure(None, findings=count)
        for there, share, count, used, guessed, bounds in zip(
            there_,
            zip(missing, gap, strict=True),
            counts,
            columns[0],
            columns[1],
            zip(*columns[2:], strict=True),
            strict=True,
        )
    )


def _figure(
    value: float,
    guessed: float,
    shares: tuple[float, float],
    bounds: tuple[float, float, float],
    found: int,
) -> Figure:
    """Return a figure; ``bounds`` are low, high, and what is in doubt at the ends of its time."""
    missing, gap = shares
    low, high, ends = bounds
    share = min(max(guessed / value, 0.0), 1.0) if value else 0.0
    estimated = (1 - missing) * share
    return Figure(value, 1 - missing - estimated, estimated, missing, low, high, gap, found, ends)
