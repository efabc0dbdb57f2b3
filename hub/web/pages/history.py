"""The history of a ticket, line by line, in the reader's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model import Ticket, TicketEvent
from hub.web import reasons, whose
from hub.web.pages import evidence
from hub.web.pages.frame import Frame
from hub.web.whose import Names

CLOCK_OF_TARGET: Mapping[str, str] = {"response": "respond"}
ACTORS = ("hub", "reporter")  # who is no person with a name
RAISED = ("opened", "raised_again", "escalated")
MOODS = {**dict.fromkeys((*RAISED[1:], "breach", "unproven"), "bad"), "closed": "good"}
PHOTO_WORDS: Mapping[str, str] = {"arrived": "photos-before", "fix_reported": "photos-after"}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One line of a ticket's history as people read it."""

    at_ms: int
    words: str
    actor: str
    lines: Sequence[str]
    mood: str
    photos: Sequence[str] = ()
    photo_words: str = ""


def event_line(page: Frame, event: TicketEvent, ticket: Ticket) -> EventLine:
    """Return an event in the reader's words."""
    names, detail = names_of(page), event.detail
    words = _words(page, event, names)
    if target := detail.get("target"):
        words += ": " + page.code("clock", CLOCK_OF_TARGET.get(target, target))
    by_report = detail.get("source") == "report"  # its photos stand with the report
    return EventLine(
        event.at_ms,
        words,
        page.code("actor", event.actor) if event.actor in ACTORS else names.person(event.actor),
        [line for line in _lines(page, event, ticket, names) if line],
        MOODS.get(event.kind, ""),
        () if by_report else detail.get("photos", ()),
        page.t(PHOTO_WORDS.get(event.kind, "photo")),
    )


def names_of(page: Frame) -> Names:
    """Return how people and crews are called."""
    return Names(page.parts.roster(), page.language)


def _words(page: Frame, event: TicketEvent, names: Names) -> str:
    detail = event.detail
    match event.kind:
        case "assigned" | "transferred":
            given = names.whose(detail.get("to"), detail.get("crew"))
            return page.t(f"event-{event.kind}", whose=given)
        case "told":
            desk = [page.t("duty-desk")] if detail["desk"] else []
            people = [*map(names.person, detail["to"]), *desk] or [page.t("nobody")]
            return page.t("event-told", people=" · ".join(people))
        case "undelivered":
            return page.t("event-undelivered", people=names.person(detail["person"]))
        case "reclassified":
            return page.t("event-reclassified", severity=page.t(detail["to"]))
        case "closed" if detail.get("closing") == "confirmed":
            return page.t("event-closed-confirmed")
    return page.code("event", event.kind)


def _lines(page: Frame, event: TicketEvent, ticket: Ticket, names: Names) -> list[str]:
    detail = event.detail
    lines = []
    if (value := detail.get("value")) is not None:
        lines.append(evidence.value_words(page, ticket, value, raised=event.kind in RAISED))
    if part := detail.get("part"):
        lines.append(page.t("event-part", part=page.code("part", part)))
    if why := detail.get("why"):
        lines += reasons.sentences(page.parts, ticket.device, why, page.language)
    if event.kind == "assigned" and "reason" in detail:
        lines += whose.reasons(detail["reason"], names)
    if event.kind in ("paused", "resumed", "pause_over"):
        lines.append(page.pause(detail["reason"]))
    if note := detail.get("note"):
        lines.append(note)
    if (proof := detail.get("on_site_proof")) is not None:
        lines.append(page.code("proof", proof or "none"))
    if stars := detail.get("stars"):
        lines.append(page.t("event-stars", n=stars))
    return lines
