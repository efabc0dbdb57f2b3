"""Values of the hub as JSON: instants in ISO 8601 with the site's offset, numbers or null."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from hub.database.availability import Availability
from hub.model import (
    Alarm,
    AlarmEvent,
    Command,
    Json,
    Outage,
    Point,
    Problem,
    Result,
    Swap,
    Text,
    Ticket,
    TicketEvent,
)
from hub.site import Device, Gateway, Place
from hub.web.form import iso
from hub.web.value import Shown

Written = dict[str, Json]


def swap(one: Swap, zone: ZoneInfo) -> Written:
    """Write a swap of the roster."""
    return {
        "id": one.id,
        "turn": one.turn,
        "gives": one.gives,
        "takes": one.takes,
        "actor": one.actor,
        "at": iso(one.at_ms, zone),
        "note": one.note,
    }


def text(words: Text) -> Written:
    """Write both languages."""
    return {"zh": words.zh, "en": words.en}


def place(one: Place) -> Written:
    """Write a place."""
    return {
        "id": one.id,
        "kind": one.kind,
        "name": text(one.name),
        "students": one.students,
        "area_m2": one.area_m2,
    }


def point(one: Point) -> Written:
    """Write a point."""
    return {
        "id": one.id,
        "device": one.device,
        "name": one.name,
        "unit": one.unit,
        "kind": one.kind,
        "label": text(one.label),
        "writable": one.writable,
    }


def health(row: Mapping[str, Json], zone: ZoneInfo) -> Written:
    """Write how a device, a bus or a gateway stands."""
    return {
        "health": row["state"],
        "since": iso(row["since_ms"], zone),
        "last_answer": iso(row["seen_ms"], zone),
        "error": row["error"],
        "frozen": row["frozen"] is not None,
        "clock_ahead_s": row["ahead_ms"] / 1000,
        "latency_s": row["latency_s"],
        "error_share": row["error_share"],
        "availability_today": row["availability"],
    }


def day(one: Availability) -> Written:
    """Write how one civil day went."""
    return {
        "day": one.day,
        "share": one.share,
        "online_s": one.online_ms / 1000,
        "observed_s": one.observed_ms / 1000,
        "answers": one.answers,
        "failures": one.failures,
        "latency_s": one.latency_s,
    }


def gateway(one: Gateway, row: Mapping[str, Json], zone: ZoneInfo) -> Written:
    """Write a gateway and the bus behind it."""
    own = {"id": one.id, "url": one.url}
    counts = {name: row["bus"][name] for name in ("devices", "devices_lost")}
    return own | counts | health(row, zone) | {"bus": health(row["bus"], zone)}


def device(one: Device, row: Mapping[str, Json], zone: ZoneInfo) -> Written:
    """Write a device without its points."""
    return {
        "id": one.id,
        "profile": one.profile,
        "kind": one.kind,
        "place": one.place,
        "gateway": one.gateway,
        "unit_id": one.unit_id,
        "interval_s": one.interval.total_seconds(),
        **health(row, zone),
    }


def value(one: Shown, zone: ZoneInfo) -> Written:
    """Write a last value with its age."""
    return {
        "point": one.point.id,
        "value": one.value,
        "unit": one.point.unit,
        "at": iso(one.at_ms, zone),
        "age_s": None if one.age_ms is None else one.age_ms / 1000,
        "quality": one.quality,
        "reason": one.reason,
        "old": one.old,
    }


def alarm(one: Alarm, zone: ZoneInfo) -> Written:
    """Write an alarm."""
    return {
        "id": one.id,
        "rule": one.rule,
        "device": one.device,
        "place": one.place,
        "severity": one.severity,
        "title": text(one.title),
        "state": str(one.state),
        "value": one.value,
        "limit": one.limit,
        "raised_at": iso(one.raised_ms, zone),
        "acknowledged_at": iso(one.acknowledged_ms, zone),
        "cleared_at": iso(one.cleared_ms, zone),
        "reason": one.reason,
        "owner": one.owner,
        "until": iso(one.until_ms, zone),
        "root": one.root,
        "chattering": one.chattering,
    }


def outage(one: Outage, zone: ZoneInfo) -> Written:
    """Write a planned outage."""
    return {
        "id": one.id,
        "area": one.area,
        "start": iso(one.start_ms, zone),
        "end": iso(one.end_ms, zone),
        "reason": one.reason,
        "rules": list(one.rules),
        "actor": one.actor,
        "entered_at": iso(one.entered_ms, zone),
        "ended_at": iso(one.ended_ms, zone),
    }


def ticket(one: Ticket, zone: ZoneInfo) -> Written:
    """Write a ticket."""
    return {
        "id": one.id,
        "state": str(one.state),
        "severity": one.severity,
        "title": text(one.title),
        "guidance": text(one.guidance),
        "parts": list(one.parts),
        "device": one.device,
        "place": one.place,
        "rule": one.rule,
        "alarm": one.alarm,
        "opened_at": iso(one.opened_ms, zone),
        "respond_by": iso(one.respond_by_ms, zone),
        "responded_at": iso(one.responded_ms, zone),
        "on_site_by": iso(one.on_site_by_ms, zone),
        "on_site_at": iso(one.on_site_ms, zone),
        "fix_by": iso(one.fix_by_ms, zone),
        "fixed_at": iso(one.fixed_ms, zone),
        "crew_by": iso(one.crew_by_ms, zone),
        "crew_at": iso(one.crew_ms, zone),
        "prove_by": iso(one.prove_by_ms, zone),
        "closed_at": iso(one.closed_ms, zone),
        "source": one.source,
        "policy": one.policy,
        "skill": one.skill,
        "crew": one.crew,
        "assignee": one.assignee,
        "on_site_proof": one.on_site_proof,
        "paused_at": iso(one.paused_ms, zone),
        "pause": one.pause,
        "reopened": one.reopened,
        "reopened_at": iso(one.reopened_ms, zone),
        "problem": one.problem,
        "closing": one.closing,
        "reports": one.reports,
    }


def problem(one: Problem, zone: ZoneInfo) -> Written:
    """Write the record of a problem."""
    return {
        "id": one.id,
        "cause": one.cause,
        "title": text(one.title),
        "opened_at": iso(one.opened_ms, zone),
        "tickets": one.tickets,
        "owner": one.owner,
        "due": iso(one.due_ms, zone),
        "closed_at": iso(one.closed_ms, zone),
    }


def event(one: TicketEvent | AlarmEvent, zone: ZoneInfo) -> Written:
    """Write one line of a ticket's history."""
    return {
        "n": one.n,
        "kind": one.kind,
        "actor": one.actor,
        "at": iso(one.at_ms, zone),
        **({"received": iso(one.received_ms, zone)} if isinstance(one, TicketEvent) else {}),
        "detail": dict(one.detail),
    }


def command(one: Command, result: Result | None, zone: ZoneInfo) -> Written:
    """Write a command with what became of it."""
    return {
        "id": one.id,
        "point": one.point,
        "value": one.value,
        "actor": one.actor,
        "reason": one.reason,
        "asked_at": iso(one.asked_ms, zone),
        "expires_at": iso(one.expires_ms, zone),
        "outcome": None if result is None else str(result.outcome),
        "result": None if result is None else result.reason,
        "actual": None if result is None else result.actual,
        "done_at": None if result is None else iso(result.at_ms, zone),
    }
