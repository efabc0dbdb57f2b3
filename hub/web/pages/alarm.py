"""One alarm: what it is, why it rose, what holds it back, what became of it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from hub.database import records
from hub.model import Alarm, AlarmEvent, AlarmState, Json, Ticket
from hub.ports import Refused
from hub.web import explain, reasons
from hub.web.api.why import case
from hub.web.explain import Reader
from hub.web.form import DAY_MS, HOUR_MS
from hub.web.pages import alarms, evidence
from hub.web.pages.frame import Frame
from hub.web.pages.history import EventLine
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.pages.ticket import action_id
from hub.web.problem import Problem
from hub.web.session import Holds, Looks, Works

router = APIRouter(include_in_schema=False)
SHELVES: Mapping[str, int] = {
    "PT1H": HOUR_MS,
    "PT8H": 8 * HOUR_MS,
    "P1D": DAY_MS,
    "P3D": 3 * DAY_MS,
    "P7D": 7 * DAY_MS,
}
MOODS = {"raised": "bad", "released": "bad", "escalated": "bad", "cleared": "good", "reset": "good"}
SHELVABLE = (
    AlarmState.UNACKNOWLEDGED,
    AlarmState.ACKNOWLEDGED,
    AlarmState.CLEARED_UNACKNOWLEDGED,
)
BACK: Mapping[AlarmState, str] = {
    AlarmState.SHELVED: "unshelve",
    AlarmState.OUT_OF_SERVICE: "return_to_service",
}


class Found(NamedTuple):
    """What the database knows of an alarm."""

    alarm: Alarm | None
    events: Sequence[AlarmEvent]
    effects: Sequence[Alarm]
    many: int
    ticket: Ticket | None


def _look_up(page: Frame, id_: str) -> Found:
    database = page.parts.database
    alarm = records.alarm(database, id_)
    return Found(
        alarm,
        records.alarm_history(database, id_),
        alarms.effects_of(page.parts, id_),
        records.count_effects(database, [id_]).get(id_, 0),
        _ticket_of(page, alarm) if alarm else None,
    )


def _ticket_of(page: Frame, alarm: Alarm) -> Ticket | None:
    """Return the ticket that an alarm opened or told; the latest of its cause that knew it."""
    wanted = records.Filter(device=alarm.device)
    for ticket in records.tickets(page.parts.database, wanted, limit=200):
        over = ticket.closed_ms is not None and ticket.closed_ms < alarm.raised_ms
        if ticket.rule == alarm.rule and (ticket.alarm == alarm.id or not over):
            return ticket
    return None


def _line(page: Frame, event: AlarmEvent, reader: Reader) -> EventLine:
    detail, lines = event.detail, []
    if reason := detail.get("reason"):
        lines.append(explain.reason_words(str(reason), reader))
    if until_ms := detail.get("until_ms"):
        lines.append(page.t("alarm-until", time=page.moment(until_ms)))
    words = page.code("alarm-event", event.kind)
    actor = page.t("system") if event.actor == "hub" else event.actor
    return EventLine(event.at_ms, words, actor, lines, MOODS.get(event.kind, ""))


async def _render(page: Frame, id_: str, status: int = 200, error: str = "") -> Response:
    parts = page.parts
    found = await parts.database_worker.run(lambda: _look_up(page, id_))
    alarm = found.alarm
    if alarm is None:
        raise Problem(404, f"There is no alarm {id_}.", "Look in the list of alarms.")
    known = await case(parts, alarm.device, alarm.rule, id_)
    reader = reasons.reader_of(parts.site, parts.profiles, alarm.device, page.language, page.now_ms)
    then = known.then
    limits = explain.drawn(then, then["inputs"][0]) if then and then["inputs"] else None
    about = evidence.About(
        alarm.device, alarm.rule, alarm.raised_ms, alarm.cleared_ms, "alarm-here", limits
    )
    rule = evidence.rule_of(parts, alarm.device, alarm.rule)
    may_hold = page.may("shelve") and rule is not None and rule.suppressible
    return page.render(
        "alarm.html",
        status,
        section="alarms",
        alarm=alarm,
        rule=rule,
        where=reasons.subject_words(parts.site, alarm.device, page.language),
        root=known.root,
        hold=reasons.hold_of(known, reader, parts.site) if alarm.state in BACK or known.now else "",
        then_words=reasons.then_words(known, reader),
        now_words=reasons.now_words(known, reader, parts.site),
        rows=explain.rows_of(then, reader) if then else (),
        evidence=await evidence.gathered(page, about),
        effects=found.effects,
        count=found.many,
        ticket=found.ticket,
        events=[_line(page, event, reader) for event in found.events],
        acts=_acts(page, alarm, may_hold=may_hold),
        shelves=list(SHELVES),
        error=error,
    )


def _acts(page: Frame, alarm: Alarm, *, may_hold: bool) -> list[str]:
    """Return what this person can do to the alarm now."""
    acts = []
    if page.may("work"):
        if alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.CLEARED_UNACKNOWLEDGED):
            acts.append("acknowledge")
        if alarm.state is AlarmState.LATCHED:
            acts.append("reset")
    if may_hold and alarm.state in SHELVABLE:
        acts.append("shelve")
    if page.may("shelve") and alarm.state in BACK:
        acts.append(BACK[alarm.state])
    return acts


@router.get("/alarms/{id_}")
async def alarm_page(request: Request, id_: str, viewer: Looks) -> Response:
    """Show one alarm."""
    return await _render(Frame.of(request, viewer), id_)


class Seen(BaseModel):
    """How many lines of the history the page showed: a second press is the same action."""

    seen: int = Field(ge=0)


class ShelfForm(Seen):
    """Why, and for how long."""

    reason: str = Field("", max_length=500)
    length: Literal["PT1H", "PT8H", "P1D", "P3D", "P7D"] = Field("PT8H", alias="for")


WorkKind = Literal["acknowledge", "reset"]
HoldKind = Literal["unshelve", "return_to_service"]


@router.post("/alarms/{id_}/shelve")
async def shelve(
    request: Request, id_: str, viewer: Holds, said: Annotated[ShelfForm, Form()]
) -> Response:
    """Hold an alarm back for a while, with a reason."""
    page = Frame.of(request, viewer)
    until_ms = page.now_ms + SHELVES[said.length]
    told = {"kind": "shelve", "note": said.reason.strip(), "until_ms": until_ms}
    return await _done(page, id_, said.seen, told, said.length)


@router.post("/alarms/{id_}/back/{kind}")
async def give_back(
    request: Request, id_: str, kind: HoldKind, viewer: Holds, said: Annotated[Seen, Form()]
) -> Response:
    """End what holds an alarm back."""
    return await _done(Frame.of(request, viewer), id_, said.seen, {"kind": kind})


@router.post("/alarms/{id_}/{kind}")
async def work(
    request: Request, id_: str, kind: WorkKind, viewer: Works, said: Annotated[Seen, Form()]
) -> Response:
    """Acknowledge or reset an alarm."""
    told = {"kind": "acknowledge_alarm" if kind == "acknowledge" else kind}
    return await _done(Frame.of(request, viewer), id_, said.seen, told)


async def _done(
    page: Frame, id_: str, seen: int, told: Mapping[str, Json], length: str = ""
) -> Response:
    """Hand an action to the engine and show the alarm again."""
    actor = page.viewer.name if page.viewer else ""
    known = action_id(id_, str(told["kind"]), str(seen), actor, str(told.get("note")), length)
    action = {**told, "id": known, "alarm": id_, "actor": actor, "at_ms": page.now_ms}
    try:
        await page.parts.act(action)
    except Refused as refused:
        return await _render(page, id_, 409, str(refused))
    return RedirectResponse(f"/alarms/{id_}", SEE_OTHER)
