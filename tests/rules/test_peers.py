"""One among its like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import peers
from tests.rules.weeks import rule

NAN = float("nan")
HIGH = rule("peers", point="energy", side="high", limit=5, clear=3, floor=1.0)
ROOMS = [4.0, 4.4, 3.9, 4.1, 4.6, 3.5, 4.2, 4.0, 4.3]


def states(one, values) -> list[str]:
    return [judgement.state for judgement in peers.judge(one, np.array(values, np.float64))]


def test_a_room_far_above_its_like_is_a_fault_and_the_others_are_fine() -> None:
    assert states(HIGH, [*ROOMS, 19.0]) == ["fine"] * len(ROOMS) + ["fault"]


def test_heavy_use_within_the_spread_of_the_others_is_no_fault() -> None:
    assert set(states(HIGH, [*ROOMS, 5.1])) == {"fine"}


def test_between_the_limit_and_clear_it_is_neither() -> None:
    assert states(HIGH, [*ROOMS, 5.6])[-1] == "between"


def test_one_side_does_not_see_the_other() -> None:
    low = rule("peers", point="energy", side="low", floor=1.0)
    both = rule("peers", point="energy", side="both", floor=1.0)
    values = [*ROOMS, 0.0]
    assert states(HIGH, values)[-1] == "fine"
    assert states(low, values)[-1] == states(both, values)[-1] == "fault"


def test_where_all_are_alike_the_smallest_difference_is_no_fault() -> None:
    assert set(states(HIGH, [4.0] * 9 + [4.9])) == {"fine"}
    assert states(HIGH, [4.0] * 9 + [5.1])[-1] == "fault"  # beyond the floor it is one


def test_missing_is_unknown_and_not_zero() -> None:
    both = rule("peers", point="energy", side="both")
    found = states(both, [*ROOMS, NAN])
    assert found[-1] == "unknown"
    assert "fault" not in found
    assert set(states(both, [*ROOMS[:7], *[NAN] * 9])) == {"unknown"}  # seven are not eight


def test_it_tells_what_it_compared_with() -> None:
    judgement = peers.judge(HIGH, np.array([*ROOMS, 19.0]))[-1]
    assert judgement.limit == 5
    assert judgement.facts["median"] == pytest.approx(4.15)
    assert judgement.facts["value"] == 19.0
    assert judgement.facts["members"] == 10


@given(st.lists(st.floats(0, 100) | st.just(NAN), min_size=1, max_size=40), st.randoms())
def test_the_order_of_the_members_does_not_matter(values: list[float], random) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    found = peers.judge(HIGH, np.array(values))
    shuffled = peers.judge(HIGH, np.array([values[n] for n in order]))
    assert [shuffled[order.index(n)] for n in range(len(values))] == found


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"point": "energy", "limit": 2, "clear": 3}, "clear must not be above limit"),
        ({"point": "energy", "utility": "water"}, "one of point"),
        ({}, "one of point"),
        ({"utility": "water", "statistic": "mean"}, "use or night_use"),
        ({"point": "energy", "per": "student"}, "per is for the use of places"),
        ({"point": "energy", "every": "PT1H"}, "every is P1D"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(keys, words) -> None:
    with pytest.raises(ValueError, match=words):
        rule("peers", **keys)
