"""Lost phases and loads that are not in balance."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.rules.making import make, rule, run

PHASES = {"points": ["a", "b", "c"], "limit": 0.3, "clear": 0.25, "floor": 20}


def minutes(*triples: tuple[float | None, ...]) -> list[tuple[int, int, float | None]]:
    return [(m, of, triple[of]) for m, triple in enumerate(triples, 1) for of in range(3)]


def test_one_far_below_the_largest_is_a_fault() -> None:
    one = make("spread", on_delay="PT1M", **PHASES)
    assert run(one, minutes((100, 100, 100), (100, 69, 90), (100, 69, 90))) == [(3, True)]
    assert run(make("spread", **PHASES), minutes((100, 70, 90), (100, 70, 90))) == []


def test_it_ends_at_the_clear_share() -> None:
    rows = minutes((100, 50, 100), (100, 74, 100), (100, 75, 100))
    assert run(make("spread", **PHASES), rows) == [(1, True), (3, False)]


def test_little_load_is_not_compared() -> None:
    assert run(make("spread", **PHASES), minutes((19, 1, 0), (19, 1, 0))) == []
    assert run(make("spread", **PHASES), minutes((100, 0, 0), (19, 0, 0)))[-1][1] is False


def test_a_phase_that_is_not_known_of_now_decides_nothing() -> None:
    rows = minutes((100, 100, 100), *[(100, 0, None)] * 9)
    assert run(make("spread", on_delay="PT5M", **PHASES), rows) == []
    assert run(make("spread", **PHASES), [(1, 0, 100), (1, 1, 0)]) == []


def test_what_was_not_known_for_a_while_begins_anew() -> None:
    one = make("spread", on_delay="PT5M", **PHASES)
    rows = minutes((100, 100, 100), *[(100, 0, None)] * 19, *[(100, 0, 100)] * 9)
    assert run(one, rows) == [(26, True)]  # known again from minute 21 on


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"clear": 0.4}, "clear must not be above limit"),
        ({"points": ["a", "a"]}, "stands here twice"),
        ({"points": ["a"]}, "at least 2"),
    ],
)
def test_a_spread_that_cannot_be_meant_is_refused(changes, why) -> None:
    with pytest.raises(ValidationError, match=why):
        rule("spread", **(PHASES | changes))
