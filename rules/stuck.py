"""A point that stays as it is although it should vary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, QUIET, Quiet, Still, Transition
from rules.question import Question
from rules.sla import milliseconds
from rules.spec_streams import StuckRule
from rules.stream import Stream

_LEARN_MS = 53 * 60_000  # no multiple of what happens once an hour
_GAIN = 0.2  # of the running estimate, towards each new step
_LEARNED = 12  # steps, before the estimate is used


class Stuck(Stream):
    """A value that stays within a share of what usually lies between two readings is a fault.

    What is usual is the median of the point's own steps, estimated as it runs: each step moves it
    by the same share up or down, so that a few wild ones do not matter. It is taken about once an
    hour, and not while the value has stayed for long: a stuck sensor would teach that it is alive.
    """

    remembers = True
    stands = True

    def __init__(self, rule: StuckRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._on_ms, self._off_ms = milliseconds(rule.on_delay), milliseconds(rule.off_delay)
        self._learn_every_ms = max(self._on_ms // 4, _LEARN_MS)
        self._while = Question(rule.while_, rule.inputs) if rule.while_ else None
        self._ignored, self._of_usual, self._needed = set(rule.ignore), rule.of_usual, rule.changes
        self._still = Still()
        self._followed = True  # by itself; else the columns of all points do
        self._holds_ms: int | None = None if self._while else 0  # ``while`` holds since then
        self._usual, self._learned, self._learn_ms = 0.0, 0, 0
        self._changes: list[int] = []  # instants of the first changes after a fault

    @property
    def busy(self) -> bool:
        """Tell nothing: the columns follow a value that stays, whatever it does."""
        return False

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        last_ms, last = self._seen_ms[of], self._seen[of]
        self._see(of, at_ms, value)
        after_gap = at_ms - last_ms > self._gap_ms
        if of:
            self._ask(at_ms, after_gap=after_gap)
            return None
        moved = after_gap or not abs(value - self._still.value) <= self._tolerance
        if moved:
            self._still = Still(value, at_ms)
        if at_ms >= self._learn_ms:
            self._learn(at_ms, abs(value - last))
        if self.delay.active:
            return self._watch_end(at_ms, value, moved=moved)
        since_ms = self._since_ms()
        if since_ms is None or at_ms - since_ms < self._on_ms:
            return None
        self.delay.active, self._changes = True, []
        return Transition(raised=True, at_ms=at_ms, value=(at_ms - since_ms) / 1000)

    def recall(self, at_ms: Sequence[int], value: Sequence[float], still: Still | None) -> None:
        """Take the last good reading of each input that came meanwhile."""
        super().recall(at_ms, value, still)
        self._followed = still is None
        self._still = still or self._still

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        state = super().save()
        if self._followed and self._still.since_ms:
            state["still"] = list(self._still)
        if self._learn_ms:
            state["usual"] = [self._usual, self._learned, self._learn_ms]
        if self._while and self._holds_ms is not None:
            state["holds"] = self._holds_ms
        return state | ({"changes": self._changes} if self._changes else {})

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._still = Still(*state.get("still", ()))
        self._usual, self._learned, self._learn_ms = state.get("usual", (0.0, 0, 0))
        self._holds_ms = state.get("holds") if self._while else 0
        self._changes = list(state.get("changes", ()))

    @property
    def _tolerance(self) -> float:
        return self._usual * self._of_usual if self._learned >= _LEARNED else 0.0

    def _since_ms(self) -> int | None:
        """Return since when it stands still and should not, None when it may."""
        if self._still.value in self._ignored or self._holds_ms is None:
            return None
        return max(self._still.since_ms, self._holds_ms)

    def _ask(self, at_ms: int, *, after_gap: bool) -> None:
        """Note since when ``while`` holds."""
        if self._while is None or not all(self._seen_ms[of] for of in self._while.of):
            return
        if not self._while.holds(self._seen):
            self._holds_ms = None
        elif self._holds_ms is None or after_gap:
            self._holds_ms = at_ms

    def _learn(self, at_ms: int, step: float) -> None:
        self._learn_ms = at_ms + self._learn_every_ms
        if math.isnan(step) or at_ms - self._still.since_ms > self._on_ms // 4:
            return
        self._learned += 1
        if not self._usual:
            self._usual = step
        else:
            self._usual *= 1 + _GAIN if step > self._usual else 1 - _GAIN

    def _watch_end(self, at_ms: int, value: float, *, moved: bool) -> Transition | None:
        if not moved:
            return None
        self._changes.append(at_ms)
        if len(self._changes) < self._needed or at_ms - self._changes[0] < self._off_ms:
            return None
        self.delay.active, self._changes = False, []
        return Transition(raised=False, at_ms=at_ms, value=value)

    def _span(self) -> tuple[int | None, int | None]:
        since_ms = None if self.delay.active else self._since_ms()
        return since_ms, since_ms + self._on_ms if since_ms else None

    def _edge(self, side: int) -> float:
        """Return the last value on a side that surely is no move, whatever rounding does."""
        edge = self._still.value + side * self._tolerance
        return math.nextafter(edge, self._still.value)

    def _thresholds(self) -> dict[str, Json]:
        learned = {"usual_step": self._usual, "still": self._tolerance, "steps": self._learned}
        return super()._thresholds() | learned

    def _calm(self, of: int) -> Quiet:
        if of and self._while:
            if not self._seen_ms[of]:
                return BUSY
            low, high = self._while.bound(of, self._seen)
            return Quiet(low, high, gap_ms=self._gap_ms)
        quiet = QUIET._replace(
            until_ms=self._learn_ms, gap_ms=self._gap_ms, tolerance=self._tolerance
        )
        if self.delay.active or self._still.value in self._ignored:
            return quiet._replace(low=self._edge(-1), high=self._edge(1))  # until it moves
        return quiet if self._since_ms() is None else quiet._replace(still_ms=self._on_ms)
