"""What the engine wants kept and told."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.alarm import Alarm, AlarmEvent, Outage
from hub.model.ticket import Problem, Ticket, TicketEvent


@dataclass(frozen=True, slots=True)
class Notification:
    """Something to tell people; ``key`` derives from the ticket's event, so it is told once."""

    key: str
    ticket: str
    subject: str
    body: str
    created_ms: int


Effect = Alarm | AlarmEvent | Outage | Problem | Ticket | TicketEvent | Notification
"""What the engine wants kept: alarms, outages, problems, tickets as they are now; more events."""
