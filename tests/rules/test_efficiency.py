"""What a plant makes of a kWh."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.efficiency import Worked, expected_cop, judge
from rules.spec_windows import Performance
from tests.rules.weeks import rule

NAN = float("nan")
DRIFT = rule("efficiency", limit=0.8, clear=0.9)
TABLE = DRIFT.expected
SHAPE = (7, 24)


def worked(share: float, air: float = 7.0, water: float = 50.0) -> Worked:
    """Return a week of a plant that makes so much of what it should."""
    used = np.full(SHAPE, 3.0) + np.arange(24) / 10
    cold, warm = np.full(SHAPE, air) + np.arange(24) / 4, np.full(SHAPE, water)
    return Worked(used * expected_cop(TABLE, cold, warm) * share, used, cold, warm)


def test_a_plant_that_makes_less_than_it_should_is_a_fault() -> None:
    assert judge(DRIFT, worked(0.7)).state == "fault"
    assert judge(DRIFT, worked(0.85)).state == "between"
    assert judge(DRIFT, worked(0.95)).state == "fine"


def test_a_cold_week_is_none_and_neither_is_hotter_water() -> None:
    assert judge(DRIFT, worked(1.0, air=-8)).state == "fine"
    assert judge(DRIFT, worked(1.0, water=60)).state == "fine"
    frost = worked(1.0, air=-8)
    warm = Worked(frost.made, frost.used, worked(1.0).air, frost.water)
    assert judge(DRIFT, warm).state == "fault"  # the same work in mild weather is one


def test_one_bad_day_does_not_make_a_drift() -> None:
    week = worked(1.0)
    week.made[-1] *= 0.5
    assert judge(DRIFT, week).state == "fine"


def test_hours_that_are_not_known_count_on_neither_side() -> None:
    week = worked(0.7)
    week.made[2:4] = NAN
    assert judge(DRIFT, week).state == "fault"
    assert judge(DRIFT, week).value == pytest.approx(0.7)
    week.air[:4] = NAN
    assert judge(DRIFT, week).state == "unknown"
    dark = worked(0.7)
    dark.used[-1] = NAN  # of the judged day nothing is known
    assert judge(DRIFT, dark).state == "unknown"


def test_hours_in_which_elements_help_or_something_else_is_wrong_are_not_a_drift() -> None:
    week = worked(1.0)
    week.made[:, 17:22] *= 0.4  # elements, in the peak of every evening
    week.made[5] *= 0.3  # a compressor that stood still
    assert judge(DRIFT, week).state == "fine"
    assert judge(DRIFT, week).facts["cop"] < 0.8 * judge(DRIFT, week).facts["expected"]
    whole = rule("efficiency", quantile=0.25)
    assert judge(whole, week).state == "fault"


def test_a_plant_that_hardly_works_tells_nothing() -> None:
    week = worked(0.5)
    little = Worked(week.made / 100, week.used / 100, week.air, week.water)
    assert judge(DRIFT, little).state == "unknown"
    still = Worked(week.made * 0, week.used * 0, week.air, week.water)
    assert judge(DRIFT, still).state == "unknown"


@given(st.permutations(range(6)))
def test_the_order_of_the_days_before_does_not_matter(order) -> None:
    week = worked(0.75)
    mixed = Worked(*(one[[*order, 6]] for one in week))
    assert judge(DRIFT, mixed).value == pytest.approx(judge(DRIFT, week).value)


def test_the_cop_goes_by_air_and_water() -> None:
    one = Performance(air=(0.0, 10.0), cop=(2.0, 4.0), water=50, per_kelvin=0.02)
    found = expected_cop(one, np.array([-5.0, 5.0, 20.0, 5.0]), np.array([50.0, 50, 50, 60]))
    assert found == pytest.approx([2.0, 3.0, 4.0, 2.4])


def test_a_rule_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="clear must not be below limit"):
        rule("efficiency", limit=0.9, clear=0.8)
    with pytest.raises(ValueError, match="same length"):
        Performance(air=(0.0,), cop=(2.0, 3.0))
    with pytest.raises(ValueError, match="air rises"):
        Performance(air=(7.0, 0.0), cop=(2.0, 3.0))
