"""One civil day of many counters: what they used, and which readings could still alter it; pure.

On most days most counters are measured from end to end. So a day holds what was measured per
counter and what of it is in doubt at both ends, and the other parts of a use only of those that are
odd: estimated, missing, or resting on readings far away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.energy.calendar import HOUR_MS
from hub.energy.counter import COLUMNS, Finding, Flags, Instants, Intervals, Numbers
from hub.energy.counter import joined as put_together
from hub.energy.known import CONTEXT_MS, Known
from hub.energy.spread import Laid, Rows

PARTS = tuple(field.name for field in fields(Laid))
ENDS = slice(PARTS.index("begin"), PARTS.index("end") + 1)
_OTHERS = slice(ENDS.stop, len(PARTS))
_COUNT = _OTHERS.stop - _OTHERS.start
_KNOWN = PARTS.index("known") - _OTHERS.start
# So far around itself the day of a counter that is read all the time rests on readings: what its
# edges cut is shorter than a roll-up.
REACH_MS = CONTEXT_MS + HOUR_MS - 1
_NO_INTERVALS: dict[str, Any] = {
    name: np.zeros(0, np.int64 if name.endswith("_ms") else np.uint8 if name == "kind" else float)
    for name in COLUMNS
}
NOTHING = Intervals(**_NO_INTERVALS)


@dataclass(frozen=True, slots=True, eq=False)
class Odd:
    """What is not as usual: of ``rows`` (rising) all parts after the ends, and what alters them."""

    rows: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    parts: Numbers = field(default_factory=lambda: np.zeros((_COUNT, 0)))
    since_ms: Instants = field(default_factory=lambda: np.zeros(0, np.int64))
    until_ms: Instants = field(default_factory=lambda: np.zeros(0, np.int64))

    def taken(self, which: Flags | Rows) -> Odd:
        """Return some of them."""
        return Odd(
            self.rows[which], self.parts[:, which], self.since_ms[which], self.until_ms[which]
        )

    def found(self, rows: Rows) -> tuple[Rows, Rows]:
        """Return which of some rows are odd, and their places here."""
        at = np.searchsorted(self.rows, rows)
        at[at == len(self.rows)] = 0
        there = np.flatnonzero(self.rows[at] == rows) if len(self.rows) else at[:0]
        return there, at[there]


@dataclass(slots=True, eq=False)
class Day:
    """What is known of a civil day: of each counter (a row), where ``valid``.

    ``measured`` and ``odd`` tell what lies inside, ``ends`` what of it is in doubt at begin and end
    (2 x rows); ``across`` are the gaps that cross the edges, of the rows ``whose``. It changes in
    place: who uses it holds the lock of its days.
    """

    begin_ms: int
    end_ms: int
    valid: Flags
    measured: Numbers
    ends: NDArray[np.float32]
    odd: Odd = field(default_factory=Odd)
    whose: Rows = field(default_factory=lambda: np.zeros(0, np.intp))
    across: Intervals = NOTHING
    findings: list[tuple[int, Finding]] = field(default_factory=list)

    @classmethod
    def unknown(cls, begin_ms: int, end_ms: int, count: int) -> Day:
        """Return a day of which nothing is known yet."""
        ends = np.zeros((2, count), np.float32)
        return cls(begin_ms, end_ms, np.zeros(count, np.bool_), np.zeros(count), ends)

    @property
    def since_ms(self) -> int:
        """Return from when on a reading can alter what is usual."""
        return self.begin_ms - REACH_MS

    @property
    def until_ms(self) -> int:
        """Return until when a reading can alter what is usual."""
        return self.end_ms + REACH_MS

    def put(self, rows: Rows, laid: Numbers, known: Known, across: Flags) -> None:
        """Take over what is known of some rows; ``laid`` is of this day, parts x rows.

        ``across`` tells which intervals of ``known`` are gaps across edges.
        """
        self.valid[rows] = True
        self.measured[rows] = laid[0]
        self.ends[:, rows] = laid[ENDS]
        ends = np.array([self.begin_ms, self.end_ms], np.int64)
        since, until = known.touched_by(ends)
        usual = (laid[_OTHERS] == self._usual()[:, np.newaxis]).all(axis=0)
        usual &= (since >= self.since_ms) & (until <= self.until_ms)
        odd = np.flatnonzero(~usual)
        new = Odd(rows[odd], laid[_OTHERS, odd], since[odd], until[odd])
        again = np.zeros(len(self.valid), np.bool_)
        again[rows] = True
        self.odd = _joined(self.odd.taken(~again[self.odd.rows]), new)
        made = known.intervals
        there = across & (made.start_ms < self.end_ms) & (made.end_ms > self.begin_ms)
        others = ~again[self.whose]
        self.whose = np.concatenate([self.whose[others], rows[known.row[there]]])
        self.across = put_together([self.across.taken(others), made.taken(there)])
        self.findings = [pair for pair in self.findings if not again[pair[0]]]
        self.findings += [
            (int(rows[n]), one)
            for n, one in known.findings
            if one.start_ms < self.end_ms and one.end_ms > self.begin_ms
        ]

    def fill(self, rows: Rows, parts: Numbers) -> None:
        """Write the parts of some rows into an array of parts x rows."""
        parts[0] = self.measured[rows]
        parts[ENDS] = self.ends[:, rows]
        parts[_OTHERS] = self._usual()[:, np.newaxis]
        there, at = self.odd.found(rows)
        parts[_OTHERS, there] = self.odd.parts[:, at]

    def forget(self, rows: Rows, at_ms: Instants | None) -> bool:
        """Forget what readings of some rows alter, None: all of them; tell whether there was any.

        A row may stand there several times.
        """
        if at_ms is not None:
            hit = (at_ms >= self.since_ms) & (at_ms <= self.until_ms)
            there, at = self.odd.found(rows)
            odd = self.odd
            hit[there] = (at_ms[there] >= odd.since_ms[at]) & (at_ms[there] <= odd.until_ms[at])
            rows = rows[hit]
        known = bool(self.valid[rows].any())
        self.valid[rows] = False
        return known

    def far(self) -> Iterator[tuple[Rows, Instants, Instants]]:
        """Yield the rows that rest on readings far away, and on which."""
        odd = self.odd
        there = np.flatnonzero((odd.since_ms < self.since_ms) | (odd.until_ms > self.until_ms))
        if len(there):
            yield odd.rows[there], odd.since_ms[there], odd.until_ms[there]

    def copied(self) -> Day:
        """Return the day as it is now."""
        return replace(
            self,
            valid=self.valid.copy(),
            measured=self.measured.copy(),
            ends=self.ends.copy(),
        )

    def _usual(self) -> Numbers:
        usual = np.zeros(_COUNT)
        usual[_KNOWN] = self.end_ms - self.begin_ms
        return usual


def _joined(old: Odd, new: Odd) -> Odd:
    rows = np.concatenate([old.rows, new.rows])
    every = Odd(
        rows,
        np.concatenate([old.parts, new.parts], axis=1),
        np.concatenate([old.since_ms, new.since_ms]),
        np.concatenate([old.until_ms, new.until_ms]),
    )
    return every.taken(np.argsort(rows, kind="stable"))
