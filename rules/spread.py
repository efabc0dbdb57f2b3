"""Two or three points that should be alike: a lost phase, a load that is not in balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.model import Json, Point
from rules.machine import BUSY, QUIET, Quiet, Transition
from rules.spec_streams import SpreadRule
from rules.stream import Stream


class Spread(Stream):
    """A smallest that lies too large a share of the largest below it, for the on-delay, is a fault.

    While the largest is below the floor there is too little to compare: that ends a fault too.
    """

    remembers = True

    def __init__(self, rule: SpreadRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._limit, self._clear, self._floor = rule.limit, rule.clear, rule.floor
        self._unknown = True

    @property
    def busy(self) -> bool:
        """Tell whether a delay runs, or one of the points is not known of now."""
        return self._unknown or super().busy

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
        share = self._share()
        moving = share <= self._clear if self.delay.active else share > self._limit
        return self._turn(at_ms, share, moving=moving, known_ms=min(self._seen_ms))

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; an empty state makes it as new."""
        super().load(state)
        self._unknown = True

    def _share(self) -> float:
        largest = max(self._seen)
        return 0.0 if largest < self._floor else (largest - min(self._seen)) / largest

    def _calm(self, of: int) -> Quiet:
        """Return bounds within which no two of the points are too far apart."""
        if not all(self._seen_ms):
            return QUIET if self._seen_ms[of] else BUSY
        if self.delay.active:
            return BUSY
        smallest, largest = min(self._seen), max(self._seen)
        if largest < self._floor:
            return Quiet(high=self._floor * (1 - 1e-9))
        least = largest * (1 - self._limit)  # the smallest there may be beside the largest
        room = (smallest - least) / 4
        return Quiet(smallest - room, largest + room)
