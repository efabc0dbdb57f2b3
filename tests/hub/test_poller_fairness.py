"""What a dead, slow or cut-off device costs the others of its bus."""

from __future__ import annotations

import asyncio

import pytest

from hub.clock import VirtualClock
from hub.ports import NotConnectedError
from tests.hub.poller_scene import Scene, device, play


def test_dead_devices_do_not_starve_their_bus() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}", 15) for n in range(32)]
        scene = Scene(clock, *devices)
        scene.bus.silent = {f"d/{n}" for n in range(20)}  # 20 s of deadlines in every 15 s
        await scene.run(1800)
        for one in devices[20:]:
            recent = [at for at in scene.bus.times(one.id) if at > 600]
            assert len(recent) == pytest.approx(1200 / 15, abs=2)
        assert len([at for at in scene.bus.times("d/0") if at > 600]) == pytest.approx(10, abs=1)

    play(story)


def test_a_dead_device_that_comes_back_is_asked_as_often_as_before() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"), device("d/2"))
        scene.bus.silent = {"d/1"}
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(3600)
        scene.bus.silent = set()
        back = clock.monotonic()
        await clock.sleep(1200)
        times = [at for at in scene.bus.times("d/1") if at > back]
        assert times[0] - back <= 8 * 60
        assert times[1] - times[0] == pytest.approx(60, abs=0.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_single_slow_poll_on_a_busy_bus_costs_its_device_nothing() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(32)))
        scene.bus.takes_s = 0.4
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(600)
        scene.bus.slow["d/7"] = 10.0
        await clock.sleep(15)
        del scene.bus.slow["d/7"]
        began = clock.monotonic()
        await clock.sleep(150)
        assert len([at for at in scene.bus.times("d/7") if at > began]) >= 9
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_bus_that_was_dead_as_a_whole_is_back_within_one_interval() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}") for n in range(8)]
        scene = Scene(clock, *devices)
        scene.bus.silent = {one.id for one in devices}
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(3600)
        scene.bus.silent = set()
        back = clock.monotonic()
        await clock.sleep(70)
        for one in devices:
            assert next(at for at in scene.bus.times(one.id) if at > back) - back <= 61
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


@pytest.mark.parametrize("interval_s", [3.5, 5, 15, 60])
def test_one_dead_unit_of_thirty_two_costs_the_others_less_than_a_twentieth(interval_s) -> None:
    """At 3.5 s the bus is nine tenths busy, and each try of the dead unit takes a whole second."""

    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}", interval_s) for n in range(32)]
        scene = Scene(clock, *devices)
        scene.bus.takes_s = 0.1
        scene.bus.silent = {"d/13"}
        length_s = 200 * interval_s
        await scene.run(length_s)
        for one in devices:
            if one.id != "d/13":
                assert len(scene.bus.times(one.id)) >= 0.95 * length_s / interval_s, one.id

    play(story)


def test_units_that_answer_too_slowly_are_kept_to_their_share() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}", 15) for n in range(32)]
        scene = Scene(clock, *devices)
        scene.bus.slow = {"d/3": 9.0, "d/4": 9.0}  # 18 s in every 15 s
        await scene.run(1800)
        for one in devices:
            if one.id not in scene.bus.slow:
                recent = [at for at in scene.bus.times(one.id) if at > 300]
                assert len(recent) >= 0.95 * 1500 / 15, one.id
        assert len(scene.bus.times("d/3")) >= 1800 / (15 * 8)

    play(story)


def test_a_slow_unit_on_a_bus_with_time_is_asked_as_often_as_it_wants() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(4)))
        scene.bus.slow = {"d/3": 6.0}
        await scene.run(600)
        assert len(scene.bus.times("d/3")) == pytest.approx(41, abs=2)

    play(story)


def test_a_link_that_is_cut_for_half_a_minute_is_back_within_one_interval() -> None:
    async def story(clock: VirtualClock) -> None:
        devices = [device(f"d/{n}", 15) for n in range(32)]
        scene = Scene(clock, *devices)
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(300)
        scene.bus.silent, scene.bus.error = {one.id for one in devices}, NotConnectedError
        await clock.sleep(30)
        scene.bus.silent = set()
        back, done = clock.monotonic(), scene.poller.counts.done
        await clock.sleep(16)
        assert scene.poller.counts.done - done >= 31
        for one in devices:
            assert next(at for at in scene.bus.times(one.id) if at >= back) - back <= 15.5
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)
