"""Why an alarm rose or did not: kept at the very instant, and a sentence for every kind of rule."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

import re
from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from hub.engine import Core
from hub.engine.fault import Fault, Subject
from hub.engine.log import log_line
from hub.engine.why import why_of
from hub.model import AlarmEvent, Batch, Entry, EntryKind, Point, Text, TicketEvent
from hub.web.explain import Named, Reader, hold_words, sentences_now, sentences_then
from hub.web.texts.explain import RULES
from rules.registry import MACHINES
from rules.spec import Rule
from rules.told import Told
from tests.pages.stage import Stage

WORDS = {"zh": "标题", "en": "title"}
BASE = {"id": "one", "severity": "small", "title": WORDS, "guidance": WORDS}
NOW_MS = 1_795_000_000_000
MINUTE_MS = 60_000
OVER = {"point": "energy", "over": {"kind": "meter"}}

EXAMPLES = {
    "high": {"point": "t", "limit": 70, "clear": 65, "on_delay": "PT1M"},
    "low": {"point": "t", "limit": 50, "clear": 52, "on_delay": "PT10M", "off_delay": "PT10M"},
    "range": {"point": "t", "low": 198, "high": 242, "deadband": 3},
    "stale": {"point": "t", "on_delay": "PT10M"},
    "never_seen": {"point": "t", "on_delay": "P1D"},
    "rate": {"point": "t", "window": "PT10M", "rise": 5, "fall": 9, "clear": 1},
    "jump": {"point": "t", "step": 5, "rated": 1.5, "times": 3, "on_delay": "PT1H"},
    "stuck": {"point": "t", "on_delay": "PT12H", "while": {"point": "u", "above": 3}},
    "backwards": {"point": "t", "times": 2, "off_delay": "P1D"},
    "mismatch": {
        "while": {"point": "u", "equals": 1},
        "must": {"point": "t", "minus": "u", "above": 0.5},
        "on_delay": "PT2M",
    },
    "code": {"point": "t", "except": [3, 4]},
    "cycling": {"starts": {"point": "t", "above": 100}, "limit": 6, "clear": 3},
    "session": {
        "point": "t",
        "valve": "no_open",
        "session": {"point": "u", "equals": 1},
        "limit": 2,
    },
    "spread": {"points": ["t", "u"], "limit": 0.8, "clear": 0.5, "floor": 200},
    "invalid": {"point": "t"},
    "any": {**OVER, "above": 3},
    "all": {**OVER, "silent": "PT3M"},
    "count": {**OVER, "below": 3, "at_least": 4},
    "share": {**OVER, "silent": "PT3M", "at_least": 0.8},
    "errors": {"limit": 0.05, "clear": 0.01, "on_delay": "PT15M"},
    "health": {"subject": "disk", "urgent": "large"},
    "peers": {"point": "t"},
    "balance": {},
    "expected": {"point": "t"},
    "night": {"utility": "water"},
    "night_flow": {"utility": "water"},
    "efficiency": {},
    "exposure": {"of": "store", "point": "t", "limit": 50, "clear": 55},
}
MEMBERS = [
    Point(
        n,
        f"dorm-07/meter-{n}/energy",
        f"dorm-07/meter-{n}",
        "energy",
        "kWh",
        Text("电量", "Energy"),
        "counter",
        False,
    )
    for n in range(1, 6)
]
POINTS = {
    "t": Named("水箱温度", "degC"),
    "u": Named("水泵", "", True),
    "energy": Named("电量", "kWh"),
}


def kinds() -> list[str]:
    """Every kind of rule that a pack can name."""
    union = get_args(get_args(Rule)[0] if get_args(Rule) else Rule)
    found = (kind for spec in union for kind in get_args(spec.model_fields["kind"].annotation))
    return sorted(found)


def reader(language: str) -> Reader:
    zone = ZoneInfo("Asia/Shanghai")
    return Reader(language, zone, NOW_MS, lambda point: POINTS.get(point, Named(point)))


def fault(kind: str) -> Fault:
    rule = TypeAdapter(Annotated[Rule, None]).validate_python(
        {**BASE, "kind": kind, **EXAMPLES[kind]}
    )
    subject = Subject("dorm-07/meter-312", "meter", "", "dorm-07", MINUTE_MS, {})
    return Fault("dorm-07/meter-312#one", subject, rule, (), None, Told(rule, MINUTE_MS))


def held(kind: str, **more):
    """What a machine of a kind holds when it has read something."""
    inputs = fault(kind).rule.inputs
    whole = {
        "active": False,
        "readings": [[name, NOW_MS - MINUTE_MS, 49.5] for name in inputs],
        "thresholds": {},
        "since_ms": None,
        "due_ms": None,
        **more,
    }
    return why_of(fault(kind), whole, NOW_MS)


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_rule_has_its_sentences_in_both_languages(kind):
    for language in ("zh", "en"):
        for why in (held(kind), held(kind, active=True, began_ms=NOW_MS - MINUTE_MS)):
            now = sentences_now(why, reader(language))
            then = sentences_then(why, reader(language))
            for sentence in (*now, *then):
                assert sentence.strip()
                assert not re.search(r"[{}\[\]]|None|nan|PT\d|  ", sentence), sentence
            mostly_chinese = bool(re.search(r"[\u4e00-\u9fff]", now[0]))
            assert mostly_chinese or language == "en"


def test_the_table_of_sentences_has_no_kind_too_many_or_too_few():
    said = {re.sub(r"-no_(open|close)$", "", key.removeprefix("rule-")) for key in RULES}
    assert set(kinds()) <= said
    assert set(EXAMPLES) == said


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind in MACHINES])
def test_a_machine_that_knows_nothing_yet_is_explained_too(kind):
    one = fault(kind)
    machine = MACHINES[kind](one.rule, MINUTE_MS, MEMBERS)
    said = sentences_now(why_of(one, machine.why(NOW_MS), NOW_MS), reader("en"))
    assert said[0].startswith(("A fault is:", "The hub watches"))


def test_a_rule_that_did_not_rise_says_how_far_from_the_limit_it_is():
    said = sentences_now(held("low"), reader("en"))
    assert said == [
        "A fault is: 水箱温度 below 50 °C (for 10 min). It is over at or above 52 °C (for 10 min).",
        "水箱温度 was 49.5 °C at 19:05:40, 0.5 °C below the limit.",
        "There is no fault now.",
        "It is looked at again with the next reading, about every 1 min.",
    ]
    assert (
        "0.5 °C short of the limit"
        in sentences_now(held("high") | {"readings": [["t", NOW_MS, 69.5]]}, reader("en"))[1]
    )


def test_a_running_delay_says_since_when_and_when_it_becomes_a_fault():
    pending = held("low", since_ms=NOW_MS - MINUTE_MS, due_ms=NOW_MS + 9 * MINUTE_MS)
    assert sentences_now(pending, reader("zh"))[2] == (
        "自 19:05:40 起已符合条件，但还不够久；持续到 19:15:40 就会报警。"
    )


def test_a_rule_that_failed_says_so_and_not_that_all_is_well():
    said = sentences_now(held("low", quarantined="ValueError: no"), reader("en"))
    assert "This rule failed and is out of work: ValueError: no" in said
    assert not any("no fault" in one for one in said)


def test_what_holds_an_alarm_back_is_said_in_the_reader_s_words():
    hold = {"event": "suppress", "reason": "outage 4398c2: 检修", "until_ms": None, "root": None}
    assert hold_words(hold, reader("zh")) == "已抑制：计划停机，检修。"
    hours = hold | {"reason": "outside hot-water", "until_ms": NOW_MS}
    assert hold_words(hours, reader("en")) == (
        "Suppressed: outside the hours hot-water, until 19:06:40."
    )
    mode = hold | {"reason": "mode u=1"}
    assert hold_words(mode, reader("en")) == "Suppressed: the mode of the device, 水泵: on."
    effect = {"event": "inhibit", "reason": "effect of a#b", "until_ms": None, "root": "r1"}
    assert hold_words(effect, reader("en"), "Gateway is silent · gw-1") == (
        "An effect of another fault: Gateway is silent · gw-1."
    )
    assert hold_words(effect | {"root": None}, reader("zh")).startswith("可能由另一故障引起")


def test_small_values_are_not_rounded_away_and_large_ones_stay_readable():
    assert reader("en").value("energy", 152_345.678) == "152,345.7 kWh"
    assert reader("en").value("energy", 0.004) == "0.004 kWh"
    assert reader("en").value("t", 0.0) == "0 °C"
    assert reader("zh").value("u", 1.0) == "开"


TANK = "dorm-07/boiler-1"


def cold(stage: Stage, minutes: int, cut: int) -> list[Entry]:
    """A tank that is too cold, as entries of so many readings each, and the time after each."""
    number = stage.site.numbers[f"{TANK}/tank_temperature"]
    start_ms = stage.clock.instant_ms
    rows = [(start_ms + 15_000 * n, 55.0 - n / 10) for n in range(4 * minutes)]
    chunks = [rows[first : first + cut] for first in range(0, len(rows), cut)]
    return [
        Entry(
            EntryKind.READINGS,
            chunk[-1][0],
            Batch.of(
                [number] * len(chunk),
                [at for at, _ in chunk],
                [value for _, value in chunk],
                [0] * len(chunk),
                chunk[-1][0],
            ),
        )
        for chunk in chunks
    ]


def risen(stage: Stage, cut: int, *, asked: bool = False) -> list[object]:
    effects = list(stage.enter(Entry(EntryKind.CONFIGURATION, stage.clock.instant_ms)))
    for entry in cold(stage, 60, cut):
        effects += stage.enter(entry)
        if asked:
            assert stage.core.why(TANK, "tank-cold")
    # it may be an effect of another fault, and waited two minutes for that
    effects += stage.enter(Entry(EntryKind.TICK, stage.clock.instant_ms + 60 * MINUTE_MS))
    return effects


def test_what_was_held_is_that_of_the_very_instant_however_the_stream_was_cut():
    one, two = (risen(Stage(twins=False), cut) for cut in (1, 77))
    assert [log_line(effect) for effect in one] == [log_line(effect) for effect in two]
    rose = next(effect for effect in one if isinstance(effect, AlarmEvent))
    assert rose.kind == "inhibited"
    why = rose.detail["why"]
    assert why["at_ms"] - why["began_ms"] == 10 * MINUTE_MS
    assert why["readings"] == [["tank_temperature", why["at_ms"], pytest.approx(45.9)]]
    assert why["thresholds"]["limit"] == 50
    events = [effect for effect in one if isinstance(effect, TicketEvent)]
    (opened,) = [event for event in events if event.detail.get("alarm") == rose.alarm]
    assert opened.detail["why"] == why


def test_asking_why_between_readings_changes_no_log_and_no_state():
    stage, other = Stage(twins=False), Stage(twins=False)
    log, asked = risen(stage, 7), risen(other, 7, asked=True)
    assert [log_line(effect) for effect in log] == [log_line(effect) for effect in asked]
    assert stage.core.save() == other.core.save()


def test_after_a_restart_the_same_is_known_of_the_rise():
    stage = Stage(twins=False)
    risen(stage, 9)
    core = Core(stage.site, stage.settings.packs, stage.settings.promise)
    core.load(stage.core.save())
    assert core.why(TANK, "tank-cold") == stage.core.why(TANK, "tank-cold")
    assert core.save() == stage.core.save()
    assert core.why(TANK, "no-such-rule") is None


def test_what_an_alarm_rests_on_survives_a_restart_between_its_rise_and_its_ticket():
    stage, silent = Stage(twins=False), "dorm-07/meter-311"
    site, core, start_ms = stage.site, stage.core, stage.clock.instant_ms
    energy = {one.device: one.number for one in site.points.values() if one.name == "energy"}
    core.step(1, Entry(EntryKind.CONFIGURATION, start_ms))
    opened = []
    for minute in range(14):  # at 10 it rises, and waits whether its line is lost as well
        at_ms = start_ms + minute * MINUTE_MS
        read = [number for device, number in energy.items() if device != silent or not minute]
        batch = Batch.of(read, [at_ms] * len(read), [12.5] * len(read), [0] * len(read), at_ms)
        effects = core.step(2, Entry(EntryKind.READINGS, at_ms, batch))
        effects += core.step(3, Entry(EntryKind.TICK, at_ms))
        opened += [one for one in effects if isinstance(one, TicketEvent)]
        if minute == 10:
            core, before = Core(site, stage.settings.packs, stage.settings.promise), core
            core.load(before.save())
            assert not opened
    (ticket,) = [one for one in opened if one.detail.get("why", {}).get("inputs") == ["energy"]]
    assert ticket.at_ms == start_ms + 12 * MINUTE_MS
    assert ticket.detail["why"]["at_ms"] == start_ms + 10 * MINUTE_MS
    assert ticket.detail["why"]["readings"] == [["energy", start_ms, 12.5]]
