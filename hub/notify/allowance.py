"""How many messages a person gets: a few at once, then one in a while, so that a storm is read."""

from __future__ import annotations

from hub.ports import Clock

AT_ONCE = 5
EVERY_S = 20.0


class Allowance:
    """Messages that everybody may still get; one comes back every 20 s, up to five."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[str, tuple[float, float]] = {}  # since when, and how many by then
        self._until_s: dict[str, float] = {}

    def left(self, person: str) -> int:
        """Return how many messages somebody may get at once."""
        return int(AT_ONCE - self._level(person))

    def take(self, person: str) -> None:
        """Count a message; who has had them all rests until one comes back."""
        now_s, level = self._clock.monotonic(), self._level(person) + 1
        self._used[person] = (now_s, level)
        if level > AT_ONCE - 1:
            self.rest(person, (level - AT_ONCE + 1) * EVERY_S)

    def rest(self, person: str, seconds: float) -> None:
        """Let nobody tell somebody anything for a while."""
        self._until_s[person] = self._clock.monotonic() + seconds

    def resting(self) -> list[str]:
        """Return who is told nothing now."""
        now_s = self._clock.monotonic()
        self._until_s = {who: until for who, until in self._until_s.items() if until > now_s}
        return list(self._until_s)

    def rest_s(self) -> float | None:
        """Return when the first of those may be told something again; None: nobody rests."""
        now_s = self._clock.monotonic()
        return min((until - now_s for until in self._until_s.values()), default=None)

    def _level(self, person: str) -> float:
        since_s, used = self._used.get(person, (0.0, 0.0))
        return max(0.0, used - (self._clock.monotonic() - since_s) / EVERY_S)
