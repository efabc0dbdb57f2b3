"""The engine watches itself: rules that fail, how far it is behind, whether it lives."""

from __future__ import annotations

import pytest
import yaml

from hub.database.connection import open_database
from hub.engine import Core
from hub.model import Alarm, AlarmState, Entry
from rules.spec import Pack
from rules.stale import Stale
from tests.hub.engine_bench import FAULT, Bench
from tests.hub.fault_site import (
    COLD,
    CONFIG,
    HOT,
    PROMISE,
    START,
    alarm_in,
    log,
    pack,
    play,
    reading,
    readings,
    site,
    started,
    tick,
)

HUB = Pack.model_validate(yaml.safe_load((CONFIG / "rules" / "hub.yaml").read_text()))
PLAIN_SILENT = {
    "id": "boiler-silent",
    "kind": "stale",
    "point": "tank_temperature",
    "on_delay": "PT10M",
    "off_delay": "PT2M",
    "effect_of": [],
}


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> Core:
    """A core whose rule of silence fails whenever it is told the time."""

    def fail(self: Stale, now_ms: int) -> None:
        raise ZeroDivisionError("no interval")

    core = Core(site(), [pack(COLD, HOT, PLAIN_SILENT), HUB], PROMISE)
    play(core, [started(), reading(0, 55)])
    monkeypatch.setattr(Stale, "tick", fail)
    return core


def test_a_rule_that_fails_is_an_alarm_of_the_hub_and_the_others_run_on(one) -> None:
    effects = play(one, [tick(10)])
    assert alarm_in(effects).rule == "rules-failed"
    assert alarm_in(effects).value == 1.0
    assert list(one.failed_rules.values()) == ["ZeroDivisionError: no interval"]
    assert alarm_in(play(one, [reading(11, 80)])).rule == "tank-hot"
    assert play(one, [tick(12), tick(13)]) == []


def test_what_fails_in_readings_is_told_the_same_however_they_are_cut(monkeypatch) -> None:
    def fail(self: Stale, *args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("no interval")

    monkeypatch.setattr(Stale, "step", fail)
    monkeypatch.setattr(Stale, "busy", property(lambda self: True))
    rows = [(1, 80, 3, 0), (1, 80, 1, 0), (2, 80, 5, 0)]
    logs = []
    for parts in ([rows], [[row] for row in rows]):
        core = Core(site(3), [pack(HOT, PLAIN_SILENT), HUB], PROMISE)
        effects = play(core, [started(), *(readings(part) for part in parts), tick(3)])
        assert len(core.failed_rules) == 3
        logs.append(log(effects))
    assert logs[0] == logs[1]


def test_a_start_lets_rules_that_failed_begin_anew_and_says_so(one, monkeypatch) -> None:
    play(one, [tick(10)])
    saved = one.save()
    monkeypatch.undo()
    other = Core(site(), [pack(COLD, HOT, PLAIN_SILENT), HUB], PROMISE)
    other.load(saved)
    assert other.failed_rules
    effects = play(other, [started(20)])
    states = [(effect.rule, effect.state) for effect in effects if isinstance(effect, Alarm)]
    assert states == [("rules-failed", AlarmState.CLEARED_UNACKNOWLEDGED)]
    assert alarm_in(play(other, [tick(30)])).rule == "boiler-silent"


async def test_lag_and_heartbeat_follow_what_was_applied() -> None:
    database = open_database(":memory:")
    bench = Bench(database)
    await bench.play(FAULT)
    figures = bench.engine.figures
    last_ms = max(entry.at_ms for entry in FAULT)
    heartbeat_s = figures["heartbeat_timestamp_seconds"]
    assert heartbeat_s >= last_ms / 1000
    assert figures["lag_seconds"] == pytest.approx(
        max(bench.engine._clock.now_ms() / 1000 - heartbeat_s, 0.0), abs=5
    )
    assert figures["applied"] >= len(FAULT)
    assert (figures["rules_failed"], figures["in_flood"], figures["dropped"]) == (0, 0, 0)
    database.close()


def test_what_the_engine_could_not_hold_is_counted() -> None:
    database = open_database(":memory:")
    bench = Bench(database)
    entries = [Entry(2, START + n) for n in range(600)]
    bench.engine.overhear(entries)
    bench.engine.overhear(entries)
    assert bench.engine.figures["dropped"] == 200
    database.close()
