"""A boiler, its rules and a few words to tell a story of readings; for the tests of faults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import yaml

from hub.desk.action import AlarmKind
from hub.engine import Core, log_line
from hub.model import (
    Alarm,
    Batch,
    Effect,
    Entry,
    EntryKind,
    Point,
    Quality,
    Text,
    Ticket,
    TicketEvent,
)
from hub.site import Device, Place, Site
from rules.service import Service
from rules.spec import Pack

CONFIG = Path(__file__).parents[2] / "config"
PROMISE = Service.model_validate(yaml.safe_load((CONFIG / "service.yaml").read_text()))
MINUTE = 60_000
ZONE = ZoneInfo("Asia/Shanghai")
ALARM_KINDS = get_args(AlarmKind)
START = int(datetime(2026, 11, 21, 11, 0, tzinfo=UTC).timestamp() * 1000)  # 19:00 in Wuhan
BOILER = "dorm-07/boiler-1"
TANK, SUPPLY = 1, 2


def pack(*rules: dict[str, object], kind: str = "boiler") -> Pack:
    words = {"zh": "词", "en": "word"}
    whole = [{"title": words, "guidance": words, "severity": "ordinary", **rule} for rule in rules]
    raw = {"version": 1, "pack": kind, "applies_to": {"kind": kind}, "rules": whole}
    return Pack.model_validate(raw)


COLD = {
    "id": "tank-cold",
    "kind": "low",
    "point": "tank_temperature",
    "limit": 50,
    "clear": 52,
    "on_delay": "PT10M",
    "off_delay": "PT10M",
    "parts": ["heating-element"],
    "proof": {"point": "tank_temperature", "above": 52, "for": "PT10M", "within": "PT4H"},
}
SILENT = {
    "id": "boiler-silent",
    "kind": "stale",
    "point": "tank_temperature",
    "on_delay": "PT10M",
    "off_delay": "PT2M",
}
HOT = {
    "id": "tank-hot",
    "kind": "high",
    "point": "tank_temperature",
    "limit": 70,
    "clear": 65,
    "severity": "large",
}


def site(boilers: int = 1) -> Site:
    devices = []
    for n in range(1, boilers + 1):
        id_ = f"dorm-07/boiler-{n}"
        points = tuple(
            Point(2 * n - 2 + k, f"{id_}/{name}", id_, name, "degC", "gauge", Text(name, name))
            for k, name in ((1, "tank_temperature"), (2, "supply_temperature"))
        )
        minute = timedelta(minutes=1)
        devices.append(
            Device(id_, "reference-boiler", "boiler", "dorm-07/plant", minute, "gw", n, points)
        )
    places = [
        Place("dorm-07", "building", Text("北苑7栋", "North Garden 7")),
        Place("dorm-07/plant", "plant", Text("机房", "Plant")),
    ]
    return Site("test", Text("校", "U"), ZONE, places, [], devices)


def core(*rules: dict[str, object], boilers: int = 1) -> Core:
    return Core(site(boilers), [pack(*(rules or (COLD, SILENT)))], PROMISE)


def reading(minute: float, value: float, point: int = TANK, quality: int = Quality.GOOD) -> Entry:
    return readings([(minute, value, point, quality)])


def readings(rows: Sequence[tuple[float, float, int, int]]) -> Entry:
    at = [START + round(minute * MINUTE) for minute, *_ in rows]
    batch = Batch.of([r[2] for r in rows], at, [r[1] for r in rows], [r[3] for r in rows], max(at))
    return Entry(EntryKind.READINGS, max(at), batch)


def tick(minute: float) -> Entry:
    return Entry(EntryKind.TICK, START + round(minute * MINUTE))


def started(minute: float = 0) -> Entry:
    return Entry(EntryKind.CONFIGURATION, START + round(minute * MINUTE))


def action(minute: float, kind: str, subject: str, **more: object) -> Entry:
    at_ms = START + round(minute * MINUTE)
    key = "alarm" if kind in ALARM_KINDS else "ticket"
    content = {"id": f"{kind}-{minute}", "kind": kind, key: subject, "actor": "li", "at_ms": at_ms}
    return Entry(EntryKind.ACTION, at_ms, content=content | more)


def play(on: Core, entries: Iterable[Entry]) -> list[Effect]:
    effects: list[Effect] = []
    for seq, entry in enumerate(entries, 1):
        effects += on.step(seq, entry)
    return effects


def minutes(first: int, last: int, value: float, point: int = TANK) -> list[Entry]:
    """Return a good reading a minute, each followed by the tick of that minute."""
    rows = [(reading(m, value, point), tick(m)) for m in range(first, last + 1)]
    return [entry for pair in rows for entry in pair]


def told(effects: Iterable[Effect]) -> list[tuple[str, float]]:
    """Return the ticket events as (kind, minute), the shortest form of a story."""
    return [
        (effect.kind, (effect.at_ms - START) / MINUTE)
        for effect in effects
        if isinstance(effect, TicketEvent)
    ]


def log(effects: Iterable[Effect]) -> bytes:
    return b"\n".join(map(log_line, effects))


FAULT = [started(), *minutes(0, 19, 55), *minutes(20, 30, 45)]  # cold from 19:20, raised 19:30


def ticket_in(effects: Sequence[Effect]) -> Ticket:
    return next(effect for effect in reversed(effects) if isinstance(effect, Ticket))


def alarm_in(effects: Sequence[Effect]) -> Alarm:
    return next(effect for effect in reversed(effects) if isinstance(effect, Alarm))


def with_ticket(*rules: dict[str, object]) -> tuple[Core, str]:
    """Return a core with one open ticket, opened at minute 30."""
    one = core(*(rules or (COLD,)))
    return one, ticket_in(play(one, FAULT)).id
