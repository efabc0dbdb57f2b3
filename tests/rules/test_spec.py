"""How rules are written: what is refused and why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from rules.spec import Pack

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
    rule = {**RULE, **changes}
    content = {"version": 1, "pack": "p", "applies_to": {"kind": "boiler"}, "rules": [rule]}
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
