"""What becomes of readings is drawn as it was asked for, and from the seed alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.clock import VirtualClock
from simulators.fate import Fate, drawn
from simulators.scenario import Delivery

SLOTS = 2880  # thirty days of quarters of an hour
QUARTER_MS = 900_000
ASKED = Delivery(
    missing=0.06,
    longest_gap=timedelta(hours=48),
    late=0.04,
    latest=timedelta(hours=36),
    repeated=0.03,
    clock=timedelta(minutes=2),
    wrong_clocks=0.5,
)


def fates(count: int = 40, seed: int = 5, asked: Delivery = ASKED) -> list[Fate]:
    clock = VirtualClock(None, 0, seed)
    draws = [clock.random(f"delivery/{n}").random for n in range(count)]
    return [drawn(asked, SLOTS, QUARTER_MS, draw) for draw in draws]


def test_at_least_the_shares_asked_for_are_lost_and_late() -> None:
    for fate in fates():
        assert 0.06 <= sum(map(len, fate.lost)) / SLOTS < 0.06 + 48 * 4 / SLOTS
        assert 0.04 <= sum(map(len, fate.held)) / SLOTS < 0.04 + 36 * 4 / SLOTS


def test_gaps_are_of_all_lengths_up_to_the_longest() -> None:
    lengths = [len(span) / 4 for fate in fates() for span in fate.lost]
    assert max(lengths) <= 48
    assert max(lengths) > 40
    assert min(lengths) <= 1


def test_spans_neither_touch_each_other_nor_a_wrong_clock() -> None:
    for fate in fates():
        struck = [*fate.lost, *fate.held]
        slots = [slot for span in struck for slot in (*span, span.stop)]
        assert len(slots) == len(set(slots))
        assert not {slot for span in fate.held for slot in (*span, span.start - 1)} & {*fate.wrong}
        assert 0 not in slots


def test_some_clocks_are_wrong_for_days_and_the_others_a_little_and_always() -> None:
    found = fates()
    wrong = [fate for fate in found if fate.wrong]
    assert 10 < len(wrong) < 30
    for fate in found:
        assert abs(fate.clock_ms) <= 120_000
        assert fate.ahead_ms(0) == fate.clock_ms
    for fate in wrong:
        assert abs(fate.ahead_ms(fate.wrong.start)) > 5 * 60_000
        assert 96 <= len(fate.wrong) <= 4 * 96


def test_the_seed_alone_decides() -> None:
    assert fates() == fates()
    assert fates(seed=6) != fates()


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_nothing_is_struck_beyond_what_is_asked(share: float) -> None:
    asked = ASKED.model_copy(update={"missing": 0.0, "late": 0.0, "repeated": share})
    for fate in fates(asked=asked):
        assert (fate.lost, fate.held) == ((), ())
        assert len(fate.repeated) == pytest.approx(share * SLOTS, abs=100)


def test_there_is_room_for_everything_in_a_run_of_a_few_hours() -> None:
    clock = VirtualClock(None, 0, 5)
    for n in range(200):
        fate = drawn(ASKED, 40, QUARTER_MS, clock.random(f"delivery/{n}").random)
        assert sum(map(len, fate.lost)) >= 0.06 * 40
        assert sum(map(len, fate.held)) >= 0.04 * 40
