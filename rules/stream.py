"""What the machines that readings alone change have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.delay import Delay
from rules.form import RuleForm, StreamForm
from rules.machine import BUSY, GAP_INTERVALS, Quiet, Still, Transition

_WORDS = {*RuleForm.model_fields, "kind", "unit", "proof", "point", "points"}


class Stream:
    """A machine with an on-delay and an off-delay; it knows the last good reading of each input.

    Only good readings count. A kind says in ``step`` what they want, and in ``_calm`` which of them
    want nothing while no delay runs.
    """

    remembers = False
    stands = False

    def __init__(self, rule: StreamForm, interval_ms: int, points: Sequence[Point] = ()) -> None:
        del points  # most kinds need not know what the profile says about their points
        self.delay = Delay(rule, interval_ms)
        self._rule = rule
        self._gap_ms = GAP_INTERVALS * interval_ms
        self._seen_ms = [0] * len(rule.inputs)
        self._seen = [math.nan] * len(rule.inputs)

    @property
    def active(self) -> bool:
        """Tell whether the fault is there."""
        return self.delay.active

    @property
    def busy(self) -> bool:
        """Tell whether a delay runs: every reading counts then."""
        return self.delay.since_ms is not None

    def quiet(self, of: int = 0) -> Quiet:
        """Return the readings of an input that need not be fed until the next step."""
        return BUSY if self.busy else self._calm(of)

    def recall(self, at_ms: Sequence[int], value: Sequence[float], still: Still | None) -> None:
        """Take the last good reading of each input that came meanwhile."""
        del still
        self._seen_ms, self._seen = list(at_ms), list(value)

    def tick(self, now_ms: int) -> Transition | None:  # noqa: ARG002 - every machine is told
        """Change nothing: only a reading can say what a value is."""
        return None

    def settle(self, at_ms: int, well_ms: int) -> Transition | None:
        """End a fault whose fix is proven, when it has been over for ``well_ms``."""
        if self.delay.settle(at_ms, well_ms):
            return Transition(raised=False, at_ms=at_ms, value=self._seen[0])
        return None

    def due_ms(self) -> int | None:
        """Return None: this machine waits for readings only."""
        return None

    def listen(self, at_ms: int) -> None:
        """Change nothing: a gap between readings is seen in the readings."""

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        return self.delay.save()

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        self.delay.load(state)

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what it holds: the last readings, the thresholds, since when, the next look."""
        del now_ms
        rows = zip(self._rule.inputs, self._seen_ms, self._seen, strict=False)
        since_ms, due_ms = self._span()
        return {
            "active": self.active,
            "readings": [[name, at_ms, value] for name, at_ms, value in rows if at_ms],
            "thresholds": self._thresholds(),
            "began_ms": self.delay.began_ms,
            "since_ms": since_ms,
            "due_ms": due_ms,
        }

    def _span(self) -> tuple[int | None, int | None]:
        """Return since when a change is near, and when it is next looked at."""
        return self.delay.since_ms, self.delay.due_ms()

    def _thresholds(self) -> dict[str, Json]:
        """Return the rule's own numbers; a kind adds what it has learned."""
        return self._rule.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_WORDS)

    def _see(self, of: int, at_ms: int, value: float) -> None:
        self._seen_ms[of], self._seen[of] = at_ms, value

    def _turn(
        self, at_ms: int, value: float, *, moving: bool, known_ms: int | None = None
    ) -> Transition | None:
        """Take what a reading wants; return the transition when it is made."""
        if self.delay.step(at_ms, moving=moving, known_ms=known_ms):
            return Transition(self.delay.active, at_ms, value)
        return None

    def _calm(self, of: int) -> Quiet:  # noqa: ARG002 - a kind of one input has only this
        """Return the readings that want nothing while no delay runs."""
        return BUSY
