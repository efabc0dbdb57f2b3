"""Steps between two readings that are larger than they can be."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import NEVER_MS, Quiet, Transition
from rules.sla import milliseconds
from rules.spec_streams import JumpRule
from rules.stream import Stream

_HOUR_MS = 3_600_000


class Jump(Stream):
    """So many steps that are too large, within the on-delay, are a fault; none for the off-delay.

    After a gap only a step that is held against the time can be too large.
    """

    remembers = True

    def __init__(self, rule: JumpRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        most = points[0].most_per_h if points else None
        per_hour = rule.per_hour or (rule.rated * (most or math.inf) if rule.rated else 0.0)
        self._step, self._per_ms = rule.step, per_hour / _HOUR_MS
        self._up, self._down = rule.direction != "down", rule.direction != "up"
        self._within_ms = milliseconds(rule.on_delay) or NEVER_MS
        self._off_ms = milliseconds(rule.off_delay)
        self._jumps: deque[int] = deque(maxlen=rule.times)

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        last_ms, last = self._seen_ms[0], self._seen[0]
        self._see(of, at_ms, value)
        if last_ms and self._too_large(value - last, at_ms - last_ms):
            return self._jumped(at_ms, value - last)
        if not self.delay.active or at_ms - self._jumps[-1] < self._off_ms:
            return None
        self.delay.active = False
        self._jumps.clear()
        return Transition(raised=False, at_ms=at_ms, value=value)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        return super().save() | ({"jumps": list(self._jumps)} if self._jumps else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._jumps = deque(state.get("jumps", ()), self._jumps.maxlen)

    def _span(self) -> tuple[int | None, int | None]:
        last_ms = self._jumps[-1] if self._jumps else None
        return last_ms, last_ms + self._off_ms if last_ms and self.delay.active else None

    def _too_large(self, step: float, for_ms: int) -> bool:
        if not self._per_ms and for_ms > self._gap_ms:
            return False
        most = self._step + self._per_ms * for_ms
        return (self._up and step > most) or (self._down and -step > most)

    def _jumped(self, at_ms: int, step: float) -> Transition | None:
        self._jumps.append(at_ms)
        enough = len(self._jumps) == self._jumps.maxlen
        if self.delay.active or not enough or at_ms - self._jumps[0] > self._within_ms:
            return None
        self.delay.active = True
        return Transition(raised=True, at_ms=at_ms, value=step)

    def _calm(self, of: int) -> Quiet:
        """Return the steps that are possible; a fault is looked at when its time is over."""
        del of
        until_ms = self._jumps[-1] + self._off_ms if self.delay.active else NEVER_MS
        return Quiet(
            until_ms=until_ms,
            fall=self._step if self._down else math.inf,
            rise=self._step if self._up else math.inf,
            per_ms=self._per_ms if self._up else math.inf,
        )
