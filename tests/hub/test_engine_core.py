"""The pure core of the engine: one log for one stream, however it is cut, saved and loaded."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.engine import Core
from hub.model import Batch, Entry, Quality, Ticket
from hub.ports import ConfigError
from tests.hub.fault_site import (
    COLD,
    HOT,
    MINUTE,
    PROMISE,
    SILENT,
    START,
    TANK,
    action,
    alarm_in,
    core,
    log,
    pack,
    play,
    reading,
    readings,
    site,
    started,
    tick,
    told,
    with_ticket,
)


def test_bad_readings_neither_raise_nor_clear() -> None:
    one = core(COLD)
    bad = [reading(m, 0, quality=Quality.BAD) for m in range(40)]
    nan = [reading(m, float("nan"), quality=Quality.MISSING) for m in range(40, 80)]
    assert play(one, [started(), *bad, *nan]) == []


def test_readings_that_come_late_are_ignored_and_counted() -> None:
    one = core(COLD)
    late = [reading(m, 45) for m in range(50)]
    assert play(one, [started(), reading(60, 55), *late]) == []
    assert one.late == 50


def test_silence_is_counted_from_when_the_hub_began_to_listen() -> None:
    one = core(SILENT)
    assert play(one, [started(0), tick(9.99)]) == []
    assert play(one, [started(30), tick(39.99)]) == []  # down from 9.99 to 30: nobody listened
    raised = play(one, [tick(41)])
    assert alarm_in(raised).raised_ms == START + 40 * MINUTE
    assert told(raised) == [("opened", 40)]


def test_next_due_is_where_the_next_tick_changes_something() -> None:
    one = core(SILENT)
    assert one.next_due_ms() is None
    play(one, [started(0), reading(3, 55), reading(4, 55)])
    assert one.next_due_ms() == START + 14 * MINUTE
    assert play(one, [tick(13.99)]) == []
    assert len(play(one, [tick(14)])) > 0
    assert one.next_due_ms() == START + 19 * MINUTE + 1  # response by minute 19


def test_two_packs_with_the_same_rule_for_one_device_are_an_error() -> None:
    with pytest.raises(ConfigError, match="tank-cold"):
        Core(site(), [pack(COLD), pack(COLD)], PROMISE)


# The same stream, however it is cut.

temperatures = st.sampled_from([40.0, 45.0, 50.0, 51.0, 52.0, 53.0, 55.0, 71.0])
rows = st.tuples(
    st.integers(0, 3),  # steps of a minute since the row before; 0 and late ones happen
    temperatures,
    st.integers(1, 6),
    st.sampled_from([Quality.GOOD] * 8 + [Quality.BAD, Quality.MISSING]),
)


@st.composite
def streams(draw):
    """Rows of readings with ticks and reports at fixed places among them."""
    parts: list[tuple[str, object]] = [("entry", started(0))]
    minute, tickets = 0, 0
    for step, value, point, quality in draw(st.lists(rows, min_size=10, max_size=80)):
        minute += step
        at = minute - (5 if step == 2 and value == 51.0 else 0)
        parts.append(("row", (at, value, point, quality)))
        if step == 3:
            parts.append(("entry", tick(minute)))
            tickets += 1
        if step == 1 and value >= 55.0:
            parts.append(
                ("report", (minute, draw(st.sampled_from(["acknowledge", "arrive", "fix"]))))
            )
    return parts


def run(parts, cuts) -> tuple[bytes, bytes]:
    """Play a stream with its neighbouring rows joined to batches as ``cuts`` says."""
    one = core(COLD, SILENT, HOT, boilers=3)
    effects, held, seq = [], [], itertools.count(1)

    def flush() -> None:
        if held:
            effects.extend(one.step(next(seq), readings(held)))
            held.clear()

    for part, cut in zip(parts, itertools.cycle(cuts), strict=False):
        kind, what = part
        if kind == "row":
            held.append(what)
            if cut:
                flush()
            continue
        flush()
        if kind == "report":
            minute, name = what
            first = next(iter(one._desk.book.works), "none")
            what = action(minute, name, first)
        effects.extend(one.step(next(seq), what))
    flush()
    return log(effects), one.save()


@settings(max_examples=60, deadline=None)
@given(streams(), st.lists(st.booleans(), min_size=1, max_size=7))
def test_the_log_is_the_same_bytes_however_the_stream_is_cut(parts, cuts) -> None:
    assert run(parts, cuts) == run(parts, [True]) == run(parts, [False])


@settings(max_examples=60, deadline=None)
@given(streams(), st.integers(0, 200))
def test_saved_and_loaded_anywhere_is_the_same_as_uninterrupted(parts, where) -> None:
    whole = core(COLD, SILENT, HOT, boilers=3)
    broken = core(COLD, SILENT, HOT, boilers=3)
    logs = [[], []]
    for n, (kind, what) in enumerate(parts):
        if kind == "report":
            entry = action(what[0], what[1], next(iter(whole._desk.book.works), "none"))
        else:
            entry = what if kind == "entry" else readings([what])
        if n == where % len(parts):
            saved = broken.save()
            broken = core(COLD, SILENT, HOT, boilers=3)
            broken.load(saved)
            assert broken.save() == saved
        logs[0] += whole.step(n, entry)
        logs[1] += broken.step(n, entry)
        assert whole.next_due_ms() == broken.next_due_ms()
    assert log(logs[0]) == log(logs[1])
    assert whole.save() == broken.save()


@settings(max_examples=40, deadline=None)
@given(streams())
def test_a_cause_never_has_two_open_tickets(parts) -> None:
    one = core(COLD, SILENT, HOT, boilers=3)
    open_: dict[str, str] = {}
    for n, (kind, what) in enumerate(parts):
        if kind == "report":
            continue
        for effect in one.step(n, what if kind == "entry" else readings([what])):
            if isinstance(effect, Ticket):
                assert open_.setdefault(effect.cause, effect.id) == effect.id
                if effect.closed_ms:
                    del open_[effect.cause]


def test_the_log_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "import hashlib; from tests.hub.fault_site import *\n"
        "one = core(COLD, SILENT, HOT, boilers=3)\n"
        "story = [started(), *minutes(0, 30, 45), *minutes(31, 90, 71, 3), *minutes(91, 99, 45)]\n"
        "print(hashlib.sha256(log(play(one, story)) + one.save()).hexdigest())"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("0", "4711")
    ]
    hashes = {process.communicate(timeout=60)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(hashes) == 1


def test_a_saved_state_of_another_version_is_not_taken() -> None:
    one = core()
    state = json.loads(one.save()) | {"version": 0}
    with pytest.raises(ValueError, match="version"):
        one.load(json.dumps(state).encode())


def test_a_rule_that_is_gone_leaves_its_ticket_workable() -> None:
    one, ticket = with_ticket(COLD)
    other = core(SILENT)
    other.load(one.save())
    effects = play(other, [action(33, "fix", ticket)])
    assert told(effects) == [("fix_reported", 33), ("closed", 33)]


def test_points_nobody_watches_cost_nothing_and_do_nothing() -> None:
    one = core(COLD)
    batch = Batch.of([2, 999, TANK], [START] * 3, [1.0, 1.0, 55.0], [0, 0, 0], START)
    play(one, [Entry(1, START, batch)])
    assert one._watch.save()["points"]["point"] == [TANK]
