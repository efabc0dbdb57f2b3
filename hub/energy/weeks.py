"""What the weeks before long gaps say of them: learned from the store once, and kept.

A late or corrected reading, or a change of the meter, that could alter what was learned makes it
forgotten; so what is said of a gap does not depend on the order in which readings came.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from hub.energy import shape
from hub.energy.calendar import DAY_MS
from hub.energy.counter import Flags, Instants, Intervals, Kind, Numbers
from hub.energy.known import Known
from hub.energy.shape import Hours
from hub.energy.spread import Course, Rows, lay

MOST_KEPT = 20_000
CELLS_AT_ONCE = 150_000  # hours of counters that are read at once, to bound memory
WHOLE = 1 - 1e-6  # of an hour: what is divided adds up to no exact 1
Read = Callable[[Rows, Instants], Known]


class _Gap(NamedTuple):
    """A gap of a counter: the counter's place in the ledger, and the readings around it."""

    which: int
    start_ms: int
    end_ms: int


class _Learned(NamedTuple):
    """What is known of a gap, and when a reading alters it."""

    course: Course | None
    since_ms: int
    until_ms: int


class Weeks:
    """Learns from what ``read`` knows of counters; any thread may call."""

    def __init__(self, read: Read, zone: ZoneInfo) -> None:
        self._read = read
        self._zone = zone
        self._kept: OrderedDict[_Gap, _Learned] = OrderedDict()
        self._lock = threading.Lock()
        self._learning: list[list[tuple[Rows, Instants | None]]] = []

    def courses(
        self, which: Rows, row: Rows, made: Intervals, edges: Instants
    ) -> dict[tuple[int, int], Course]:
        """Return the courses of the long gaps that an edge cuts, by their row and start.

        The ``row`` of an interval tells its counter in ``which``, rising. The same gap has the same
        course whatever is asked, so that what is cut adds up.
        """
        first = np.searchsorted(edges, made.start_ms, "right")
        last = np.searchsorted(edges, made.end_ms, "left")
        long = made.end_ms - made.start_ms > shape.LONG_MS
        cut = np.flatnonzero((last > first) & long & (made.kind != Kind.MEASURED)).tolist()
        gaps = {
            n: _Gap(int(which[row[n]]), int(made.start_ms[n]), int(made.end_ms[n])) for n in cut
        }
        with self._lock:
            known = {gap: self._kept[gap] for gap in gaps.values() if gap in self._kept}
        known |= self._learn([gap for gap in gaps.values() if gap not in known])
        found = {}
        for n, gap in gaps.items():
            course = known[gap].course
            if course is not None and course.can_be(float(made.used[n]), float(made.most[n])):
                found[int(row[n]), gap.start_ms] = course
        return found

    def touch(self, which: Rows, at_ms: Instants | None) -> None:
        """Forget what readings of counters could alter; None: all that is known of them."""
        with self._lock:
            for session in self._learning:
                session.append((which, at_ms))
            self._forget(which, at_ms)

    def _forget(self, which: Rows, at_ms: Instants | None) -> None:
        if not self._kept:
            return
        mine = set(which.tolist())
        for gap in [gap for gap in self._kept if gap.which in mine]:
            _, since, until = self._kept[gap]
            its = at_ms[which == gap.which] if at_ms is not None else None
            if its is None or ((its >= since) & (its <= until)).any():
                del self._kept[gap]

    def _learn(self, gaps: Sequence[_Gap]) -> dict[_Gap, _Learned]:
        """Read what was before gaps, and keep it."""
        if not gaps:
            return {}
        session: list[tuple[Rows, Instants | None]] = []
        with self._lock:
            self._learning.append(session)
        try:
            found = dict(pair for some in _together(gaps) for pair in self._of(some))
        finally:
            with self._lock:
                # By identity: those of others may be equal, while nothing came.
                self._learning = [one for one in self._learning if one is not session]
        with self._lock:
            self._kept |= found
            for which, at_ms in session:  # what came while it was read
                self._forget(which, at_ms)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    def _of(self, gaps: Sequence[_Gap]) -> Iterator[tuple[_Gap, _Learned]]:
        """Yield what is learned of gaps that lie near each other."""
        which = np.unique([gap.which for gap in gaps]).astype(np.intp)
        ends = min(gap.start_ms for gap in gaps), max(gap.end_ms for gap in gaps)
        parts = [self._window(which, *window) for window in shape.windows(*ends)]
        columns = zip(*(part.hours for part in parts), strict=True)
        seen = Hours(*(np.concatenate(column) for column in columns))
        used, measured = (np.hstack([p[n] for p in parts]) for n in (1, 2))
        since = np.min([part.since_ms for part in parts], axis=0)
        until = np.max([part.until_ms for part in parts], axis=0)
        for gap in gaps:
            row = int(np.searchsorted(which, gap.which))
            course = shape.course(gap[1:], seen, used[row], measured[row], self._zone)
            yield gap, _Learned(course, int(since[row]), int(until[row]))

    def _window(self, which: Rows, start_ms: int, end_ms: int) -> _Window:
        hours = shape.whole_hours(start_ms, end_ms, self._zone)
        known = self._read(which, hours.edges)
        laid = lay(known.row, known.intervals, hours.edges, len(which), {})
        measured = laid.known - laid.gap >= WHOLE * (hours.end - hours.begin)
        return _Window(hours, laid.measured, measured, *known.touched_by(hours.edges[[0, -1]]))


class _Window(NamedTuple):
    """What counters (rows) used in some hours, whether all of it is measured, what alters it."""

    hours: Hours
    used: Numbers
    measured: Flags
    since_ms: Instants
    until_ms: Instants


def _together(gaps: Sequence[_Gap]) -> Iterator[list[_Gap]]:
    """Yield gaps of about the same time, no more at once than memory allows."""
    near: dict[tuple[int, int], list[_Gap]] = {}
    for gap in gaps:
        near.setdefault((gap.start_ms // DAY_MS, gap.end_ms // DAY_MS), []).append(gap)
    for (first, last), some in near.items():
        hours = min((last - first + 3) * shape.WEEKS, shape.WEEKS * 7 + last - first) * 24
        at_once = max(CELLS_AT_ONCE // hours, 1)
        yield from (some[n : n + at_once] for n in range(0, len(some), at_once))
