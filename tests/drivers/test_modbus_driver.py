from __future__ import annotations

import asyncio

import pytest

from drivers.modbus.driver import ModbusDriver
from drivers.profile import ModbusProfile
from hub.clock import VirtualClock
from hub.model import Reason
from hub.ports import (
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    Refused,
)
from tests.drivers.register_bus import START_MS, Bus, quality, rows, virtual


def profile(**more: object) -> ModbusProfile:
    points = {f"a{n}": {"table": "input", "address": n} for n in range(8)}
    points |= {f"b{n}": {"table": "input", "address": 100 + n} for n in range(8)}
    points["setpoint"] = {
        "table": "holding", "address": 4, "type": "int16", "scale": 0.1,
        "write": {"min": 40, "max": 60, "step": 0.5},
    }  # fmt: skip
    return ModbusProfile.model_validate(
        {"version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter", "source": "s",
         "protocol": "modbus", "points": points} | more
    )  # fmt: skip


@pytest.fixture
def made(device):
    """Return a function that makes bus, driver and the device's point numbers by name."""

    def make(clock: VirtualClock, spec: ModbusProfile | None = None):
        spec = spec or profile()
        bus = Bus(clock)
        one = device("dorm-01/m-1", *spec.points)
        driver = ModbusDriver(bus, [(one, spec)], clock)
        return bus, driver, {point.name: point for point in one.points}

    return make


def test_reads_all_points_in_few_requests_at_the_receipt_instant(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.registers["holding", 4] = 505
        batch = await driver.poll("dorm-01/m-1")
        assert bus.reads == [("holding", 4, 1), ("input", 0, 8), ("input", 100, 8)]
        assert len(batch) == 17
        assert rows(batch)[points["b3"].number][0] == 103.0
        assert rows(batch)[points["setpoint"].number][0] == 50.5
        assert set(batch.at_ms.tolist()) == {batch.received_ms} == {START_MS + 30}

    virtual(story)


def test_pauses_between_requests_where_the_device_needs_it(made) -> None:
    async def story(clock):
        _, driver, _ = made(clock, profile(limits={"pause": "PT0.02S"}))
        batch = await driver.poll("dorm-01/m-1")
        assert batch.received_ms == START_MS + 30 + 40

    virtual(story)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ExceptionAnswerError("x", 4), Reason.EXCEPTION_ANSWER),
        (GarbageAnswerError("x"), Reason.GARBAGE_ANSWER),
        (NoAnswerError("x"), Reason.NO_ANSWER),
    ],
)
def test_one_block_in_trouble_makes_only_its_points_bad(made, error, reason) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.trouble = lambda table, address: error if address == 100 else None
        batch = await driver.poll("dorm-01/m-1")
        assert quality(batch, reason) == [points[f"b{n}"].number for n in range(8)]
        assert len(quality(batch, Reason.NONE)) == 9

    virtual(story)


def test_a_device_that_says_nothing_costs_the_bus_one_deadline(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock)
        bus.trouble = lambda table, address: NoAnswerError("silence")
        with pytest.raises(NoAnswerError):
            await driver.poll("dorm-01/m-1")
        assert len(bus.reads) == 1

    virtual(story)


def test_a_bus_that_gives_other_numbers_than_registers_is_garbage(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock)
        bus.registers["input", 0] = 70_000
        batch = await driver.poll("dorm-01/m-1")
        assert len(quality(batch, Reason.GARBAGE_ANSWER)) == 8

    virtual(story)


def test_missing_registers_are_found_remembered_and_tried_again_next_day(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        bus.holes = {3, 106}
        first = await driver.poll("dorm-01/m-1")
        assert quality(first, Reason.EXCEPTION_ANSWER) == [points["a3"].number, points["b6"].number]
        assert len(quality(first, Reason.NONE)) == 15
        spent = len(bus.reads)
        assert spent <= 3 + 2 * 2 * 3
        await driver.poll("dorm-01/m-1")
        bus.reads.clear()
        second = await driver.poll("dorm-01/m-1")
        assert sorted(rows(second)) == sorted(rows(first))
        assert quality(second, Reason.EXCEPTION_ANSWER) == quality(first, Reason.EXCEPTION_ANSWER)
        assert not any(address <= 3 < address + n for t, address, n in bus.reads if t == "input")
        bus.holes = set()
        await clock.sleep(86_400)
        assert len(quality(await driver.poll("dorm-01/m-1"), Reason.NONE)) == 17

    virtual(story)


def test_a_device_that_refuses_everything_is_read_whole_again_once_it_is_well(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock)
        bus.trouble = lambda table, address: ExceptionAnswerError("all", 2)
        batch = await driver.poll("dorm-01/m-1")
        assert len(quality(batch, Reason.EXCEPTION_ANSWER)) == 17
        bus.reads.clear()
        await driver.poll("dorm-01/m-1")
        assert len(bus.reads) == 3  # splitting it again and again would cost the bus too much
        bus.trouble = lambda table, address: None
        bus.reads.clear()
        assert len(quality(await driver.poll("dorm-01/m-1"), Reason.NONE)) == 17
        assert len(bus.reads) == 3

    virtual(story)


def test_a_write_goes_to_its_register_and_is_read_back(made) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        assert await driver.write(points["setpoint"], 50.5) == 50.5
        assert bus.writes == [(1, "holding", 4, [505])]
        assert bus.reads == [("holding", 4, 1)]

    virtual(story)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("a0", 1, "declares no write"),
        ("setpoint", 39.5, "outside 40..60"),
        ("setpoint", 60.5, "outside 40..60"),
        ("setpoint", float("nan"), "outside"),
        ("setpoint", 50.3, "not on a step of 0.5"),
    ],
)
def test_nothing_undeclared_reaches_the_wire(made, name, value, text) -> None:
    async def story(clock):
        bus, driver, points = made(clock)
        with pytest.raises(Refused, match=text):
            await driver.write(points[name], value)
        assert bus.writes == bus.reads == []

    virtual(story)


def test_a_value_that_the_register_cannot_hold_is_refused(made) -> None:
    async def story(clock):
        wide = {"table": "holding", "address": 0, "type": "uint16", "write": {"min": 0, "max": 1e6}}
        bus, driver, points = made(clock, profile(points={"wide": wide}))
        with pytest.raises(Refused, match="does not fit uint16"):
            await driver.write(points["wide"], 70_000)
        assert bus.writes == []

    virtual(story)


def test_a_point_of_another_bus_is_refused(made, device) -> None:
    async def story(clock):
        bus, driver, _ = made(clock)
        stranger = device("dorm-02/m-9", "setpoint").points[0]
        with pytest.raises(Refused, match="no point of this bus"):
            await driver.write(stranger, 50)
        assert bus.writes == []

    virtual(story)


def test_a_read_back_that_is_no_value_is_said(made) -> None:
    async def story(clock):
        spec = profile(points={
            "setpoint": {"table": "holding", "address": 4, "invalid": [50],
                         "write": {"min": 40, "max": 60}},
        })  # fmt: skip
        _, driver, points = made(clock, spec)
        with pytest.raises(DeviceError, match="invalid marker"):
            await driver.write(points["setpoint"], 50)

    virtual(story)


def test_closing_closes_the_bus(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock)
        await driver.close()
        assert bus.reads == [("closed", 0, 0)]

    virtual(story)


def test_a_device_without_unit_id_is_refused(device) -> None:
    async def story(clock):
        with pytest.raises(Refused, match="no unit id"):
            ModbusDriver(Bus(clock), [(device("dorm-01/m", "a0", unit_id=None), profile())], clock)
        await asyncio.sleep(0)

    virtual(story)


class Together(Bus):
    """A bus that answers when all that it was asked at once has come, the last question first."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.asked = self.most = 0

    async def read(self, unit_id, table, address, count):
        self.asked += 1
        self.most = max(self.most, self.asked)
        await self.clock.sleep(1 - address / 10_000)
        self.asked -= 1
        return await super().read(unit_id, table, address, count)


def spread(**limits: object) -> ModbusProfile:
    points = {f"p{n}": {"table": "input", "address": 100 * n} for n in range(9)}
    return profile(points=points, limits=limits)


def test_blocks_of_a_device_are_asked_for_together_where_the_line_allows_it(device) -> None:
    async def story(clock):
        spec, bus = spread(), Together(clock)
        one = device("dorm-01/m-1", *spec.points)
        driver = ModbusDriver(bus, [(one, spec)], clock, at_once=4)
        batch = await driver.poll("dorm-01/m-1")
        assert batch.point.tolist() == [point.number for point in one.points]
        assert batch.value.tolist() == [100.0 * n for n in range(9)]
        assert bus.reads[0] == ("input", 0, 1)  # alone: to see that the unit is there
        assert bus.most == 4
        assert clock.now_ms() - START_MS < 3_100  # 1 + 4 + 4

    virtual(story)


def test_trouble_of_one_block_among_those_asked_for_together_is_its_own(device) -> None:
    async def story(clock):
        spec, bus = spread(), Together(clock)
        one = device("dorm-01/m-1", *spec.points)
        driver = ModbusDriver(bus, [(one, spec)], clock, at_once=8)
        errors = {
            100: NoAnswerError("x"), 300: GarbageAnswerError("x"), 500: ExceptionAnswerError("x", 4)
        }  # fmt: skip
        bus.trouble = lambda table, address: errors.get(address)
        bus.holes = {700}
        batch = await driver.poll("dorm-01/m-1")
        found = {one.points[n].name: row[2] for n, row in enumerate(rows(batch).values())}
        assert found == dict.fromkeys(spec.points, Reason.NONE) | {
            "p1": Reason.NO_ANSWER, "p3": Reason.GARBAGE_ANSWER,
            "p5": Reason.EXCEPTION_ANSWER, "p7": Reason.EXCEPTION_ANSWER,
        }  # fmt: skip

    virtual(story)


def test_a_dead_unit_is_asked_one_question_however_many_are_allowed(device) -> None:
    async def story(clock):
        spec, bus = spread(), Together(clock)
        driver = ModbusDriver(
            bus, [(device("dorm-01/m-1", *spec.points), spec)], clock, at_once=8
        )  # fmt: skip
        bus.trouble = lambda table, address: NoAnswerError("silence")
        with pytest.raises(NoAnswerError):
            await driver.poll("dorm-01/m-1")
        assert len(bus.reads) == 1

    virtual(story)


def test_a_device_that_needs_a_rest_between_requests_gets_one_at_a_time(device) -> None:
    async def story(clock):
        spec, bus = spread(pause="PT0.02S"), Together(clock)
        one = device("dorm-01/m-1", *spec.points)
        driver = ModbusDriver(bus, [(one, spec)], clock, at_once=8)
        await driver.poll("dorm-01/m-1")
        assert bus.most == 1

    virtual(story)
