"""Leave a gateway alone that cannot be reached, longer and longer, and let one probe through."""

from __future__ import annotations

from collections.abc import Callable

from hub.ports import Clock

_LONGEST_S = 60.0
_MOST = 7  # doublings


class Breaker:
    """Open after a failure for 1 s to 60 s with jitter; the first question after that is the probe.

    Only an answer closes it for good: a connection that opens and ends at once is a failure too.
    ``chance`` draws from 0..1.
    """

    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self._failures = 0
        self._until_s = 0.0

    def wait_s(self) -> float:
        """Return for how long nothing may be tried, 0 or less when it may."""
        return self._until_s - self._clock.monotonic()

    def failed(self, *, first_is_free: bool = False) -> None:
        """Note a failure; a first one that may be chance does not cost any waiting."""
        doublings = self._failures - first_is_free
        self._failures = min(self._failures + 1, _MOST)
        if doublings >= 0:
            longest_s = min(2.0**doublings, _LONGEST_S)
            self._until_s = self._clock.monotonic() + longest_s * (0.5 + self._chance() / 2)

    def answered(self) -> None:
        """Note that all is well."""
        self._failures = 0
