"""What people are told of a ticket: in both languages, with what is due; each what is theirs."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from hub.desk.telling import telling
from hub.model import Json, Notification, Ticket, TicketEvent
from tests.hub.fault_site import MINUTE, START, action, play, with_ticket

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def ticket() -> Ticket:
    one, id_ = with_ticket()
    return one._desk.book.works[id_].ticket


def note(ticket: Ticket, kind: str, **detail: Json) -> Notification | None:
    at_ms = START + 30 * MINUTE
    return telling(ticket, TicketEvent(ticket.id, 7, kind, "hub", at_ms, at_ms, detail), ZONE)


def test_a_new_ticket_says_where_what_and_by_when_in_each_language(ticket: Ticket) -> None:
    told = note(ticket, "opened")
    assert told is not None
    assert told.subject.zh == f"新工单: {ticket.title.zh} ({ticket.id})"
    assert told.subject.en == f"New ticket: {ticket.title.en} ({ticket.id})"
    head, title, *rest = told.body.en.split("\n")
    assert head == f"2026-11-21 19:30 {ticket.place} {ticket.device}"
    assert title == ticket.title.en
    assert rest[:3] == ["Respond by: 19:35", "On site by: 19:50", "Fixed by: 11-22 07:30"]
    assert rest[3] == ticket.guidance.en
    assert "响应截止: 19:35" in told.body.zh
    assert ticket.guidance.zh in told.body.zh
    assert told.asks


def test_who_has_responded_is_asked_no_more_and_told_of_what_is_left() -> None:
    one, id_ = with_ticket()
    play(one, [action(33, "acknowledge", id_)])
    told = note(one._desk.book.works[id_].ticket, "escalated")
    assert told is not None
    assert not told.asks
    assert "Respond by" not in told.body.en
    assert "On site by: 19:50" in told.body.en


@pytest.mark.parametrize(
    ("kind", "detail", "to"),
    [
        ("opened", {}, ()),
        ("breach", {"target": "fix"}, ()),
        ("assigned", {"to": "li"}, ("li",)),
        ("transferred", {"to": "wang"}, ("wang",)),
        ("told", {"when": "before", "to": ["li", "wang"], "desk": False}, ("li", "wang")),
        ("told", {"when": "after", "to": [], "desk": True}, ()),
    ],
)
def test_everybody_is_told_what_is_theirs(
    ticket: Ticket, kind: str, detail: dict[str, Json], to: tuple[str, ...]
) -> None:
    told = note(ticket, kind, **detail)
    assert told is not None
    assert told.to == to
    assert told.key == f"{ticket.id}/7"


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("note", {}),
        ("assigned", {"to": None}),
        ("told", {"when": "at", "to": [], "desk": False}),
    ],
)
def test_of_what_is_nobodys_business_nobody_is_told(
    ticket: Ticket, kind: str, detail: dict[str, Json]
) -> None:
    assert note(ticket, kind, **detail) is None


def test_what_a_rung_or_a_breach_says_passes_quiet_hours_however_small(ticket: Ticket) -> None:
    small = replace(ticket, severity="small")
    urgent = {
        kind: told.urgent
        for kind, detail in {
            "opened": {},
            "breach": {"target": "fix"},
            "assigned": {"to": "li"},
            "told": {"when": "at", "to": ["li"], "desk": False},
        }.items()
        if (told := note(small, kind, **detail))
    }
    assert urgent == {"opened": False, "breach": True, "assigned": True, "told": True}
