"""What people are told about a ticket, in both languages, times in the zone of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.model import Notification, Text, Ticket, TicketEvent

WORDS: Mapping[str, Text] = {
    "opened": Text("新工单", "New ticket"),
    "breach/response": Text("响应超时", "Response is late"),
    "breach/on_site": Text("到场超时", "Arrival is late"),
    "breach/fix": Text("修复超时", "Repair is late"),
    "breach/crew": Text("增援到场超时", "Extra crew is late"),
    "escalated": Text("故障加重", "It cannot wait any more"),
    "returned": Text("屏蔽结束 故障仍在", "No longer held back, and still there"),
    "unproven": Text("修复未证实 工单退回现场", "The fix did not hold, back to on site"),
    "reopened": Text("故障复发 工单重新打开", "It is back, the ticket is open again"),
    "complained": Text("报修人投诉", "A complaint by who reported it"),
    "closed/proven": Text("修复已证实 工单关闭", "Closed, the fix is proven"),
    "closed/confirmed": Text("工单关闭", "Closed"),
    "assigned": Text("派工给您", "Yours to do"),
    "transferred": Text("转派给您", "Handed over to you"),
    "told/at": Text("请处理", "Please see to it"),
    "told/before": Text("时限将至", "Little time is left"),
    "told/after": Text("已超时 请处理", "It is late, please see to it"),
}

BY: Mapping[str, Text] = {
    "response": Text("响应截止", "Respond by"),
    "on_site": Text("到场截止", "On site by"),
    "fix": Text("修复截止", "Fixed by"),
    "crew": Text("增援到场截止", "Extra crew by"),
}
URGENT = ("breach", "assigned", "transferred", "told")  # of whatever severity
PARTS = Text("可能用到的配件", "Parts likely")
_LANGUAGES: tuple[Callable[[Text], str], ...] = (lambda text: text.zh, lambda text: text.en)


def telling(ticket: Ticket, event: TicketEvent, zone: ZoneInfo) -> Notification | None:
    """Return what to tell people about an event; None for what they need not be told."""
    kind, detail = event.kind, event.detail
    which = {"breach": "target", "closed": "closing", "told": "when"}.get(kind)
    words = WORDS.get(f"{kind}/{detail[which]}" if which else kind)
    to = _listeners(event)
    if words is None or to is None:
        return None
    subject = Text(*(f"{of(words)}: {of(ticket.title)} ({ticket.id})" for of in _LANGUAGES))
    at = datetime.fromtimestamp(event.at_ms / 1000, zone)
    head, by = f"{at:%Y-%m-%d %H:%M} {ticket.place} {ticket.device}", list(_by(ticket, at))
    body = Text(*("\n".join(_lines(ticket, head, by, of)) for of in _LANGUAGES))
    return Notification(
        f"{ticket.id}/{event.n}",
        ticket.id,
        subject,
        body,
        event.at_ms,
        to,
        urgent=ticket.severity != "small" or kind in URGENT,
        asks=ticket.responded_ms is None,
    )


def _listeners(event: TicketEvent) -> tuple[str, ...] | None:
    """Return who is told of an event: nobody in particular is the duty desk, None is nobody."""
    to = event.detail.get("to")
    if event.kind in ("assigned", "transferred"):
        return (str(to),) if to else None
    if event.kind == "told":
        return tuple(to) if to else () if event.detail.get("desk") else None
    return ()


def _by(ticket: Ticket, at: datetime) -> Iterator[tuple[Text, str]]:
    """Yield what is still to be done, and by when: without the date where that is the same."""
    for words, by_ms, done_ms in _clocks(ticket):
        if by_ms is not None and done_ms is None:
            by = datetime.fromtimestamp(by_ms / 1000, at.tzinfo)
            yield words, f"{by:%H:%M}" if by.date() == at.date() else f"{by:%m-%d %H:%M}"


def _lines(
    ticket: Ticket, head: str, by: Sequence[tuple[Text, str]], of: Callable[[Text], str]
) -> Iterator[str]:
    """Yield when, where and what, by when it is due, and what to do, in one language."""
    yield head
    yield of(ticket.title)
    yield from (f"{of(words)}: {due}" for words, due in by)
    if guidance := of(ticket.guidance):
        yield guidance
    if ticket.parts:
        yield f"{of(PARTS)}: {', '.join(ticket.parts)}"


def _clocks(ticket: Ticket) -> Iterator[tuple[Text, int | None, int | None]]:
    """Yield what is promised, by when, and when it was done."""
    yield BY["response"], ticket.respond_by_ms, ticket.responded_ms
    yield BY["on_site"], ticket.on_site_by_ms, ticket.on_site_ms
    yield BY["fix"], ticket.fix_by_ms, ticket.fixed_ms
    yield (
        BY["crew"],
        ticket.crew_by_ms,
        ticket.fixed_ms if ticket.crew_ms is None else ticket.crew_ms,
    )
