"""When one thing holds another must too: command and feedback, valve and flow, relay and power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.form import Condition
from rules.machine import BUSY, QUIET, Quiet, Transition
from rules.question import Question, narrower
from rules.sla import milliseconds
from rules.spec_streams import MismatchRule
from rules.stream import Stream


class Mismatch(Stream):
    """``must`` not holding although ``while`` holds, for the on-delay, is a fault.

    Where a point that decides is not known, or not of now, nothing is decided.
    """

    remembers = True

    def __init__(self, rule: MismatchRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._while = Question(rule.while_, rule.inputs) if rule.while_ else None
        self._must = Question(rule.must, rule.inputs)
        self._again = Question(_clear(rule), rule.inputs)
        self._keeps = rule.idle == "keeps"
        self._lag_ms = milliseconds(rule.lag)
        self._late_ms: int | None = None  # in the off-delay, since when it does not hold (again)
        self._unknown = True

    @property
    def busy(self) -> bool:
        """Tell whether a delay runs, or too little is known to say which readings matter."""
        return self._unknown or super().busy

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        asked = self._answer(self._while, at_ms) if self._while else True
        moving = self._moving(at_ms, asked=asked)
        self._unknown = moving is None and all(self._seen_ms)
        if moving is None:
            return None
        moving = self._forgiven(at_ms, moving=moving)
        deciding = self._while.of if self._while and asked is False else range(len(self._seen))
        known_ms = min(self._seen_ms[of] for of in deciding)
        if self._late_ms is not None:  # what may yet follow keeps the off-delay, but ends it not
            known_ms = min(known_ms, self._late_ms)
        value = self._must.value(self._seen)
        return self._turn(at_ms, value, moving=moving, known_ms=known_ms)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        return super().save() | ({} if self._late_ms is None else {"late": self._late_ms})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._unknown = True
        self._late_ms = state.get("late")

    def _forgiven(self, at_ms: int, *, moving: bool) -> bool:
        """Tell whether the fault is taken for over: also while what must follow may yet do so."""
        if moving or not self.delay.active or self.delay.since_ms is None:
            self._late_ms = None
            return moving
        if self._late_ms is None:
            self._late_ms = at_ms
        return at_ms - self._late_ms < self._lag_ms

    def _moving(self, at_ms: int, *, asked: bool | None) -> bool | None:
        """Tell whether the readings want a change; None when that is not known."""
        right = self._answer(self._again if self.delay.active else self._must, at_ms)
        if asked is False:
            return self.delay.active and not self._keeps
        if not self.delay.active:
            return False if right else _both(asked, right is False, right)
        return _both(asked, right is True, right)

    def _answer(self, question: Question, at_ms: int) -> bool | None:
        if not question.known(self._seen_ms, at_ms, self._gap_ms):
            return None
        return question.holds(self._seen)

    def _calm(self, of: int) -> Quiet:
        if not all(self._seen_ms):  # while one is unknown the others decide nothing
            return QUIET if self._seen_ms[of] else BUSY
        question = self._again if self.delay.active else self._must
        if self._while is None:
            return Quiet(*question.bound(of, self._seen))
        bound = self._while.bound(of, self._seen)
        if self._while.holds(self._seen):
            bound = narrower(bound, question.bound(of, self._seen))
        return Quiet(*bound)


def _both(asked: bool | None, wanted: bool, right: bool | None) -> bool | None:
    """Return what is wanted where both answers are known."""
    return None if asked is None or right is None else wanted


def _clear(rule: MismatchRule) -> Condition:
    """Return what must hold again before the fault is over."""
    if rule.clear is None:
        return rule.must
    side = "above" if rule.must.above is not None else "below"
    return rule.must.model_copy(update={side: rule.clear})
