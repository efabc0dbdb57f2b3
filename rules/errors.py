"""Polls that fail on a line whose devices answer all the same, as the hub tells their share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hub.model import Json, Point
from rules.machine import Transition
from rules.sla import milliseconds
from rules.spec import ErrorsRule
from rules.unread import Unread


class Share(NamedTuple):
    """Which share of the last polls of a line failed at an instant, and of its worst devices."""

    at_ms: int
    of_line: float
    of_devices: tuple[tuple[str, float], ...] = ()

    @property
    def worst(self) -> float:
        """Return the share that counts: that of the line, or of a device that does worse."""
        return max([self.of_line, *(share for _, share in self.of_devices)])


class Errors(Unread):
    """A share above the limit for the on-delay is a fault, one at or below ``clear`` ends it.

    What was told holds until something else is told: a delay ends at its instant, however long
    nothing was. What was told at an instant that is not after the last is ignored.
    """

    def __init__(self, rule: ErrorsRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        del interval_ms, points  # the line is told of when its share has changed
        self.active = False
        self._limit, self._clear = rule.limit, rule.clear
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._told = Share(0, 0.0)
        self._began_ms: int | None = None  # the fault that is there: its delay began here
        self._since_ms: int | None = None  # the running delay began here

    def hear(self, told: Share) -> None:
        """Take what is told; what comes of it comes with the time."""
        if told.at_ms <= self._told.at_ms:
            return
        self._told = told
        moving = told.worst <= self._clear if self.active else told.worst > self._limit
        if not moving:
            self._since_ms = None
        elif self._since_ms is None:
            self._since_ms = told.at_ms

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""
        due_ms = self.due_ms()
        if due_ms is None or now_ms < due_ms:
            return None
        self._began_ms = None if self.active else self._since_ms
        self.active, self._since_ms = not self.active, None
        return Transition(self.active, due_ms, self._told.worst)

    def due_ms(self) -> int | None:
        """Return when a running delay ends, None when none runs."""
        if self._since_ms is None:
            return None
        return self._since_ms + (self._off_ms if self.active else self._on_ms)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        at_ms, of_line, of_devices = self._told
        state: dict[str, Json] = {
            "active": self.active,
            "began": self._began_ms,
            "since": self._since_ms,
            "told": [at_ms, of_line, [list(one) for one in of_devices]] if at_ms else None,
        }
        return {name: value for name, value in state.items() if value}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.active = state.get("active", False)
        self._began_ms, self._since_ms = state.get("began"), state.get("since")
        at_ms, of_line, of_devices = state.get("told", (0, 0.0, ()))
        self._told = Share(at_ms, of_line, tuple((id_, share) for id_, share in of_devices))

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what it holds: the share of the line, and of the devices that do worst."""
        del now_ms
        at_ms, of_line, of_devices = self._told
        return {
            "active": self.active,
            "readings": [["", at_ms, of_line]] if at_ms else [],
            "thresholds": {},
            "began_ms": self._began_ms,
            "since_ms": self._since_ms,
            "due_ms": self.due_ms(),
            "devices": [list(one) for one in of_devices],
        }
