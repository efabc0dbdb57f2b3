"""Counters through everything that happens to them: the law, and what each figure rests on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.energy.counter import RULES, CounterRule, Kind, MeterChange, intervals
from hub.energy.metering import UTILITIES

NAN, INF = float("nan"), float("inf")
MINUTE = 60_000
HOUR = 60 * MINUTE
T0 = 1_800_000_000_000
RULE = CounterRule(modulus=1_000_000, most_per_h=60.0, gap_ms=15 * MINUTE)
PLAIN = replace(RULE, modulus=None)
WIDE = CounterRule(modulus=1_000_000, most_per_h=2000.0, gap_ms=3 * HOUR)


def every_minute(levels: Sequence[float]) -> list[int]:
    return [T0 + n * MINUTE for n in range(len(levels))]


@pytest.mark.parametrize(
    ("levels", "used"),
    [
        ([], []),
        ([5], []),
        ([5, 5, 5.5, 6], [0, 0.5, 0.5]),
        ([5, NAN, 5.5], [0.5]),
        ([500, 0, 501], [1]),  # one reading that nobody confirms
        ([500, 0, 0, 0, 501], [1]),  # a dip that comes back
        ([500, 90_000, 501], [1]),  # a peak that nobody confirms
        ([500, 500.9, 500.1, 500.2], [0.1, 0.1]),  # a peak of a step that could have been
        ([500, 500.9, 500.9, 500.2, 500.3], [0.2, 0.1]),
        ([500, 501, 500.99, 502], [1, 0, 1]),  # a hair back: it stood still
        ([500, 501, 500.99], [1, 0]),
        ([500, 501, 0, 7777, 502], [1, 1]),  # one wrong reading after another
    ],
)
def test_a_counter_says_what_was_used(levels: Sequence[float], used: Sequence[float]) -> None:
    made = intervals(every_minute(levels), levels, PLAIN)
    assert made.used.tolist() == pytest.approx(list(used))
    assert (made.kind == Kind.MEASURED).all()


def test_what_is_left_out_and_what_is_estimated_is_told() -> None:
    levels = [500, 90_000, 500.2, 500.4, 0.0, 0.2, 0.4]
    made = intervals(every_minute(levels), levels, PLAIN)
    glitch, reset = made.findings
    assert (glitch.kind, glitch.after, glitch.used) == ("glitch", 90_000, 0)
    assert (reset.kind, reset.before, reset.after) == ("reset", 500.4, 0)
    assert reset.used == pytest.approx(0.16)  # as around it
    assert (reset.low, reset.high) == (0, pytest.approx(1.02))
    assert made.kind.tolist() == [0, 0, Kind.JUMP, 0, 0]


@pytest.mark.parametrize("start", [999_960.0, 999_979.0, 999_999.0, 400_000.0])
@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("new", [0.0, 250_000.0, 995_000.0])
def test_forty_kwh_are_forty_whatever_becomes_of_the_meter(
    start: float, after: int, new: float
) -> None:
    """Hourly readings of 10 kWh/h over 4 h: a roll-over, a swap down, a swap up."""
    at = [T0 + n * HOUR for n in range(5)]
    rule = CounterRule(modulus=1_000_000, most_per_h=200, gap_ms=3 * HOUR)
    rolled = [(start + 10 * n) % 1_000_000 for n in range(5)]
    made = intervals(at, rolled, rule)
    assert made.used.sum() == pytest.approx(40.0, abs=1e-6)
    assert {one.kind for one in made.findings} <= {"rollover"}
    assert len(made.findings) == (start >= 999_960)
    swapped = [*rolled[:after], *[new + 10 * n for n in range(5 - after)]]
    guessed = intervals(at, swapped, rule)
    if new or start < 900_000:  # else nobody can tell it from a roll-over
        assert guessed.used.sum() == pytest.approx(40.0, abs=1e-6)
        assert guessed.low.sum() <= 40 <= guessed.high.sum()
    record = MeterChange(at[after] - 30 * MINUTE, (rolled[after - 1] + 5) % 1_000_000, new - 5)
    record = replace(record, opening=max(new - 5, 0.0))
    exact = intervals(at, swapped, rule, [record])
    assert exact.used.sum() == pytest.approx(40.0 - (5 if new == 0 else 0), abs=1e-6)
    assert {one.kind for one in exact.findings} <= {"rollover"}


def test_a_multiplier_counts_from_its_change_on() -> None:
    levels = [100.0, 100.5, 101.0, 101.5, 102.0]
    at = every_minute(levels)
    change = MeterChange(at[2], 101.0, 101.0, multiplier=40.0)
    made = intervals(at, levels, RULE, [change])
    assert made.used.tolist() == [0.5, 0.5, 20.0, 20.0]
    assert made.used.sum() == pytest.approx(levels[-1] - levels[0] + made.jump.sum())


def test_a_record_that_the_readings_contradict_is_a_finding() -> None:
    levels = [500.0, 500.5, 501.0, 1.0, 1.5]
    at = every_minute(levels)
    made = intervals(at, levels, RULE, [MeterChange(at[2] + 1000, 5010.0, 0.9)])
    (finding,) = made.findings
    assert (finding.kind, finding.before, finding.after) == ("record", 501.0, 5010.0)
    assert made.used.sum() < 3


def test_readings_that_deny_a_closing_are_not_left_out_for_it() -> None:
    levels = [500.0, 500.5, 501.0, 501.5]
    at = every_minute(levels)
    made = intervals(at, levels, RULE, [MeterChange(at[3] + MINUTE, 500.6, 0.0)])
    assert [one.kind for one in made.findings] == ["record"]
    assert made.used.sum() == pytest.approx(2.0)
    hair = intervals(at, levels, RULE, [MeterChange(at[3] + MINUTE, 501.49, 0.0)])
    assert not hair.findings  # the dial has fewer digits
    assert hair.used.sum() == pytest.approx(1.5)


@pytest.mark.parametrize("early_ms", [-2 * MINUTE, 2 * MINUTE])
def test_a_record_may_be_minutes_wrong(early_ms: int) -> None:
    true = 0.25 * np.arange(20)
    levels = [*(700 + true[:10]), *(3 + true[10:] - true[10])]
    at = every_minute(levels)
    made = intervals(at, levels, RULE, [MeterChange(at[10] + early_ms, 702.25, 3.0)])
    assert made.used.sum() == pytest.approx(true[-1], abs=0.8)


def test_a_gap_has_its_energy_and_is_marked() -> None:
    made = intervals([T0, T0 + MINUTE, T0 + 10 * HOUR], [5.0, 5.1, 25.0], RULE)
    assert made.kind.tolist() == [Kind.MEASURED, Kind.ESTIMATED]
    assert made.used.tolist() == pytest.approx([0.1, 19.9])
    assert made.low.tolist() == made.high.tolist() == made.used.tolist()


WRONG = [NAN, INF, -INF, -1.0, 4_294_967_295.0, 1e300, 65_535e9, 1_000_000.0]


@given(
    st.lists(st.floats(0, 0.9), min_size=2, max_size=40),
    st.lists(st.tuples(st.integers(0, 39), st.sampled_from(WRONG)), max_size=8),
    st.sampled_from([0, 1, 4_294_967_296_000, 4_291_747_200_000, -5]),
)
def test_what_cannot_be_is_never_a_number_in_a_sum(
    steps: list[float], wrong: list[tuple[int, float]], year: int
) -> None:
    levels = np.cumsum([1000.0, *steps])
    at = [*every_minute(levels), year, year + MINUTE]
    level = [*levels, 5.0, 1_500.0]
    for where, value in wrong:
        at.append(T0 + where * MINUTE + 1)
        level.append(value)
    made = intervals(at, level, RULE)
    assert made.used.sum() == pytest.approx(levels[-1] - levels[0])
    assert not made.findings


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=60))
def test_use_is_never_negative_and_never_endless(levels: list[float]) -> None:
    for rule in (RULE, PLAIN, WIDE):
        made = intervals(every_minute(levels), levels, rule)
        assert np.isfinite(made.used).all()
        assert (made.used >= 0).all()
        assert (made.low <= made.used + 1e-9).all()
        assert (made.used <= made.high + 1e-9).all()
        assert (made.used <= made.most + 1e-9).all()


@dataclass
class Meter:
    """A meter that lives through a list of events; ``true`` is what was used."""

    utility: str = "electricity"
    shown: float = 0.0
    true: float = 0.0
    multiplier: float = 1.0

    def use(self, amount: float, modulus: float) -> None:
        self.true += amount * self.multiplier
        self.shown = (self.shown + amount) % modulus


EVENTS = st.sampled_from(["swap", "multiplier", "reset recorded", "gap", "glitch", "dip", "twice"])
LIVES = st.lists(
    st.tuples(st.floats(0.0, 0.9), st.one_of(st.none(), st.none(), EVENTS), st.floats(0, 9e5)),
    min_size=3,
    max_size=60,
)


@given(LIVES, st.floats(0, 999_999), st.sampled_from(UTILITIES), st.randoms(use_true_random=False))
@example([(0.5, None, 0.0)] * 20, 999_995.0, "electricity", None)
@example([(0.0, None, 0.0), (0.0, "dip", 0.0)], 999_990.0, "electricity", None)  # no roll-over
def test_the_law(lives, start, utility, shuffle) -> None:
    """The sum is last - first + the recorded jumps, in whatever order the readings come."""
    modulus = 1_000_000.0
    rule = replace(RULES[utility], modulus=modulus, most_per_h=60.0, gap_ms=15 * MINUTE)
    meter = Meter(utility, shown=start % modulus)
    readings, changes, at = [(T0, meter.shown)], [], T0
    wrong_ms = 0
    for used, event, level in lives:
        at += 10 * MINUTE
        meter.use(used, modulus)
        if event in ("swap", "reset recorded", "multiplier"):
            opening = {"swap": level, "multiplier": meter.shown}.get(event, 0.0)
            multiplier = 1 + level % 7 if event == "multiplier" else None
            changes.append(MeterChange(at, meter.shown, opening, multiplier))
            meter.shown = opening
            meter.multiplier = multiplier or meter.multiplier
            at += MINUTE
        if event == "gap":
            at += 40 * HOUR
        if event in ("glitch", "dip") and at - wrong_ms > HOUR and meter.shown > 1000:
            wrong = 0.0 if event == "dip" else (meter.shown + 500_000) % modulus
            readings.append((at, wrong))
            at += MINUTE
            wrong_ms = at
        readings.append((at, meter.shown))
        if event == "twice":
            readings.append((at, meter.shown))
    readings += [(at + n * MINUTE, meter.shown) for n in (1, 2)]  # the last glitch is denied
    ordered = intervals(*zip(*readings, strict=True), rule, changes)
    if shuffle is not None:
        shuffle.shuffle(readings)
        shuffle.shuffle(changes)
    made = intervals(*zip(*readings, strict=True), rule, changes)
    assert made.used.sum() == pytest.approx(meter.true, abs=1e-6)
    assert (made.used >= 0).all()
    first, last = min(readings)[1], max(readings)[1]
    jumps = made.jump.sum() + sum(one.closing - one.opening for one in changes)
    assert made.used.sum() == pytest.approx(last - first + jumps, abs=1e-6)
    for name in ("start_ms", "end_ms", "used", "kind", "low", "high"):
        assert (getattr(made, name) == getattr(ordered, name)).all()
    assert (made.end_ms[:-1] <= made.start_ms[1:]).all()


def test_a_new_level_of_one_reading_is_an_estimate_that_the_next_one_puts_right() -> None:
    levels = [500.0, 500.5, 501.0, 90_000.0]
    made = intervals(every_minute(levels), levels, PLAIN)
    assert made.used.tolist() == pytest.approx([0.5, 0.5, 0.5])
    assert made.kind.tolist() == [0, 0, Kind.JUMP]
    assert [one.kind for one in made.findings] == ["unconfirmed"]
    levels = [*levels, 501.8]
    assert intervals(every_minute(levels), levels, PLAIN).used.sum() == pytest.approx(1.8)


@pytest.mark.parametrize("utility", UTILITIES)
def test_every_utility_knows_what_it_can_count_at_most(utility: str) -> None:
    rule = RULES[utility]
    at = [T0 + n * HOUR for n in range(6)]
    most = rule.most_per_h
    busy = intervals(at, [n * 0.9 * most for n in range(6)], replace(rule, gap_ms=3 * HOUR))
    assert busy.used == pytest.approx(np.full(5, 0.9 * most))
    assert not busy.findings
    jump = [0, 1, 2, 3 + 2 * most, 4 + 2 * most, 5 + 2 * most]
    made = intervals(at, jump, replace(rule, gap_ms=3 * HOUR))
    assert [one.kind for one in made.findings] == ["swap"]
    assert made.used == pytest.approx(np.ones(5))
    assert made.high[2] == pytest.approx(most, rel=0.01)


@pytest.mark.parametrize(
    ("levels", "used", "kind"),
    [
        ([0, 0.5, 0.1, 0.2], 0.1, "reset"),  # young counters can be set back, too
        ([500, 500.5, 0.5, 1.0], 0.5, "reset"),  # used before it was read again
        ([999_999.75, 0.25, 0.5], 0.5, "rollover"),
    ],
)
def test_a_counter_that_goes_back_is_told(levels: list[float], used: float, kind: str) -> None:
    made = intervals(every_minute(levels), levels, RULE)
    assert [one.kind for one in made.findings] == [kind]
    assert made.findings[0].low <= used <= made.findings[0].high
    assert (made.used >= 0).all()


def test_of_one_instant_the_last_said_counts() -> None:
    made = intervals([T0, T0 + MINUTE, T0 + MINUTE], [5.0, 5.1, 5.3], RULE)
    assert made.used.tolist() == pytest.approx([0.3])


def test_a_month_of_garbage_is_gone_through_in_time() -> None:
    levels = [(n * 7919.0) % 999_983 for n in range(5000)]
    made = intervals(every_minute(levels), levels, RULE)
    assert (made.used >= 0).all()
    assert made.used.sum() <= made.most.sum()
