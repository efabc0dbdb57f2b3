"""What is so of any, of all, of so many or of a share of the devices of a place or gateway."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hub.model import Json, Point
from rules.bands import Flags, Ints
from rules.machine import BUSY, QUIET, Quiet, Still, Transition
from rules.sla import milliseconds
from rules.spec_members import MembersRule
from rules.stream import Stream

_NAMED = 50  # members that are named to people


class Members(Stream):
    """Enough members beyond a limit, for the on-delay, are a fault. Its inputs are the members.

    What a member last said stays so until it says something else; but only members that were heard
    within three intervals count towards a fault.
    """

    remembers = True

    def __init__(self, rule: MembersRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._ids = [point.device for point in points]
        self._of_all = len(points) if rule.kind == "share" else 1
        self._needed, self._clear = _counts(rule, len(points))
        self._low = -math.inf if rule.above is None else math.nextafter(rule.above, math.inf)
        self._high = math.inf if rule.below is None else math.nextafter(rule.below, -math.inf)
        self._heard: Ints = np.zeros(len(points), np.int64)
        self._said = np.full(len(points), math.nan)
        self._so: Flags = np.zeros(len(points), np.bool_)
        self._unknown = False

    @property
    def busy(self) -> bool:
        """Tell whether a delay runs, or enough members are beyond but not heard of late."""
        return self._unknown or super().busy

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading of a member; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._heard[of], self._said[of] = at_ms, value
        self._so[of] = self._low <= value <= self._high
        count = int(self._so.sum())
        if self.delay.active:
            return self._turn(at_ms, count / self._of_all, moving=count <= self._clear)
        of_late = int((self._so & (self._heard >= at_ms - self._gap_ms)).sum())
        self._unknown = of_late < self._needed <= count
        if self._unknown:
            return None
        return self._turn(at_ms, of_late / self._of_all, moving=of_late >= self._needed)

    def recall(self, at_ms: Sequence[int], value: Sequence[float], still: Still | None) -> None:
        """Take the last good reading of each member that came meanwhile."""
        del still
        self._heard, self._said = np.array(at_ms, np.int64), np.array(value, np.float64)
        self._so = (self._said >= self._low) & (self._said <= self._high)

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._unknown = not self.delay.active  # until the next reading tells

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what it holds, and of how many members which are concerned."""
        concerned = np.flatnonzero(self._concerned(now_ms)).tolist()
        readings = [
            [self._ids[of], int(self._heard[of]), float(self._said[of])]
            for of in concerned[:_NAMED]
            if self._heard[of]
        ]
        members = {
            "count": len(self._ids),
            "concerned": len(concerned),
            "ids": [self._ids[of] for of in concerned[:_NAMED]],
            "needed": self._needed,
            "clear": self._clear,
        }
        return super().why(now_ms) | {"readings": readings, "members": members}

    def _concerned(self, now_ms: int) -> Flags:
        del now_ms
        return self._so

    def _calm(self, of: int) -> Quiet:
        """Return the values with which a member stays as it is."""
        if self._so[of]:
            return Quiet(self._low, self._high)
        if self._low > -math.inf:
            return Quiet(high=math.nextafter(self._low, -math.inf))
        return Quiet(low=math.nextafter(self._high, math.inf))


class SilentMembers(Members):
    """Enough members without a good reading for so long, for the on-delay, are a fault.

    As with one silent device, it is one from an instant on, however late the tick.
    """

    def __init__(self, rule: MembersRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._silent_ms = milliseconds(rule.silent) if rule.silent else 0
        self._on_ms = milliseconds(rule.on_delay)
        self._listening_ms = 0

    @property
    def busy(self) -> bool:
        """Tell whether it waits for readings to come back."""
        return self.delay.active

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading of a member; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._heard[of], self._said[of] = at_ms, value
        if not self.delay.active:
            return None
        count = int(self._concerned(at_ms).sum())
        return self._turn(at_ms, count / self._of_all, moving=count <= self._clear)

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""
        due_ms = self.due_ms()
        if due_ms is None or now_ms < due_ms:
            return None
        self.delay.active, self.delay.began_ms = True, due_ms - self._on_ms
        count = int(self._concerned(due_ms).sum())
        return Transition(raised=True, at_ms=due_ms, value=count / self._of_all)

    def due_ms(self) -> int | None:
        """Return when enough members will have been silent for long enough."""
        if self.delay.active:
            return None
        nth = self._needed - 1
        return int(np.partition(self._silent_at(), nth)[nth]) + self._on_ms

    def listen(self, at_ms: int) -> None:
        """Count silence from ``at_ms`` on only."""
        self._listening_ms = at_ms

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = super().save()
        return state | ({"listening": self._listening_ms} if self._listening_ms else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._listening_ms = state.get("listening", 0)

    def _span(self) -> tuple[int | None, int | None]:
        since_ms, due_ms = super()._span()
        return since_ms, due_ms if self.delay.active else self.due_ms()

    def _silent_at(self) -> Ints:
        """Return from when on each member is silent, unless it is heard before."""
        return np.maximum(self._heard, self._listening_ms) + self._silent_ms

    def _concerned(self, now_ms: int) -> Flags:
        return self._silent_at() <= now_ms

    def _calm(self, of: int) -> Quiet:
        del of
        return BUSY if self.delay.active else QUIET


def members(rule: MembersRule, interval_ms: int, points: Sequence[Point] = ()) -> Members:
    """Make the machine of a rule over members."""
    kind = Members if rule.silent is None else SilentMembers
    return kind(rule, interval_ms, points)


def _counts(rule: MembersRule, count: int) -> tuple[int, int]:
    """Return how many members make a fault, and how many at most are left when it is over."""
    if rule.kind in ("any", "all"):
        needed = 1 if rule.kind == "any" else count
        return needed, needed - 1
    of = count if rule.kind == "share" else 1
    # A share of 0.8 of 10 members are 8, whatever binary fractions make of it.
    needed = max(1, math.ceil(round((rule.at_least or 0.0) * of, 9)))
    clear = needed - 1 if rule.clear is None else math.floor(round(rule.clear * of, 9))
    return needed, min(clear, needed - 1)
