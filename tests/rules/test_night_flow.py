"""Water that flows in every hour of the night."""

from rules import night_flow
from tests.rules.weeks import hours, past, rule

NAN = float("nan")
DAYS = 35
LEAK = rule("night_flow", utility="water")


def showers(_: int, hour: int) -> float:
    return 3.0 if 18 <= hour < 23 else 0.8 if hour >= 7 else 0.0


def leaking(m3_per_h: float, nights: int):
    made = hours(showers, DAYS)
    made[-nights:] += m3_per_h
    return made


def judged(made, one=LEAK):
    return night_flow.judge(one, past(made))


def test_a_leak_is_a_fault_once_most_nights_of_the_window_have_it() -> None:
    assert judged(leaking(0.4, 7)).state == "fault"
    assert judged(leaking(0.4, 7)).value > 0.39
    assert judged(leaking(0.4, 3)).state == "between"  # on its way


def test_above_a_cubic_metre_an_hour_it_is_grave() -> None:
    assert not judged(leaking(0.4, 7)).grave
    assert judged(leaking(1.4, 7)).grave


def test_a_late_shower_in_every_night_is_none() -> None:
    made = hours(showers, DAYS)
    for n in range(1, 8):
        made[-n, :5] = 0.0
        made[-n, n % 4] = 0.6  # somebody showers at night, each night at another hour
    assert judged(made).state == "fine"


def test_an_hour_without_flow_in_the_last_two_days_makes_it_none() -> None:
    made = leaking(0.4, 8)
    made[-2, 3] = 0.0
    assert judged(made).state == "between"
    short = rule("night_flow", utility="water", still="PT24H")
    assert judged(made, short).state == "fault"


def test_water_that_always_flows_by_night_is_its_baseline() -> None:
    made = hours(lambda _, hour: showers(0, hour) + 0.3, DAYS)  # a cooling tower
    assert judged(made).state == "fine"
    made[-1:] += 0.3
    assert judged(made).state == "between"  # one night says nothing yet
    made[-7:-1] += 0.3
    assert judged(made).state == "fault"


def test_it_is_clear_after_one_night_without_flow_or_at_the_baseline() -> None:
    made = leaking(0.4, 8)
    made[-1] -= 0.4
    assert judged(made).state == "fine"
    made[-1] += 0.08  # below the limit of the rule
    assert judged(made).state == "fine"


def test_missing_is_unknown_and_not_zero() -> None:
    made = leaking(0.4, 8)
    made[-2, 3] = NAN
    assert judged(made).state == "fault"  # in the other hours of that night it flowed
    made[-2, 1:5] = NAN  # just then the water may have stood still
    assert judged(made).state == "unknown"
    made = leaking(0.4, 8)
    made[-2, 14:17] = NAN  # by day it would not have
    assert judged(made).state == "fault"
    for leak in (0.4, 0.0):
        made = leaking(leak, 8)
        made[-1] = NAN
        assert judged(made).state == "unknown"
    made = leaking(0.4, 8)
    made[-7:-3] = NAN
    assert judged(made).state == "unknown"  # three nights of seven


def test_without_weeks_before_only_the_limit_counts() -> None:
    assert judged(leaking(0.4, 7)[-7:]).state == "fault"
    assert judged(leaking(0.4, 11)[-11:]).state == "fault"  # four nights are no baseline
    assert judged(hours(showers, 7)).state == "fine"
