"""Hits, false alarms and missed faults are counted as the issue defines them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rules.backtest import (
    DAY_MS,
    FEWEST_LABELS,
    Gate,
    Judged,
    Label,
    PackScore,
    Raised,
    Span,
    Verdict,
    judgeable,
    opinions,
    scores,
    unfound,
)
from rules.comparison import compared

MINUTE = 60_000
ON_MS = 10 * MINUTE
BEGAN, ENDED = 100 * MINUTE, 200 * MINUTE
SPAN = Span(0, DAY_MS)
COLD = Judged("boiler", "tank-cold", frozenset({"element_failed"}), ON_MS, frozenset({"b1", "b2"}))
MATE = replace(COLD, id="no-heat")
SILENT = Judged("meter", "meter-silent", frozenset({"dead"}), ON_MS, frozenset({"m1", "m2"}))
BUS = Judged("gateway", "bus-silent", frozenset({"bus_cut"}), MINUTE, frozenset({"gw"}))
FAULT = Label("e1", "element_failed", "b1", BEGAN, ENDED)
CUT = Label("e2", "bus_cut", "gw", BEGAN, ENDED, members=frozenset({"m1", "m2"}))


def raised(rule: Judged, subject: str, at_ms: int, cleared_ms: int | None = None) -> Raised:
    return Raised(rule.pack, rule.id, subject, at_ms, cleared_ms)


def verdicts(labels: list[Label], alarms: list[Raised], *rules: Judged) -> list[Verdict]:
    return [one.verdict for one in opinions(labels, alarms, rules, SPAN)]


def scored(labels: list[Label], alarms: list[Raised], *rules: Judged) -> dict[str, PackScore]:
    said = opinions(labels, alarms, rules, SPAN)
    return {one.pack: one for one in scores(labels, said, rules, SPAN)}


@pytest.mark.parametrize(
    ("at_ms", "verdict"),
    [
        (BEGAN - 1, "false"),
        (BEGAN, "hit"),
        (ENDED + 2 * ON_MS, "hit"),
        (ENDED + 2 * ON_MS + 1, "false"),
    ],
)
def test_a_hit_lies_between_the_beginning_and_two_on_delays_after_the_end(
    at_ms: int, verdict: Verdict
) -> None:
    assert verdicts([FAULT], [raised(COLD, "b1", at_ms)], COLD) == [verdict]


def test_an_alarm_on_another_device_or_of_another_rule_is_false() -> None:
    wrong = replace(COLD, id="tank-hot", finds=frozenset({"stuck_contactor"}))

    assert verdicts([FAULT], [raised(COLD, "b2", BEGAN)], COLD) == ["false"]
    assert verdicts([FAULT], [raised(wrong, "b1", BEGAN)], wrong) == ["false"]


def test_a_second_alarm_for_one_episode_is_false_also_by_another_right_rule() -> None:
    alarms = [raised(COLD, "b1", BEGAN), raised(MATE, "b1", BEGAN + 1)]

    assert verdicts([FAULT], alarms, COLD, MATE) == ["hit", "second"]
    whole = scored([FAULT], alarms, COLD, MATE)["boiler"].whole
    assert (whole.hits, whole.false, whole.second, whole.missed) == (1, 1, 1, 0)


def test_two_episodes_of_one_device_are_two_hits() -> None:
    again = replace(FAULT, id="e9", start_ms=ENDED, end_ms=ENDED + ON_MS)
    alarms = [raised(COLD, "b1", BEGAN), raised(COLD, "b1", ENDED + 1)]

    assert verdicts([FAULT, again], alarms, COLD) == ["hit", "hit"]


def test_a_cause_is_found_on_its_root_and_on_its_members_once() -> None:
    member = replace(SILENT, finds=frozenset({"bus_cut"}))

    assert verdicts([CUT], [raised(BUS, "gw", BEGAN)], BUS) == ["hit"]
    both = [raised(member, "m2", BEGAN), raised(member, "m1", BEGAN)]
    assert verdicts([CUT], both, member) == ["hit", "second"]


def test_a_look_alike_is_never_a_hit() -> None:
    door = replace(FAULT, look_alike=True)

    assert verdicts([door], [raised(COLD, "b1", BEGAN)], COLD) == ["look_alike"]
    whole = scored([door], [raised(COLD, "b1", BEGAN)], COLD)["boiler"].whole
    assert (whole.labels, whole.false, whole.look_alike) == (0, 1, 1)
    assert (whole.precision, whole.recall) == (0.0, None)


def test_a_fault_that_lasts_is_found_at_any_time() -> None:
    lasting = replace(FAULT, end_ms=None)

    assert verdicts([lasting], [raised(COLD, "b1", DAY_MS - 1)], COLD) == ["hit"]


def test_a_pack_is_judged_the_same_alone_and_among_others() -> None:
    shared = replace(SILENT, finds=frozenset({"bus_cut"}))
    alarms = [raised(BUS, "gw", BEGAN), raised(shared, "m1", BEGAN + 1)]

    among = scored([CUT], alarms, BUS, shared)

    assert among["meter"] == scored([CUT], alarms[1:], shared)["meter"]
    assert (among["meter"].whole.hits, among["gateway"].whole.hits) == (1, 1)


def test_a_fault_that_a_colleague_found_is_not_missed_by_the_other_rule() -> None:
    pack = scored([FAULT], [raised(MATE, "b1", BEGAN)], COLD, MATE)["boiler"]

    assert (pack.rules["no-heat"].hits, pack.rules["tank-cold"].missed) == (1, 0)
    assert pack.rules["tank-cold"].recall is None


def test_a_fault_that_nobody_found_is_missed_by_every_rule_that_should_have() -> None:
    pack = scored([FAULT], [], COLD, MATE, SILENT)["boiler"]

    assert (pack.whole.missed, pack.whole.recall, pack.whole.precision) == (1, 0.0, None)
    assert [score.missed for score in pack.rules.values()] == [1, 1]


def test_the_named_rule_alone_is_right_for_a_fault_that_people_saw() -> None:
    seen = replace(FAULT, kind="no-heat", rule="no-heat")

    alarms = [raised(COLD, "b1", BEGAN), raised(MATE, "b1", BEGAN + 1)]

    assert verdicts([seen], alarms, COLD, MATE) == ["false", "hit"]


def test_what_the_history_does_not_hold_is_neither_found_nor_missed() -> None:
    before = replace(FAULT, start_ms=-1, end_ms=ON_MS)
    too_late = replace(FAULT, id="e3", subject="b2", start_ms=DAY_MS - ON_MS, end_ms=None)

    whole = scored([before, too_late], [raised(COLD, "b1", 1)], COLD)["boiler"].whole

    assert (whole.labels, whole.hits, whole.false, whole.missed) == (0, 0, 0, 0)


def test_delays_are_counted_from_the_beginning_and_in_on_delays() -> None:
    labels = [replace(FAULT, id=f"e{n}", subject=f"b{n}") for n in (1, 2)]
    alarms = [raised(COLD, "b1", BEGAN + ON_MS), raised(COLD, "b2", BEGAN + 3 * ON_MS)]

    whole = scored(labels, alarms, COLD)["boiler"].whole

    assert whole.delay_ms(50) == 2 * ON_MS
    assert whole.delay_ms(90) == pytest.approx(2.8 * ON_MS)
    assert whole.delay_in_on_delays() == 2.0
    assert whole.alarms_per_day == 2.0


def test_on_delays_are_counted_from_when_a_fault_shows_in_times_that_the_readings_allow() -> None:
    shown_ms = BEGAN + 5 * ON_MS
    slow = replace(FAULT, evident_ms=shown_ms)
    alarms = [raised(COLD, "b1", shown_ms + 2 * ON_MS)]
    early = [raised(COLD, "b1", shown_ms - 1)]
    rare = replace(COLD, interval_ms=4 * ON_MS)

    assert scored([slow], alarms, COLD)["boiler"].whole.on_delays == (2.0,)
    assert scored([slow], alarms, rare)["boiler"].whole.on_delays == (0.5,)
    assert scored([slow], early, COLD)["boiler"].whole.on_delays == (0.0,)
    assert scored([slow], alarms, COLD)["boiler"].whole.delays_ms == (7 * ON_MS,)
    at_once = replace(COLD, on_delay_ms=0, interval_ms=ON_MS)
    assert scored([slow], alarms, at_once)["boiler"].whole.on_delays == ()


def test_the_time_for_a_hit_is_that_of_the_rule_however_seldom_it_is_read() -> None:
    rare = replace(COLD, interval_ms=10 * ON_MS)

    assert verdicts([FAULT], [raised(rare, "b1", ENDED + 2 * ON_MS + 1)], rare) == ["false"]


def test_no_verdict_is_asked_of_packs_that_can_find_nothing_and_say_nothing() -> None:
    absent = replace(COLD, pack="gas-boiler", subjects=frozenset())
    codes = replace(COLD, pack="codes", id="code", finds=frozenset())

    def left(alarms: list[Raised]) -> list[str]:
        rules = [COLD, absent, codes]
        return [one.pack for one in judgeable(scored([], alarms, *rules).values(), rules)]

    assert left([]) == ["boiler"]
    assert left([raised(codes, "b1", BEGAN)]) == ["boiler", "codes"]


def test_a_kind_that_no_rule_finds_is_named() -> None:
    lost = replace(FAULT, kind="sensor_drift")

    assert unfound([lost, FAULT, replace(lost, look_alike=True)], [COLD]) == {"sensor_drift": 1}


def many(count: int) -> list[Label]:
    return [replace(FAULT, id=f"e{n}", subject=f"b{n}") for n in range(count)]


def gate_of(labels: int, found: int, wrong: int = 0, **least: Any) -> list[str]:
    rule = replace(COLD, subjects=frozenset(f"b{n}" for n in range(labels)))
    alarms = [raised(rule, f"b{n}", BEGAN) for n in range(found)]
    alarms += [raised(rule, f"b{n}", BEGAN - 1) for n in range(wrong)]
    pack = scored(many(labels), alarms, rule)["boiler"]
    return Gate(**least).shortfalls(pack)


def test_the_gate_is_passed_at_exactly_what_is_asked_for() -> None:
    assert gate_of(20, 18, 2, precision=0.9, recall=0.9) == []
    assert gate_of(20, 17, 0, recall=0.9) == ["boiler: recall is 0.850, wanted 0.9"]
    assert gate_of(20, 18, 3, precision=0.9) == ["boiler: precision is 0.857, wanted 0.9"]


def test_the_gate_wants_labels_enough_for_a_verdict() -> None:
    (short,) = gate_of(FEWEST_LABELS - 1, FEWEST_LABELS - 1, recall=0.9)

    assert short == "boiler: labels: 19, and a verdict wants 20 or more"
    assert gate_of(1, 0) == []  # nothing was asked for


def test_a_pack_that_never_speaks_does_not_pass_for_precise() -> None:
    assert "boiler: precision is unknown, wanted 0.9" in gate_of(20, 0, precision=0.9)


def test_two_versions_differ_by_what_rises_only_with_one_of_them() -> None:
    old = [raised(COLD, "b1", 10, 20), raised(COLD, "b2", 10, 20), raised(MATE, "b1", 10)]
    new = [raised(COLD, "b1", 15, 30), raised(COLD, "b2", 21, 30), raised(MATE, "b2", 10)]

    found = compared(opinions([], old, [COLD, MATE], SPAN), opinions([], new, [COLD, MATE], SPAN))

    assert found.kept == 1
    assert [one.alarm for one in found.risen] == [new[2], new[1]]
    assert [one.alarm for one in found.gone] == [old[2], old[1]]
