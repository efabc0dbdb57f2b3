"""How fast a point rises or falls over a window of time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, Quiet, Transition
from rules.sla import milliseconds
from rules.spec_streams import RateRule
from rules.stream import Stream

_LOOKS = 4  # readings kept per window: so much longer than the window the change may reach back


class Rate(Stream):
    """A change over the window that is faster than allowed, for the on-delay, is a fault.

    It is held against the last kept reading that is at least a window old. A gap begins anew; of
    the difference of two counters also one that goes back: that is a reset, or another meter.
    """

    remembers = True

    def __init__(self, rule: RateRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._window_ms, self._per_ms = milliseconds(rule.window), milliseconds(rule.per)
        self._rise, self._fall, self._clear = rule.rise, rule.fall, rule.clear
        counters = all(point.kind == "counter" for point in points)
        self._of_counters = rule.minus is not None and counters
        self._kept: list[tuple[int, float]] = []

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        reset = self._of_counters and value < self._seen[of]
        if reset or at_ms - self._seen_ms[of] > self._gap_ms:
            self._kept.clear()
        self._see(of, at_ms, value)
        if min(self._seen_ms) < at_ms:  # the other is not read yet
            return None
        value = self._seen[0] - sum(self._seen[1:])
        if not self._kept or at_ms >= self._next_ms():
            self._kept.append((at_ms, value))
        while len(self._kept) > 1 and self._kept[1][0] <= at_ms - self._window_ms:
            del self._kept[0]
        base_ms, base = self._kept[0]
        if at_ms - base_ms < self._window_ms:
            return None
        rate = (value - base) / (at_ms - base_ms) * self._per_ms
        return self._turn(at_ms, rate, moving=self._wants(rate))

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        return super().save() | ({"kept": [list(one) for one in self._kept]} if self._kept else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._kept = [(at_ms, value) for at_ms, value in state.get("kept", ())]

    def _next_ms(self) -> int:
        return self._kept[-1][0] + self._window_ms // _LOOKS

    def _wants(self, rate: float) -> bool:
        if self.delay.active:
            return (self._rise is None or rate <= self._clear) and (
                self._fall is None or -rate <= self._clear
            )
        rises = self._rise is not None and rate > self._rise
        return rises or (self._fall is not None and -rate > self._fall)

    def _calm(self, of: int) -> Quiet:
        """Return the values that are no fast change from any of the kept readings."""
        del of
        if self.delay.active or not self._kept or len(self._seen) > 1:
            return BUSY
        windows = self._window_ms / self._per_ms * (1 - 1e-9)
        values = [value for _, value in self._kept]
        high = min(values) + self._rise * windows if self._rise is not None else math.inf
        low = max(values) - self._fall * windows if self._fall is not None else -math.inf
        return Quiet(low, high, self._next_ms(), self._gap_ms)
