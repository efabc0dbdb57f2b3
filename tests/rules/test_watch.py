"""All machines over batches: the same as one reading at a time, however the stream is cut."""

from __future__ import annotations

import math
import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.machine import QUIET, Transition
from rules.watch import Watch, Watched
from tests.rules.making import INVALID, MINUTE, NO_ANSWER, START, Plain, batch, make, point

LATER = [point(n, most_per_h=600.0, rollover=100.0) for n in range(1, 6)]
ON = {"point": "b", "equals": 1}
LITTLE = {"point": "b", "below": 20}
KINDS = {
    "high": ("high", (1,), {"limit": 50, "clear": 10, "on_delay": "PT2M", "off_delay": "PT2M"}),
    "low": ("low", (2,), {"limit": 2, "clear": 5, "on_delay": "PT3M"}),
    "range": ("range", (1,), {"low": 1, "high": 60, "deadband": 4, "on_delay": "PT1M"}),
    "stale": ("stale", (1,), {"on_delay": "PT5M", "off_delay": "PT2M"}),
    "stale-2": ("stale", (2,), {"on_delay": "PT5M", "once_heard": True}),
    "never": ("never_seen", (3,), {"on_delay": "PT6M"}),
    "rate": ("rate", (1,), {"window": "PT8M", "rise": 300, "fall": 200, "clear": 50}),
    "jump": ("jump", (1,), {"step": 40, "times": 2, "off_delay": "PT5M"}),
    "jump-rated": ("jump", (2,), {"rated": 1.2, "direction": "up", "off_delay": "PT3M"}),
    "stuck": ("stuck", (1, 2), {"on_delay": "PT5M", "ignore": [0], "changes": 2, "while": LITTLE}),
    "stuck-2": ("stuck", (2,), {"on_delay": "PT5M", "of_usual": 0.5, "off_delay": "PT2M"}),
    "stuck-3": ("stuck", (2,), {"on_delay": "PT4M", "ignore": [1.0, 2.0]}),
    "back": ("backwards", (2,), {"off_delay": "PT6M"}),
    "back-1": ("backwards", (3,), {"times": 1, "rollover": 50, "off_delay": "PT4M"}),
    "mismatch": (
        "mismatch",
        (1, 2),
        {"must": {"point": "a", "above": 4}, "while": ON, "on_delay": "PT2M", "clear": 20},
    ),
    "mismatch-2": (
        "mismatch",
        (1, 3, 2),
        {
            "must": {"point": "a", "minus": "c", "below": 45},
            "while": {"point": "b", "above": 1},
            "idle": "keeps",
            "off_delay": "PT1M",
        },
    ),
    "mismatch-3": (
        "mismatch",
        (2, 3),
        {"must": {"point": "b", "minus": "c", "equals": 0, "within": 1}, "on_delay": "PT1M"},
    ),
    "code": ("code", (3,), {"except": [5], "on_delay": "PT2M"}),
    "code-2": ("code", (3,), {"mask": 2, "off_delay": "PT2M"}),
    "cycling": (
        "cycling",
        (2,),
        {"starts": {"point": "b", "above": 4}, "limit": 2, "clear": 1, "per": "PT20M"},
    ),
    "session": (
        "session",
        (1, 2),
        {"valve": "no_open", "session": ON, "limit": 5, "on_delay": "PT1M"},
    ),
    "session-2": (
        "session",
        (1, 2),
        {"valve": "no_close", "session": ON, "limit": 5, "off_delay": "PT3M"},
    ),
    "spread": (
        "spread",
        (1, 2, 3),
        {"points": ["a", "b", "c"], "limit": 0.8, "clear": 0.3, "floor": 2, "on_delay": "PT1M"},
    ),
    "invalid": ("invalid", (1,), {"times": 2, "good": 3}),
    "any": ("any", (1, 2, 3, 4, 5), {"above": 60, "on_delay": "PT1M"}),
    "all": ("all", (1, 2, 3, 4, 5), {"below": 11}),
    "count": ("count", (1, 2, 3, 4, 5), {"silent": "PT3M", "at_least": 3, "off_delay": "PT1M"}),
    "share": (
        "share",
        (1, 2, 3, 4, 5),
        {"silent": "PT2M", "at_least": 0.8, "clear": 0.2, "on_delay": "PT2M"},
    ),
    "share-2": ("share", (2, 3, 4, 5), {"above": 9, "at_least": 0.5, "clear": 0.25}),
}
VALUES = [0.0, 1.0, 2.0, 2.5, 5.0, 9.0, 10.0, 49.0, 50.0, 60.0, 61.0, 95.0, -1.0]


def watched(names=tuple(KINDS)) -> list[Watched]:
    made = []
    for name in names:
        kind, numbers, keys = KINDS[name]
        over = {"over": {"kind": "meter"}} if kind in {"any", "all", "count", "share"} else {}
        one = make(kind, *[LATER[n - 1] for n in numbers], **keys, **over)
        made.append(Watched(name, one, numbers))
    return made


READING = st.tuples(
    st.integers(1, 6),  # 6 is watched by nobody
    st.sampled_from([0, 0, 1, 1, 1, 1, 1, 2, 5, -1]),  # minutes later; sometimes late
    st.sampled_from([*VALUES, math.nan, math.inf]),  # those two are never good
    st.sampled_from([0, 0, 0, 0, 0, 0, 1, INVALID, NO_ANSWER]),
)
STEADY = st.tuples(st.integers(1, 5), st.sampled_from([0, 1]), st.sampled_from(VALUES), st.just(0))
POLL = st.lists(st.sampled_from([None, None, None, *VALUES]), min_size=5, max_size=5)
STREAMS = st.lists(st.one_of(READING, STEADY, POLL, POLL, st.just("tick")), max_size=80)


def parts_of(stream) -> list:
    """Turn steps in time into rows (point, minute, value, quality) and ticks (minute).

    A poll reads all points in the next minute; None is the value of before.
    """
    parts, minute, last = [], 10, dict.fromkeys(range(1, 6), 5.0)
    for one in stream:
        if one == "tick":
            parts.append(minute)
        elif isinstance(one, list):
            minute += 1
            last |= {n: value for n, value in enumerate(one, 1) if value is not None}
            parts += [(n, minute, last[n], 0) for n in range(1, 6)]
        else:
            number, later, value, quality = one
            minute += max(later, 0)
            last[number] = value
            parts.append((number, minute + min(later, 0), value, quality))
    return parts


def tell_time(on, now_ms: int, found: list) -> None:
    """Tick what is due, as the engine does."""
    for name in on.names:
        while (due_ms := on.due_ms(name)) is not None and due_ms <= now_ms:
            if transition := on.tick(name, due_ms):
                found.append((name, transition))


def play(on, parts, cuts) -> list:
    """Run a stream; ``cuts`` says, again and again, how many readings go into a batch."""
    found: list = []
    held: list = []
    n = 0
    for part in parts:
        if isinstance(part, tuple):
            held.append(part)
            if len(held) < cuts[n % len(cuts)]:
                continue
            n += 1
        if held:
            found += on.read(batch(held))
            held = []
        if isinstance(part, int):
            tell_time(on, START + part * MINUTE, found)
    return found + (on.read(batch(held)) if held else [])


def started(on):
    on.listen(START)
    return on


def state(on) -> dict:
    return {name: (on.due_ms(name), on.why(name, START)) for name in on.names}


CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=5)
# Few machines at a time too: where there are many, hardly a reading is shown to none of them.
FEW = st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=3, unique=True)
NAMES = st.one_of(FEW, FEW, st.just(list(KINDS)))


@settings(max_examples=200, deadline=None)
@given(STREAMS, CUTS, NAMES)
def test_batches_say_what_one_reading_after_the_other_says(stream, cuts, names) -> None:
    parts = parts_of(stream)
    plain, watch = started(Plain(watched(names))), started(Watch(watched(names)))
    assert play(watch, parts, cuts) == play(plain, parts, [1])
    assert state(watch) == state(plain)
    assert watch.late == plain.late


SEVERAL = [name for name, (_, numbers, _) in KINDS.items() if len(numbers) > 1]
SPARSE = st.tuples(
    st.integers(1, 5), st.sampled_from([0, 1, 2, 5]), st.sampled_from([1.0, 10.0, 95.0]), st.just(0)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SPARSE, min_size=5, max_size=60), CUTS, st.sampled_from(SEVERAL))
def test_what_was_silent_and_comes_back_as_it_was_is_seen(stream, cuts, name) -> None:
    parts = parts_of(stream)
    plain, watch = started(Plain(watched([name]))), started(Watch(watched([name])))
    assert play(watch, parts, cuts) == play(plain, parts, [1])
    assert state(watch) == state(plain)


def calm_stream(chance: random.Random) -> list:
    """Return a long stream in which most points stay as they are."""
    values, polls = chance.sample(VALUES, chance.randint(2, 6)), chance.choice([0.0, 0.4, 0.95])
    last: dict[int, float] = {}
    stream: list = []
    for _ in range(chance.randint(50, 300)):
        if chance.random() < polls:
            moves = (chance.random() < 0.2 for _ in range(5))
            stream.append([chance.choice(values) if one else None for one in moves])
        elif chance.random() < 0.06:
            stream.append("tick")
        else:
            number = chance.choice([1, 1, 2, 2, 3, 3, 4, 5])
            if chance.random() < 0.3 or number not in last:
                last[number] = chance.choice(values)
            bad = chance.choice([*[0] * 12, INVALID, INVALID, NO_ANSWER])
            stream.append((number, chance.choice([0, 0, 0, 1]), last[number], bad))
    return stream


def test_every_kind_raises_and_clears_over_batches_as_one_by_one() -> None:
    seen = set()
    for seed in range(80):
        chance = random.Random(seed)
        parts = parts_of(calm_stream(chance))
        names = list(KINDS) if seed % 2 else chance.sample(list(KINDS), 3)
        cuts = [chance.randint(1, 60) for _ in range(3)]
        said = play(started(Plain(watched(names))), parts, [1])
        assert play(started(Watch(watched(names))), parts, cuts) == said
        seen |= {(name, transition.raised) for name, transition in said}
    assert seen == {(name, raised) for name in KINDS for raised in (True, False)}


def test_members_that_come_back_as_they_were_are_seen() -> None:
    watch = started(Watch(watched(["share-2"])))
    assert watch.read(batch([(2, 1, 10.0, 0), (3, 10, 10.0, 0)])) == []
    loaded = Watch(watched(["share-2"]))
    loaded.load(watch.save())
    for one in (watch, loaded):
        (raised,) = one.read(batch([(2, 11, 10.0, 0)]))
        assert raised[1].at_ms == START + 11 * MINUTE


@settings(max_examples=75, deadline=None)
@given(STREAMS, CUTS, CUTS, NAMES)
def test_the_same_readings_cut_otherwise_say_the_same(stream, cuts, other, names) -> None:
    parts = parts_of(stream)
    one, two = started(Watch(watched(names))), started(Watch(watched(names)))
    assert play(one, parts, cuts) == play(two, parts, other)
    assert one.save() == two.save()
    assert state(one) == state(two)


@settings(max_examples=75, deadline=None)
@given(STREAMS, CUTS, st.integers(0, 120), NAMES)
def test_saved_and_loaded_anywhere_goes_on_the_same(stream, cuts, where, names) -> None:
    parts = parts_of(stream)
    whole, broken = started(Watch(watched(names))), started(Watch(watched(names)))
    said = play(whole, parts, cuts)
    before = play(broken, parts[:where], cuts)
    saved = orjson.dumps(broken.save())
    again = Watch(watched(names))
    again.load(orjson.loads(saved))
    assert orjson.dumps(again.save()) == saved
    assert before + play(again, parts[where:], cuts) == said
    assert state(again) == state(whole)


class Broken:
    """A rule with a mistake: it fails at a value, or whenever it is told the time."""

    def __init__(self, *, at_tick: bool = False) -> None:
        self._one = make("high", point="a", limit=50, clear=40)
        self._at_tick = at_tick

    def __getattr__(self, name: str) -> object:
        return getattr(self._one, name)

    def step(self, at_ms: int, value: float, **reading: object) -> Transition | None:
        if value in (95, -1) and not self._at_tick:
            raise ZeroDivisionError("a mistake")
        return self._one.step(at_ms, value, **reading)

    def tick(self, now_ms: int) -> Transition | None:
        raise KeyError(now_ms)


@pytest.mark.parametrize("at_tick", [False, True])
@settings(max_examples=25, deadline=None)
@given(stream=STREAMS, cuts=CUTS)
def test_a_machine_that_fails_touches_no_other(at_tick, stream, cuts) -> None:
    broken = Watched("broken", Broken(at_tick=at_tick), (1,))
    half = watched()
    with_it = started(Watch([*half[:9], broken, *half[9:]]))
    without, parts = started(Watch(watched())), parts_of(stream)
    if at_tick:
        assert with_it.tick("broken", START) is None
    said = [one for one in play(with_it, parts, cuts) if one[0] != "broken"]
    assert said == play(without, parts, cuts)
    both = state(with_it)
    del both["broken"]
    assert both == state(without)


def test_a_machine_that_fails_is_taken_out_until_the_hub_listens_anew() -> None:
    watch = started(Watch([Watched("broken", Broken(), (1,)), *watched(("high",))]))
    said = watch.read(batch([(1, 0, 60.0, 0), (1, 1, -1.0, 0)]))
    assert [name for name, _ in said] == ["broken"]
    said = watch.read(batch([(1, 2, 95.0, 0), (1, 3, 95.0, 0), (1, 4, 95.0, 0)]))
    assert said == [("high", Transition(raised=True, at_ms=START + 4 * MINUTE, value=95.0))]
    assert watch.quarantined == {"broken": "ZeroDivisionError: a mistake"}
    (failure,) = watch.failures
    assert (failure.name, failure.at_ms) == ("broken", START + MINUTE)
    assert watch.due_ms("broken") is None
    assert watch.why("broken", START)["quarantined"] == "ZeroDivisionError: a mistake"
    again = Watch([Watched("broken", Broken(), (1,)), *watched(("high",))])
    again.load(watch.save())
    assert again.read(batch([(1, 5, 95.0, 0)])) == []
    assert again.quarantined == watch.quarantined
    again.listen(START + 5 * MINUTE)
    assert not again.quarantined
    assert again.read(batch([(1, 6, 60.0, 0)]))[0][0] == "broken"  # it is as new


def test_readings_that_are_not_after_the_last_of_their_point_change_nothing() -> None:
    watch = Watch(watched(("high", "never")), points=(9,))
    row = (1, 5, 60.0, 0)
    watch.read(batch([row, row, (1, 4, 0.0, 0), (9, 5, 0.0, 0), (9, 5, 0.0, 0), (7, 1, 0.0, 0)]))
    assert watch.late == 3
    assert watch.last_ms(9) == START + 5 * MINUTE
    assert watch.last_ms(3) == -1


def test_an_empty_batch_and_a_watch_without_machines_are_nothing_special() -> None:
    assert Watch([]).read(batch([])) == []
    assert Watch([]).read(batch([(1, 1, 1.0, 0)])) == []
    assert started(Watch(watched())).read(batch([])) == []


def test_what_is_no_longer_watched_is_left_out_of_a_loaded_state() -> None:
    watch = started(Watch(watched()))
    watch.read(batch([(n, 1, 95.0, 0) for n in range(1, 6)]))
    fewer = Watch(watched(("high", "any")))
    fewer.load(watch.save())
    assert fewer.why("high", START) == watch.why("high", START)
    assert fewer.last_ms(5) == watch.last_ms(5)


def test_most_readings_are_not_shown_to_any_machine() -> None:
    shown = []

    class Counted(Broken):
        def step(self, at_ms: int, value: float, **reading: object) -> Transition | None:
            shown.append(value)
            return super().step(at_ms, value, **reading)

    watch = Watch([Watched("counted", Counted(), (1,))])
    watch.read(batch([(1, minute, float(minute), 0) for minute in range(1, 52)]))
    assert shown == [51.0]
    assert watch.machine("counted").quiet() != QUIET
