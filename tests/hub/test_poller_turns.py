"""Writes go before polls, looks between them; nobody waits in vain."""

from __future__ import annotations

import asyncio

import pytest

from hub.clock import VirtualClock
from hub.ports import DeviceError, NoAnswerError
from tests.hub.poller_scene import POINT, SPAN, Scene, device, play


def test_a_write_goes_before_the_polls_that_are_due() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        scene.bus.takes_s = 2.0  # every poll is due by now
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(30)
        asked = clock.monotonic()
        assert await scene.poller.write(POINT, 5) == 5
        assert clock.monotonic() - asked <= 4  # the poll in hand and the write itself
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_write_wakes_an_idle_bus() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 3600))
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(100)
        asked = clock.monotonic()
        await scene.poller.write(POINT, 1)
        assert clock.monotonic() - asked == pytest.approx(scene.bus.takes_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


@pytest.mark.parametrize("error", [DeviceError("no"), ZeroDivisionError()])
def test_a_failed_write_reaches_who_asked_and_the_polls_go_on(error) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.writing = error
        running = asyncio.create_task(scene.poller.run())
        with pytest.raises(type(error)):
            await scene.poller.write(POINT, 1)
        await clock.sleep(130)
        assert scene.poller.counts.done >= 2
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_write_that_nobody_waits_for_any_more_is_not_sent() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 15))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        while not scene.bus.asked:  # a poll is in hand
            await clock.sleep(0.1)
        writing = asyncio.create_task(scene.poller.write(POINT, 1))
        await clock.sleep(0.1)
        writing.cancel()
        await clock.sleep(60)
        assert not scene.bus.times("write 1")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_writes_that_wait_when_the_hub_stops_are_told() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        first = asyncio.create_task(scene.poller.write(POINT, 1))
        second = asyncio.create_task(scene.poller.write(POINT, 2))
        await clock.sleep(1)
        running.cancel()
        for writing in (first, second):
            with pytest.raises(DeviceError, match="the hub stops"):
                await writing

    play(story)


def test_a_look_waits_for_writes_but_not_for_the_next_poll() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 3600))
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(100)
        asked = clock.monotonic()
        looking = asyncio.create_task(scene.poller.look("d/1", SPAN))
        await scene.poller.write(POINT, 1)
        assert (await looking).raw == (1, 2)
        assert clock.monotonic() - asked == pytest.approx(2 * scene.bus.takes_s)
        assert [name for _, name in scene.bus.asked[-2:]] == ["write 1", "look d/1"]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_among_polls_that_are_due_looks_get_every_second_turn() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        scene.bus.takes_s = 2.0  # there is always a poll that is due
        running = asyncio.create_task(scene.poller.run())
        await clock.sleep(60)
        scene.bus.asked.clear()
        looks = [asyncio.create_task(scene.poller.look("d/0", SPAN)) for _ in range(20)]
        await asyncio.gather(*looks)
        kinds = [name.startswith("look") for _, name in scene.bus.asked]
        assert sum(kinds) == 20
        assert kinds in ([True, False] * 20, [False, True] * 20, ([True, False] * 20)[:-1])
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_bus_with_time_loses_no_poll_to_looks() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, *(device(f"d/{n}", 15) for n in range(8)))
        running = asyncio.create_task(scene.poller.run())
        end_s = clock.monotonic() + 600
        looks = 0
        while clock.monotonic() < end_s:
            await scene.poller.look("d/0", SPAN)
            looks += 1
        assert looks > 5_000
        assert scene.poller.counts.done >= 8 * 40 - 1
        assert scene.poller.counts.late == 0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


@pytest.mark.parametrize("error", [NoAnswerError("no"), ZeroDivisionError()])
def test_a_failed_look_reaches_who_asked_and_says_nothing_of_the_device_s_health(error) -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.looking = error
        running = asyncio.create_task(scene.poller.run())
        with pytest.raises(type(error)):
            await scene.poller.look("d/1", SPAN)
        await clock.sleep(130)
        assert scene.poller.counts.done >= 2
        assert {kind for kind, _ in scene.notes.told} == {"seen"}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_a_look_that_nobody_waits_for_any_more_is_not_taken() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1", 15))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        while not scene.bus.asked:  # a poll is in hand
            await clock.sleep(0.1)
        looking = asyncio.create_task(scene.poller.look("d/1", SPAN))
        await clock.sleep(0.1)
        looking.cancel()
        await clock.sleep(60)
        assert not scene.bus.times("look d/1")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    play(story)


def test_looks_that_wait_when_the_hub_stops_are_told() -> None:
    async def story(clock: VirtualClock) -> None:
        scene = Scene(clock, device("d/1"))
        scene.bus.takes_s = 5
        running = asyncio.create_task(scene.poller.run())
        looks = [asyncio.create_task(scene.poller.look("d/1", SPAN)) for _ in range(2)]
        await clock.sleep(1)
        running.cancel()
        for looking in looks:
            with pytest.raises(DeviceError, match="the hub stops"):
                await looking

    play(story)
