"""What waits in memory while the journal cannot be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.model import Entry


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What came at one tick; ``durables`` are called when it is kept after all."""

    entries: Sequence[Entry]
    durables: Sequence[Callable[[], None]]

    @property
    def rows(self) -> int:
        """Count the readings."""
        return sum(len(entry.batch) for entry in self.entries if entry.batch is not None)

    @property
    def free(self) -> bool:
        """Tell whether nobody waits for it, and nothing but readings is in it."""
        return not self.durables and all(entry.batch is not None for entry in self.entries)


class Pile:
    """What is held, in the order in which it came, and how many readings that is."""

    def __init__(self) -> None:
        self._all: deque[Held] = deque()
        self.rows = 0

    def __bool__(self) -> bool:
        """Tell whether anything is held."""
        return bool(self._all)

    def put(self, held: Held) -> None:
        """Hold some more."""
        self._all.append(held)
        self.rows += held.rows

    def first(self, rows: int) -> list[Held]:
        """Return the oldest that are held: at least one, and about so many readings or entries."""
        some: list[Held] = []
        for held in self._all:
            rows -= held.rows + len(held.entries)
            if some and rows < 0:
                break
            some.append(held)
        return some

    def take(self, count: int) -> None:
        """Hold the first ones no more."""
        for _ in range(count):
            self.rows -= self._all.popleft().rows

    def forget(self, rows: int) -> int:
        """Let go of the oldest readings that nobody waits for until ``rows`` are held, or fewer.

        Returns how many went: a broker still has the others.
        """
        forgotten = 0
        kept: deque[Held] = deque()
        for held in self._all:
            if self.rows > rows and held.free:
                forgotten += held.rows
                self.rows -= held.rows
            else:
                kept.append(held)
        self._all = kept
        return forgotten
