"""Each device is asked on its own beat, and health hears what came of it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from hub.clock import VirtualClock
from hub.model import Reason
from hub.poller import SWEEP_S
from hub.ports import (
    DeviceError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
    Reach,
    RestingError,
)
from tests.hub.poller_scene import Scene, device, play


def test_every_device_is_asked_soon_and_then_on_its_own_beat_without_drift() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}") for n in range(32)]
        scene = Scene(clock, *devices)
        await scene.run(3600)
        for one in devices:
            times = scene.bus.times(one.id)
            assert times[0] <= SWEEP_S
            beats = times[1:]
            assert len(beats) >= 59
            for n, at in enumerate(beats):
                assert abs(at - beats[0] - 60 * n) < 0.2
        counts = scene.poller.counts
        assert counts.late == counts.failed == 0
        assert counts.due - counts.done <= 1

    play(story)


def test_polls_are_spread_over_the_interval() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}") for n in range(32)))
        await scene.run(240)
        minute = [at for at, _ in scene.bus.asked if 120 <= at < 180]
        assert len(minute) == 32
        for tenth in range(10):
            share = [at for at in minute if tenth * 6 <= at - 120 < tenth * 6 + 6]
            assert 1 <= len(share) <= 5

    play(story)


def test_many_buses_begin_together_on_a_grid_that_costs_no_device_its_beat() -> None:
    async def story(clock: VirtualClock) -> None:
        scenes = [Scene(clock, device(f"d/{n}", 1)) for n in range(100)]
        await asyncio.gather(*(scene.run(30) for scene in scenes))
        settled = [at for scene in scenes for at, _ in scene.bus.asked if at >= SWEEP_S]
        assert len({round(at * 1000) for at in settled}) <= 20 * 20 + 1  # not 100 instants a second
        for n, scene in enumerate(scenes):
            times = scene.bus.times(f"d/{n}")
            assert all(after - before <= 1 + 1e-6 for before, after in pairwise(times))
            assert scene.poller.counts.late == 0

    play(story)


def test_intervals_are_each_device_s_own() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/slow", 60), device("d/quick", 15))
        await scene.run(600)
        assert len(scene.bus.times("d/slow")) == pytest.approx(11, abs=1)
        assert len(scene.bus.times("d/quick")) == pytest.approx(41, abs=1)

    play(story)


def test_an_answer_is_put_and_told_with_its_latency() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        await scene.run(20)
        assert len(scene.batches) == 1
        assert scene.notes.told == [("seen", "d/1")]
        assert scene.notes.latency[0] == pytest.approx(0.05)

    play(story)


def test_a_device_whose_answers_are_all_bad_is_kept_and_told_as_failing() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.useless = {"d/1"}
        await scene.run(20)
        assert len(scene.batches) == 1
        assert scene.notes.told == [("failed", "d/1")]

    play(story)


@pytest.mark.parametrize(
    ("reason", "whole"),
    [
        (Reason.GARBAGE_ANSWER, False),
        (Reason.NO_ANSWER, False),
        (Reason.EXCEPTION_ANSWER, True),
        (Reason.OUT_OF_RANGE, True),
    ],
)
def test_an_answer_is_whole_unless_a_question_of_its_poll_was_left_open(reason, whole) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.halved, scene.bus.reason = {"d/1"}, reason
        await scene.run(20)
        assert scene.notes.told == [("seen", "d/1")]
        assert scene.notes.whole == [whole]

    play(story)


def test_an_error_in_one_driver_stops_no_other_device() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"), device("d/2"))
        scene.bus.broken = {"d/1"}
        await scene.run(600)
        assert len(scene.bus.times("d/2")) >= 10
        assert ("failed", "d/1") in scene.notes.told

    play(story)


def test_polls_that_begin_late_or_are_left_out_are_counted() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 10) for n in range(4)))
        scene.bus.takes_s = 5  # 20 s of work every 10 s
        await scene.run(400)
        counts = scene.poller.counts
        assert counts.done == pytest.approx(80, abs=2)
        assert counts.due == pytest.approx(160, abs=6)
        assert counts.late >= 70

    play(story)


def test_the_same_campus_is_polled_at_the_same_instants_again() -> None:
    runs: list[list[tuple[float, str]]] = []

    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        scene.bus.silent = {"d/3"}
        await scene.run(600)
        runs.append(scene.bus.asked)

    play(story)
    play(story)
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("error", "reach"),
    [
        (NotConnectedError, Reach.NOTHING),
        (NoAnswerError, Reach.GATEWAY),
        (GarbageAnswerError, Reach.GATEWAY),
        (DeviceError, Reach.DEVICE),
    ],
)
def test_health_is_told_how_far_a_question_came(error, reach) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.silent, scene.bus.error = {"d/1"}, error
        await scene.run(20)
        assert scene.notes.reached == [reach]

    play(story)


@pytest.mark.parametrize(
    ("reason", "reach"),
    [(Reason.EXCEPTION_ANSWER, Reach.DEVICE), (Reason.GARBAGE_ANSWER, Reach.GATEWAY)],
)
def test_garbage_says_nothing_of_a_unit_but_an_exception_does(reason, reach) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.useless, scene.bus.reason = {"d/1"}, reason
        await scene.run(20)
        assert scene.notes.reached == [reach]

    play(story)


def test_a_connection_that_is_left_alone_after_failures_shows_until_an_answer_comes() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        seen = []
        for silent, error in (
            (set(), NoAnswerError),
            ({"d/1"}, NotConnectedError),
            ({"d/1"}, RestingError),
            (set(), NoAnswerError),
        ):
            scene.bus.silent, scene.bus.error = silent, error
            await scene.run(70)
            seen.append(scene.poller.resting)
        assert seen == [False, False, True, False]

    play(story)


def test_a_useless_answer_is_told_with_its_reason() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.useless = {"d/1"}
        await scene.run(70)
        assert scene.notes.errors[0] == (
            "answers, but with nothing that can be used: exception answer"
        )

    play(story)
