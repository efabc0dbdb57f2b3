"""Silence: no good reading for too long."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Json
from rules.machine import GAP_INTERVALS, Transition
from rules.sla import milliseconds
from rules.spec import StaleRule


class Stale:
    """No good reading for the on-delay is a fault; good ones for the off-delay end it.

    The deadline is an instant, so a late tick raises at the same instant as a punctual one. While
    the hub itself did not listen nobody was silent: the delay then counts from :meth:`listen`.
    """

    def __init__(self, rule: StaleRule, interval_ms: int) -> None:
        self.active = False
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._gap_ms = GAP_INTERVALS * interval_ms
        self._heard_ms = 0  # last good reading
        self._listening_ms = 0  # the hub listens since then
        self._back_ms: int | None = None  # good readings again since then

    def step(self, at_ms: int, value: float, *, good: bool) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        if not good:
            return None
        silent_ms, self._heard_ms = at_ms - self._heard_ms, at_ms
        if not self.active:
            return None
        if self._back_ms is None or silent_ms > self._gap_ms:
            self._back_ms = at_ms
        if at_ms - self._back_ms < self._off_ms:
            return None
        self.active, self._back_ms = False, None
        return Transition(raised=False, at_ms=at_ms, value=value)

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""
        due_ms = self.due_ms()
        if due_ms is None or now_ms < due_ms:
            return None
        self.active = True
        return Transition(raised=True, at_ms=due_ms, value=self._on_ms / 1000)

    def due_ms(self) -> int | None:
        """Return when the silence becomes a fault."""
        return None if self.active else max(self._heard_ms, self._listening_ms) + self._on_ms

    def listen(self, at_ms: int) -> None:
        """Count silence from ``at_ms`` on only."""
        self._listening_ms = at_ms

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = {"heard": self._heard_ms, "listening": self._listening_ms, "back": self._back_ms}
        kept = {name: value for name, value in state.items() if value}
        return kept | ({"active": True} if self.active else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.active = state.get("active", False)
        self._heard_ms, self._listening_ms = state.get("heard", 0), state.get("listening", 0)
        self._back_ms = state.get("back")
