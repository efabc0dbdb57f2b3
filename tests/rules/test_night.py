"""What is used by night."""

import pytest

from rules import night
from tests.rules.weeks import dormitory, hours, past, rule

NAN = float("nan")
BASE = rule("night", utility="electricity")


def judged(made, one=BASE) -> str:
    return night.judge(one, past(made)).state


def test_something_left_on_by_night_is_a_fault() -> None:
    made = hours(dormitory)
    assert judged(made) == "fine"
    made[-1, 0:5] += 2.0  # a heater: half as much again as the base load
    assert judged(made) == "fault"


def test_a_late_evening_and_an_early_morning_are_none() -> None:
    made = hours(dormitory)
    made[-1, 5:8] += 40
    made[-1, 21:] += 40
    assert judged(made) == "fine"


def test_less_than_usual_is_none() -> None:
    made = hours(dormitory)
    made[-1, 0:5] = 0
    assert judged(made) == "fine"


def test_a_bit_more_than_usual_is_neither_a_fault_nor_clear() -> None:
    made = hours(dormitory, noise=0.0)
    made[-1, 0:5] *= 1.15  # three times the least spread
    assert judged(made) == "between"


def test_a_night_that_is_not_known_is_unknown() -> None:
    made = hours(dormitory)
    made[-1, 0:3] = NAN
    assert judged(made) == "unknown"
    made = hours(dormitory)
    made[-1, 12:] = NAN  # the day matters not
    assert judged(made) == "fine"


def test_the_hours_of_the_night_are_the_rules_own() -> None:
    made = hours(dormitory)
    made[-1, 1:4] += 9.0
    assert judged(made, rule("night", utility="electricity", **{"from": 4, "until": 6})) == "fine"
    with pytest.raises(ValueError, match="from is before until"):
        rule("night", utility="electricity", **{"from": 23, "until": 5})
