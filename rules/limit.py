"""High and low limits with a deadband in value and delays in time."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Json
from rules.machine import GAP_INTERVALS, Transition
from rules.sla import milliseconds
from rules.spec import HighRule, LowRule


class Limit:
    """A value beyond its limit for the on-delay is a fault; back at the clear value, it ends.

    Only good readings count. Between two of them lies no knowledge, so after a gap of more than
    three intervals a running delay starts again.
    """

    def __init__(self, rule: HighRule | LowRule, interval_ms: int) -> None:
        self.active = False
        self._sign = 1.0 if rule.kind == "high" else -1.0
        self._limit, self._clear = rule.limit * self._sign, rule.clear * self._sign
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._gap_ms = GAP_INTERVALS * interval_ms
        self._since_ms: int | None = None  # the running delay began here
        self._last_ms = 0  # last good reading of the running delay

    def step(self, at_ms: int, value: float, *, good: bool) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        if not good:
            return None
        signed = value * self._sign
        moving = signed <= self._clear if self.active else signed > self._limit
        if not moving:
            self._since_ms = None
            return None
        if self._since_ms is None or at_ms - self._last_ms > self._gap_ms:
            self._since_ms = at_ms
        self._last_ms = at_ms
        if at_ms - self._since_ms < (self._off_ms if self.active else self._on_ms):
            return None
        self.active, self._since_ms = not self.active, None
        return Transition(self.active, at_ms, value)

    def tick(self, now_ms: int) -> Transition | None:  # noqa: ARG002 - every machine is told
        """Change nothing: only a reading can say that a value is beyond its limit."""
        return None

    def due_ms(self) -> int | None:
        """Return None: this machine waits for readings only."""
        return None

    def listen(self, at_ms: int) -> None:
        """Change nothing: a gap between readings is seen in the readings."""

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state: dict[str, Json] = {"active": True} if self.active else {}
        if self._since_ms is not None:
            state |= {"since": self._since_ms, "last": self._last_ms}
        return state

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.active = state.get("active", False)
        self._since_ms, self._last_ms = state.get("since"), state.get("last", 0)
