"""A fix that telemetry proves closes its ticket, however long the off-delay of its rule is."""

from __future__ import annotations

import pytest

from hub.model import AlarmEvent, Effect
from rules.delay import Delay
from rules.spec_streams import HighRule
from tests.hub.fault_site import (
    COLD,
    MINUTE,
    START,
    SUPPLY,
    TANK,
    action,
    core,
    log,
    minutes,
    play,
    readings,
    started,
    ticket_in,
    told,
    with_ticket,
)

SLOW = COLD | {"off_delay": "PT2H"}
TAP = {
    "id": "tap-cold", "kind": "low", "point": "supply_temperature", "limit": 40, "clear": 42,
    "on_delay": "PT10M", "off_delay": "PT10M", "effect_of": ["heat"],
}  # fmt: skip


def fixed(*rules: dict[str, object]):
    one, ticket = with_ticket(*rules)
    play(one, [action(32, "acknowledge", ticket), action(33, "arrive", ticket)])
    play(one, [action(35, "fix", ticket, part="heating-element")])
    return one


def kinds(effects: list[Effect]) -> list[tuple[str, float]]:
    wanted = ("closed", "opened", "reopened")
    return [(kind, minute) for kind, minute in told(effects) if kind in wanted]


def test_a_proven_fix_does_not_wait_for_a_long_off_delay():
    one = fixed(SLOW)
    effects = play(one, minutes(36, 60, 55))
    assert kinds(effects) == [("closed", 46)]
    assert [one.kind for one in effects if isinstance(one, AlarmEvent)] == ["cleared"]


def test_what_fails_again_after_its_proof_opens_its_ticket_again_at_once():
    one = fixed(SLOW)
    effects = play(one, minutes(36, 50, 55) + minutes(51, 70, 45))
    assert kinds(effects) == [("closed", 46), ("reopened", 61)]


def test_without_a_report_the_off_delay_is_waited_out():
    one, _ = with_ticket(SLOW)
    effects = play(one, minutes(31, 160, 55))
    assert [minute for kind, minute in told(effects) if kind == "alarm_cleared"] == [151]
    assert kinds(effects) == []


def test_a_proof_closes_nothing_while_the_fault_itself_is_there():
    elsewhere = SLOW | {"point": "supply_temperature"}
    one = core(elsewhere)
    cold = [started(), *minutes(0, 30, 45, SUPPLY)]
    ticket = ticket_in(play(one, cold)).id
    play(one, [action(31, "acknowledge", ticket), action(32, "arrive", ticket)])
    play(one, [action(33, "fix", ticket, part="heating-element")])
    rows = [
        [(minute, 55, TANK, 0), (minute, 45 if minute < 60 else 55, SUPPLY, 0)]
        for minute in range(34, 80)
    ]
    assert kinds(play(one, map(readings, rows))) == [("closed", 71)]


def test_a_state_saved_in_the_middle_of_a_proof_goes_on_as_if_nothing_was():
    one = fixed(SLOW)
    play(one, minutes(36, 40, 55))
    again = core(SLOW)
    again.load(one.save())
    assert log(play(again, minutes(41, 60, 55))) == log(play(one, minutes(41, 60, 55)))
    assert again.save() == one.save()


def test_the_log_is_the_same_however_the_proof_was_cut():
    rows = [
        (start + n / 4, value, point, 0)
        for start, value in ((36, 51.0), (38, 55.0), (50, 55.0), (70, 45.0))
        for n in range(48)
        for point in (SUPPLY, TANK)
    ]
    rows.sort(key=lambda row: row[0])
    logs = []
    for cut in (1, 7, len(rows)):
        one = fixed(SLOW, TAP)
        parts = [readings(rows[first : first + cut]) for first in range(0, len(rows), cut)]
        logs.append(log(play(one, parts)))
    assert logs[0]
    assert b'"closed"' in logs[0]
    assert logs[0] == logs[1] == logs[2]


def test_the_effects_of_a_proven_cause_have_as_long_as_its_off_delay_to_be_over():
    one = core(SLOW | {"inhibits": "heat"}, TAP)
    both = [entry for m in range(31) for entry in (*minutes(m, m, 45), *minutes(m, m, 35, SUPPLY))]
    ticket = ticket_in(play(one, [started(), *both])).id
    play(one, [action(32, "acknowledge", ticket), action(33, "arrive", ticket)])
    play(one, [action(35, "fix", ticket, part="heating-element")])
    rows = [
        entry for m in range(36, 200) for entry in (*minutes(m, m, 55), *minutes(m, m, 35, SUPPLY))
    ]
    effects = play(one, rows)
    assert kinds(effects) == [("closed", 46), ("opened", 166)]
    over = next(e for e in effects if isinstance(e, AlarmEvent) and e.kind == "root_over")
    assert over.at_ms == START + 46 * MINUTE


def delay(*read: int) -> Delay:
    """Return a delay of two hours off whose fault was seen to be over at these minutes."""
    words = {"zh": "词", "en": "word"}
    form = {"id": "a", "kind": "high", "point": "p", "limit": 5, "clear": 4, "severity": "small"}
    one = Delay(
        HighRule.model_validate(form | {"off_delay": "PT2H", "title": words, "guidance": words}),
        MINUTE,
    )
    one.active = True
    for minute in read:
        one.step(minute * MINUTE + 1, moving=True)
    return one


@pytest.mark.parametrize(
    ("read", "now", "over"),
    [
        ([0, 1, 2, 3, 4, 5], 5, True),
        ([0, 1, 2, 3, 4], 4, False),  # not yet so long
        ([0, 1, 2, 9, 10], 10, False),  # nobody knows what was between
        ([0, 1, 2, 3, 4, 5], 9, False),  # nor what is now
        ([], 9, False),
    ],
)
def test_a_fault_is_settled_by_what_was_seen_only(read, now, over):
    one = delay(*read)
    assert one.settle(now * MINUTE + 1, 5 * MINUTE) is over
    assert one.active is not over


def test_a_fault_that_may_be_back_is_not_settled():
    one = delay(0, 1, 2, 3, 4, 5)
    one.step(5 * MINUTE + 2, moving=False, known_ms=5 * MINUTE + 1)
    assert not one.settle(5 * MINUTE + 3, 5 * MINUTE)
    one.step(5 * MINUTE + 4, moving=False)
    assert not one.settle(5 * MINUTE + 5, 5 * MINUTE)
