"""A command is sent once or not at all, and ends in a result that was read back."""

import asyncio
import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.profile import Write
from drivers.wire import StrayWriteError
from hub.control.guard import objection, tolerance
from hub.database import audit
from hub.model import Command, EntryKind, Outcome, Point, Quality, Result
from hub.ports import (
    DeclinedError,
    DeviceError,
    ExceptionAnswerError,
    HubError,
    Leave,
    Refused,
    StoreError,
    UnreadableError,
)
from tests.hub.command_room import BOILER, NAMES, PROFILE, START_MS, Room, opened_room


@pytest.fixture
def room() -> Iterator[Room]:
    yield from opened_room()


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
        (50, "tank_temperature", "its profile does not declare it writable"),
        (1, "element", "it is dangerous and needs a second person"),
        (86, "mode", "86 is not one of 85, 170"),
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


@pytest.mark.parametrize(
    "other", [{"value": 56.0}, {"point": f"{BOILER}/limit"}, {"reason": "x"}, {"expires_ms": 0}]
)
def test_a_key_used_for_another_command_is_refused(room: Room, other: dict[str, object]) -> None:
    room.ask(55)
    with pytest.raises(Refused, match="send a new key"):
        room.ask(**{"value": 55.0} | other)
    assert len(room.boiler.writes) == 1


def test_an_expired_command_is_not_sent(room: Room) -> None:
    result = room.ask(expires_ms=START_MS)
    assert result.outcome is Outcome.EXPIRED
    assert room.boiler.writes == []


def test_a_command_that_expires_before_its_turn_on_the_bus_is_withdrawn(room: Room) -> None:
    room.boiler.queue = lambda: room.clock.sleep(61)
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.EXPIRED,
        "it expired before it could be sent",
    )
    room.wait(120)
    assert room.boiler.writes == []


def test_a_command_that_expires_once_its_turn_has_come_may_have_been_sent(room: Room) -> None:
    room.boiler.before = lambda: room.clock.sleep(61)
    assert room.ask().outcome is Outcome.UNKNOWN


def test_leave_ends_with_the_command_even_where_nothing_cancels_the_wait(room: Room) -> None:
    async def stubborn(point: Point, value: float, leave: Leave) -> float:
        await asyncio.shield(room.loop.create_task(late(leave)))
        return value

    async def late(leave: Leave) -> None:
        await room.clock.sleep(61)
        with pytest.raises(HubError, match="it expired"):
            leave()
        seen.append("refused")

    seen: list[str] = []
    room.commands.writes = {"gw": stubborn}
    assert room.ask().outcome is Outcome.EXPIRED
    room.wait(5)
    assert seen == ["refused"]


def test_what_fails_before_its_turn_has_not_been_sent(room: Room) -> None:
    room.boiler.queue = DeviceError("the hub stops")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKED,
        "nothing was sent: the hub stops",
    )


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
    async def stubborn(point: Point, value: float, leave: Leave) -> float:
        leave()
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


def test_a_device_that_says_no_has_not_done_it(room: Room) -> None:
    room.boiler.before = DeclinedError("the device says refused")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.NOT_CONFIRMED,
        "the device refused: the device says refused",
    )


def test_what_can_be_written_but_never_read_is_not_confirmed_and_holds_nothing_up(
    room: Room,
) -> None:
    room.boiler.after = UnreadableError("exception 2")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.NOT_CONFIRMED,
        "the device took it, but it cannot be read back: exception 2",
    )
    assert room.ask(56, "next").outcome is Outcome.NOT_CONFIRMED
    assert len(room.boiler.writes) == 2


def test_a_refusal_by_the_driver_blocks(room: Room) -> None:
    room.boiler.before = Refused("not on the whitelist")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKED,
        "nothing was sent: not on the whitelist",
    )


def test_what_only_the_wire_guard_stopped_is_told_by_the_audit(room: Room) -> None:
    room.boiler.before = StrayWriteError("stopped on the wire: unit 1")
    result = room.ask()
    assert (result.outcome, result.reason) == (
        Outcome.BLOCKED,
        "nothing was sent: stopped on the wire: unit 1",
    )
    line, _ = audit.latest(room.database)
    assert line.action == "stray write"
    assert line.detail["stopped"] == "stopped on the wire: unit 1"


def test_a_stray_write_ends_in_a_result_even_when_the_audit_breaks(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stray() -> None:
        def broken(*_: object) -> int:
            raise StoreError("database: disk full")

        monkeypatch.setattr(audit, "add", broken)
        raise StrayWriteError("stopped on the wire: unit 1")

    room.boiler.before = stray
    assert room.ask().outcome is Outcome.BLOCKED
    assert "stray write not audited: c-k1" in caplog.text


@pytest.mark.parametrize(
    ("tank", "quality", "age_s", "expected"),
    [
        (75.0, Quality.GOOD, 0, "interlock: over-temperature: tank_temperature is 75 degC"),
        (50.0, Quality.BAD, 0, "interlock: sensor lost: tank_temperature"),
        (50.0, Quality.UNCERTAIN, 0, "interlock: sensor lost: tank_temperature"),
        (50.0, Quality.GOOD, 181, "interlock: sensor lost: tank_temperature"),
    ],
)
def test_the_plant_itself_stops_a_command_that_would_heat(
    room: Room, tank: float, quality: Quality, age_s: float, expected: str
) -> None:
    room.measure(tank, quality)
    room.wait(age_s)
    result = room.ask()
    assert result.outcome is Outcome.BLOCKED
    assert result.reason.startswith(expected)
    assert room.boiler.writes == []


def test_the_plant_is_asked_when_the_command_has_its_turn_on_the_bus(room: Room) -> None:
    async def grows_hot() -> None:
        await room.clock.sleep(1)
        room.measure(75.0)

    room.boiler.queue = grows_hot
    assert room.ask().reason.startswith("interlock: over-temperature")
    assert room.boiler.writes == []


def test_the_plant_is_asked_when_the_command_is_sent_not_when_it_is_made(room: Room) -> None:
    room.boiler.before = lambda: room.clock.sleep(5)
    asking = [
        room.loop.create_task(room.commands.submit(room.command(value, key), key))
        for value, key in ((55.0, "a"), (56.0, "b"))
    ]
    room.wait(1)
    room.measure(75.0)
    assert [room.run(one).outcome for one in asking] == [Outcome.DONE, Outcome.BLOCKED]


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
        assert name in ("setpoint", "limit", "mode")
        if name == "mode":
            assert value in (85, 170)
            return
        if name == "limit":
            assert 20 <= value <= 60
            return
        assert value in [40 + n / 2 for n in range(41)] or abs(value * 2 - round(value * 2)) < 1e-5
        assert 40 <= value <= 60


def test_the_read_back_may_differ_by_half_a_digit_of_the_register() -> None:
    spec = PROFILE.points["setpoint"]
    assert 0.05 <= tolerance(50.0, spec) < 0.051
    free = spec.model_copy(update={"type": "float32", "write": Write(min=0, max=1e6)})
    assert tolerance(1e6, free) < 2
