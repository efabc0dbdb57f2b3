"""All streaming machines of a site over batches: numpy finds the few readings that matter.

Most readings change nothing: they lie where the machines of their point said that they need not
see them (:class:`~rules.machine.Quiet`). What a machine must know of those it is told before its
next step (:meth:`~rules.machine.Machine.recall`). The same readings cut into other batches give the
same transitions.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hub.model import Batch, Json, Quality
from rules.bands import Bands, Flags, Ints, Part, Rows
from rules.machine import BUSY, NEVER_MS, QUIET, Machine, Quiet, Still, Transition

FEW = 8  # inputs of a machine, so that looking at all of them costs nothing


class Watched(NamedTuple):
    """A machine by its name, and the numbers of the points that are its inputs."""

    name: str
    machine: Machine
    points: tuple[int, ...]


class Failure(NamedTuple):
    """A machine that raised an error at an instant and is taken out."""

    name: str
    error: str
    at_ms: int


class _Live:
    """A machine at work: its inputs, and whether it has seen all readings since its last step."""

    __slots__ = ("busy", "inputs", "machine", "name", "rows", "slots")

    def __init__(self, name: str, machine: Machine, inputs: Sequence[int]) -> None:
        self.name = name
        self.machine = machine
        self.inputs = list(inputs)
        self.rows: Rows = np.array(self.inputs, np.intp)
        self.slots = [_Slot(self, of, point) for of, point in enumerate(self.inputs)]
        self.busy = False


class _Slot:
    """One input of a machine; it is the ``n``-th of its point."""

    __slots__ = ("calm", "live", "n", "of", "point")

    def __init__(self, live: _Live, of: int, point: int) -> None:
        self.live, self.of, self.point, self.n = live, of, point, 0
        self.calm = QUIET  # what it need not see when it is not busy


class Watch:
    """The streaming machines of a site. ``points`` are further ones of which it knows the last.

    ``late`` counts the readings that are not after the last of their point: they change nothing.
    A machine that raises an error is taken out until the hub listens anew: ``quarantined`` tells
    why, ``failures`` has what the engine has not taken yet. The others run on.
    """

    def __init__(self, watched: Sequence[Watched], points: Iterable[int] = ()) -> None:
        self.late = 0
        self.failures: list[Failure] = []
        self._held: dict[tuple[str, int], dict[str, Json]] = {}  # at each rise of the last step
        self._quarantined: dict[str, str] = {}
        numbers = sorted({*points, *(number for one in watched for number in one.points)})
        self._numbers = np.array(numbers, np.int64)
        self._point_of = np.full(max(numbers, default=0) + 1, -1, np.intp)
        self._point_of[self._numbers] = np.arange(len(numbers))
        self._bands = Bands(len(numbers))
        self._row_of: Rows = np.full(len(numbers), -1, np.intp)  # in the part that is read now
        self._slots: list[list[_Slot]] = [[] for _ in numbers]
        self._quiets: list[list[Quiet]] = [[] for _ in numbers]  # of each slot of a point
        self._stander: dict[int, _Slot] = {}  # the one machine of a point that columns stand for
        self._lives: dict[str, _Live] = {}
        self._part: Part | None = None  # what is read now
        self._moved: Flags | None = None
        self._hot: list[int] = []
        for one in watched:
            self._add(one)
        self._refresh_all()

    @property
    def quarantined(self) -> Mapping[str, str]:
        """Return the machines that are taken out, each with its error."""
        return self._quarantined

    @property
    def names(self) -> Sequence[str]:
        """Return the names of all machines, in their order."""
        return list(self._lives)

    def machine(self, name: str) -> Machine:
        """Return a machine."""
        return self._lives[name].machine

    def last_ms(self, number: int) -> int:
        """Return the instant of the last reading of a point, -1 when there was none."""
        return int(self._bands.at_ms[self._point_of[number]])

    def last(self, number: int) -> float:
        """Return the last good value of a point, NaN when there was none."""
        return float(self._bands.value[self._point_of[number]])

    def read(self, batch: Batch) -> list[tuple[str, Transition]]:
        """Take readings; return the transitions in the order of the readings."""
        self._held.clear()
        whole = self._whole(batch)
        found: list[tuple[str, Transition]] = []
        for start, end in self._cuts(whole.point):
            found += self._read(
                whole if end - start == len(whole.point) else whole.taken(slice(start, end))
            )
        return found

    def tick(self, name: str, now_ms: int) -> Transition | None:
        """Tell one machine the time."""
        return self._have(name, now_ms, lambda machine: machine.tick(now_ms))

    def settle(self, name: str, at_ms: int, well_ms: int) -> Transition | None:
        """End the fault of one machine whose fix is proven, when it was over for so long."""
        return self._have(name, at_ms, lambda machine: machine.settle(at_ms, well_ms))

    def _have(
        self, name: str, now_ms: int, do: Callable[[Machine], Transition | None]
    ) -> Transition | None:
        """Have one machine do what no reading brings."""
        live = self._lives[name]
        self._held.clear()
        if name in self._quarantined:
            return None
        self._recall(live, 0)
        try:
            transition = self._noted(live, do(live.machine))
        except Exception as error:  # noqa: BLE001 - whatever one rule does, the others run on
            self._take_out(live, error, now_ms)
            return None
        self._refresh(live, live.slots, -1)
        return transition

    def due_ms(self, name: str) -> int | None:
        """Return when a machine is next told the time, None when it need not be."""
        if name in self._quarantined:
            return None
        live = self._lives[name]
        self._recall(live, 0)
        return live.machine.due_ms()

    def listen(self, at_ms: int) -> None:
        """Tell all machines that the hub listens since an instant; those taken out begin anew."""
        again = [self._lives[name] for name in self._quarantined]
        self._quarantined.clear()
        for live in again:
            live.machine.load({})
            self._refresh(live, live.slots, -1)
        for live in self._lives.values():
            live.machine.listen(at_ms)

    def held(self, name: str, at_ms: int) -> dict[str, Json]:
        """Return what a machine held as it rose in the last read or tick, at that very instant."""
        return self._held.get((name, at_ms), {})

    def why(self, name: str, now_ms: int) -> dict[str, Json]:
        """Return what a machine holds, with the last readings of its inputs."""
        live = self._lives[name]
        if live.slots:
            self._tell(live, 0)
        out = {"quarantined": self._quarantined[name]} if name in self._quarantined else {}
        return live.machine.why(now_ms) | out

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {
            "late": self.late,
            "quarantined": dict(self._quarantined),
            "points": self._bands.save(self._numbers),
            "machines": {
                live.name: state for live in self._lives.values() if (state := live.machine.save())
            },
        }

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; what is no longer watched is left out."""
        self.late = state["late"]
        self._quarantined = {
            name: error for name, error in state["quarantined"].items() if name in self._lives
        }
        numbers = np.array(state["points"]["point"], np.int64)
        points = self._points(numbers)
        self._bands.load(state["points"], points[points >= 0], points >= 0)
        for live in self._lives.values():
            live.machine.load(state["machines"].get(live.name, {}))
            if live.machine.remembers:
                self._tell(live, 0)
        self._refresh_all()

    def _add(self, one: Watched) -> None:
        live = _Live(one.name, one.machine, self._point_of[list(one.points)].tolist())
        self._lives[one.name] = live
        for slot in live.slots:
            slot.n = len(self._slots[slot.point])
            self._slots[slot.point].append(slot)
            self._quiets[slot.point].append(BUSY)
        if one.machine.stands:
            self._stander.setdefault(live.inputs[0], live.slots[0])

    def _points(self, numbers: Ints) -> Rows:
        inside = (numbers >= 0) & (numbers < len(self._point_of))
        return np.where(inside, self._point_of[np.where(inside, numbers, 0)], -1)

    def _whole(self, batch: Batch) -> Part:
        """Return the rows of watched points; NaN is never good."""
        point = self._points(batch.point.astype(np.int64))
        good = (batch.quality & 3 == Quality.GOOD) & np.isfinite(batch.value)
        reason = (batch.quality >> 2).astype(np.uint8)
        part = Part(point, batch.at_ms, batch.value, good, reason)
        watched = point >= 0
        return part if watched.all() else part.taken(watched)

    def _cuts(self, point: Rows) -> Iterator[tuple[int, int]]:
        """Cut rows into runs in which no point is twice."""
        count = len(point)
        rows = np.arange(count)
        self._row_of[point] = rows
        once = bool((self._row_of[point] == rows).all())
        self._row_of[point] = -1
        if once:
            yield 0, count
            return
        order = np.argsort(point, kind="stable")
        same = point[order][1:] == point[order][:-1]
        before = np.full(count, -1)
        before[order[1:][same]] = order[:-1][same]
        start = 0
        for row, last in enumerate(before.tolist()):
            if last >= start:
                yield start, row
                start = row
        yield start, count

    def _read(self, part: Part) -> list[tuple[str, Transition]]:
        """Take readings of which each is of another point."""
        fresh = part.at_ms > self._bands.at_ms[part.point]
        if not fresh.all():
            self.late += len(fresh) - int(fresh.sum())
            part = part.taken(fresh)
        hot, moved = self._bands.hot(part)
        found: list[tuple[str, Transition]] = []
        if hot.any():
            self._part, self._moved, self._hot = part, moved, np.flatnonzero(hot).tolist()
            self._row_of[part.point] = np.arange(len(part.point))
            last = -1
            while self._hot:
                row = heapq.heappop(self._hot)
                if row != last:
                    found += self._step_all(part, row)
                last = row
            self._row_of[part.point] = -1
            self._part = None
        self._bands.note(part, moved)
        return found

    def _step_all(self, part: Part, row: int) -> list[tuple[str, Transition]]:
        """Step the machines that must see a reading."""
        point, at_ms, value = int(part.point[row]), int(part.at_ms[row]), float(part.value[row])
        good, reason = bool(part.good[row]), int(part.reason[row])
        since_ms = at_ms - int(self._bands.good_ms[point])
        change = value - float(self._bands.value[point])
        found = []
        for n, quiet in enumerate(self._quiets[point]):
            low, high, until_ms, gap_ms, fall, rise, per_ms, still_ms, _, bad_too = quiet
            if good:
                inside = low <= value <= high and at_ms < until_ms and since_ms <= gap_ms
                stepped = change < -fall or change > rise + per_ms * since_ms
                stood = still_ms < NEVER_MS and at_ms - self._bands.stood(point, value) >= still_ms
                if inside and not (stepped or stood):
                    continue
            elif not bad_too:
                continue
            slot = self._slots[point][n]
            if transition := self._step(slot, row, (at_ms, value, good, reason)):
                found.append((slot.live.name, transition))
        return found

    def _step(
        self, slot: _Slot, row: int, reading: tuple[int, float, bool, int]
    ) -> Transition | None:
        live, (at_ms, value, good, reason) = slot.live, reading
        if live.name in self._quarantined:
            return None
        self._recall(live, row)
        try:
            transition = self._noted(
                live, live.machine.step(at_ms, value, good=good, of=slot.of, reason=reason)
            )
        except Exception as error:  # noqa: BLE001 - whatever one rule does, the others run on
            self._take_out(live, error, at_ms)
            return None
        turned = live.machine.busy != live.busy
        self._refresh(live, live.slots if turned or len(live.slots) <= FEW else [slot], row)
        return transition

    def _noted(self, live: _Live, transition: Transition | None) -> Transition | None:
        """Note what a machine holds as it rises: after the batch it would hold later readings."""
        if transition and transition.raised:
            held = live.machine.why(transition.at_ms)
            self._held[live.name, transition.at_ms] = held
        return transition

    def _recall(self, live: _Live, row: int) -> None:
        """Tell a machine what it did not see of the readings before a row of the part."""
        if live.machine.remembers and not live.busy:
            self._tell(live, row)

    def _tell(self, live: _Live, row: int) -> None:
        bands, rows = self._bands, live.rows
        first = live.slots[0]
        if len(rows) == 1:  # nothing of this point came before in this part
            last = [int(bands.good_ms[first.point])], [float(bands.value[first.point])]
            live.machine.recall(*last, self._still(first, row))
            return
        at_ms, value = bands.good_ms[rows], bands.value[rows]
        if self._part is not None:
            now = self._row_of[rows]
            here = (now >= 0) & (now < row) & self._part.good[now]
            at_ms[here], value[here] = self._part.at_ms[now[here]], self._part.value[now[here]]
        live.machine.recall(at_ms.tolist(), value.tolist(), self._still(first, row))

    def _still(self, slot: _Slot, row: int) -> Still | None:
        """Return around which value the first input of a machine has stayed before a row."""
        if self._stander.get(slot.point) is not slot:
            return None
        now, part = int(self._row_of[slot.point]), self._part
        before = part is not None and self._moved is not None and 0 <= now < row
        if part and before and self._moved is not None and part.good[now] and self._moved[now]:
            return Still(float(part.value[now]), int(part.at_ms[now]))
        return self._bands.still(slot.point)

    def _refresh(self, live: _Live, slots: Iterable[_Slot], row: int) -> None:
        """Ask a machine what it need not see from now on, of the rest of the part as well."""
        live.busy = live.machine.busy
        for slot in slots:
            quiet = self._quiet(slot)
            if quiet != self._quiets[slot.point][slot.n]:
                self._narrow(slot, quiet)
                if (later := int(self._row_of[slot.point])) > row:
                    heapq.heappush(self._hot, later)

    def _refresh_all(self) -> None:
        same: dict[Quiet, Quiet] = {}  # one object for what is equal: it is looked at often
        for live in self._lives.values():
            live.busy = live.machine.busy
            for slot in live.slots:
                quiet = self._quiet(slot)
                self._quiets[slot.point][slot.n] = quiet = same.setdefault(quiet, quiet)
                slot.calm = QUIET if quiet is BUSY else quiet
        for point, slots in enumerate(self._slots):
            self._narrow_all(point, slots)

    def _quiet(self, slot: _Slot) -> Quiet:
        """Return what a machine need not see; what columns cannot stand for it sees always."""
        machine = slot.live.machine
        if slot.live.name in self._quarantined:
            return QUIET
        if machine.stands and slot.of == 0 and self._stander[slot.point] is not slot:
            return BUSY
        return machine.quiet(slot.of)

    def _narrow(self, slot: _Slot, quiet: Quiet) -> None:
        """Note what a machine need not see from now on, in the columns of its point."""
        quiets = self._quiets[slot.point]
        quiets[slot.n] = quiet
        if quiet is BUSY or quiet[2:] == slot.calm[2:]:
            self._bands.bound(slot.point, quiets)
            return
        slot.calm = quiet
        self._narrow_all(slot.point, self._slots[slot.point])

    def _narrow_all(self, point: int, slots: Sequence[_Slot]) -> None:
        if slots:
            stander = self._stander.get(point)
            self._bands.bound(point, self._quiets[point])
            calms = [slot.calm for slot in slots]
            self._bands.narrow(point, calms, stander.calm if stander else None)

    def _take_out(self, live: _Live, error: Exception, at_ms: int) -> None:
        self._quarantined[live.name] = said = f"{type(error).__name__}: {error}"
        self.failures.append(Failure(live.name, said, at_ms))
        for slot in live.slots:
            self._narrow(slot, QUIET)
