"""The commissioning check: a device that is not wired as its profile says is named."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from drivers import registry
from drivers.profile import ModbusProfile
from hub.cli.probe_bus import readable
from hub.cli.virtual import site_of
from hub.clock import VirtualClock, VirtualLoop
from hub.ports import ExceptionAnswerError, GarbageAnswerError, NoAnswerError, RegisterBus
from hub.probe import Examined, registers
from hub.probe.probe import BETWEEN_S
from hub.probe.wiring import Wiring
from hub.settings import load
from hub.site import Device
from simulators.campus import Fleet
from simulators.virtual import TwinBus
from tests.whole.site import CONFIG

START_MS = 1_795_226_400_000  # a Saturday, 10:00 at the campus
MAIN, ROOM, BOILER = "dorm-07/main", "dorm-07/meter-101", "dorm-07/boiler-1"
MAPS = [
    Wiring(offset, words, octets)
    for offset in (0, -1, 1)
    for words in (False, True)
    for octets in (False, True)
]
AS_IT_SAYS = Wiring()
Currents = Callable[[dict[str, float]], None]


@pytest.fixture(scope="module")
def settings():
    return load(CONFIG)


async def examine(
    bus: RegisterBus, device: Device, profile: ModbusProfile, clock: VirtualClock
) -> Examined:
    """Look at a device through its driver, as a probe without a hub does."""
    driver = registry.polled(bus, [device], {profile.id: profile}, clock)
    return await registers.examine(driver.look, device, profile, "gw unit 1", clock, BETWEEN_S)


def rewired(profile: ModbusProfile, wiring: Wiring) -> ModbusProfile:
    """Return the map that a device really has, when its profile says ``profile``."""
    points = {}
    for name, point in profile.points.items():
        moved = point.model_copy(update={"address": point.address + wiring.offset})
        points[name] = wiring.of(moved)
    limits = profile.limits.model_copy(update={"align": 1})
    return profile.model_copy(update={"points": points, "limits": limits})


def raised(profile: ModbusProfile) -> ModbusProfile:
    """Return a map that begins a little higher, so that it can be off by one to both sides."""
    points = {
        name: point.model_copy(update={"address": point.address + 16})
        for name, point in profile.points.items()
    }
    return profile.model_copy(update={"points": points})


def found_on(
    settings: Any,
    device_id: str,
    wiring: Wiring = AS_IT_SAYS,
    currents: Currents | None = None,
    *,
    start_ms: int = START_MS,
    seed: int = 3,
) -> Examined:
    """Probe a twin whose registers or current transformers are wired otherwise."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, start_ms, seed)
    devices = list(site_of(settings).devices.values())
    said = {
        id_: raised(profile) if isinstance(profile, ModbusProfile) else profile
        for id_, profile in settings.profiles.items()
    }
    device = next(one for one in devices if one.id == device_id)
    truly = said | {device.profile: rewired(said[device.profile], wiring)}
    fleet = Fleet(devices, truly, clock)
    if currents:
        twin = fleet.twin(device_id)
        twin.values = shown_through(twin.values, currents)  # type: ignore[method-assign]
    bus = TwinBus(fleet, [one for one in devices if one.gateway == device.gateway])
    try:
        job = examine(bus, device, said[device.profile], clock)
        return loop.run_until_complete(job)
    finally:
        loop.close()


def shown_through(values: Callable[[], dict[str, float]], currents: Currents) -> Any:
    def shown() -> dict[str, float]:
        changed = values()
        currents(changed)
        return changed

    return shown


def reversed_on(phase: int) -> Currents:
    """Turn the current transformer of a phase round."""

    def change(values: dict[str, float]) -> None:
        for what in ("power", "power_factor"):
            values[f"{what}_l{phase}"] *= -1
        values["power"] = sum(values[f"power_l{n}"] for n in (1, 2, 3))

    return change


def exchanged(one: int, other: int) -> Currents:
    """Put two current transformers on each other's phase, 120 degrees away."""

    def change(values: dict[str, float]) -> None:
        before = dict(values)
        for here, there, turn in ((one, other, 120), (other, one, -120)):
            angle = math.acos(before[f"power_factor_l{there}"]) + math.radians(turn)
            factor = math.cos(angle)
            apparent = before[f"voltage_l{here}"] * before[f"current_l{there}"]
            values[f"current_l{here}"] = before[f"current_l{there}"]
            values[f"apparent_power_l{here}"] = apparent
            values[f"power_factor_l{here}"] = factor
            values[f"power_l{here}"] = apparent * factor
        values["power"] = sum(values[f"power_l{n}"] for n in (1, 2, 3))

    return change


CURRENTS: Mapping[str, Currents] = {
    "current transformer of L1 reversed": reversed_on(1),
    "current transformer of L2 reversed": reversed_on(2),
    "current transformer of L3 reversed": reversed_on(3),
    "current transformers of L1 and L2 exchanged": exchanged(1, 2),
    "current transformers of L2 and L3 exchanged": exchanged(2, 3),
}
MISWIRED: list[tuple[str, Wiring, Currents | None]] = [
    *((str(one), one, None) for one in MAPS if one.differences),
    *((name, Wiring(), change) for name, change in CURRENTS.items()),
]


def noisy(share: float, seed: int, change: Currents | None = None) -> Currents:
    """Let what is shown move between two looks, as the load of a real meter does."""
    moments = itertools.count()

    def shown(values: dict[str, float]) -> None:
        if change:
            change(values)
        now = next(moments)
        for name in list(values):
            steady = 0.1 if name.startswith(("voltage", "frequency")) else 1.0
            if "energy" not in name:
                chance = random.Random(f"{seed}/{now}/{name}")  # whatever else the twin shows
                values[name] *= 1 + steady * chance.gauss(0, share)
            if name.startswith("power_factor"):
                values[name] = min(max(values[name], -1.0), 1.0)

    return shown


@pytest.mark.parametrize("noise", [0.0, 0.005, 0.01])
@pytest.mark.parametrize("seed", [3, 101, 104])
def test_of_sixteen_miswirings_of_a_building_s_meter_fifteen_are_named(settings, noise, seed):
    """An ideal meter alone would prove little: between two requests of a look the load moves."""
    assert len(MISWIRED) == 16
    start_ms = START_MS + seed * 5 % 24 * 3_600_000
    found = {
        name: found_on(
            settings, MAIN, wiring, noisy(noise, seed, change), start_ms=start_ms, seed=seed
        )
        for name, wiring, change in MISWIRED
    }
    wrong = {name: one.finding for name, one in found.items() if one.finding != name}
    assert len(wrong) <= 1, wrong
    assert not any(one.fits for one in found.values())


@pytest.mark.parametrize("seed", [3, 11])
def test_the_maps_of_a_room_meter_are_named_too(settings, seed):
    found = {wiring: found_on(settings, ROOM, wiring, seed=seed) for wiring in MAPS}
    wrong = {str(name): one.finding for name, one in found.items() if one.finding != str(name)}
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("seed", range(100, 108))
def test_noise_is_no_reason_to_suspect_a_meter_that_is_wired_rightly(settings, seed):
    assert found_on(settings, MAIN, currents=noisy(0.02, seed), seed=seed).fits


@pytest.mark.parametrize("device", [MAIN, ROOM, BOILER])
@pytest.mark.parametrize("hour", [0, 6, 10, 18])
def test_a_device_that_is_wired_rightly_is_left_alone(settings, device, hour):
    one = found_on(settings, device, start_ms=START_MS + hour * 3_600_000)
    assert (one.fits, one.finding) == (True, "as the profile says"), one.ranked[:3]


def test_the_table_shows_each_point_with_its_words_and_the_finding(settings):
    one = found_on(settings, ROOM, Wiring(1))
    lines = list(readable(one.row()))
    assert lines[0].startswith("dorm-07/meter-101  reference-room-meter")
    assert len([line for line in lines if "input 0x" in line or "holding 0x" in line]) == 12
    assert lines[-1].strip() == "WRONG every register is at address +1"
    (frequency,) = (point for point in one.points if point["point"] == "frequency")
    assert 49 < frequency["otherwise"]["every register is at address +1"] < 51


def test_a_silent_device_is_said_after_one_question(settings):
    asked = []

    class Silent(TwinBus):
        async def read(self, unit_id, table, address, count):
            asked.append(address)
            return await super().read(99, table, address, count)

    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    devices = list(site_of(settings).devices.values())
    fleet = Fleet(devices, settings.profiles, clock)
    device = next(one for one in devices if one.id == ROOM)
    profile = settings.profiles[device.profile]
    job = examine(Silent(fleet, devices), device, profile, clock)
    one = loop.run_until_complete(job)
    loop.close()
    assert (one.fits, len(asked)) == (False, 1)
    assert "no answer" in one.finding


def test_another_product_at_this_unit_id_is_no_wiring(settings):
    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    devices: list[Device] = list(site_of(settings).devices.values())
    fleet = Fleet(devices, settings.profiles, clock)
    device = replace(next(one for one in devices if one.id == ROOM), profile="eastron-sdm630")
    profile = settings.profiles["eastron-sdm630"]
    bus = TwinBus(fleet, [one for one in devices if one.gateway == device.gateway])
    one = loop.run_until_complete(examine(bus, device, profile, clock))
    loop.close()
    assert (one.fits, one.finding) == (False, "nothing fits: another product, or another unit id")


def test_a_neighbour_that_is_no_register_spoils_no_point(settings):
    """The registers around a map are often refused; the points themselves must still be read."""
    refused = []

    class Edged(TwinBus):
        async def read(self, unit_id, table, address, count):
            try:
                return await super().read(unit_id, table, address, count)
            except ExceptionAnswerError:
                refused.append((table, address, count))
                raise

    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    devices = list(site_of(settings).devices.values())
    fleet = Fleet(devices, settings.profiles, clock)
    device = next(one for one in devices if one.id == MAIN)
    bus = Edged(fleet, [one for one in devices if one.gateway == device.gateway])
    profile = settings.profiles[device.profile]
    one = loop.run_until_complete(examine(bus, device, profile, clock))
    loop.close()
    assert refused
    assert one.fits
    assert all(point["value"] is not None for point in one.points)


@pytest.mark.parametrize("error", [NoAnswerError, GarbageAnswerError])
def test_a_device_that_falls_silent_costs_its_bus_a_few_questions_more(settings, error):
    """Each of them takes a whole timeout, and there are devices that wait."""
    asked = []

    class Falling(TwinBus):
        async def read(self, unit_id, table, address, count):
            asked.append(address)
            if len(asked) > 1:
                raise error("nothing that helps")
            return await super().read(unit_id, table, address, count)

    loop = VirtualLoop()
    clock = VirtualClock(loop, START_MS, 1)
    devices = list(site_of(settings).devices.values())
    fleet = Fleet(devices, settings.profiles, clock)
    device = next(one for one in devices if one.id == MAIN)
    bus = Falling(fleet, [one for one in devices if one.gateway == device.gateway])
    one = loop.run_until_complete(examine(bus, device, settings.profiles[device.profile], clock))
    loop.close()
    assert not one.fits
    assert len(asked) <= 5
    assert any("has fallen silent" in point["error"] for point in one.points)
