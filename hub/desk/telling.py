"""What people are told about a ticket, in both languages, times in the zone of the site."""

from __future__ import annotations

from collections.abc import Mapping
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
    "closed/proven": Text("修复已证实 工单关闭", "Closed, the fix is proven"),
    "closed/confirmed": Text("工单关闭", "Closed"),
}


def telling(ticket: Ticket, event: TicketEvent, zone: ZoneInfo) -> Notification | None:
    """Return what to tell people about an event; None for what they need not be told."""
    kind, detail = event.kind, event.detail
    which = {"breach": "target", "closed": "closing"}.get(kind)
    words = WORDS.get(f"{kind}/{detail[which]}" if which else kind)
    if words is None:
        return None
    at = datetime.fromtimestamp(event.at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")
    by = datetime.fromtimestamp(ticket.respond_by_ms / 1000, zone).strftime("%H:%M")
    body = (
        f"{at} {ticket.place} {ticket.device}\n"
        f"{ticket.title.zh} / {ticket.title.en}\n"
        f"响应截止 / respond by {by}\n"
        f"{ticket.guidance.zh}\n{ticket.guidance.en}"
    )
    subject = f"{words.zh} / {words.en}: {ticket.title.zh} / {ticket.title.en} ({ticket.id})"
    return Notification(f"{ticket.id}/{event.n}", ticket.id, subject, body, event.at_ms)
