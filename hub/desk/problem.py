"""Problem records: causes that come again and again, and what people join to one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter

from hub.desk.section import Linking
from hub.model import Json, Problem, Ticket
from hub.ports import Refused

OFTEN = 3  # tickets of one cause
WINDOW_MS = 30 * 86_400_000
_PROBLEM = TypeAdapter(Problem)


class Problems:
    """The problems that are not over, and how often each cause came of late."""

    def __init__(self) -> None:
        self._open: dict[str, Problem] = {}
        self._of_cause: dict[str, dict[str, None]] = {}  # the ids of the open ones
        self._opened: deque[tuple[int, str]] = deque()  # the latest tickets: when, and the cause
        self._count: Counter[str] = Counter()  # of these, by cause

    def note(self, ticket: Ticket) -> Problem | None:
        """Count a new ticket; return the problem that it belongs to, if there is one now."""
        while self._opened and self._opened[0][0] <= ticket.opened_ms - WINDOW_MS:
            _, cause = self._opened.popleft()
            self._count[cause] -= 1
            if not self._count[cause]:
                del self._count[cause]
        self._opened.append((ticket.opened_ms, ticket.cause))
        self._count[ticket.cause] += 1
        count = self._count[ticket.cause]
        known = self._open.get(next(iter(self._of_cause.get(ticket.cause, ())), ""))
        if known is None and count < OFTEN:
            return None
        return self._keep(self._joined(known) if known else self._new(ticket, count))

    def link(self, ticket: Ticket, known: str | None, linking: Linking, now_ms: int) -> Problem:
        """Join a ticket to a problem as a person says, or raise Refused with the reason."""
        found = self._open.get(known or "")
        if linking.problem and found is None:
            raise Refused(f"problem {known}: it is over, or there is no such problem")
        if found is None:
            found = replace(self._new(ticket, 1), opened_ms=now_ms)
        elif ticket.problem != found.id:
            found = self._joined(found)
        owner = found.owner if linking.owner is None else linking.owner
        due_ms = found.due_ms if linking.due_ms is None else linking.due_ms
        found = replace(found, owner=owner, due_ms=due_ms)
        if linking.over:
            if self._open.pop(found.id, None):
                del self._of_cause[found.cause][found.id]
            return replace(found, closed_ms=now_ms)
        return self._keep(found)

    def join(self, problem: Problem) -> Problem:
        """Count one more ticket of a problem."""
        return self._keep(self._joined(problem))

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {
            "open": [asdict(one) for one in self._open.values()],
            "opened": [list(one) for one in self._opened],
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`save` returned."""
        for one in state["open"]:
            self._keep(_PROBLEM.validate_python(one))
        self._opened = deque((at_ms, cause) for at_ms, cause in state["opened"])
        self._count = Counter(cause for _, cause in self._opened)

    def _new(self, ticket: Ticket, count: int) -> Problem:
        return Problem(f"P{ticket.id}", ticket.cause, ticket.title, ticket.opened_ms, count)

    def _joined(self, problem: Problem) -> Problem:
        return replace(problem, tickets=problem.tickets + 1)

    def _keep(self, problem: Problem) -> Problem:
        self._open[problem.id] = problem
        self._of_cause.setdefault(problem.cause, {})[problem.id] = None
        return problem
