"""High and low limits and ranges, with a deadband in value and delays in time."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

from hub.model import Point
from rules.machine import Quiet, Transition
from rules.spec_streams import HighRule, LowRule, RangeRule
from rules.stream import Stream


@functools.cache  # the machines of one rule share them
def _quiets(limit: float, clear: float, *, high: bool) -> tuple[Quiet, Quiet]:
    """Return what need not be seen while there is no fault, and while there is one."""
    if high:
        return Quiet(high=limit), Quiet(low=math.nextafter(clear, math.inf))
    return Quiet(low=limit), Quiet(high=math.nextafter(clear, -math.inf))


class Limit(Stream):
    """A value beyond its limit for the on-delay is a fault; back at the clear value, it ends."""

    def __init__(
        self, rule: HighRule | LowRule, interval_ms: int, points: Sequence[Point] = ()
    ) -> None:
        super().__init__(rule, interval_ms, points)
        high = rule.kind == "high"
        self._sign = 1.0 if high else -1.0
        self._limit, self._clear = rule.limit * self._sign, rule.clear * self._sign
        self._fine, self._faulty = _quiets(rule.limit, rule.clear, high=high)

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        signed = value * self._sign
        moving = signed <= self._clear if self.delay.active else signed > self._limit
        return self._turn(at_ms, value, moving=moving)

    def _calm(self, of: int) -> Quiet:
        del of
        return self._faulty if self.delay.active else self._fine


class Range(Stream):
    """A value outside its range for the on-delay is a fault; a deadband inside again, it ends."""

    def __init__(self, rule: RangeRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._low, self._high = rule.low, rule.high
        self._inner_low, self._inner_high = rule.low + rule.deadband, rule.high - rule.deadband

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        if self.delay.active:
            moving = self._inner_low <= value <= self._inner_high
        else:
            moving = not self._low <= value <= self._high
        return self._turn(at_ms, value, moving=moving)

    def _calm(self, of: int) -> Quiet:
        if not self.delay.active:
            return Quiet(self._low, self._high)
        if self._seen[of] > self._inner_high:
            return Quiet(low=math.nextafter(self._inner_high, math.inf))
        return Quiet(high=math.nextafter(self._inner_low, -math.inf))
