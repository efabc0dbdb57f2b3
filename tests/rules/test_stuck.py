"""Stuck: a point that stays as it is although it should vary."""

from __future__ import annotations

from tests.rules.making import MINUTE, make, run


def still(first: int, last: int, value: float | None) -> list[tuple[int, float | None]]:
    return [(minute, value) for minute in range(first, last + 1)]


def varying(first: int, last: int, by: float = 1.0) -> list[tuple[int, float]]:
    """Return a value that goes up and down by so much."""
    return [(minute, 220 + by * (minute % 2)) for minute in range(first, last + 1)]


def test_an_identical_value_for_so_long_is_a_fault() -> None:
    one = make("stuck", on_delay="PT30M")
    assert run(one, still(1, 40, 220)) == [(31, True)]
    assert one.why(0)["thresholds"]["usual_step"] == 0


def test_it_ends_after_some_values_that_differ() -> None:
    one = make("stuck", on_delay="PT30M", changes=3, off_delay="PT2M")
    rows = [*still(1, 40, 220), (41, 221), (42, 221), (43, 222), (44, 223)]
    assert run(one, rows) == [(31, True), (44, False)]


def test_one_other_value_begins_anew() -> None:
    rows = [*still(1, 29, 220), (30, 221), *still(31, 60, 220)]
    assert run(make("stuck", on_delay="PT30M"), rows) == []


def test_a_gap_or_bad_readings_begin_anew() -> None:
    rows = [*still(1, 20, 220), *still(24, 53, 220)]
    assert run(make("stuck", on_delay="PT30M"), rows) == []
    rows = [*still(1, 20, 220), *still(21, 40, None), *still(41, 69, 220)]
    assert run(make("stuck", on_delay="PT30M"), rows) == []


def test_a_value_of_no_use_may_stay_for_ever() -> None:
    one = make("stuck", on_delay="PT30M", ignore=[0])
    assert run(one, [*still(1, 500, 0), *still(501, 531, 40)]) == [(531, True)]


def test_what_moves_much_less_than_usual_is_stuck_too() -> None:
    one = make("stuck", on_delay="PT30M", of_usual=0.1)
    rows = [*varying(1, 1000), *varying(1001, 1100, by=0.05)]
    assert run(one, rows) == [(1030, True)]
    assert 0.5 < one.why(0)["thresholds"]["usual_step"] < 2


def test_what_is_usual_is_used_once_enough_was_learned() -> None:
    early = [*varying(1, 300), *varying(301, 400, by=0.05)]  # six steps are no rule
    assert run(make("stuck", on_delay="PT30M", of_usual=0.1), early) == []


def test_a_few_wild_readings_do_not_change_what_is_usual() -> None:
    one = make("stuck", on_delay="PT30M", of_usual=0.1)
    rows = [(m, v if m % 60 else 9999.0) for m, v in varying(1, 3000)]
    run(one, rows)
    assert one.why(0)["thresholds"]["usual_step"] < 2000


def test_a_stuck_sensor_does_not_teach_that_it_is_alive() -> None:
    one = make("stuck", on_delay="PT10H", of_usual=0.1)
    run(one, [*varying(1, 2000), *varying(2001, 2590, by=0.05)])
    before = one.why(0)["thresholds"]["usual_step"]
    assert run(one, varying(2591, 2700, by=0.05)) == [(2600, True)]
    assert one.why(0)["thresholds"]["usual_step"] == before


def test_the_time_counts_only_while_another_point_says_so() -> None:
    one = make("stuck", on_delay="PT10M", **{"while": {"point": "on", "equals": 1}})
    pairs = [(m, of, [40, m > 20][of]) for m in range(1, 60) for of in (1, 0)]
    assert run(one, pairs) == [(31, True)]


def test_what_was_true_before_a_gap_is_not_counted_on() -> None:
    one = make("stuck", on_delay="PT10M", **{"while": {"point": "on", "equals": 1}})
    seen = {1: {*range(1, 5), *range(10, 30)}, 0: set(range(1, 30))}
    pairs = [(m, of, [40, 1][of]) for m in range(1, 30) for of in (1, 0) if m in seen[of]]
    assert run(one, pairs) == [(20, True)]


def test_it_tells_since_when_and_what_is_usual() -> None:
    one = make("stuck", on_delay="PT30M")
    run(one, still(1, 10, 220))
    said = one.why(10 * MINUTE)
    assert said["since_ms"] == MINUTE
    assert said["due_ms"] == 31 * MINUTE
    assert said["readings"] == [["a", 10 * MINUTE, 220]]
