"""A command is sent once or not at all, and ends in a result that was read back."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from drivers.profile import Profile, Write
from hub.clock import VirtualClock, VirtualLoop
from hub.control import Commands
from hub.control.guard import objection, tolerance
from hub.database import audit
from hub.database import commands as table
from hub.database.connection import Database, open_database
from hub.live import Live
from hub.model import Batch, Command, Entry, EntryKind, Outcome, Point, Quality, Result, Text, flag
from hub.ports import DeviceError, ExceptionAnswerError, NoAnswerError, Refused, StoreError
from hub.site import Device, Place, Site

START_MS = 1_795_000_000_000
PROFILE: Profile = TypeAdapter(Profile).validate_python(
    {
        "version": 1, "id": "try-boiler", "maker": "Try", "model": "B", "kind": "boiler",
        "protocol": "modbus", "source": "this test",
        "points": {
            "tank": {"table": "input", "address": 0},
            "setpoint": {
                "table": "holding", "address": 4, "type": "int16", "scale": 0.1, "unit": "degC",
                "write": {"min": 40, "max": 60, "step": 0.5},
            },
            "element": {
                "table": "holding", "address": 5,
                "write": {"min": 0, "max": 1, "step": 1, "class": "dangerous"},
            },
        },
    }
)  # fmt: skip
BOILER = "dorm-07/boiler-1"
NAMES = ("tank", "setpoint", "element")


def site() -> Site:
    points = tuple(
        Point(n, f"{BOILER}/{name}", BOILER, name, "", "gauge", Text(name, name))
        for n, name in enumerate(NAMES, 1)
    )
    interval = timedelta(seconds=60)
    device = Device(BOILER, "try-boiler", "boiler", "dorm-07", interval, "gw", 1, points)
    place = Place("dorm-07", "building", Text("7", "7"))
    return Site("try", Text("试", "Try"), ZoneInfo("Asia/Shanghai"), [place], [], [device])


class Boiler:
    """The device end: keeps what is written, and can fail before or after it did so."""

    def __init__(self) -> None:
        self.value = 50.0
        self.writes: list[tuple[str, float]] = []
        self.before: Callable[[], Awaitable[None]] | Exception | None = None
        self.after: Exception | None = None

    async def write(self, point: Point, value: float) -> float:
        if isinstance(self.before, Exception):
            raise self.before
        if self.before is not None:
            await self.before()
        self.writes.append((point.id, value))
        self.value = round(value, 1)
        if self.after is not None:
            raise self.after
        return self.value


class Room:
    """Commands with a real database and a live table, in virtual time."""

    def __init__(self, loop: VirtualLoop, database: Database) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop, START_MS, seed=1)
        self.database = database
        self.boiler = Boiler()
        self.live = Live(3)
        self.entries: list[Entry] = []
        self.commands = self.started()

    def started(self, *, allowed: bool = True) -> Commands:
        return Commands(
            site=site(),
            profiles={"try-boiler": PROFILE},
            writes={"gw": self.boiler.write},
            live=self.live,
            database=self.database,
            worker=self.clock.worker("commands"),
            enter=self.entries.append,
            clock=self.clock,
            allowed=allowed,
        )

    def run(self, job: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(job)

    def wait(self, seconds: float) -> None:
        self.run(self.clock.sleep(seconds))

    def ask(self, value: float = 55.0, key: str = "k1", **changes: Any) -> Result:
        return self.run(self.commands.submit(self.command(value, key, **changes), key))

    def command(self, value: float, key: str, **changes: Any) -> Command:
        now_ms = self.clock.now_ms()
        command = Command(
            f"c-{key}", f"{BOILER}/setpoint", value, "li", "cold", now_ms, now_ms + 60_000
        )
        return replace(command, **changes)

    def kept(self, key: str = "k1") -> Result:
        found = table.get(self.database, f"c-{key}")
        assert found is not None
        assert found[1] is not None
        return found[1]

    def read(self, value: float, quality: Quality = Quality.GOOD) -> None:
        now_ms = self.clock.now_ms()
        self.live.update(Batch.of([2], [now_ms], [value], [flag(quality)], now_ms))


@pytest.fixture
def room() -> Iterator[Room]:
    loop = VirtualLoop()
    database = open_database(":memory:")
    yield Room(loop, database)
    database.close()
    loop.close()


def test_a_command_is_written_read_back_kept_and_journaled(room: Room) -> None:
    result = room.ask(55.5)
    assert (result.outcome, result.actual) == (Outcome.DONE, 55.5)
    assert room.boiler.writes == [(f"{BOILER}/setpoint", 55.5)]
    assert room.kept() == result
    (entry,) = room.entries
    assert entry.kind is EntryKind.RESULT
    assert (entry.content["command"], entry.content["outcome"]) == ("c-k1", "done")


def test_it_is_written_down_before_it_is_sent(room: Room) -> None:
    seen: list[str] = []

    async def look() -> None:
        seen.extend(line.action for line in audit.latest(room.database))

    room.boiler.before = look
    room.ask()
    (line,) = audit.latest(room.database)
    assert seen == ["command"]
    assert (line.actor, line.subject) == ("li", f"{BOILER}/setpoint")
    assert line.detail == {"id": "c-k1", "value": 55.0, "reason": "cold"}


def test_without_the_audit_nothing_is_sent(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise StoreError("database: disk full")

    monkeypatch.setattr(audit, "add", broken)
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKED,
        "nothing was sent: database: disk full",
    )
    assert room.boiler.writes == []


@pytest.mark.parametrize(
    ("value", "point", "expected"),
    [
        (39.5, "setpoint", "39.5 is outside 40 to 60 degC"),
        (60.5, "setpoint", "60.5 is outside 40 to 60 degC"),
        (50.2, "setpoint", "50.2 is not on a step of 0.5 from 40"),
        (float("nan"), "setpoint", "nan is outside"),
        (float("inf"), "setpoint", "inf is outside"),
        (50, "tank", "its profile does not declare it writable"),
        (1, "element", "it is dangerous and needs a second person"),
        (50, "pressure", "there is no such point"),
    ],
)
def test_what_is_not_declared_or_not_in_range_is_not_sent(
    room: Room, value: float, point: str, expected: str
) -> None:
    if value != value:  # noqa: PLR0124 - a database keeps no NaN, the guard is asked directly
        assert expected in str(objection(room.command(value, "k"), PROFILE.points[point]))
        return
    result = room.ask(value, point=f"{BOILER}/{point}")
    assert result.outcome is Outcome.BLOCKED
    assert expected in result.reason
    assert room.boiler.writes == []


@pytest.mark.parametrize("value", [40, 40.5, 60])
def test_the_limits_themselves_may_be_written(room: Room, value: float) -> None:
    assert room.ask(value).outcome is Outcome.DONE


def test_a_site_that_only_reads_sends_nothing(room: Room) -> None:
    room.commands = room.started(allowed=False)
    result = room.ask()
    assert result.outcome is Outcome.BLOCKED
    assert "writes: false" in result.reason
    assert room.boiler.writes == []


def test_the_same_key_is_carried_out_once(room: Room) -> None:
    first = room.ask()
    room.wait(30)
    assert room.ask() == first
    assert len(room.boiler.writes) == len(room.entries) == 1


def test_the_same_key_at_the_same_time_is_carried_out_once(room: Room) -> None:
    async def twice() -> list[Result]:
        command = room.command(55, "k1")
        return await asyncio.gather(*(room.commands.submit(command, "k1") for _ in range(8)))

    room.boiler.before = lambda: room.clock.sleep(1)
    results = room.run(twice())
    assert [result.outcome for result in results] == [Outcome.DONE] * 8
    assert len(room.boiler.writes) == 1


def test_a_key_used_for_another_command_is_refused(room: Room) -> None:
    room.ask(55)
    with pytest.raises(Refused, match="send a new key"):
        room.ask(56)
    assert len(room.boiler.writes) == 1


def test_an_expired_command_is_not_sent(room: Room) -> None:
    result = room.ask(expires_ms=START_MS)
    assert result.outcome is Outcome.EXPIRED
    assert room.boiler.writes == []


def test_a_command_that_expires_in_the_queue_is_withdrawn(room: Room) -> None:
    room.boiler.before = lambda: room.clock.sleep(61)
    assert room.ask().outcome is Outcome.UNKNOWN
    room.wait(120)
    assert room.boiler.writes == []


def test_commands_to_one_device_go_one_after_the_other(room: Room) -> None:
    async def both() -> list[Result]:
        first, second = room.command(55, "a"), room.command(56, "b")
        return await asyncio.gather(
            room.commands.submit(first, "a"), room.commands.submit(second, "b")
        )

    busy = 0

    async def alone() -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        await room.clock.sleep(5)
        busy -= 1

    room.boiler.before = alone
    assert [result.actual for result in room.run(both())] == [55.0, 56.0]


def test_a_value_the_device_did_not_take_is_not_confirmed(room: Room) -> None:
    async def stubborn(point: Point, value: float) -> float:
        return 50.0

    room.commands.writes = {"gw": stubborn}
    result = room.ask(55)
    assert (result.outcome, result.actual) == (Outcome.NOT_CONFIRMED, 50.0)
    assert result.reason == "asked for 55, the device says 50"


def test_a_refusal_by_the_device_is_not_confirmed_and_final(room: Room) -> None:
    room.boiler.before = ExceptionAnswerError("unit 1: exception 3", 3)
    result = room.ask()
    assert result.outcome is Outcome.NOT_CONFIRMED
    assert "the device refused: unit 1: exception 3" in result.reason
    assert room.ask() == result


def test_a_refusal_by_the_driver_blocks(room: Room) -> None:
    room.boiler.before = Refused("not on the whitelist")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKED,
        "nothing was sent: not on the whitelist",
    )


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
    assert room.ask(asked_ms=command.asked_ms).outcome is Outcome.DONE
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


def test_a_range_without_an_end_still_refuses_what_is_no_number() -> None:
    endless = PROFILE.points["setpoint"].model_copy(
        update={"write": Write.model_construct(min=0, max=math.inf, step=None, class_="normal")}
    )
    command = Command("c", f"{BOILER}/setpoint", math.inf, "li", "", 0, 1)
    assert "inf is outside" in str(objection(command, endless))


@settings(deadline=None, max_examples=300)
@given(
    value=st.floats(allow_nan=True, allow_infinity=True) | st.integers(-100, 100).map(float),
    name=st.sampled_from(NAMES),
)
def test_whatever_is_asked_only_declared_values_pass_the_guard(value: float, name: str) -> None:
    command = Command("c", f"{BOILER}/{name}", value, "li", "", 0, 1)
    if objection(command, PROFILE.points[name]) is None:
        assert name == "setpoint"
        assert value in [40 + n / 2 for n in range(41)] or abs(value * 2 - round(value * 2)) < 1e-5
        assert 40 <= value <= 60


def test_the_read_back_may_differ_by_half_a_digit_of_the_register() -> None:
    spec = PROFILE.points["setpoint"]
    assert 0.05 <= tolerance(50.0, spec) < 0.051
    free = spec.model_copy(update={"type": "float32", "write": Write(min=0, max=1e6)})
    assert tolerance(1e6, free) < 2
