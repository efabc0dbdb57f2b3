"""What is given and what is taken."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import balance
from rules.balance import Partly
from tests.rules.weeks import rule

NAN = float("nan")
METERS = rule("balance", limit=0.1, clear=0.05, floor=5)
HEAT = rule("balance", of="heat", limit=0.15, clear=0.08, cold=15, losses=2, side="high")
WATER = rule(
    "balance", of="water", limit=0.1, clear=0.05, floor=0.5, cold=15, mixed=38, side="high"
)


@pytest.mark.parametrize(
    ("given_kwh", "taken", "state"),
    [
        (100, 88, "fault"),  # 12 % and 12 kWh
        (100, 112, "fault"),  # more is taken than given
        (0, 12, "fault"),  # the parent stands still
        (100, 91, "between"),
        (100, 90, "between"),  # exactly the limit is not above it
        (100, 96, "fine"),
        (40, 35.5, "between"),  # 11 %, but less than the floor
        (20, 18, "fine"),
        (0, 0, "fine"),
    ],
)
def test_a_share_and_a_floor_make_a_fault(given_kwh, taken, state) -> None:
    assert balance.judge(METERS, given_kwh, taken).state == state


def test_one_meter_that_is_not_known_makes_it_unknown() -> None:
    judgement = balance.judge(METERS, 100, NAN)
    assert judgement.state == "unknown"
    assert judgement.facts["missing"] == ["taken"]
    assert balance.judge(METERS, NAN, NAN).facts["missing"] == ["given", "taken"]


def test_what_the_known_meters_take_alone_may_be_too_much_already() -> None:
    assert balance.judge(METERS, 20, NAN, Partly(90)).state == "fault"
    assert (
        balance.judge(METERS, 100, NAN, Partly(90)).state == "unknown"
    )  # the others may take the rest
    assert balance.judge(METERS, 100, NAN, Partly(101)).state == "unknown"
    assert balance.judge(METERS, NAN, NAN, Partly(90)).state == "unknown"
    high = rule("balance", limit=0.1, clear=0.05, floor=5, side="high")
    assert balance.judge(high, 20, NAN, Partly(90)).state == "unknown"


def test_it_is_fine_when_nearly_all_meters_are_known_and_agree() -> None:
    assert balance.judge(METERS, 100, NAN, Partly(90, 98)).state == "fine"
    assert balance.judge(METERS, 100, NAN, Partly(90, 94)).state == "unknown"  # not quite: wait
    assert balance.judge(METERS, 100, NAN, Partly(60, 62)).state == "unknown"  # a guess is no proof
    assert balance.judge(METERS, 20, NAN, Partly(90, 20)).state == "fault"  # what is known counts
    assert balance.judge(METERS, NAN, NAN, Partly(90, 98)).state == "unknown"


def test_the_heat_of_a_plant_goes_into_water_and_losses() -> None:
    taken = balance.heat_taken(HEAT, 10.0, 55.0)  # 10 t by 40 K, and 2 kW all day
    assert taken == pytest.approx(1.163 * 10 * 40 + 48, rel=1e-3)
    assert balance.judge(HEAT, 515, taken).state == "fine"
    assert balance.judge(HEAT, 640, taken).state == "fault"  # heat goes somewhere else: a leak
    assert balance.judge(HEAT, 400, taken).state == "fine"  # the other side is none of it
    assert balance.judge(HEAT, 515, balance.heat_taken(HEAT, 10.0, NAN)).state == "unknown"


def test_terminals_draw_hot_water_mixed_with_cold() -> None:
    hot = balance.hot_part(WATER, 20.0, 53.0)  # 23 K of 38 K
    assert hot == pytest.approx(20 * 23 / 38)
    assert balance.judge(WATER, 12.3, hot).state == "fine"
    assert balance.judge(WATER, 16.0, hot).state == "fault"  # what nobody drew has leaked
    assert balance.hot_part(WATER, 20.0, 36.0) == 20.0  # too cold to mix: all of it is hot water
    assert math.isnan(balance.hot_part(WATER, 20.0, NAN))


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_both_sides_are_judged_alike(one: float, other: float) -> None:
    assert balance.judge(METERS, one, other)[:3] == balance.judge(METERS, other, one)[:3]


def test_a_rule_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="clear must not be above limit"):
        rule("balance", limit=0.1, clear=0.2)
    with pytest.raises(ValueError, match="warmer than cold"):
        rule("balance", of="water", cold=20, mixed=20)
