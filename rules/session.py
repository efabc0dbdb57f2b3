"""The valve of a terminal that does not open in a session, or does not close after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, QUIET, Quiet, Transition
from rules.question import Question
from rules.sla import milliseconds
from rules.spec_streams import SessionRule
from rules.stream import Stream


class Session(Stream):
    """A flow that is not what the session wants, for the on-delay, is a fault.

    A valve that did not open is proven by sessions with flow, one that did not close by no flow
    for the off-delay between sessions.
    """

    remembers = True

    def __init__(self, rule: SessionRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._session = Question(rule.session, rule.inputs)
        self._at = self._session.of[0]
        self._opens, self._limit, self._needed = rule.valve == "no_open", rule.limit, rule.good
        self._off_ms = milliseconds(rule.off_delay)
        self._good = 0  # sessions with flow since the fault
        self._counted = False  # this session is among them
        self._good_ms = 0  # the first of them
        self._unknown = True

    @property
    def busy(self) -> bool:
        """Tell whether a fault is there or near, or too little is known."""
        return self._unknown or self.delay.active or super().busy

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        current = min(self._seen_ms) >= at_ms - self._gap_ms
        self._unknown = not current and all(self._seen_ms)
        if not current or not all(self._seen_ms):
            return None
        flow, on = self._seen[0], self._session.holds(self._seen)
        if self.delay.active and self._opens:
            self._counted = self._counted and on
            return self._count(at_ms, flow) if on and of == 0 else None
        concerned = on == self._opens  # the valve is to be open, or to be closed
        wrong = flow < self._limit if self._opens else flow > self._limit
        moving = concerned and wrong != self.delay.active
        return self._turn(at_ms, flow, moving=moving, known_ms=min(self._seen_ms))

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = super().save()
        count = {"good": [self._good, self._counted, self._good_ms]}
        return state | (count if self._good or self._counted else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._good, self._counted, self._good_ms = state.get("good", (0, False, 0))
        self._unknown = True

    def _count(self, at_ms: int, flow: float) -> Transition | None:
        """Count the sessions with flow; return the end of the fault when there are enough."""
        if flow >= self._limit and not self._counted:
            self._counted = True
            self._good += 1
            self._good_ms = at_ms if self._good == 1 else self._good_ms
        if self._good < self._needed or at_ms - self._good_ms < self._off_ms:
            return None
        self.delay.active, self._good, self._counted = False, 0, False
        return Transition(raised=False, at_ms=at_ms, value=flow)

    def _calm(self, of: int) -> Quiet:
        if not all(self._seen_ms):
            return QUIET if self._seen_ms[of] else BUSY
        if of == self._at:
            return Quiet(*self._session.bound(of, self._seen))
        if self._session.holds(self._seen) != self._opens:
            return QUIET  # whatever flows now is as it should be
        return Quiet(low=self._limit) if self._opens else Quiet(high=self._limit)
