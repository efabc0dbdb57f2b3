"""What the engine wants kept and told."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.alarm import Alarm, AlarmEvent, Outage
from hub.model.duty import Swap
from hub.model.ticket import Problem, Ticket, TicketEvent
from hub.model.word import Text


@dataclass(frozen=True, slots=True)
class Notification:
    """Something to tell people; ``key`` derives from the ticket's event, so it is told once.

    ``to`` names people, none of them means the duty desk; what is ``urgent`` is told in quiet hours
    as well. ``asks``: nobody has acknowledged the ticket yet, so the message asks for it.
    """

    key: str
    ticket: str
    subject: Text
    body: Text
    created_ms: int
    to: tuple[str, ...] = ()
    urgent: bool = False
    asks: bool = False


Effect = Alarm | AlarmEvent | Outage | Problem | Swap | Ticket | TicketEvent | Notification
"""What the engine wants kept: alarms, outages, problems, tickets as they are now; more events."""
