"""An outcome that nobody knows is read before anything is sent again, also after a restart."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from hub.database import commands as table
from hub.model import Batch, Outcome, Quality
from hub.ports import DeviceError, ExceptionAnswerError, NoAnswerError, StoreError
from tests.hub.command_room import BOILER, Room, opened_room

T = TypeVar("T")


@pytest.fixture
def room() -> Iterator[Room]:
    yield from opened_room()


@pytest.mark.parametrize("error", [NoAnswerError("no answer"), DeviceError("garbage")])
@pytest.mark.parametrize(("read", "outcome"), [(55.0, Outcome.DONE), (50.0, Outcome.NOT_CONFIRMED)])
def test_an_unknown_outcome_is_settled_by_a_later_reading_and_never_sent_again(
    room: Room, error: Exception, read: float, outcome: Outcome
) -> None:
    room.read(55.0)  # what was read before says nothing
    room.boiler.after = error
    assert room.ask().outcome is Outcome.UNKNOWN
    room.wait(100)
    assert room.kept().outcome is Outcome.UNKNOWN
    room.read(99.0, Quality.BAD)
    room.wait(20)
    assert room.kept().outcome is Outcome.UNKNOWN
    room.read(read)
    room.wait(20)
    kept = room.kept()
    assert (kept.outcome, kept.actual) == (outcome, read)
    assert [entry.content["outcome"] for entry in room.entries] == ["unknown", str(outcome)]
    assert len(room.boiler.writes) == 1


def test_an_outcome_nobody_sees_stays_unknown(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask()
    room.wait(3600)
    assert room.kept().outcome is Outcome.UNKNOWN
    assert "command unsettled: c-k1" in caplog.text


def test_a_retry_is_sent_only_after_the_outcome_of_the_first_was_read(room: Room) -> None:
    room.boiler.after = NoAnswerError("no answer")
    assert room.ask(55, "first").outcome is Outcome.UNKNOWN
    room.boiler.after = None
    retry = room.loop.create_task(room.commands.submit(room.command(56, "again"), "again"))
    room.wait(40)
    assert room.boiler.writes == [(f"{BOILER}/setpoint", 55.0)]
    room.read(55.0)
    assert room.run(retry).outcome is Outcome.DONE
    assert room.kept("first").outcome is Outcome.DONE
    assert [value for _, value in room.boiler.writes] == [55.0, 56.0]


def test_two_retries_at_once_do_not_pass_an_unknown_outcome_of_each_other(room: Room) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask(55, "first")
    retries = [
        room.loop.create_task(room.commands.submit(room.command(value, key), key))
        for value, key in ((56.0, "b"), (57.0, "c"))
    ]
    room.wait(1)
    room.read(55.0)
    room.wait(40)
    assert [value for _, value in room.boiler.writes] == [55.0, 56.0]
    room.wait(40)
    outcomes = [room.run(retry).outcome for retry in retries]
    assert outcomes == [Outcome.UNKNOWN, Outcome.EXPIRED]


def test_a_retry_that_never_sees_the_first_outcome_expires_unsent(room: Room) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask(55, "first")
    result = room.ask(56, "again")
    assert result.outcome is Outcome.EXPIRED
    assert "the outcome of an earlier command is still unknown" in result.reason
    assert len(room.boiler.writes) == 1


def test_another_point_of_the_device_does_not_wait_for_an_unknown_outcome(room: Room) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask(55, "first")
    room.boiler.after = None
    assert room.ask(30, "other", point=f"{BOILER}/limit").outcome is Outcome.DONE


def test_a_retry_that_waits_while_the_hub_stops_is_not_sent(room: Room) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask(55, "first")
    retry = room.loop.create_task(room.commands.submit(room.command(56, "again"), "again"))
    room.wait(1)
    room.run(room.commands.close())
    assert room.run(retry).outcome is Outcome.BLOCKED
    assert len(room.boiler.writes) == 1


def test_a_device_that_took_the_command_and_is_still_busy_is_read_later(room: Room) -> None:
    room.boiler.after = ExceptionAnswerError("unit 1: exception 5", 5)
    assert room.ask(55).outcome is Outcome.UNKNOWN
    room.wait(1)
    room.read(55.0)
    room.wait(20)
    assert room.kept().outcome is Outcome.DONE


def test_a_mistake_inside_a_driver_ends_in_an_outcome_that_is_looked_for(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.boiler.after = OverflowError("too large")
    result = room.ask(55)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "internal error: too large")
    assert "command failed inside: c-k1" in caplog.text
    room.wait(1)
    room.read(55.0)
    room.wait(20)
    assert room.kept().outcome is Outcome.DONE


def test_after_a_crash_a_command_is_settled_by_reading_not_sent_again(room: Room) -> None:
    command = room.command(55, "k1")
    table.insert_or_get(room.database, command, "li/k1")  # and then the power went
    room.wait(300)
    assert room.ask().outcome is Outcome.UNKNOWN
    room.run(room.commands.reconcile())
    room.wait(30)
    room.read(55.0)
    room.wait(30)
    assert room.kept().outcome is Outcome.DONE
    assert room.ask().outcome is Outcome.DONE
    assert room.boiler.writes == []


def test_who_hangs_up_does_not_stop_the_command(room: Room) -> None:
    async def hang_up() -> None:
        asking = asyncio.create_task(room.commands.submit(room.command(55, "k1"), "k1"))
        await room.clock.sleep(1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await room.clock.sleep(10)

    room.boiler.before = lambda: room.clock.sleep(5)
    room.run(hang_up())
    assert room.kept().outcome is Outcome.DONE


def test_closing_waits_for_the_command_in_hand(room: Room) -> None:
    async def close_meanwhile() -> None:
        asking = asyncio.create_task(room.commands.submit(room.command(55, "k1"), "k1"))
        await room.clock.sleep(1)
        await room.commands.close()
        assert asking.done() or (await asking).outcome is Outcome.DONE

    room.boiler.before = lambda: room.clock.sleep(5)
    room.run(close_meanwhile())
    assert room.kept().outcome is Outcome.DONE


def test_what_was_on_its_way_before_is_no_read_back_whatever_time_it_bears(room: Room) -> None:
    now_ms = room.clock.now_ms()
    room.live.update(Batch.of([2], [now_ms + 60_000], [55.0], [0], now_ms))
    room.boiler.after = NoAnswerError("no answer")
    room.ask()
    room.wait(100)
    assert room.kept().outcome is Outcome.UNKNOWN


def test_what_was_measured_before_is_no_read_back_however_late_it_comes(room: Room) -> None:
    before_ms = room.clock.now_ms() - 1
    room.boiler.after = NoAnswerError("no answer")
    room.ask()
    room.wait(20)
    room.live.update(Batch.of([2], [before_ms], [55.0], [0], room.clock.now_ms()))
    room.wait(100)
    assert room.kept().outcome is Outcome.UNKNOWN


def test_after_a_restart_an_open_command_is_said_to_be_unknown_at_once(room: Room) -> None:
    table.insert_or_get(room.database, room.command(55, "k1"), "li/k1")
    room.run(room.commands.reconcile())
    assert (room.kept().outcome, room.kept().reason) == (
        Outcome.UNKNOWN,
        "the hub stopped meanwhile",
    )
    assert [entry.content["outcome"] for entry in room.entries] == ["unknown"]
    room.run(room.commands.close())


def test_after_a_restart_a_retry_waits_until_the_first_outcome_was_read(room: Room) -> None:
    table.insert_or_get(room.database, room.command(55, "k1"), "li/k1")
    room.run(room.commands.reconcile())
    retry = room.loop.create_task(room.commands.submit(room.command(56, "k2"), "k2"))
    room.wait(40)
    assert room.boiler.writes == []
    room.read(50.0)
    assert room.run(retry).outcome is Outcome.DONE
    assert room.kept("k1").outcome is Outcome.NOT_CONFIRMED


def test_an_outcome_that_could_not_be_kept_is_tried_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.boiler.after = NoAnswerError("no answer")
    room.ask()
    room.wait(1)
    room.read(55.0)
    with monkeypatch.context() as broken:
        broken.setattr(table, "finish", _broken)
        room.wait(40)
    assert room.kept().outcome is Outcome.UNKNOWN
    room.wait(40)
    assert room.kept().outcome is Outcome.DONE


def test_a_command_whose_outcome_was_not_kept_is_not_sent_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(table, "finish", _broken)
        with pytest.raises(StoreError):
            room.ask()
    assert room.ask().outcome is Outcome.UNKNOWN
    assert len(room.boiler.writes) == 1


def _broken(*_: object) -> None:
    raise StoreError("database: disk full")


def test_who_hangs_up_at_once_does_not_stop_the_command(room: Room) -> None:
    class Slow:
        """A worker that takes its time, as a thread does."""

        async def run(self, job: Callable[[], T]) -> T:
            await room.clock.sleep(1)
            return job()

        def close(self) -> None:
            pass

    async def hang_up() -> None:
        asking = asyncio.create_task(room.commands.submit(room.command(55, "k1"), "k1"))
        await room.clock.sleep(0.5)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await room.clock.sleep(10)

    room.commands.worker = Slow()
    room.run(hang_up())
    assert room.kept().outcome is Outcome.DONE
