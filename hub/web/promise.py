"""The clocks of a ticket as people see them: which one runs, what is left, what was met; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hub.model import Ticket, TicketState
from hub.web import form

SOON_SHARE = 0.25
Verdict = Literal["met", "missed", "running", "waiting", "unproved"]


@dataclass(frozen=True, slots=True)
class ServiceClock:
    """One clock of the promise; ``since_ms`` is when it was wound, ``done_ms`` when it stopped."""

    key: str
    since_ms: int
    due_ms: int
    done_ms: int | None
    verdict: Verdict

    @property
    def soon_ms(self) -> int:
        """Return the rest of the time from which it is pressing."""
        return round((self.due_ms - self.since_ms) * SOON_SHARE)

    def left_ms(self, now_ms: int) -> int:
        """Return the time left; negative when it is over."""
        return self.due_ms - now_ms

    def mood(self, now_ms: int) -> str:
        """Return how pressing it is: running, soon or late."""
        left = self.left_ms(now_ms)
        if left < 0:
            return "late"
        return "soon" if left < self.soon_ms else "running"


def clocks(ticket: Ticket, now_ms: int) -> list[ServiceClock]:
    """Return the promised clocks of a ticket in their order."""
    targets = [
        ("respond", ticket.respond_by_ms, ticket.responded_ms),
        ("on_site", ticket.on_site_by_ms, ticket.on_site_ms),
        ("crew", ticket.crew_by_ms, _crew_ms(ticket)),
        ("fix", ticket.fix_by_ms, ticket.fixed_ms),
    ]
    return [
        ServiceClock(key, ticket.opened_ms, due, done, _verdict(ticket, key, due, done, now_ms))
        for key, due, done in targets
        if due is not None
    ]


def _crew_ms(ticket: Ticket) -> int | None:
    # A repair that was finished without the extra crew needs it no more.
    return ticket.fixed_ms if ticket.crew_ms is None else ticket.crew_ms


def _verdict(ticket: Ticket, key: str, due_ms: int, done_ms: int | None, now_ms: int) -> Verdict:
    # An unproven report has not stopped the fix clock; a proven one stopped it when it was made.
    if key == "fix" and done_ms is not None and ticket.closed_ms is None:
        return "unproved" if now_ms <= due_ms or done_ms <= due_ms else "missed"
    if done_ms is not None:
        return "met" if done_ms <= due_ms else "missed"
    if now_ms > due_ms:
        return "missed"
    return "running"


_RUNNING: Mapping[TicketState, tuple[str, ...]] = {
    TicketState.OPENED: ("respond",),
    TicketState.RESPONDED: ("on_site",),
    TicketState.ON_SITE: ("crew", "fix"),
}


def running(ticket: Ticket, now_ms: int) -> ServiceClock | None:
    """Return the clock that the crew works against now, None when nothing is asked of them."""
    if ticket.state is TicketState.FIXED and ticket.prove_by_ms is not None:
        since = ticket.fixed_ms or ticket.opened_ms
        return ServiceClock("prove", since, ticket.prove_by_ms, None, "running")
    wanted = _RUNNING.get(ticket.state, ())
    waiting = {c.key: c for c in clocks(ticket, now_ms) if c.done_ms is None}
    return next((waiting[key] for key in wanted if key in waiting), None)


def awaits_arrival(ticket: Ticket) -> bool:
    """Tell whether somebody has still to arrive: the first, or the extra crew."""
    waits_for_crew = ticket.crew_by_ms is not None and ticket.crew_ms is None
    return ticket.on_site_ms is None or waits_for_crew


def next_step(ticket: Ticket) -> str | None:
    """Return the one action that moves the ticket on, None when it is telemetry's turn."""
    if ticket.state is TicketState.ON_SITE and awaits_arrival(ticket):
        return "crew"
    steps = {
        TicketState.OPENED: "acknowledge",
        TicketState.RESPONDED: "arrive",
        TicketState.ON_SITE: "fix",
    }
    return steps.get(ticket.state)


def is_late(ticket: Ticket, now_ms: int) -> bool:
    """Tell whether an open ticket is past the deadline it runs against."""
    clock = running(ticket, now_ms)
    return clock is not None and clock.key != "prove" and clock.left_ms(now_ms) < 0


def urgency(ticket: Ticket, now_ms: int) -> tuple[int, int]:
    """Return the order of tickets in a list: whose clock ends first stands first."""
    clock = running(ticket, now_ms)
    due = clock.due_ms if clock and clock.key != "prove" else 2**62
    return (due, ticket.opened_ms)


def mood(ticket: Ticket, now_ms: int) -> str:
    """Return how a ticket looks: done, running, soon or late."""
    if ticket.state is TicketState.CLOSED:
        return "done"
    clock = running(ticket, now_ms)
    if clock is None or clock.key == "prove":
        return "running"
    return clock.mood(now_ms)


def left_words(clock: ServiceClock, now_ms: int, language: str) -> tuple[str, str]:
    """Return the text key and the span of what is left or over."""
    left = clock.left_ms(now_ms)
    return ("left" if left >= 0 else "over", form.span(abs(left), language))
