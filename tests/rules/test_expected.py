"""A day beside the weeks before it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import expected
from tests.rules.weeks import WEEKS, dormitory, hours, past, rule

NAN = float("nan")
USE = rule("expected", utility="electricity", side="both", limit=4, clear=2)
TERM = ("term",) * WEEKS


def judged(made, classes=TERM, one=USE):
    return expected.judge(one, past(made, classes))


def test_a_usual_day_is_fine_and_half_as_much_again_is_a_fault() -> None:
    made = hours(dormitory)
    assert judged(made).state == "fine"
    made[-1] *= 1.5
    assert judged(made).state == "fault"
    made[-1] /= 3
    assert judged(made).state == "fault"


def test_one_side_does_not_see_the_other() -> None:
    made = hours(dormitory)
    made[-1] *= 0.5
    low = judged(made, one=rule("expected", utility="electricity", side="low"))
    high = judged(made, one=rule("expected", utility="electricity", side="high"))
    assert (low.state, high.state) == ("fault", "fine")


def test_a_weekend_is_compared_with_weekends() -> None:
    def fridays_are_heavy(weekday: int, hour: int) -> float:
        return 3 * dormitory(0, hour) if weekday == 4 else dormitory(0, hour)

    assert judged(hours(fridays_are_heavy)).state == "fine"  # the judged day is a Friday


def test_vacation_days_are_learned_apart() -> None:
    made = hours(dormitory)
    made[10:] *= 0.2  # the rooms are empty since
    classes = ("term",) * 10 + ("vacation",) * (WEEKS - 10)
    assert judged(made, classes).state == "fine"
    assert judged(made, classes).facts["class"] == "vacation"
    made[-1] *= 2
    assert judged(made, classes).state == "fault"  # of a day in term it would be little


def test_the_first_days_of_a_class_are_unknown() -> None:
    made = hours(dormitory)
    made[-3:] *= 0.2
    assert judged(made, ("term",) * (WEEKS - 3) + ("vacation",) * 3).state == "unknown"
    alike = hours(lambda _, hour: dormitory(0, hour))
    assert judged(alike[-6:], ("term",) * 6).state == "fine"  # five days before, of any weekday
    assert judged(alike[-5:], ("term",) * 5).state == "unknown"
    mixed = ("term-free", "term-work") * 3 + ("term-work", "term-free")
    assert judged(alike[-8:], mixed).state == "fine"  # three days off, but seven of the term
    assert judged(alike[-7:], mixed[1:]).state == "unknown"
    assert judged(alike[-8:], ("vacation",) * 7 + ("term-free",)).state == "unknown"


def test_missing_hours_are_unknown_and_not_zero() -> None:
    made = hours(dormitory)
    made[-1, 18:23] = NAN  # the evening peak is not known: the rest is compared with the rest
    assert judged(made).state == "fine"
    made[-1, 2:16] = NAN
    assert judged(made).state == "unknown"
    made = hours(dormitory)
    made[:-1][:, 12] = NAN  # an hour that none of the days before knows
    assert judged(made).state == "unknown"


def test_one_odd_day_before_does_not_move_what_is_usual() -> None:
    made = hours(dormitory)
    plain = judged(made).facts["usual"]
    made[-8] *= 10
    assert judged(made).facts["usual"] == pytest.approx(plain, rel=0.1)
    assert judged(made).state == "fine"


def test_below_the_floor_it_is_no_fault() -> None:
    made = hours(dormitory) / 1000
    made[-1] *= 1.5
    assert judged(made).state == "fault"
    assert judged(made, one=rule("expected", utility="electricity", floor=1.0)).state == "fine"


@given(st.randoms())
def test_the_order_of_the_weeks_before_does_not_matter(random) -> None:
    made = hours(dormitory)
    weeks = [made[n : n + 7] for n in range(0, 28, 7)]
    random.shuffle(weeks)
    mixed = np.concatenate([*weeks, made[28:]])
    assert judged(mixed).state == judged(made).state
    assert judged(mixed).value == pytest.approx(judged(made).value)


def test_a_rule_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="clear must not be above limit"):
        rule("expected", utility="water", limit=2, clear=3)
