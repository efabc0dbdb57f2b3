"""The wire guard lets through what a profile declares, to the last bit, and nothing else."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from drivers.codec import encode
from drivers.modbus.frame import writing
from drivers.profile import ModbusProfile, Profile, Write, write_function
from drivers.registry import polled
from drivers.wire import GuardedBus, StrayWriteError, WireGuard, decoded
from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.model import Point, Text
from hub.ports import Table
from hub.settings import load, shipped
from hub.site import Device
from tests.hub.memory_wire import Wire as Gateway

UNIT = 7
PROFILE: Profile = TypeAdapter(Profile).validate_python(
    {
        "version": 1, "id": "try", "maker": "Try", "model": "W", "kind": "boiler",
        "protocol": "modbus", "source": "this test", "limits": {"write_functions": [5, 6, 16]},
        "points": {
            "setpoint": {
                "table": "holding", "address": 4, "type": "int16", "scale": 0.1,
                "write": {"min": 40, "max": 60, "step": 0.5},
            },
            "float": {
                "table": "holding", "address": 10, "type": "float32", "word_order": "little",
                "write": {"min": 1, "max": 5},
            },
            "mode": {
                "table": "holding", "address": 12,
                "write": {"min": 0, "max": 200, "one_of": [85, 170]},
            },
            "bcd": {
                "table": "holding", "address": 13, "type": "bcd16", "write": {"min": 0, "max": 99},
            },
            "part": {
                "table": "holding", "address": 20, "bit": 4, "bits": 2,
                "write": {"min": 0, "max": 2},
            },
            "low": {
                "table": "holding", "address": 21, "type": "uint8", "byte": "low",
                "write": {"min": 0, "max": 9},
            },
            "coil": {"table": "coil", "address": 2, "type": "bool", "write": {"min": 0, "max": 1}},
            "read_only": {"table": "holding", "address": 5},
            "odd": {
                "table": "holding", "address": 30, "scale": 0.3, "write": {"min": 40, "max": 60},
            },
            "firmware": {"table": "input", "address": 0},
            "either": {
                "table": "holding", "address": 40, "type": "uint32", "write": {"min": 1, "max": 9},
                "word_order_from": {"point": "firmware", "at_least": 2, "order": "little"},
            },
        },
    }
)  # fmt: skip


def device(profile: Profile, unit_id: int) -> Device:
    points = tuple(
        Point(n, f"t/{profile.id}/{name}", f"t/{profile.id}", name, "", "gauge", Text("", ""))
        for n, name in enumerate(profile.points, 1)
    )
    interval = timedelta(seconds=60)
    return Device(f"t/{profile.id}", profile.id, profile.kind, "t", interval, "gw", unit_id, points)


def guard() -> WireGuard:
    return WireGuard([device(PROFILE, UNIT)], {"try": PROFILE})


FLOAT_2 = [0x0000, 0x4000]  # 2.0 with the low word first


@pytest.mark.parametrize(
    ("function", "address", "values"),
    [
        (6, 4, [400]), (16, 4, [405]), (6, 4, [600]), (16, 10, FLOAT_2), (6, 12, [85]),
        (6, 13, [0x0042]), (5, 2, [1]), (5, 2, [0]), (6, 30, [133]), (6, 30, [200]),
        (16, 40, [0, 9]), (16, 40, [9, 0]),
    ],
)  # fmt: skip
def test_what_the_profile_declares_goes_out(function: int, address: int, values: list[int]) -> None:
    assert guard().objection(UNIT, function, address, values) is None


@pytest.mark.parametrize(
    ("unit_id", "function", "address", "values", "expected"),
    [
        (0, 6, 4, [400], "broadcast"),
        (248, 6, 4, [400], "unit ids are 1 to 247"),
        (8, 6, 4, [400], "no profile declares a write there"),
        (UNIT, 6, 5, [400], "no profile declares a write there"),
        (UNIT, 6, 3, [400], "no profile declares a write there"),
        (UNIT, 5, 4, [1], "no profile declares a write there"),
        (UNIT, 6, 4, [399], "39.9 is outside 40..60"),
        (UNIT, 6, 4, [601], "60.1 is outside 40..60"),
        (UNIT, 6, 4, [0xFFFF], "-0.1 is outside"),
        (UNIT, 6, 4, [403], "40.3 is not on a step of 0.5"),
        (UNIT, 16, 4, [400, 1], "2 values where setpoint has 1"),
        (UNIT, 16, 4, [], "0 values where setpoint has 1"),
        (UNIT, 6, 4, [-1], "is no value"),
        (UNIT, 6, 4, [0x1_0000 + 400], "is no value"),
        (UNIT, 16, 10, list(reversed(FLOAT_2)), "is outside 1..5"),
        (UNIT, 16, 10, [0, 0x7FC0], "is no value of float"),
        (UNIT, 16, 10, [0, 0x7F80], "is no value of float"),
        (UNIT, 6, 10, [0], "1 values where float has 2"),
        (UNIT, 6, 12, [86], "86 is none of its values"),
        (UNIT, 6, 13, [0x004A], "is no value of bcd"),
        (UNIT, 15, 2, [1], "not written with function 15"),
        (UNIT, 5, 2, [2], "is no value of coil"),
        (UNIT, 6, 30, [132], "39.6 is outside"),
        (UNIT, 16, 40, [9, 9], "is outside 1..9"),
        *((UNIT, code, 4, [400], "never sent") for code in (0, 1, 3, 8, 22, 23, 43, 65, 100, 255)),
    ],
)  # fmt: skip
def test_what_no_profile_declares_does_not(
    unit_id: int, function: int, address: int, values: list[int], expected: str
) -> None:
    assert expected in str(guard().objection(unit_id, function, address, values))


def test_a_part_of_a_register_keeps_the_rest_as_it_was_read() -> None:
    one = guard()
    assert "was not read" in str(one.objection(UNIT, 6, 20, [0x10]))
    one.note(UNIT, "holding", 19, [1, 0xF00F])
    assert one.objection(UNIT, 6, 20, [0xF01F]) is None
    assert one.objection(UNIT, 6, 20, [0xF02F]) is None
    assert "outside 0..2" in str(one.objection(UNIT, 6, 20, [0xF03F]))
    assert "other bits" in str(one.objection(UNIT, 6, 20, [0xF01E]))
    one.note(UNIT, "input", 20, [0xF01E])
    assert "other bits" in str(one.objection(UNIT, 6, 20, [0xF01E]))
    one.note(UNIT, "holding", 21, [0xAB00])
    assert one.objection(UNIT, 6, 21, [0xAB09]) is None
    assert "other bits" in str(one.objection(UNIT, 6, 21, [0xAC09]))


@pytest.mark.parametrize(
    ("pdu", "expected"),
    [
        ("0300040001", None), ("0600040190", None), ("100004000102 0190", None),
        ("050002FF00", None), ("0500020000", None), ("100010", "neither a read nor a write"),
        ("", "neither a read nor a write"), ("2B0E0100", "neither a read nor a write"),
        ("160004FFFF0000", "neither a read nor a write"), ("0500020001", "0000 or FF00"),
        ("060004019000", "longer than"), ("100004000202 0190", "says 2 values"),
        ("100004000104 0190", "says 1 values"), ("10000400010201900190", "says 1 values"),
        ("100004000000", "says 0 values"), ("06000401F7", "50.3 is not on a step"),
        ("0600050190", "no profile"),
    ],
)  # fmt: skip
def test_a_frame_is_taken_apart_and_judged(pdu: str, expected: str | None) -> None:
    objection = guard().frame_objection(UNIT, bytes.fromhex(pdu.replace(" ", "")))
    assert objection is None if expected is None else expected in str(objection)


@settings(deadline=None, max_examples=500)
@given(unit_id=st.integers(0, 255), pdu=st.binary(max_size=260))
def test_random_frames_are_judged_and_never_break_the_guard(unit_id: int, pdu: bytes) -> None:
    one = guard()
    if one.frame_objection(unit_id, pdu) is None and pdu[0] not in (1, 2, 3, 4):
        assert one.objection(unit_id, *decoded(pdu)) is None


class Wire:
    """A bus that records what reaches it."""

    def __init__(self) -> None:
        self.written: list[tuple[int, Table, int, list[int], int | None]] = []
        self.words = [0xF00F]
        self.closed = 0

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        return self.words * count

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        self.written.append((unit_id, table, address, list(values), function))

    async def close(self) -> None:
        self.closed += 1


async def test_a_stray_write_is_not_sent_ends_the_link_and_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wire = Wire()
    bus = GuardedBus(wire, guard())
    await bus.write(UNIT, "holding", 4, [500], 6)
    with pytest.raises(StrayWriteError, match="stopped on the wire: unit 7 function 6 address 4"):
        await bus.write(UNIT, "holding", 4, [700], 6)
    assert wire.written == [(UNIT, "holding", 4, [500], 6)]
    assert wire.closed == 1
    (line,) = caplog.records
    assert line.levelno == logging.CRITICAL
    assert "stray write stopped" in line.message


@pytest.mark.parametrize(
    ("table", "values", "function"),
    [
        ("input", [500], 6),
        ("input", [500], None),
        ("discrete", [1], 5),
        ("holding", [500], 5),
        ("coil", [1], 6),
        ("holding", [500], 22),
    ],
)
async def test_a_function_writes_its_own_table_only(
    table: Table, values: list[int], function: int | None
) -> None:
    wire = Wire()
    with pytest.raises(StrayWriteError):
        await GuardedBus(wire, guard()).write(UNIT, table, 4, values, function)
    assert wire.written == []


async def test_what_was_read_through_the_guard_is_what_a_part_is_compared_with() -> None:
    wire = Wire()
    bus = GuardedBus(wire, guard())
    with pytest.raises(StrayWriteError, match="was not read"):
        await bus.write(UNIT, "holding", 20, [0xF01F], 6)
    await bus.read(UNIT, "holding", 20, 1)
    await bus.write(UNIT, "holding", 20, [0xF01F], 6)
    assert len(wire.written) == 1


async def test_every_polled_driver_stands_behind_the_wire_guard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire()
    one = device(PROFILE, UNIT)
    driver = polled(wire, [one], {"try": PROFILE}, RealClock())
    monkeypatch.setattr("drivers.modbus.driver.encode", lambda *_: [9999])
    setpoint = next(point for point in one.points if point.name == "setpoint")
    with pytest.raises(StrayWriteError):
        await driver.write(setpoint, 50.0)
    assert wire.written == []


@pytest.mark.parametrize("rtu", [False, True], ids=["tcp", "rtu"])
def test_a_frame_that_went_wrong_below_the_driver_does_not_leave(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rtu: bool
) -> None:
    def wrong(unit_id: int, function: int, address: int, values: Sequence[int]) -> object:
        return writing(unit_id, function, address + 1, values)

    async def story(gateway: Gateway) -> None:
        bus = GuardedBus(gateway.bus(), guard())
        await bus.write(UNIT, "holding", 4, [500], 6)
        monkeypatch.setattr("drivers.modbus.connection.writing", wrong)
        with pytest.raises(StrayWriteError, match="stopped before the socket: unit 7 function 6"):
            await bus.write(UNIT, "holding", 4, [500], 6)
        assert [frame.address for frame in gateway.frames] == [4]
        assert [line.levelno for line in caplog.records] == [logging.CRITICAL]
        monkeypatch.undo()
        await bus.write(UNIT, "holding", 4, [505], 6)
        assert [frame.values for frame in gateway.frames] == [(500,), (505,)]
        assert gateway.connections == 2  # the one that a stray write came to was closed

    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(Gateway(VirtualClock(loop, 0, 1), rtu=rtu)))
    finally:
        loop.close()


def values_of(write: Write) -> list[float]:
    """Values that a profile declares: its limits, and some on its steps."""
    if write.one_of:
        return list(write.one_of)
    if not write.step:
        return [write.min, (write.min + write.max) / 2, write.max]
    steps = int((write.max - write.min) / write.step + 1e-9)
    return [write.min + n * write.step for n in sorted({0, 1, steps // 2, steps})]


def test_everything_a_shipped_profile_declares_passes_as_the_codec_writes_it() -> None:
    seen = 0
    for profile in load(shipped()).profiles.values():
        if not isinstance(profile, ModbusProfile):
            continue
        one = WireGuard([device(profile, UNIT)], {profile.id: profile})
        for name, spec in profile.points.items():
            if spec.write is None or spec.partial:
                continue
            function = write_function(spec, profile.limits)
            assert function is not None
            for value in values_of(spec.write):
                words = encode(spec, value)
                assert one.objection(UNIT, function, spec.address, words) is None, (name, value)
                seen += 1
    assert seen > 10
