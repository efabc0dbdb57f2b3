"""Where legionella can grow."""

import numpy as np
import pytest

from rules.exposure import judge_outlet, judge_store
from tests.rules.weeks import past, rule

NAN = float("nan")
STORE = rule("exposure", of="store", point="tank_temperature", limit=55, clear=60)
OUTLET = rule("exposure", of="outlet", point="total_litres", limit=0, clear=8, **{"for": "P7D"})


def store(high, low=None) -> str:
    top = np.full((1, 24), 1.0) * np.asarray(high)
    return judge_store(STORE, top, top - 3 if low is None else np.full((1, 24), 1.0) * low).state


def outlet(*litres: float) -> str:
    return judge_outlet(OUTLET, past(np.zeros((7, 24)), total=np.array(litres))).state


def test_a_store_that_was_never_hot_in_a_day_is_a_fault() -> None:
    assert store(54.9) == "fault"


def test_one_hot_hour_makes_it_none() -> None:
    high = np.full(24, 52.0)
    high[4] = 55.0
    assert store(high) == "between"


def test_it_is_clear_after_an_hour_at_sixty() -> None:
    low = np.full(24, 50.0)
    low[3] = 60.0
    assert store(63.0, low) == "fine"
    assert store(63.0, np.full(24, 58.0)) == "between"  # it was at sixty for no whole hour


def test_an_hour_that_is_not_known_may_have_been_hot() -> None:
    high = np.full(24, 52.0)
    high[20] = NAN
    assert store(high) == "unknown"
    assert store(NAN) == "unknown"
    high[3] = 56.0
    assert store(high) == "between"


def test_more_than_a_day_may_be_asked_for() -> None:
    slow = rule("exposure", of="store", point="t", limit=55, clear=60, **{"for": "PT36H"})
    high = np.full((2, 24), 52.0)
    assert judge_store(slow, high, high).state == "fault"
    high[0, 12] = 56.0
    assert judge_store(slow, high, high).state == "between"
    high[0, 12], high[0, 11] = 52.0, 56.0  # before these 36 hours
    assert judge_store(slow, high, high).state == "fault"


def test_an_outlet_that_nobody_opened_for_a_week_is_a_fault() -> None:
    assert outlet(0, 0, 0, 0, 0, 0, 0) == "fault"


def test_one_short_use_makes_it_none_and_a_flush_clears() -> None:
    assert outlet(0, 0, 3, 0, 0, 0, 0) == "between"
    assert outlet(0, 0, 0, 0, 0, 0, 3) == "between"
    assert outlet(0, 0, 0, 0, 0, 0, 9) == "fine"


def test_a_day_that_is_not_known_may_have_been_one_of_use() -> None:
    assert outlet(0, 0, NAN, 0, 0, 0, 0) == "unknown"
    assert outlet(*[NAN] * 7) == "unknown"
    assert outlet(0, 0, NAN, 0, 5, 0, 0) == "between"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"of": "store", "for": "PT90M"}, "whole hours"),
        ({"of": "outlet", "for": "PT36H"}, "whole days of an outlet"),
        ({"of": "store", "limit": 61}, "clear must not be below limit"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(keys, words) -> None:
    with pytest.raises(ValueError, match=words):
        rule("exposure", **{"point": "t", "limit": 55, "clear": 60} | keys)
