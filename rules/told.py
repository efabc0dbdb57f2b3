"""Trouble of the hub itself, as the hub tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hub.model import Json, Point
from rules.machine import Transition
from rules.spec import HealthRule
from rules.unread import Unread


class Said(NamedTuple):
    """What the hub says about itself at an instant; ``value`` and ``limit`` are for people."""

    at_ms: int
    trouble: bool
    urgent: bool = False
    value: float = 0.0
    limit: float = 0.0


class Told(Unread):
    """What is said holds until something else is said.

    What was said at an instant that is not after the last is ignored: while the disk is full the
    same is heard at once, and again when it comes through the journal. What was urgent stays so
    until the trouble is over. A transition while active tells that it became urgent.
    """

    def __init__(self, rule: HealthRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        del rule, interval_ms, points  # the delays and the limits are those of who watches
        self.active = self.urgent = False
        self.limit = 0.0
        self._heard_ms = 0

    def hear(self, said: Said) -> Transition | None:
        """Take what is said; return a transition only when the state changed."""
        if said.at_ms <= self._heard_ms:
            return None
        self._heard_ms = said.at_ms
        before = (self.active, self.urgent)
        self.active = said.trouble
        self.urgent = said.trouble and (said.urgent or self.urgent)
        if (self.active, self.urgent) == before:
            return None
        self.limit = said.limit
        return Transition(self.active, said.at_ms, said.value)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = {"heard": self._heard_ms, "active": self.active, "urgent": self.urgent}
        return {name: value for name, value in state.items() if value}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self._heard_ms = state.get("heard", 0)
        self.active, self.urgent = state.get("active", False), state.get("urgent", False)

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what it holds: since when the hub says what."""
        del now_ms
        return {
            "active": self.active,
            "readings": [],
            "thresholds": {"limit": self.limit},
            "since_ms": self._heard_ms or None,
            "due_ms": None,
        }
