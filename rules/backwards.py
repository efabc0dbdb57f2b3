"""Counters that go back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, NEVER_MS, Quiet, Transition
from rules.sla import milliseconds
from rules.spec_streams import BackwardsRule
from rules.stream import Stream

_ROUND = 0.1  # this share of the rollover on both sides of it: a counter that starts again


class Backwards(Stream):
    """So many readings in a row below where the counter was are a fault.

    One that is back where it was after a single low reading did not go back. Once it is a fault
    the counter is believed again; it ends when it has not gone back for the off-delay.
    """

    remembers = True

    def __init__(self, rule: BackwardsRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._rollover = rule.rollover or (points[0].rollover if points else None)
        self._tolerance, self._times = rule.tolerance, rule.times
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._was = 0.0  # where the counter was before the row of low readings
        self._count = 0
        self._first_ms = 0  # the first of the row; or, of a fault, when it last went back

    @property
    def busy(self) -> bool:
        """Tell whether the counter is below where it was."""
        return self._count > 0

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        last = self._was if self._count else self._seen[0]
        known, back = self._seen_ms[0] > 0, self._back(last, value)
        self._see(of, at_ms, value)
        if self.delay.active:
            return self._watch_end(at_ms, value, back=back)
        if not (known and back):
            self._count = 0
            return None
        if not self._count:
            self._was, self._first_ms = last, at_ms
        self._count += 1
        if self._count < self._times or at_ms - self._first_ms < self._on_ms:
            return None
        self.delay.active, self._count, self._first_ms = True, 0, at_ms
        return Transition(raised=True, at_ms=at_ms, value=value - self._was)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        row = {"row": [self._was, self._count, self._first_ms]} if self._first_ms else {}
        return super().save() | row

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._was, self._count, self._first_ms = state.get("row", (0.0, 0, 0))

    def _span(self) -> tuple[int | None, int | None]:
        if self.delay.active:
            return self._first_ms, self._first_ms + self._off_ms
        return (self._first_ms, self._first_ms + self._on_ms) if self._count else (None, None)

    def _back(self, last: float, value: float) -> bool:
        edge = self._rollover and self._rollover * _ROUND
        if self._rollover and edge and last >= self._rollover - edge and value <= edge:
            return False
        return value < last - self._tolerance

    def _watch_end(self, at_ms: int, value: float, *, back: bool) -> Transition | None:
        if back:
            self._first_ms = at_ms
        if at_ms - self._first_ms < self._off_ms:
            return None
        self.delay.active = False
        return Transition(raised=False, at_ms=at_ms, value=value)

    def _calm(self, of: int) -> Quiet:
        del of
        if not self._seen_ms[0]:
            return BUSY
        until_ms = self._first_ms + self._off_ms if self.delay.active else NEVER_MS
        return Quiet(until_ms=until_ms, fall=self._tolerance)
