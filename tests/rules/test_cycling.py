"""Short cycling: too many starts in an hour."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import make, rule, run

KEYS = {"starts": {"point": "pump", "equals": 1}, "limit": 4, "clear": 3}


def starts(first: int, last: int, every: int) -> list[tuple[int, int]]:
    return [(minute, int(minute % every < every // 2)) for minute in range(first, last + 1)]


def test_too_many_starts_in_an_hour_are_a_fault() -> None:
    assert run(make("cycling", **KEYS), starts(1, 60, 10)) == [(50, True)]
    assert run(make("cycling", **KEYS), starts(1, 600, 15)) == []


def test_it_must_last_for_the_delay() -> None:
    one = make("cycling", on_delay="PT2H", **KEYS)
    assert run(one, starts(1, 200, 10)) == [(170, True)]
    assert run(make("cycling", on_delay="PT2H", **KEYS), starts(1, 160, 10)) == []


def test_it_ends_when_there_are_few() -> None:
    rows = [*starts(1, 60, 10), *((minute, 0) for minute in range(61, 200))]
    assert run(make("cycling", **KEYS), rows) == [(50, True), (90, False)]


def test_running_on_and_bad_readings_are_no_starts() -> None:
    one = make("cycling", starts={"point": "pump", "equals": 1}, limit=1, clear=0)
    assert run(one, [(1, 0), *((m, [1, None][m % 2]) for m in range(2, 50))]) == []


def test_clear_is_not_above_the_limit() -> None:
    with pytest.raises(ValidationError, match="clear must not be above limit"):
        rule("cycling", **(KEYS | {"clear": 5}))
