"""How rules are written: what is refused and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from rules.spec import Pack
from tests.rules.weeks import rule

RULE = {
    "id": "tank-cold",
    "kind": "low",
    "point": "tank_temperature",
    "limit": 50,
    "clear": 52,
    "on_delay": "PT10M",
    "severity": "ordinary",
    "title": {"zh": "冷", "en": "cold"},
    "guidance": {"zh": "看", "en": "look"},
    "proof": {"point": "tank_temperature", "above": 52, "for": "PT10M"},
}


def pack(**changes: object) -> Pack:
    one = {**RULE, **changes}
    content = {"version": 1, "pack": "p", "applies_to": {"kind": "boiler"}, "rules": [one]}
    return Pack.model_validate(content)


def test_a_duration_is_read_as_iso_8601() -> None:
    assert pack(on_delay="PT1H30M").rules[0].on_delay == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"on_delay": 600}, "a duration is written like"),
        ({"on_delay": "600"}, "a duration is written like"),
        ({"clear": 49}, "clear must not be below limit"),
        ({"kind": "high", "clear": 51}, "clear must not be above limit"),
        ({"limit": float("nan")}, "finite"),
        ({"colour": "red"}, "not permitted"),
        ({"proof": {"point": "tank_temperature"}}, "one of above and below"),
        ({"proof": {"point": "t", "above": 1, "for": "PT5H"}}, "for is longer than within"),
        ({"proof": {"point": "t", "above": 1, "within": 3600}}, "a duration is written like"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_reason(changes: dict, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        pack(**changes)


def test_two_rules_of_one_id_are_refused() -> None:
    content = {"version": 1, "pack": "p", "applies_to": {"kind": "boiler"}, "rules": [RULE, RULE]}
    with pytest.raises(ValidationError, match="two rules have the id tank-cold"):
        Pack.model_validate(content)


def test_a_rule_says_what_it_finds_and_how_it_is_told() -> None:
    (one,) = pack(finds=["element_failed"], suppressible=False, latched=True).rules
    assert one.finds == ("element_failed",)
    assert not one.suppressible
    assert one.latched
    (plain,) = pack().rules
    assert (plain.finds, plain.suppressible, plain.latched) == ((), True, False)


@pytest.mark.parametrize(
    ("changes", "inputs"),
    [
        ({}, ("tank_temperature",)),
        ({"kind": "stuck", "while": {"point": "pump", "equals": 1}}, ("tank_temperature", "pump")),
        ({"kind": "session", "session": {"point": "s", "equals": 2}, "valve": "no_open"}, None),
    ],
)
def test_a_rule_names_its_inputs_in_order(changes, inputs) -> None:
    own = {"limit", "clear"} if changes.get("kind") == "stuck" else set()
    own |= {"clear"} if changes.get("kind") == "session" else set()
    one = {key: value for key, value in (RULE | changes).items() if key not in own}
    content = {"version": 1, "pack": "p", "applies_to": {"kind": "boiler"}, "rules": [one]}
    assert Pack.model_validate(content).rules[0].inputs == (inputs or ("tank_temperature", "s"))


@pytest.mark.parametrize("kind", ["gateway", "building", "shower_room", "plant"])
def test_what_has_members_has_rules_over_them_only(kind: str) -> None:
    common = {"severity": "small", "title": RULE["title"], "guidance": RULE["guidance"]}
    over = {"id": "any", "kind": "any", "point": "p", "above": 1, "over": {"kind": "meter"}}
    content = {"version": 1, "pack": "p", "applies_to": {"kind": kind}, "rules": [over | common]}
    assert Pack.model_validate(content).rules[0].inputs == ("p",)
    with pytest.raises(ValidationError, match="no others of those with a point do"):
        Pack.model_validate(content | {"rules": [RULE]})
    with pytest.raises(ValidationError, match="no others of those with a point do"):
        Pack.model_validate(content | {"applies_to": {"kind": "meter"}})


def test_a_delay_is_not_below_zero() -> None:
    with pytest.raises(ValidationError, match="greater than or equal"):
        pack(on_delay=timedelta(minutes=-1))


def test_errors_are_those_of_a_line_and_clear_inside_the_limit() -> None:
    common = {"severity": "small", "title": RULE["title"], "guidance": RULE["guidance"]}
    errors = {"id": "noise", "kind": "errors", "limit": 0.05, "clear": 0.01} | common
    content = {"version": 1, "pack": "p", "applies_to": {"kind": "gateway"}, "rules": [errors]}
    assert Pack.model_validate(content).rules[0].limit == 0.05
    with pytest.raises(ValidationError, match="apply to gateways"):
        Pack.model_validate(content | {"applies_to": {"kind": "building"}})
    with pytest.raises(ValidationError, match="clear must not be above limit"):
        Pack.model_validate(content | {"rules": [errors | {"clear": 0.06}]})


@pytest.mark.parametrize(
    ("kind", "keys", "delay"),
    [
        ("high", {"limit": 1, "clear": 1, "on_delay": "PT2M"}, timedelta(minutes=2)),
        ("any", {"over": {}, "silent": "PT2M", "on_delay": "PT4M"}, timedelta(minutes=6)),
        ("any", {"over": {}, "above": 1, "on_delay": "PT4M"}, timedelta(minutes=4)),
        ("night_flow", {"utility": "hot_water", "window": 2, "nights": 1}, timedelta(days=2)),
        ("night_flow", {"utility": "hot_water", "window": 2, "nights": 3}, timedelta(days=3)),
    ],
)
def test_a_rule_says_how_long_a_fault_is_there_before_it_is_told(kind, keys, delay) -> None:
    own = {} if kind == "night_flow" else {"point": "p"}
    assert rule(kind, **own, **keys).delay == delay
