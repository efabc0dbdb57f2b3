"""Judgements become an alarm and end it: nights in a row."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judged import Judged, Judgement, Verdict
from rules.machine import Machine
from rules.registry import machine
from tests.rules.weeks import rule

HOUR = 3_600_000
STATES = ("fault", "between", "fine", "unknown")


def make(nights: int = 2, clear_nights: int = 3) -> Judged:
    one = machine(
        rule("night", utility="electricity", nights=nights, clear_nights=clear_nights), HOUR
    )
    assert isinstance(one, Judged)
    return one


def verdict(night: int, state, grave: bool = False, value: float = 7.0) -> Verdict:
    day = f"2026-11-{night:02}"
    return Verdict(night * 24 * HOUR, day, Judgement(state, value, 4.0, {"days": 28}, grave))


def heard(one: Judged, states) -> list[tuple[int, bool]]:
    """Let it hear a night after another; return (night, raised)."""
    found = [(night, one.hear(verdict(night, state))) for night, state in enumerate(states, 1)]
    return [(night, transition.raised) for night, transition in found if transition]


F, B, G, U = "fault", "between", "fine", "unknown"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((F,), []),
        ((F, F), [(2, True)]),
        ((F, F, F, F), [(2, True)]),
        ((F, G, F, G), []),  # never two in a row
        ((F, B, F), []),  # a night between breaks the row
        ((F, U, U, F), [(4, True)]),  # unknown changes nothing
        ((F, F, G, G), [(2, True)]),
        ((F, F, G, G, G), [(2, True), (5, False)]),
        ((F, F, G, G, F, G, G, G), [(2, True), (8, False)]),
        ((F, F, G, U, G, B, G, G, G), [(2, True), (9, False)]),
        ((U, U, G, B, G), []),
    ],
)
def test_so_many_nights_in_a_row_raise_and_so_many_clear(states, expected) -> None:
    assert heard(make(), states) == expected


def test_a_day_that_is_heard_twice_counts_once() -> None:
    one = make()
    assert one.hear(verdict(3, "fault")) is None
    assert one.hear(verdict(3, "fault")) is None
    assert one.hear(verdict(2, "fault")) is None  # older
    assert one.hear(verdict(4, "fault")) is not None


def test_what_becomes_grave_is_told_once_and_stays_so() -> None:
    one = make(nights=1, clear_nights=1)
    graves = (False, True, True, False)
    told = [one.hear(verdict(n, "fault", grave)) for n, grave in enumerate(graves, 1)]
    assert [step is not None for step in told] == [True, True, False, False]
    assert one.urgent
    assert one.hear(verdict(9, "fine")) is not None
    assert not one.urgent
    worst = make(nights=1)
    assert worst.hear(verdict(1, "fault", grave=True)) is not None
    assert worst.urgent


def test_readings_and_time_change_nothing() -> None:
    one: Machine = make(nights=1)
    one.listen(0)
    assert one.step(5, 99.0, good=True) is None
    assert one.tick(5) is None
    assert one.due_ms() is None
    assert one.save() == {}


@given(st.lists(st.tuples(st.sampled_from(STATES), st.booleans()), max_size=20), st.data())
def test_a_restart_at_any_night_changes_nothing(story, data) -> None:
    cut = data.draw(st.integers(0, len(story)))
    verdicts = [verdict(night, *told) for night, told in enumerate(story, 1)]
    whole, first, second = make(), make(), make()
    expected = [whole.hear(one) for one in verdicts]
    found = [first.hear(one) for one in verdicts[:cut]]
    second.load(orjson.loads(orjson.dumps(first.save())))
    assert not any(second.hear(one) for one in verdicts[:cut])  # told again: heard already
    found += [second.hear(one) for one in verdicts[cut:]]
    assert found == expected
    assert second.save() == whole.save()
    assert second.why(0) == whole.why(0)


def test_it_tells_why() -> None:
    one = make()
    assert one.why(0)["readings"] == []
    one.hear(verdict(1, "fault"))
    why = one.why(0)
    assert why["readings"] == [[0, 24 * HOUR, 7.0]]
    assert why["thresholds"] == {"limit": 4.0, "nights": 2, "clear_nights": 3}
    assert (why["state"], why["run"], why["since_ms"]) == ("fault", [1, 2], 24 * HOUR)
    assert why["facts"] == {"days": 28}
    one.hear(verdict(2, "fine"))
    assert (one.why(0)["state"], one.why(0)["facts"]) == ("fine", {})  # thousands are, every night
    orjson.dumps(why)
