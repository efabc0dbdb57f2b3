"""Points that depend on others, and writes that must look before they leap."""

from __future__ import annotations

import pytest

from drivers.modbus.driver import ModbusDriver
from drivers.profile import ModbusProfile
from hub.clock import VirtualClock
from hub.model import Reason
from hub.ports import ExceptionAnswerError, NoAnswerError, Refused
from tests.drivers.register_bus import Bus, quality, rows, virtual

METER = "dorm-01/m-1"
ON, OFF = 0xAA, 0x55
POINTS: dict[str, dict[str, object]] = {
    "firmware": {"table": "holding", "address": 0},
    "voltage": {"table": "holding", "address": 1, "type": "uint32", "scale": 0.1,
                "scale_from": {"point": "pt", "kind": "factor"}},
    "energy": {"table": "holding", "address": 3, "type": "int32",
               "word_order_from": {"point": "firmware", "at_least": 113, "order": "little"}},
    "pt": {"table": "holding", "address": 200},
    "switch": {"table": "holding", "address": 300,
               "write": {"min": OFF, "max": ON, "one_of": [OFF, ON]}},
    "mode": {"table": "holding", "address": 301,
             "write": {"min": 1, "max": 5, "step": 1,
                       "only_while": {"point": "switch", "equals": OFF}}},
    "hot_water": {"table": "holding", "address": 302, "bit": 2, "write": {"min": 0, "max": 1}},
    "pump_level": {"table": "holding", "address": 302, "bit": 4, "bits": 3,
                   "write": {"min": 0, "max": 7}},
    "limit": {"table": "holding", "address": 303, "type": "uint8", "byte": "high",
              "write": {"min": 20, "max": 60}},
    "target": {"table": "holding", "address": 304, "type": "int32", "write": {"min": 0, "max": 1e6},
               "word_order_from": {"point": "firmware", "at_least": 113, "order": "little"}},
    "valve": {"table": "coil", "address": 7, "type": "bool", "write": {"min": 0, "max": 1}},
}  # fmt: skip


@pytest.fixture(name="made")
def _made(device):
    def make(clock: VirtualClock, *, without: str = "", **limits: object):
        chosen = {name: point for name, point in POINTS.items() if name != without}
        spec = ModbusProfile.model_validate(
            {"version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter",
             "source": "s", "protocol": "modbus", "limits": limits, "points": chosen}
        )  # fmt: skip
        one = device(METER, *spec.points)
        bus = Bus(clock)
        bus.registers |= {("holding", at): 0 for at in range(310)}
        driver = ModbusDriver(bus, [(one, spec)], clock)
        return bus, driver, {point.name: point for point in one.points}

    return make


def test_points_take_their_scale_and_order_from_other_blocks(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers |= {("holding", 2): 2301, ("holding", 4): 7, ("holding", 200): 10}
        told = rows(await driver.poll(METER))
        assert told[points["voltage"].number][0] == 2301.0
        assert told[points["energy"].number][0] == 7.0
        bus.registers |= {("holding", 0): 113, ("holding", 3): 7, ("holding", 4): 0}
        told = rows(await driver.poll(METER))
        assert told[points["energy"].number][0] == 7.0
        assert len(told) == len(POINTS)

    virtual(story)


def test_without_its_ratio_a_point_is_bad_for_the_reason_of_the_ratio(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        lost = NoAnswerError("lost")
        bus.trouble = lambda table, address: lost if address == 200 else None
        batch = await driver.poll(METER)
        assert set(quality(batch, Reason.NO_ANSWER)) == {
            points["pt"].number, points["voltage"].number
        }  # fmt: skip

    virtual(story)


def test_a_block_that_is_refused_takes_what_waits_in_it_along(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 200] = 10
        busy = ExceptionAnswerError("busy", 6)
        bus.trouble = lambda table, address: busy if address == 0 else None
        batch = await driver.poll(METER)
        assert set(quality(batch, Reason.EXCEPTION_ANSWER)) == {
            points[name].number for name in ("firmware", "voltage", "energy", "target")
        }

    virtual(story)


@pytest.mark.parametrize(
    ("functions", "name", "value", "used"),
    [
        ([6, 15], "mode", 2, 6),
        ([16, 15], "mode", 2, 16),
        ([5, 6, 15, 16], "target", 2, 16),
        ([5, 16], "valve", 1, 5),
        ([15, 16], "valve", 1, 15),
    ],
)
def test_writes_use_a_function_that_the_device_knows(made, functions, name, value, used) -> None:
    async def story(clock):
        wide = "" if 16 in functions else "target"  # takes two registers
        bus, driver, points = made(clock, without=wide, write_functions=functions)
        bus.registers["holding", 300] = OFF
        await driver.write(points[name], value)
        assert bus.functions == [used]

    virtual(story)


def test_a_precondition_is_read_from_the_device_before_the_write(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 300] = ON
        with pytest.raises(Refused, match=r"only while switch is 85; it is 170"):
            await driver.write(points["mode"], 2)
        assert bus.writes == []
        bus.registers["holding", 300] = OFF
        assert await driver.write(points["mode"], 2) == 2
        assert [(table, at) for table, at, _ in bus.reads] == [
            ("holding", 300), ("holding", 300), ("holding", 301)
        ]  # fmt: skip

    virtual(story)


def test_a_precondition_that_cannot_be_read_stops_the_write(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.trouble = lambda table, address: NoAnswerError("silence")
        with pytest.raises(Refused, match="nothing was written: silence"):
            await driver.write(points["mode"], 2)
        assert bus.writes == []

    virtual(story)


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        ("hot_water", 1, 0b1010_0001, 0b1010_0101),
        ("hot_water", 0, 0xFFFF, 0xFFFB),
        ("pump_level", 5, 0xFFFF, 0xFFDF),
    ],
)
def test_bits_are_written_with_the_rest_of_their_register_as_it_is(
    made, name, value, before, after
) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 302] = before
        assert await driver.write(points[name], value) == value
        assert bus.writes == [(1, "holding", 302, [after])]

    virtual(story)


def test_a_byte_is_written_with_the_other_byte_as_it_is(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 303] = 0x1442
        assert await driver.write(points["limit"], 50) == 50
        assert bus.writes == [(1, "holding", 303, [0x3242])]

    virtual(story)


@pytest.mark.parametrize(("firmware", "words"), [(112, [0, 9]), (113, [9, 0])])
def test_a_write_goes_out_in_the_word_order_of_the_firmware(made, firmware, words) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 0] = firmware
        assert await driver.write(points["target"], 9) == 9
        assert bus.writes == [(1, "holding", 304, words)]

    virtual(story)


@pytest.mark.parametrize("value", [OFF + 1, 100])
def test_a_value_that_is_none_of_those_allowed_is_refused(made, value) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        with pytest.raises(Refused, match="none of 85, 170"):
            await driver.write(points["switch"], value)
        assert bus.writes == bus.reads == []

    virtual(story)


def test_a_read_back_keeps_to_what_the_device_can_be_asked(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock, align=2)
        bus.registers["holding", 300] = OFF
        assert await driver.write(points["mode"], 3) == 3
        assert all(address % 2 == 0 and count % 2 == 0 for _, address, count in bus.reads)

    virtual(story)
