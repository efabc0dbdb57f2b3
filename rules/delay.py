"""On-delay and off-delay: a change must be wanted for a time before it is made."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Json
from rules.form import StreamForm
from rules.machine import GAP_INTERVALS
from rules.sla import milliseconds


class Delay:
    """Whether a fault is there, and since when the readings want that changed.

    Between two readings lies no knowledge, so after a gap of more than three intervals a running
    delay starts again.
    """

    __slots__ = (
        "_doubt_ms", "_gap_ms", "_off_ms", "_on_ms", "active", "began_ms", "last_ms", "since_ms",
    )  # fmt: skip

    def __init__(self, rule: StreamForm, interval_ms: int) -> None:
        self.active = False
        self.began_ms: int | None = None  # the fault that is there: the delay before it began here
        self.since_ms: int | None = None  # the running delay began here
        self.last_ms = 0  # last reading of the running delay
        self._doubt_ms = 0  # a reading of then wants no change; the others may yet explain it
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._gap_ms = GAP_INTERVALS * interval_ms

    def step(self, at_ms: int, *, moving: bool, known_ms: int | None = None) -> bool:
        """Take whether a reading wants a change; return whether it is made.

        Where several inputs decide, what they want is known only up to ``known_ms``: a valve that
        closes is read before the flow that ends with it. So one that alone ends a running delay
        ends it only when the others of its instant do not say better.
        """
        if 0 < self._doubt_ms < at_ms:
            self.since_ms = None
        self._doubt_ms = 0
        if not moving:
            if self.since_ms is not None and known_ms is not None and known_ms < at_ms:
                self._doubt_ms = at_ms
            else:
                self.since_ms = None
            return False
        if self.since_ms is None or at_ms - self.last_ms > self._gap_ms:
            self.since_ms = at_ms
        self.last_ms = at_ms
        until_ms = at_ms if known_ms is None else known_ms
        if until_ms - self.since_ms < (self._off_ms if self.active else self._on_ms):
            return False
        self.active, self.began_ms = not self.active, None if self.active else self.since_ms
        self.since_ms = None
        return True

    def settle(self, at_ms: int, well_ms: int) -> bool:
        """End a fault that has been over for ``well_ms`` up to now; return whether it did."""
        if not self.active or self.since_ms is None or self._doubt_ms:
            return False
        if at_ms - self.last_ms > self._gap_ms or self.last_ms - self.since_ms < well_ms:
            return False
        self.active, self.began_ms, self.since_ms = False, None, None
        return True

    def due_ms(self) -> int | None:
        """Return when a running delay ends, None when none runs."""
        if self.since_ms is None:
            return None
        return self.since_ms + (self._off_ms if self.active else self._on_ms)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when it is as new."""
        state: dict[str, Json] = {"active": True} if self.active else {}
        if self.began_ms is not None:
            state["began"] = self.began_ms
        if self.since_ms is not None:
            state |= {"since": self.since_ms, "last": self.last_ms}
        if self._doubt_ms:
            state["doubt"] = self._doubt_ms
        return state

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.active = state.get("active", False)
        self.began_ms = state.get("began")
        self.since_ms, self.last_ms = state.get("since"), state.get("last", 0)
        self._doubt_ms = state.get("doubt", 0)
