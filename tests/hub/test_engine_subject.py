"""Subjects of rules: devices, the hub, gateways and places with their members."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.engine import Core
from hub.engine.fault import faults_of
from hub.model import Alarm, Batch, Entry, EntryKind, Point, Text
from hub.ports import ConfigError
from hub.site import Device, Gateway, Place, Site
from rules.spec import Pack
from tests.hub.fault_site import MINUTE, PROMISE, START, log, play

METERS = 6
WORDS = {"zh": "词", "en": "word"}
COMMON = {"severity": "ordinary", "title": WORDS, "guidance": WORDS, "over": {"kind": "meter"}}
SILENT = {
    "id": "bus-silent",
    "kind": "share",
    "point": "power",
    "silent": "PT2M",
    "at_least": 0.8,
    "on_delay": "PT1M",
}
LOADED = {"id": "loaded", "kind": "count", "point": "power", "above": 2000, "at_least": 3}


def pack(kind: str, *rules: dict[str, object]) -> Pack:
    raw = {"version": 1, "pack": kind, "applies_to": {"kind": kind}}
    return Pack.model_validate(raw | {"rules": [COMMON | rule for rule in rules]})


def meter(n: int) -> Device:
    id_ = f"dorm-07/meter-{n}"
    point = Point(n, f"{id_}/power", id_, "power", "W", "gauge", Text("功", "power"))
    place = f"dorm-07/{1 + n % 2}/room-{n}"
    profile = "big" if n == 1 else "small"
    gateway = "gw-a" if n < METERS else "gw-b"
    return Device(id_, profile, "meter", place, timedelta(minutes=1), gateway, n, (point,))


def site() -> Site:
    places = [
        Place("dorm-07", "building", Text("栋", "House")),
        Place("dorm-08", "building", Text("栋", "House")),
        Place("dorm-07/1", "floor", Text("层", "Floor")),
        *(Place(meter(n).place, "room", Text("室", "Room")) for n in range(1, METERS + 1)),
    ]
    gateways = [Gateway(id_, "tcp://h:1", timedelta(seconds=1)) for id_ in ("gw-a", "gw-b")]
    zone = ZoneInfo("Asia/Shanghai")
    meters = [meter(n) for n in range(1, METERS + 1)]
    return Site("test", Text("校", "U"), zone, places, gateways, meters)


def readings(minute: int, *numbers: int, value: float = 100.0) -> list[Entry]:
    at_ms = START + minute * MINUTE
    count = len(numbers)
    batch = Batch.of(numbers, [at_ms] * count, [value] * count, [0] * count, at_ms)
    entry = Entry(EntryKind.READINGS, at_ms, batch)
    return [entry, Entry(EntryKind.TICK, at_ms)]


def test_a_rule_over_members_is_one_fault_of_a_gateway_or_place() -> None:
    faults = {fault.cause: fault for fault in faults_of(site(), [pack("gateway", SILENT)])}
    assert list(faults) == ["gw-a#bus-silent"]  # one member is too few behind gw-b
    assert faults["gw-a#bus-silent"].points == (1, 2, 3, 4, 5)
    assert faults["gw-a#bus-silent"].subject.place == "dorm-07"
    (fault,) = faults_of(site(), [pack("building", LOADED)])
    assert (fault.cause, fault.points) == ("dorm-07#loaded", (1, 2, 3, 4, 5, 6))
    assert fault.subject.interval_ms == MINUTE


def test_only_the_profiles_named_are_members() -> None:
    over = {"over": {"kind": "meter", "profiles": ["small"]}}
    (fault,) = faults_of(site(), [pack("building", LOADED | over)])
    assert fault.points == (2, 3, 4, 5, 6)
    assert faults_of(site(), [pack("plant", LOADED)]) == []


def test_two_rules_of_one_id_on_a_subject_are_an_error() -> None:
    other = pack("building", LOADED).model_copy(update={"pack": "other"})
    with pytest.raises(ConfigError, match="dorm-07 has a rule loaded already"):
        faults_of(site(), [pack("building", LOADED), other])


def test_a_silent_bus_is_an_alarm_of_its_gateway() -> None:
    core = Core(site(), [pack("gateway", SILENT)], PROMISE)
    story = [Entry(EntryKind.CONFIGURATION, START)]
    for minute in range(1, 11):
        story += readings(minute, *((1, 2, 3, 4, 5, 6) if minute < 5 else (1, 6)))
    effects = play(core, story)
    (alarm,) = [effect for effect in effects if isinstance(effect, Alarm)]
    assert (alarm.device, alarm.place, alarm.rule) == ("gw-a", "dorm-07", "bus-silent")
    assert alarm.raised_ms == START + 7 * MINUTE  # heard at 4, silent at 6, for a minute
    assert (alarm.value, alarm.limit) == (0.8, 0.8)


def test_the_log_is_the_same_after_a_restart_in_the_middle() -> None:
    packs = [pack("building", LOADED), pack("gateway", SILENT)]
    story = [Entry(EntryKind.CONFIGURATION, START)]
    for minute in range(1, 30):
        value = 2500.0 if 5 < minute < 12 else 100.0
        story += readings(minute, *([] if 15 < minute < 22 else range(1, 7)), value=value)
    whole = log(play(Core(site(), packs, PROMISE), story))
    assert whole.count(b'"raised_ms"') == 4
    for where in range(0, len(story), 7):
        one, two = Core(site(), packs, PROMISE), Core(site(), packs, PROMISE)
        before = play(one, story[:where])
        two.load(one.save())
        assert log([*before, *play(two, story[where:])]) == whole
