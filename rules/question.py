"""A condition asked of the last readings: whether it holds, and how far they may move."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rules.form import Condition

Bound = tuple[float, float]
FREE: Bound = (-math.inf, math.inf)
FIXED: Bound = (math.inf, -math.inf)  # no value may come unseen
_SHARE = 0.49  # of the room up to the limit, for each of two points


class Question:
    """One condition over the inputs of a machine."""

    def __init__(self, condition: Condition, inputs: Sequence[str]) -> None:
        self.of = tuple(inputs.index(point) for point in condition.points)
        self._bits = condition.bits
        self._low, self._high = _truth(condition)

    def known(self, seen_ms: Sequence[int], at_ms: int, gap_ms: int) -> bool:
        """Tell whether all its points were read well, and not too long ago."""
        return all(seen_ms[of] and at_ms - seen_ms[of] <= gap_ms for of in self.of)

    def holds(self, seen: Sequence[float]) -> bool:
        """Tell whether it holds for these readings."""
        value = self.value(seen)
        if self._bits is not None:
            return bool(int(value) & self._bits)
        return self._low <= value <= self._high

    def value(self, seen: Sequence[float]) -> float:
        """Return what is held against the limit."""
        first, *second = (seen[of] for of in self.of)
        return first - second[0] if second else first

    def bound(self, of: int, seen: Sequence[float]) -> Bound:
        """Return how far an input may move, the others as far, and the answer stays the same."""
        value = self.value(seen)
        if of not in self.of:
            return FREE
        if math.isnan(value):
            return FIXED
        if self._bits is not None:
            return value, value
        low, high = self._around(value)
        if len(self.of) == 1:
            return low, high
        up, down = (high - value) * _SHARE, (value - low) * _SHARE
        if of == self.of[1]:  # it counts the other way round
            up, down = down, up
        return seen[of] - down, seen[of] + up

    def _around(self, value: float) -> Bound:
        """Return the values with the same answer on this side of the limits."""
        if self._low <= value <= self._high:
            return self._low, self._high
        if value > self._high:
            return math.nextafter(self._high, math.inf), math.inf
        return -math.inf, math.nextafter(self._low, -math.inf)


def _truth(condition: Condition) -> Bound:
    """Return the lowest and the highest value for which it holds."""
    if condition.above is not None:
        return math.nextafter(condition.above, math.inf), math.inf
    if condition.below is not None:
        return -math.inf, math.nextafter(condition.below, -math.inf)
    equals = condition.equals or 0.0
    return equals - condition.within, equals + condition.within


def narrower(one: Bound, other: Bound) -> Bound:
    """Return what lies in both bounds."""
    return max(one[0], other[0]), min(one[1], other[1])
