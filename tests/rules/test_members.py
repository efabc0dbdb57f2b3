"""What is so of any, all, so many or a share of the members of a place or gateway."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import MINUTE, make, point, rule, run

OVER = {"over": {"kind": "meter"}}
FIVE = [point(n) for n in range(5)]
TEN = [point(n) for n in range(10)]


def each(first: int, last: int, *values: float | None) -> list[tuple[int, int, float | None]]:
    """Return a reading of each member in each minute."""
    return [(m, of, v) for m in range(first, last + 1) for of, v in enumerate(values)]


@pytest.mark.parametrize(
    ("kind", "keys", "raises", "clears"),
    [
        ("any", {}, [9, 0, 0, 0, 0], [0, 0, 0, 0, 0]),
        ("all", {}, [9, 9, 9, 9, 9], [9, 9, 9, 9, 0]),
        ("count", {"at_least": 3}, [9, 9, 9, 0, 0], [9, 9, 0, 0, 0]),
        ("count", {"at_least": 3, "clear": 1}, [9, 9, 9, 0, 0], [9, 0, 0, 0, 0]),
        ("share", {"at_least": 0.8}, [9, 9, 9, 9, 0], [9, 9, 9, 0, 0]),
        ("share", {"at_least": 0.8, "clear": 0.2}, [9, 9, 9, 9, 0], [9, 0, 0, 0, 0]),
    ],
)
def test_enough_members_are_a_fault_and_few_enough_end_it(kind, keys, raises, clears) -> None:
    def story(change: list[float]) -> list[tuple[int, int, float | None]]:
        return [*each(1, 2, *change), *each(3, 4, *clears)]

    one = make(kind, *FIVE, above=5, on_delay="PT1M", off_delay="PT1M", **keys, **OVER)
    assert run(one, story(raises)) == [(2, True), (4, False)]
    fewer = [0 if of == raises.count(9) - 1 else v for of, v in enumerate(raises)]
    one = make(kind, *FIVE, above=5, on_delay="PT1M", off_delay="PT1M", **keys, **OVER)
    assert run(one, story(fewer)) == []


def test_members_not_heard_of_late_do_not_count_towards_a_fault() -> None:
    one = make("count", *FIVE, above=5, at_least=3, **OVER)
    run(one, each(1, 1, 9, 9, 0, 0, 0))
    assert run(one, [(m, 2, 9) for m in range(5, 20)]) == []
    assert run(one, [(20, 0, 9), (20, 1, 9)]) == [(20, True)]


def test_bad_readings_neither_raise_nor_clear() -> None:
    one = make("any", *FIVE, above=5, **OVER)
    assert run(one, [(1, 0, None), (2, 0, 9), (3, 0, None), (9, 0, None)]) == [(2, True)]


def test_silence_of_enough_members_is_a_fault_at_its_instant() -> None:
    one = make("share", *TEN, silent="PT3M", at_least=0.8, on_delay="PT1M", **OVER)
    one.listen(0)
    run(one, each(1, 1, *[1.0] * 10))
    run(one, [(2, 0, 1.0)])
    run(one, [(5, 1, 1.0)])
    assert one.due_ms() == 5 * MINUTE  # eight silent since minute 4
    run(one, [(5, 2, 1.0)])
    assert one.due_ms() == 6 * MINUTE  # the first one is the eighth now: silent since minute 5
    said = one.tick(60 * MINUTE)
    assert (said.at_ms, said.value, said.raised) == (6 * MINUTE, 0.8, True)
    why = one.why(6 * MINUTE)["members"]
    assert (why["count"], why["concerned"], why["needed"], why["clear"]) == (10, 8, 8, 7)
    assert why["ids"] == ["device-0", *(f"device-{n}" for n in range(3, 10))]


def test_silence_ends_when_enough_are_back_for_the_off_delay() -> None:
    keys = {"silent": "PT3M", "at_least": 0.8, "clear": 0.2, "off_delay": "PT2M"}
    one = make("share", *TEN, **keys, **OVER)
    one.listen(0)
    assert one.tick(3 * MINUTE).raised
    assert run(one, each(10, 20, *[1.0] * 7)) == []
    assert run(one, each(21, 30, *[1.0] * 8)) == [(23, False)]


def test_the_hub_did_not_hear_while_it_did_not_listen() -> None:
    one = make("all", *FIVE, silent="PT3M", **OVER)
    one.listen(100 * MINUTE)
    assert one.due_ms() == 103 * MINUTE
    assert one.tick(103 * MINUTE - 1) is None


@pytest.mark.parametrize(
    ("share", "of", "needed"), [(0.1, 10, 1), (0.75, 10, 8), (1, 10, 10), (0.28, 25, 7)]
)
def test_a_share_is_counted_in_whole_members(share, of, needed) -> None:
    one = make("share", *map(point, range(of)), above=5, at_least=share, **OVER)
    assert one.why(0)["members"]["needed"] == needed


@pytest.mark.parametrize(
    ("kind", "keys", "why"),
    [
        ("any", {}, "one of silent, above and below"),
        ("any", {"above": 1, "below": 2}, "one of silent, above and below"),
        ("any", {"above": 1, "at_least": 2}, "at_least belongs to count and share"),
        ("count", {"above": 1}, "at_least belongs to count and share"),
        ("share", {"above": 1, "at_least": 2}, "0 to 1"),
        ("share", {"above": 1, "at_least": 0.5, "clear": 0.5}, "clear must be below at_least"),
        ("all", {"above": 1, "clear": 1}, "clear belongs to count and share"),
        ("any", {"above": 1, "proof": {"point": "a", "above": 1}}, "no proof but"),
    ],
)
def test_members_that_cannot_be_meant_are_refused(kind, keys, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule(kind, **OVER, **keys)
