"""Silence: no good reading for too long, or none ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import QUIET, Quiet, Transition
from rules.sla import milliseconds
from rules.spec_streams import NeverSeenRule, StaleRule
from rules.stream import Stream


class Stale(Stream):
    """No good reading for the on-delay is a fault; good ones for the off-delay end it.

    The deadline is an instant, so a late tick raises at the same instant as a punctual one. While
    the hub itself did not listen nobody was silent: the delay then counts from :meth:`listen`.
    """

    remembers = True

    def __init__(
        self, rule: StaleRule | NeverSeenRule, interval_ms: int, points: Sequence[Point] = ()
    ) -> None:
        super().__init__(rule, interval_ms, points)
        self._on_ms = milliseconds(rule.on_delay)
        self._once_heard = rule.kind == "stale" and rule.once_heard
        self._listening_ms = 0  # the hub listens since then

    @property
    def busy(self) -> bool:
        """Tell whether it waits for readings to come back."""
        return self.delay.active

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        return self._turn(at_ms, value, moving=True) if self.delay.active else None

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""
        due_ms = self.due_ms()
        if due_ms is None or now_ms < due_ms:
            return None
        if self._once_heard and not self._seen_ms[0]:
            self._listening_ms = now_ms  # asked again when it was silent for as long again
            return None
        self.delay.active, self.delay.began_ms = True, due_ms - self._on_ms
        return Transition(raised=True, at_ms=due_ms, value=self._on_ms / 1000)

    def due_ms(self) -> int | None:
        """Return when the silence becomes a fault."""
        if self.delay.active:
            return None
        return max(self._seen_ms[0], self._listening_ms) + self._on_ms

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
        if self.delay.active:
            return super()._span()
        return max(self._seen_ms[0], self._listening_ms) or None, self.due_ms()

    def _calm(self, of: int) -> Quiet:
        del of
        return QUIET


class NeverSeen(Stale):
    """No good reading ever, the on-delay after the hub began to listen, is a fault."""

    def due_ms(self) -> int | None:
        """Return when it becomes a fault; never once it was heard."""
        return None if self._seen_ms[0] else super().due_ms()
