"""Tickets and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hub.model.word import Json, Severity, Text


class TicketState(StrEnum):
    """Where the work on a ticket stands."""

    OPENED = "opened"
    RESPONDED = "responded"
    ON_SITE = "on_site"
    FIXED = "fixed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Work for people on one cause, with the instants that the service promise is judged by.

    ``fix_by_ms`` is None for large repairs, ``crew_by_ms`` (an arrival deadline) for the others.
    ``fixed_ms`` is the latest fix report; it counts once the proof has held (``closed_ms``).
    ``crew_ms`` is the arrival of the extra crew on a large repair.
    """

    id: str
    cause: str
    device: str
    place: str
    rule: str
    severity: Severity
    title: Text
    guidance: Text
    parts: tuple[str, ...]
    state: TicketState
    opened_ms: int
    respond_by_ms: int
    on_site_by_ms: int
    fix_by_ms: int | None
    crew_by_ms: int | None
    responded_ms: int | None = None
    on_site_ms: int | None = None
    fixed_ms: int | None = None
    closed_ms: int | None = None
    prove_by_ms: int | None = None
    alarm: str | None = None
    crew_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history; ``n`` counts from 0 within the ticket."""

    ticket: str
    n: int
    kind: str
    actor: str
    at_ms: int
    detail: Mapping[str, Json] = field(default_factory=dict)
