"""The state machines of the rules: tables of (minute, value) and what they must say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rules.form import Proof
from rules.machine import Machine
from rules.proof import ProofWatch
from rules.registry import machine
from rules.spec import Pack
from tests.rules import making
from tests.rules.making import MINUTE, run

CONFIG = Path(__file__).parents[2] / "config"


def make(kind: str, on: int = 0, off: int = 0, **limits: float) -> Machine:
    return making.make(kind, on_delay=f"PT{on}M", off_delay=f"PT{off}M", **limits)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((81, 81, 81), []),  # two minutes: shorter than the on-delay
        ((81, 81, 81, 81), [(3, True)]),  # at exactly the on-delay
        ((80, 80, 80, 80, 80), []),  # exactly at the limit is not above it
        ((81, 81, 80, 81, 81), []),  # the delay starts again
        ((81, 81, 81, 81, 77, 76, 75.1), [(3, True)]),  # inside the deadband
        ((81, 81, 81, 81, 75, 75), [(3, True)]),  # off-delay not over
        ((81, 81, 81, 81, 75, 75, 75), [(3, True), (6, False)]),  # exactly at clear is clear
        ((81, 81, 81, 81, 70, 76, 70, 70, 70), [(3, True), (8, False)]),
        ((81, None, None, 81), [(3, True)]),  # bad ones neither feed nor break a delay
        ((81, 81, 81, 81, None, None, None), [(3, True)]),  # nor do they clear
        ((None, None, None, None, None), []),
    ],
)
def test_high_raises_late_and_clears_low(values, expected) -> None:
    assert run(make("high", 3, 2, limit=80, clear=75), enumerate(values)) == expected


def test_low_is_the_mirror_of_high() -> None:
    one = make("low", 2, 1, limit=50, clear=52)
    values = (50, 49, 49, 49, 51, 52, 52, 49)
    assert run(one, enumerate(values)) == [(3, True), (6, False)]


def test_without_a_delay_the_first_reading_decides() -> None:
    assert run(make("high", limit=48, clear=46), [(0, 48.1), (1, 46)]) == [(0, True), (1, False)]


@pytest.mark.parametrize(("gap", "expected"), [(3, [(5, True)]), (4, [])])
def test_a_gap_of_more_than_three_intervals_starts_the_on_delay_again(gap, expected) -> None:
    assert run(make("high", 5, limit=80, clear=75), [(0, 81), (2, 81), (2 + gap, 81)]) == expected


@pytest.mark.parametrize(("gap", "expected"), [(3, [(0, True), (5, False)]), (4, [(0, True)])])
def test_a_gap_starts_the_off_delay_again_too(gap, expected) -> None:
    one = make("high", 0, 4, limit=80, clear=75)
    assert run(one, [(0, 81), (1, 70), (2, 70), (2 + gap, 70)]) == expected


def test_silence_raises_at_its_instant_however_late_the_tick() -> None:
    one = make("stale", 10, 2)
    one.listen(0)
    one.step(3 * MINUTE, 1.0, good=True)
    assert one.due_ms() == 13 * MINUTE
    assert one.tick(13 * MINUTE - 1) is None
    assert one.tick(99 * MINUTE).at_ms == 13 * MINUTE
    assert one.due_ms() is None
    assert one.tick(200 * MINUTE) is None


def test_bad_readings_do_not_break_a_silence() -> None:
    one = make("stale", 10, 0)
    one.listen(0)
    run(one, [(minute, None) for minute in range(1, 10)])
    assert one.tick(10 * MINUTE).raised


def test_silence_ends_after_good_readings_without_a_gap() -> None:
    one = make("stale", 10, 3)
    one.listen(0)
    one.tick(10 * MINUTE)
    story = [(11, 1.0), (12, 1.0), (16, 1.0), (17, 1.0), (18, 1.0), (19, 1.0)]
    assert run(one, story) == [(19, False)]


READINGS = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from([None, 40.0, 50.0, 51.0, 52.0, 55.0, 80.0, 81.0])),
    max_size=40,
)


@given(READINGS, st.integers(0, 40), st.sampled_from(["high", "low", "stale"]))
def test_a_machine_saved_anywhere_goes_on_the_same(rows, where, kind) -> None:
    limits = {"high": {"limit": 80, "clear": 52}, "low": {"limit": 50, "clear": 52}}.get(kind, {})
    one, other = make(kind, 4, 3, **limits), make(kind, 4, 3, **limits)
    minute, last = 0, (0, math.nan)
    for n, (step, value) in enumerate(rows):
        minute += step
        at_ms, good = minute * MINUTE, value is not None
        if n == where:
            saved = other.save()
            other = make(kind, 4, 3, **limits)
            other.load(saved)
            other.recall([last[0]], [last[1]], None)
        last = (at_ms, value) if good else last
        assert one.tick(at_ms) == other.tick(at_ms)
        assert one.step(at_ms, value or 0.0, good=good) == other.step(
            at_ms, value or 0.0, good=good
        )
    assert one.save() == other.save()


@given(READINGS)
def test_raising_and_clearing_take_turns(rows) -> None:
    one, minute, said = make("low", 2, 2, limit=50, clear=52), 0, []
    for step, value in rows:
        minute += step
        said += run(one, [(minute, value)])
    assert [raised for _, raised in said] == [n % 2 == 0 for n in range(len(said))]


def watch(**changes: object) -> ProofWatch:
    raw = {"point": "p", "above": 52, "for": "PT3M", "within": "PT4H"} | changes
    return ProofWatch(Proof.model_validate(raw), MINUTE, 10 * MINUTE)


def held_at(one: ProofWatch, story) -> list[int]:
    return [
        minute
        for minute, value in story
        if one.step(minute * MINUTE, value or 0.0, good=value is not None)
    ]


@pytest.mark.parametrize(
    ("story", "held"),
    [
        ([(11, 55), (12, 55), (13, 55), (14, 55)], [14]),  # at exactly the time
        ([(7, 55), (8, 55), (9, 55), (10, 55), (11, 55)], []),  # only what comes after the report
        ([(11, 55), (12, 52), (13, 55), (14, 55), (15, 55), (16, 55)], [16]),  # at the limit: no
        ([(11, 55), (12, None), (13, 55), (14, 55), (15, 55), (16, 55)], [16]),  # bad: again
        ([(11, 55), (15, 55), (16, 55), (17, 55), (18, 55)], [18]),  # a gap: again
        ([(11, 55), (14, 55)], [14]),  # three intervals are no gap
        ([(11, 45), (12, 45), (13, 45), (14, 45)], []),
        ([(11, 55), (12, 55), (13, 55), (14, 55), (15, 45)], [14]),  # and it can be lost again
    ],
)
def test_a_proof_needs_good_readings_without_a_gap_after_the_report(story, held) -> None:
    assert held_at(watch(), story) == held


def test_a_proof_may_ask_for_less_than_a_limit() -> None:
    assert held_at(watch(above=None, below=65), [(11, 64), (14, 64)]) == [14]
    assert held_at(watch(above=None, below=65), [(11, 65), (14, 65)]) == []


def test_a_proof_saved_in_the_middle_goes_on() -> None:
    one, other = watch(), watch()
    held_at(one, [(11, 55), (12, 55)])
    other.load(one.save())
    assert held_at(other, [(13, 55), (14, 55)]) == [14]


@pytest.mark.parametrize("file", sorted((CONFIG / "rules").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_shipped_pack_is_whole(file: Path) -> None:
    pack = Pack.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    assert pack.pack == file.stem
    for rule in pack.rules:
        assert rule.title.zh != rule.title.en
        assert len(rule.guidance.zh) > 20
        assert len(rule.guidance.en) > 40
        machine(rule, MINUTE)
