"""A sensor that says itself that it has no value, or one that cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point, Reason
from rules.machine import BUSY, Quiet, Transition
from rules.sla import milliseconds
from rules.spec_streams import InvalidRule
from rules.stream import Stream


class Invalid(Stream):
    """So many invalid readings in a row are a fault, so many good ones end it.

    No answer, or an uncertain one, says nothing about the sensor: it counts as neither.
    """

    def __init__(self, rule: InvalidRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._reasons = {Reason[name.upper()] for name in rule.reasons}
        self._times, self._good = rule.times, rule.good
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._count = 0  # readings in a row that want a change, and the instant of the first
        self._first_ms = 0

    @property
    def busy(self) -> bool:
        """Tell whether every reading counts."""
        return self.delay.active or self._count > 0

    def quiet(self, of: int = 0) -> Quiet:
        """Return the readings that need not be fed: the good ones, while there is nothing."""
        del of
        return BUSY._replace(bad_too=True) if self.busy else Quiet(bad_too=True)

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        if good:
            self._see(of, at_ms, value)
        invalid = not good and reason in self._reasons
        if not (good or invalid):
            return None
        if good != self.delay.active:
            self._count = 0
            return None
        self._first_ms = self._first_ms if self._count else at_ms
        self._count += 1
        needed, for_ms = (self._good, self._off_ms) if good else (self._times, self._on_ms)
        if self._count < needed or at_ms - self._first_ms < for_ms:
            return None
        count, self._count, self.delay.active = self._count, 0, not self.delay.active
        return Transition(self.delay.active, at_ms, value if good else float(count))

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = super().save()
        return state | ({"count": [self._count, self._first_ms]} if self._count else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._count, self._first_ms = state.get("count", (0, 0))
