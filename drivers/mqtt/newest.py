"""Which of two words of a device about the same point and instant is the later one."""

from __future__ import annotations

REMEMBERED = 64  # instants of each device


class Newest:
    """The highest sequence number heard of each point, for the newest instants heard of.

    A device that starts again counts from the beginning; it speaks of other instants then, and
    nothing is compared across instants.
    """

    def __init__(self) -> None:
        self._heard: dict[int, dict[int, int]] = {}

    def overtaken(self, at_ms: int, point: int, seq: int | None) -> bool:
        """Tell whether something later was heard of this point and instant; remember it if not."""
        if seq is None:
            return False
        known = self._heard.get(at_ms)
        if known is None:
            if len(self._heard) >= REMEMBERED:
                del self._heard[next(iter(self._heard))]
            known = self._heard[at_ms] = {}
        if seq < known.get(point, seq):
            return True
        known[point] = seq
        return False
