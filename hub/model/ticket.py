"""Tickets and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from hub.model.word import Json, Severity, Text

Source = Literal["alarm", "report", "round", "planned"]
Closing = Literal["", "proven", "confirmed", "refused"]
OnSiteProof = Literal["", "scan", "telemetry"]


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

    ``rule`` is that of its alarm, or the kind of what was reported. ``fix_by_ms`` is None for large
    repairs, ``crew_by_ms`` (an arrival deadline) for the others. ``fixed_ms`` is the latest fix
    report; it counts once the proof has held (``closed_ms``). ``crew_ms`` is the arrival of the
    extra crew on a large repair. Without ``on_site_proof`` the arrival is a mere click. While a
    clock stands (``paused_ms``, by the reason ``pause``) the deadlines are planned as if the pause
    lasted to its limit. ``reports`` counts the people who reported it, ``problem`` is the record
    of a cause that comes again and again.
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
    source: Source = "alarm"
    policy: str = "default"
    skill: str = ""
    crew: str | None = None
    assignee: str | None = None
    on_site_proof: OnSiteProof = ""
    paused_ms: int | None = None
    pause: str = ""
    reopened: int = 0
    reopened_ms: int | None = None
    problem: str | None = None
    closing: Closing = ""
    reports: int = 0


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One line of a ticket's history; ``n`` counts from 0 within the ticket.

    ``at_ms`` is when it happened, ``received_ms`` when the hub heard of it.
    """

    ticket: str
    n: int
    kind: str
    actor: str
    at_ms: int
    received_ms: int
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands behind tickets that come again: who looks for its root, and until when."""

    id: str
    cause: str
    title: Text
    opened_ms: int
    tickets: int
    owner: str = ""
    due_ms: int | None = None
    closed_ms: int | None = None
