"""Devices that lack registers their profile names: every good point is read, cheaply, for ever."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.driver import ModbusDriver
from drivers.profile import ModbusProfile
from hub.clock import VirtualClock
from hub.model import Point, Reason
from hub.ports import ExceptionAnswerError, Hole, NoAnswerError
from hub.site import Device
from tests.drivers.register_bus import START_MS, Bus, quality, virtual

DAY_S = 86_400
METER = "dorm-01/m-1"


class Memory:
    """Holes kept from one driver to the next."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[int, Sequence[Hole]]] = {}

    def known(self, device: str, profile: str) -> tuple[int, Sequence[Hole]]:
        return self.kept.get(f"{device} {profile}", (0, ()))

    def keep(self, device: str, profile: str, found_ms: int, holes: Sequence[Hole]) -> None:
        self.kept[f"{device} {profile}"] = (found_ms, holes)


def meter(spans: Sequence[tuple[int, str]], **limits: object) -> ModbusProfile:
    points = {
        f"p{n}": {"table": "input", "address": address, "type": type_}
        for n, (address, type_) in enumerate(spans)
    }
    return ModbusProfile.model_validate(
        {"version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter", "source": "s",
         "protocol": "modbus", "limits": limits, "points": points}
    )  # fmt: skip


@pytest.fixture(name="made")
def _made(device):
    def make(
        clock: VirtualClock, spec: ModbusProfile, memory: Memory | None = None
    ) -> tuple[Bus, ModbusDriver, dict[str, Point]]:
        one: Device = device(METER, *spec.points)
        bus = Bus(clock)
        driver = ModbusDriver(bus, [(one, spec)], clock, memory)
        return bus, driver, {point.name: point for point in one.points}

    return make


MAPS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from(["uint16", "float32", "int64"])),
    min_size=1, max_size=24, unique_by=lambda span: span[0],
)  # fmt: skip


@given(spans=MAPS, holes=st.sets(st.integers(0, 63), max_size=5), gap=st.integers(0, 20))
def test_all_good_points_are_read_at_once_and_no_request_is_refused_later(spans, holes, gap):
    spec = meter(spans, gap=gap, words=40)
    bad = {
        n for n, point in enumerate(spec.points.values(), 1)
        if holes & set(range(point.address, point.address + point.words))
    }  # fmt: skip
    one = Device(
        METER, "test", "meter", "dorm-01", None, "gw", 1,
        tuple(Point(n, f"{METER}/{name}", METER, name, "", "gauge", None)
              for n, name in enumerate(spec.points, 1)),
    )  # fmt: skip

    async def story(clock):
        bus = Bus(clock)
        memory = Memory()
        driver = ModbusDriver(bus, [(one, spec)], clock, memory)
        bus.holes = holes
        if len(bad) == len(spec.points):
            return  # a device that refuses everything is another story
        for _ in range(2):
            batch = await driver.poll(METER)
            assert set(quality(batch, Reason.EXCEPTION_ANSWER)) == bad
            assert set(quality(batch, Reason.NONE)) == set(range(1, len(spec.points) + 1)) - bad
        for _ in range(2 * len(spec.points)):  # overlapping points may need some more rounds
            bus.refused = 0
            await driver.poll(METER)
        assert bus.refused == sum(
            1 for n in bad if not covered(spec, n, memory.kept[f"{METER} test"][1])
        )
        again = ModbusDriver(bus, [(one, spec)], clock, memory)
        await again.poll(METER)
        assert bus.refused == 0

    virtual(story)


def covered(spec: ModbusProfile, number: int, holes: Sequence[Hole]) -> bool:
    point = list(spec.points.values())[number - 1]
    end = point.address + point.words
    return any(
        hole.words and point.address <= hole.address and hole.address + hole.words <= end
        for hole in holes
    )


@pytest.mark.parametrize("missing", [0, 1, 17, 62, 63])
def test_one_missing_register_costs_twice_the_logarithm_once(made, missing) -> None:
    async def story(clock):
        bus, driver, points = made(clock, meter([(n, "uint16") for n in range(64)]))
        bus.holes = {missing}
        batch = await driver.poll(METER)
        assert quality(batch, Reason.EXCEPTION_ANSWER) == [points[f"p{missing}"].number]
        assert len(bus.reads) - 1 <= 2 * 6
        blocks = 1 if missing in (0, 63) else 2
        for extra in (1, 0, 0):  # looked at once more in the next poll, to be sure
            bus.reads.clear()
            batch = await driver.poll(METER)
            assert quality(batch, Reason.EXCEPTION_ANSWER) == [points[f"p{missing}"].number]
            assert len(bus.reads) == blocks + extra

    virtual(story)


def test_the_bits_of_a_missing_register_are_found_together(made) -> None:
    async def story(clock):
        spec = meter([(n, "uint16") for n in range(3)])
        bits = {
            f"bit{n}": spec.points["p1"].model_copy(update={"bit": n, "address": 3})
            for n in range(16)
        }
        spec = spec.model_copy(update={"points": {**spec.points, **bits}})
        bus, driver, _ = made(clock, spec)
        bus.holes = {3}
        batch = await driver.poll(METER)
        assert len(quality(batch, Reason.EXCEPTION_ANSWER)) == 16
        assert len(bus.reads) - 1 <= 2 * 2

    virtual(story)


def test_a_missing_register_between_points_becomes_a_boundary(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock, meter([(0, "uint16"), (1, "uint16"), (5, "uint16")]))
        bus.holes = {3}
        for _ in range(2):
            assert len(quality(await driver.poll(METER), Reason.NONE)) == 3
        bus.reads.clear()
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 3
        assert bus.reads == [("input", 0, 2), ("input", 5, 1)]

    virtual(story)


@pytest.mark.parametrize("refused", [{0, 1, 2, 3}, {5}, {6, 7}, {0, 7}, "once"])
def test_a_device_that_refuses_what_it_has_for_one_poll_only_loses_no_point(made, refused) -> None:
    """A hole is kept when a second poll finds it too; until then nothing is left out."""

    async def story(clock):
        memory = Memory()
        bus, driver, _ = made(clock, meter([(n, "uint16") for n in range(8)]), memory)
        if refused == "once":
            errors = [ExceptionAnswerError("hiccup", 2)]
            bus.trouble = lambda table, address: errors.pop() if errors else None
        else:
            bus.holes = set(refused)
        first = await driver.poll(METER)
        assert len(quality(first, Reason.NONE)) == 8 - len(bus.holes)
        bus.holes = set()
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 8
        bus.reads.clear()
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 8
        assert bus.reads == [("input", 0, 8)]
        assert memory.kept == {}

    virtual(story)


def test_a_hole_stays_in_doubt_while_the_device_says_nothing_about_it(made) -> None:
    async def story(clock):
        memory = Memory()
        spec = meter([(n, "uint16") for n in range(8)])
        bus, driver, points = made(clock, spec, memory)
        bus.holes = {5}
        await driver.poll(METER)
        bus.trouble = lambda table, address: NoAnswerError("x") if address == 5 else None
        for _ in range(3):
            batch = await driver.poll(METER)
            assert len(quality(batch, Reason.NONE)) == 7
            assert quality(batch, Reason.EXCEPTION_ANSWER) == [points["p5"].number]
        assert memory.kept == {}
        bus.trouble = lambda table, address: None
        await driver.poll(METER)
        assert memory.kept[f"{METER} test"][1] == (Hole("input", 5, 1),)

    virtual(story)


def test_a_device_that_takes_less_than_its_profile_says_is_read_in_smaller_requests(made) -> None:
    async def story(clock):
        bus, driver, _ = made(clock, meter([(n, "uint16") for n in range(32)]))
        bus.longest = 10
        for _ in range(3):
            assert len(quality(await driver.poll(METER), Reason.NONE)) == 32
        bus.reads.clear()
        bus.refused = 0
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 32
        assert bus.refused == 0
        assert len(bus.reads) == 4

    virtual(story)


def test_silence_while_looking_for_a_hole_is_not_learned(made) -> None:
    async def story(clock):
        memory = Memory()
        spans = [(n, "uint16") for n in range(4)] + [(100, "uint16")]
        bus, driver, _ = made(clock, meter(spans), memory)
        bus.longest = 2
        bus.trouble = lambda table, address: NoAnswerError("x") if len(bus.reads) == 2 else None
        first = await driver.poll(METER)
        assert len(quality(first, Reason.NO_ANSWER)) == 2
        assert memory.kept == {}
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 5

    virtual(story)


def test_holes_outlive_the_hub_and_are_looked_for_again_after_a_day(made) -> None:
    async def story(clock):
        memory = Memory()
        spec = meter([(n, "uint16") for n in range(8)])
        bus, driver, points = made(clock, spec, memory)
        bus.holes = {5}
        for _ in range(2):
            await driver.poll(METER)
        found_ms = memory.kept[f"{METER} test"][0]
        assert START_MS <= found_ms <= clock.now_ms()
        await clock.sleep(DAY_S / 2)
        bus, driver, points = made(clock, spec, memory)
        bus.holes = {5}
        batch = await driver.poll(METER)
        assert bus.refused == 0
        assert quality(batch, Reason.EXCEPTION_ANSWER) == [points["p5"].number]
        await clock.sleep(DAY_S / 2)
        await driver.poll(METER)
        assert bus.refused > 0  # looked for again, and still not there
        bus.refused, bus.holes = 0, set()
        await driver.poll(METER)
        assert memory.kept[f"{METER} test"][1] == (Hole("input", 5, 1),)
        await clock.sleep(DAY_S)
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 8
        assert memory.kept[f"{METER} test"][1] == ()

    virtual(story)


def test_a_clock_that_was_set_back_does_not_put_off_the_next_look(made) -> None:
    async def story(clock):
        memory = Memory()
        memory.keep(METER, "test", clock.now_ms() + 10**12, (Hole("input", 1, 1),))
        _, driver, _ = made(clock, meter([(n, "uint16") for n in range(4)]), memory)
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 3
        await clock.sleep(DAY_S)
        assert len(quality(await driver.poll(METER), Reason.NONE)) == 4

    virtual(story)
