"""What is due when: a heap whose entries are checked, and put off, only when their turn comes."""

from __future__ import annotations

import heapq
from collections.abc import Callable

DueOf = Callable[[str], int | None]


class Agenda:
    """Names and the instants they are due at.

    A due instant mostly moves later (with every reading of a device): its entry stays where it is
    and moves on when it comes to the top. Only an earlier instant is entered anew.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._entered: dict[str, int] = {}

    def put(self, name: str, due_ms: int | None) -> None:
        """Note when a name is due."""
        if due_ms is None or due_ms >= self._entered.get(name, due_ms + 1):
            return
        self._entered[name] = due_ms
        heapq.heappush(self._heap, (due_ms, name))

    def next_due_ms(self, due_of: DueOf) -> int | None:
        """Return the first instant at which something is due."""
        while self._heap:
            entered_ms, name = self._heap[0]
            if entered_ms == self._entered.get(name):
                due_ms = due_of(name)
                if due_ms is not None and due_ms <= entered_ms:
                    return entered_ms
                del self._entered[name]
                self.put(name, due_ms)
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now_ms: int, due_of: DueOf) -> tuple[int, str] | None:
        """Take the first name that is due by now, with its instant."""
        due_ms = self.next_due_ms(due_of)
        if due_ms is None or due_ms > now_ms:
            return None
        _, name = heapq.heappop(self._heap)
        del self._entered[name]
        return due_ms, name
