"""The civil days that are known of counters: put in, looked up, forgotten where readings touch."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.energy.calendar import WEEK_MS
from hub.energy.counter import Finding, Flags, Instants, Intervals, MeterChange, Numbers
from hub.energy.day import Day
from hub.energy.known import ALWAYS_MS, Known
from hub.energy.spread import Rows

MOST_DAYS = 430
# A day with fewer of its counters known is not worth a file.
WORTH = 0.9
Changes = Mapping[int, tuple[MeterChange, ...]]
Touch = tuple[Rows, Instants | None]
"""Counters, by their rows, and the instants of readings; None: of all their time."""


class Found(NamedTuple):
    """What is known of cells of time: which counters are not, gaps across edges, and findings.

    ``absent`` is of cells x counters; ``across`` names counters by their rows, ``findings`` by
    their places in the question.
    """

    absent: Flags
    across: list[tuple[Rows, Intervals]]
    findings: list[tuple[int, Finding]]


class State(NamedTuple):
    """What holds for all kept days: up to which entry of the journal, by which changes of meters.

    ``empty_before`` is until when each counter has no usable reading at all.
    """

    seq: int
    changes: Changes
    empty_before: Instants


class Days:
    """Days of counters, by rows; ``numbers`` are their points. Any thread may call.

    The oldest days make room.
    """

    def __init__(self, numbers: NDArray[np.int32]) -> None:
        self._numbers = numbers
        self._count = count = len(numbers)
        self._days: dict[int, Day] = {}
        self._lock = threading.Lock()
        self._sessions: list[list[Touch]] = []
        self._altered: set[int] = set()  # days that are not as they were last written
        self._written: set[int] = set()
        self._state = State(0, {}, np.full(count, -ALWAYS_MS, np.int64))
        # Between these instants readings may alter a day that is far away from them.
        self._least = np.full(count, ALWAYS_MS, np.int64)
        self._most = np.full(count, -ALWAYS_MS, np.int64)

    @property
    def changes(self) -> Changes:
        """Return the changes of meters that the days go by."""
        return self._state.changes

    def resume(self, state: State, days: Sequence[Day]) -> None:
        """Go on with what was written down; before anybody asks."""
        self._state = state
        for day in days:
            self._days[day.begin_ms] = day
            self._written.add(day.begin_ms)
            self._note_far(day)

    def drop(self, seq: int) -> None:
        """Forget everything; what is known from now on is so up to an entry of the journal."""
        with self._lock:
            self._altered |= self._written
            self._days.clear()
            nothing = np.full(self._count, -ALWAYS_MS, np.int64)
            self._state = self._state._replace(seq=seq, empty_before=nothing)

    def fill(self, place: Rows, cuts: Instants, cells: Numbers) -> Found:
        """Write what is known into cells: (times between cuts) x parts x counters.

        ``place`` is the row of each counter; -1: its days are not kept.
        """
        found = Found(np.ones((len(cells), len(place)), np.bool_), [], [])
        mine = np.flatnonzero(place >= 0)
        rows = place[mine]
        back = np.full(self._count, -1, np.intp)
        back[rows] = mine
        with self._lock:
            empty = self._state.empty_before[rows]
            for cell, absent, (begin, end) in zip(
                cells, found.absent, pairwise(cuts.tolist()), strict=True
            ):
                nothing = mine[empty >= end]
                cell[:, nothing] = 0.0
                absent[nothing] = False
                day = self._days.get(begin)
                if day is None or day.end_ms != end:
                    continue
                valid = day.valid[rows]
                if valid.all() and len(rows) == len(place):
                    day.fill(rows, cell)
                else:
                    parts = np.empty((len(cell), int(valid.sum())))
                    day.fill(rows[valid], parts)
                    cell[:, mine[valid]] = parts
                absent[mine[valid]] = False
                known = day.valid[day.whose]
                if known.any():
                    found.across.append((day.whose[known], day.across.taken(known)))
                found.findings.extend(
                    (int(back[row]), one)
                    for row, one in day.findings
                    if day.valid[row] and back[row] >= 0
                )
        return found

    def absent(self, place: Rows, cuts: Instants) -> Instants:
        """Return of how many counters nothing is known, for each time between cuts."""
        rows = place[place >= 0]
        missing = np.full(len(cuts) - 1, len(place) - len(rows), np.int64)
        with self._lock:
            for n, (begin, end) in enumerate(pairwise(cuts.tolist())):
                missing[n] += np.count_nonzero(self._lacks(begin, end)[rows])
        return missing

    def lacking(self, edges: Instants, most: int) -> tuple[Rows, Instants] | None:
        """Return what is to be worked out next: ``most`` counters, and the edges of their days.

        The newest days first; together as many as lie in one week of the store's order.
        """
        with self._lock:
            for last in range(len(edges) - 1, 0, -1):
                lacks = self._lacks(int(edges[last - 1]), int(edges[last]))
                if not lacks.any():
                    continue
                rows, first = np.flatnonzero(lacks)[:most], last - 1
                while first and edges[first - 1] // WEEK_MS == edges[last - 1] // WEEK_MS:
                    if not self._lacks(int(edges[first - 1]), int(edges[first]))[rows].all():
                        break
                    first -= 1
                return rows, edges[first : last + 1]
        return None

    def _lacks(self, begin: int, end: int) -> Flags:
        lacks: Flags = self._state.empty_before < end
        day = self._days.get(begin)
        if day is not None and day.end_ms == end:
            lacks &= ~day.valid
        return lacks

    @contextlib.contextmanager
    def reading(self) -> Iterator[list[Touch]]:
        """Note what is touched while counters are read."""
        session: list[Touch] = []
        with self._lock:
            self._sessions.append(session)
        try:
            yield session
        finally:
            with self._lock:
                # By identity: two readers who heard of nothing yet are equal, not the same.
                self._sessions = [one for one in self._sessions if one is not session]

    def put(
        self,
        session: Sequence[Touch],
        rows: Rows,
        cuts: Instants,
        whole: Flags,
        laid: Numbers,
        known: Known,
        across: Flags,
    ) -> None:
        """Keep what was read of counters, where ``whole`` tells that a time is a civil day.

        ``laid`` is of parts x counters x times.
        """
        with self._lock:
            for n in np.flatnonzero(whole).tolist():
                begin, end = int(cuts[n]), int(cuts[n + 1])
                day = self._days.setdefault(begin, Day.unknown(begin, end, self._count))
                day.put(rows, laid[:, :, n], known, across)
                self._altered.add(begin)
                self._note_far(day)
            state = self._state
            # Before a change of the meter, what a person read counts as a reading.
            changed = np.isin(self._numbers[rows], list(state.changes))
            learnt = ~changed & (known.empty_before_ms > -ALWAYS_MS)
            state.empty_before[rows[learnt]] = known.empty_before_ms[learnt]
            for touch in session:  # what came while it was read
                self._forget(*touch)
            while len(self._days) > MOST_DAYS:
                oldest = min(self._days)
                del self._days[oldest]
                self._altered.add(oldest)

    def touch(self, rows: Rows, at_ms: Instants, seq: int) -> None:
        """Forget what readings touch, which the store has kept up to an entry of the journal."""
        with self._lock:
            self._state = self._state._replace(seq=max(self._state.seq, seq))
            if len(rows):
                self._noted(rows, at_ms)

    def change(self, changes: Changes, rows: Rows) -> None:
        """Go by other changes of meters, and forget all of the counters that they concern."""
        with self._lock:
            self._state = self._state._replace(changes=dict(changes))
            self._noted(rows, None)

    def _noted(self, rows: Rows, at_ms: Instants | None) -> None:
        for session in self._sessions:
            session.append((rows, at_ms))
        self._forget(rows, at_ms)

    def _forget(self, rows: Rows, at_ms: Instants | None) -> None:
        empty_before = self._state.empty_before
        if at_ms is None:
            empty_before[rows] = -ALWAYS_MS
            self._altered |= {begin for begin, day in self._days.items() if day.forget(rows, None)}
            return
        empty_before[rows[at_ms < empty_before[rows]]] = -ALWAYS_MS
        first, last = int(at_ms.min()), int(at_ms.max())
        far = (at_ms >= self._least[rows]) & (at_ms <= self._most[rows])
        some = (rows[far], at_ms[far])
        for begin, day in self._days.items():
            near = day.since_ms <= last and first <= day.until_ms
            if (near or len(some[0])) and day.forget(*((rows, at_ms) if near else some)):
                self._altered.add(begin)

    def _note_far(self, day: Day) -> None:
        for rows, since_ms, until_ms in day.far():
            self._least[rows] = np.minimum(self._least[rows], since_ms)
            self._most[rows] = np.maximum(self._most[rows], until_ms)

    def to_write(self, before_ms: int) -> tuple[State, Mapping[int, Day | None]]:
        """Return what is to be written down now: the state, and the days that are new or altered.

        None is a day to be taken away. Days that end near or after ``before_ms`` still change.
        """
        with self._lock:
            state = self._state._replace(empty_before=self._state.empty_before.copy())
            found: dict[int, Day | None] = {}
            for begin in sorted(self._altered):
                day = self._days.get(begin)
                if day is not None and day.until_ms < before_ms and self._worth(day):
                    found[begin] = day.copied()
                elif begin in self._written:
                    found[begin] = None
            self._written |= found.keys()
            self._written -= {begin for begin, day in found.items() if day is None}
            self._altered = {
                begin for begin in self._altered & self._days.keys() if found.get(begin) is None
            }
            return state, found

    def _worth(self, day: Day) -> bool:
        lacks = self._lacks(day.begin_ms, day.end_ms)
        return bool(day.valid.any() and lacks.mean() <= 1 - WORTH)

    def not_written(self, begins: Iterable[int]) -> None:
        """Note that days could not be written: what stands there may be as it was."""
        with self._lock:
            begins = set(begins)
            self._altered |= begins
            self._written |= begins
