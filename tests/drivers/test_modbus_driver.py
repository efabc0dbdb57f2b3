from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from drivers.modbus.driver import ModbusDriver
from drivers.profile import ModbusProfile
from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Quality, Reason, quality_of, reason_of
from hub.ports import (
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    Refused,
    Table,
)

START_MS = 1_700_000_000_000


class Bus:
    """Registers that hold their own address, and whatever a test makes go wrong."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.registers: dict[tuple[str, int], int] = {}
        self.reads: list[tuple[str, int, int]] = []
        self.writes: list[tuple[int, str, int, list[int]]] = []
        self.holes: set[int] = set()
        self.trouble: Callable[[str, int], Exception | None] = lambda table, address: None

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        self.reads.append((table, address, count))
        await self.clock.sleep(0.01)
        if error := self.trouble(table, address):
            raise error
        if self.holes & set(range(address, address + count)):
            raise ExceptionAnswerError("exception 2", 2)
        return [self.registers.get((table, at), at) for at in range(address, address + count)]

    async def write(self, unit_id: int, table: Table, address: int, values: Sequence[int]) -> None:
        self.writes.append((unit_id, table, address, list(values)))
        self.registers.update({(table, address + n): value for n, value in enumerate(values)})

    async def close(self) -> None:
        self.reads.append(("closed", 0, 0))


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


def virtual(story: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(VirtualClock(loop, START_MS, 7)))
    finally:
        loop.close()


def rows(batch: Batch) -> dict[int, tuple[float, Quality, Reason]]:
    return {
        number: (value, quality_of(packed), reason_of(packed))
        for number, value, packed in zip(
            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        )
    }


def quality(batch: Batch, reason: Reason) -> list[int]:
    return sorted(number for number, row in rows(batch).items() if row[2] is reason)


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
