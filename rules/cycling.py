"""Short cycling: what should run for long starts again and again."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, NEVER_MS, Quiet, Transition
from rules.question import Question
from rules.sla import milliseconds
from rules.spec_streams import CyclingRule
from rules.stream import Stream


class Cycling(Stream):
    """More starts than ``limit`` within ``per`` time, for the on-delay, are a fault."""

    remembers = True

    def __init__(self, rule: CyclingRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._question = Question(rule.starts, rule.inputs)
        self._limit, self._clear, self._per_ms = rule.limit, rule.clear, milliseconds(rule.per)
        self._starts: deque[int] = deque(maxlen=rule.limit + 1)
        self._on: bool | None = None

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        if not all(self._seen_ms):
            return None
        was, self._on = self._on, self._question.holds(self._seen)
        if was is False and self._on:
            self._starts.append(at_ms)
        count = sum(start > at_ms - self._per_ms for start in self._starts)
        moving = count <= self._clear if self.delay.active else count > self._limit
        return self._turn(at_ms, float(count), moving=moving, known_ms=min(self._seen_ms))

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = super().save()
        if self._on is not None:
            state |= {"on": self._on, "starts": list(self._starts)}
        return state

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._on = state.get("on")
        self._starts = deque(state.get("starts", ()), self._starts.maxlen)

    def _calm(self, of: int) -> Quiet:
        """Return the readings that are no start; a fault is looked at when its starts are old."""
        if not all(self._seen_ms):
            return BUSY
        until_ms = NEVER_MS
        if self.delay.active and len(self._starts) > self._clear:
            until_ms = self._starts[-1 - self._clear] + self._per_ms
        low, high = self._question.bound(of, self._seen)
        return Quiet(low, high, until_ms)
