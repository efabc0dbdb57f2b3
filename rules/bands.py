"""What is known of each point, and between which bounds its readings change nothing: columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.model import Json
from rules.machine import NEVER_MS, Quiet, Still

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Part(NamedTuple):
    """Readings of which each is of another point: as columns, ``point`` counts from 0."""

    point: Rows
    at_ms: Ints
    value: Floats
    good: Flags
    reason: NDArray[np.uint8]

    def taken(self, rows: Flags | slice) -> Part:
        """Keep some rows, in their order."""
        point, at_ms, value, good, reason = self
        return Part(point[rows], at_ms[rows], value[rows], good[rows], reason[rows])


class Bands:
    """The last reading of each point, and the narrowest of what its machines need not see."""

    def __init__(self, count: int) -> None:
        self.at_ms: Ints = np.full(count, -1, np.int64)  # of the last reading, good or not
        self.good_ms: Ints = np.zeros(count, np.int64)
        self.value: Floats = np.full(count, math.nan)  # the last good one
        self._still: Floats = np.full(count, math.nan)
        self._still_since: Ints = np.zeros(count, np.int64)
        self._low: Floats = np.full(count, -math.inf)
        self._high: Floats = np.full(count, math.inf)
        self._until: Ints = np.full(count, NEVER_MS, np.int64)
        self._gap: Ints = np.full(count, NEVER_MS, np.int64)
        self._fall: Floats = np.full(count, math.inf)
        self._rise: Floats = np.full(count, math.inf)
        self._per_ms: Floats = np.full(count, math.inf)
        self._still_ms: Ints = np.full(count, NEVER_MS, np.int64)
        self._tolerance: Floats = np.zeros(count)
        self._bad_too: Flags = np.zeros(count, np.bool_)
        self._steps = self._stands = False  # whether any machine asks for such

    def bound(self, point: int, quiets: Sequence[Quiet]) -> None:
        """Take the values of a point that its machines need not see."""
        self._low[point] = max([quiet[0] for quiet in quiets])
        self._high[point] = min([quiet[1] for quiet in quiets])

    def narrow(self, point: int, quiets: Sequence[Quiet], stander: Quiet | None) -> None:
        """Take all else that they need not see; ``stander`` is that of the one that is stuck."""
        _, _, until_ms, gap_ms, fall, rise, per_ms, _, _, bad_too = zip(*quiets, strict=True)
        self._until[point], self._gap[point] = min(until_ms), min(gap_ms)
        self._fall[point], self._rise[point] = min(fall), min(rise)
        self._per_ms[point], self._bad_too[point] = min(per_ms), any(bad_too)
        self._steps |= min(*gap_ms, *fall, *rise, NEVER_MS) < NEVER_MS
        if stander is not None:
            self._stands = True
            self._tolerance[point], self._still_ms[point] = stander.tolerance, stander.still_ms

    def hot(self, part: Part) -> tuple[Flags, Flags | None]:
        """Tell which readings a machine must see; and which points do not stand still any more."""
        point, at_ms, value = part.point, part.at_ms, part.value
        calm = (value >= self._low[point]) & (value <= self._high[point])
        calm &= at_ms < self._until[point]
        moved = None
        if self._steps or self._stands:
            since_ms = at_ms - self.good_ms[point]
            change = value - self.value[point]
            most = self._rise[point] + self._per_ms[point] * since_ms
            after_gap = since_ms > self._gap[point]
            calm &= ~(after_gap | (change < -self._fall[point]) | (change > most))
            if self._stands:
                near = np.abs(value - self._still[point]) <= self._tolerance[point]
                moved = ~near | after_gap
                standing_ms = at_ms - self._still_since[point]
                calm &= moved | (standing_ms < self._still_ms[point])
        return np.where(part.good, ~calm, self._bad_too[point]), moved

    def note(self, part: Part, moved: Flags | None) -> None:
        """Remember the readings."""
        self.at_ms[part.point] = part.at_ms
        if moved is not None:
            gone = part.taken(part.good & moved)
            self._still[gone.point], self._still_since[gone.point] = gone.value, gone.at_ms
        good = part if part.good.all() else part.taken(part.good)
        self.good_ms[good.point], self.value[good.point] = good.at_ms, good.value

    def stood(self, point: int, value: float) -> int:
        """Return since when a point has stayed where a value still is, NEVER_MS when it left."""
        near = abs(value - self._still[point]) <= self._tolerance[point]
        return int(self._still_since[point]) if near else NEVER_MS

    def still(self, point: int) -> Still:
        """Return around which value a point has stayed, and since when."""
        return Still(float(self._still[point]), int(self._still_since[point]))

    def save(self, numbers: Ints) -> dict[str, Json]:
        """Return what is known of the points that were read, as JSON columns."""
        read = np.flatnonzero(self.at_ms >= 0)
        state: dict[str, Json] = {
            "point": numbers[read].tolist(),
            "at": self.at_ms[read].tolist(),
            "good": self.good_ms[read].tolist(),
            "value": _numbers(self.value[read]),
        }
        if self._stands:
            state["still"] = _numbers(self._still[read])
            state["still_since"] = self._still_since[read].tolist()
        return state

    def load(self, state: Mapping[str, Json], points: Rows, kept: Flags) -> None:
        """Take back what :meth:`save` returned, for those that are ``kept``; the rest is as new."""
        for column, name, nothing in (
            (self.at_ms, "at", -1),
            (self.good_ms, "good", 0),
            (self.value, "value", math.nan),
            (self._still, "still", math.nan),
            (self._still_since, "still_since", 0),
        ):
            column[:] = nothing
            if name in state:
                column[points] = np.array(state[name], column.dtype)[kept]


def _numbers(values: Floats) -> list[float | None]:
    """Return JSON numbers; JSON has no NaN."""
    return [None if value != value else value for value in values.tolist()]  # noqa: PLR0124
