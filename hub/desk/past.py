"""Tickets that were closed of late: what can be opened again, rated or complained about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hub.desk.work import Work
from hub.model import Json


class Past:
    """The tickets that were closed within a span, in the order of their closing."""

    def __init__(self, span_ms: int) -> None:
        self._span_ms = span_ms
        self._works: dict[str, Work] = {}
        self._latest: dict[str, str] = {}  # of each cause

    def __iter__(self) -> Iterator[Work]:
        """Go over them, the earliest closed first."""
        return iter(self._works.values())

    def add(self, work: Work, now_ms: int) -> None:
        """Remember a ticket that was closed, and forget those that are past the span."""
        self._works[work.ticket.id] = work
        self._latest[work.ticket.cause] = work.ticket.id
        while not self._recalls(first := next(iter(self)), now_ms):
            self.take(first)

    def get(self, ticket: str, now_ms: int) -> Work | None:
        """Return a ticket that was closed within the span."""
        work = self._works.get(ticket)
        return work if work and self._recalls(work, now_ms) else None

    def of_cause(self, cause: str, since_ms: int) -> Work | None:
        """Return the latest ticket of a cause if it was closed at an instant or later."""
        work = self._works.get(self._latest.get(cause, ""))
        return work if work and (work.ticket.closed_ms or 0) >= since_ms else None

    def take(self, work: Work) -> None:
        """Forget a ticket: it is open again, or too long ago."""
        del self._works[work.ticket.id]
        if self._latest.get(work.ticket.cause) == work.ticket.id:
            del self._latest[work.ticket.cause]

    def save(self) -> list[Json]:
        """Return the state as JSON."""
        return [work.save() for work in self]

    def load(self, state: list[Mapping[str, Any]], work_of: Callable[[Any], Work]) -> None:
        """Take back what :meth:`save` returned."""
        for saved in state:
            work = work_of(saved)
            self._works[work.ticket.id] = work
            self._latest[work.ticket.cause] = work.ticket.id

    def _recalls(self, work: Work, now_ms: int) -> bool:
        return (work.ticket.closed_ms or 0) + self._span_ms >= now_ms
