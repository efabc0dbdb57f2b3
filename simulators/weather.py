"""Weather with days of its own: mild ones, cold ones, and cold snaps of a few days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from simulators.climate import DAY_MS, HOUR_MS, Climate, outdoor_temperature
from simulators.noise import normal

_PERSISTENCE = 0.6  # of a day's deviation on the next
_REMEMBERED = 5  # days
_DEVIATION = 2.2  # K, of what is new on a day
_RAMP_MS = 6 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Snap:
    """A time that is colder by ``depth`` K, reached within hours."""

    start_ms: int
    end_ms: int
    depth: float

    def at(self, at_ms: int) -> float:
        """Return by how much it is colder."""
        inside_ms = min(at_ms - self.start_ms, self.end_ms - at_ms)
        return self.depth * min(max(inside_ms / _RAMP_MS, 0.0), 1.0)


class Weather(Climate):
    """The climate of the season with seeded deviations from day to day, and cold snaps."""

    def __init__(self, seed: int, snaps: Sequence[Snap]) -> None:
        self._seed = seed
        self._snaps = snaps
        self._deviation = lru_cache(maxsize=16)(self._deviation_of)
        self._last = (-1, 0.0)

    def outdoor(self, at_ms: int) -> float:
        """Return the air temperature in degC; the same instant is asked for by many."""
        if self._last[0] != at_ms:
            self._last = at_ms, self._outdoor(at_ms)
        return self._last[1]

    def _outdoor(self, at_ms: int) -> float:
        day, rest = divmod(at_ms, DAY_MS)
        today, tomorrow = self._deviation(day), self._deviation(day + 1)
        deviation = today + (tomorrow - today) * rest / DAY_MS
        return outdoor_temperature(at_ms) + deviation - sum(snap.at(at_ms) for snap in self._snaps)

    def _deviation_of(self, day: int) -> float:
        return sum(
            _DEVIATION * _PERSISTENCE**back * normal(self._seed, day - back)
            for back in range(_REMEMBERED)
        )
