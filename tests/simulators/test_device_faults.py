"""Every fault of a device is seen by the telemetry of its profile, and only its part mends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import pairwise

import pytest

from hub.site import Device
from simulators.boiler import BoilerTwin
from simulators.campus import Plant
from simulators.climate import Climate
from simulators.main_meter import MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.shower import ShowerTwin
from simulators.twin import Twin

MINUTE = 60_000
HOUR = 60 * MINUTE
MIDNIGHT = 1_795_190_400_000  # 2026-11-21 00:00 in Wuhan
Values = Mapping[str, float]
OF_ALL = {"silent", "exception_answer"}
OF_DIALS = {"counter_reset", "counter_glitch", "meter_swapped"}

ROOM: Mapping[str, Callable[[Values], bool]] = {
    "over_voltage": lambda now: now["voltage"] > 1.07 * 220,
    "under_voltage": lambda now: now["voltage"] < 0.9 * 220,
    "overload": lambda now: now["power"] > now["load_limit"] and now["relay"] == 1,
    "malignant_load": lambda now: now["power"] > 600,
    "night_load": lambda now: now["power"] > 350,
    "relay_stuck": lambda now: now["relay_command"] == 0 and now["power"] > 20,
    "invalid_marker": lambda now: math.isnan(now["voltage"]) and math.isnan(now["power"]),
}
MAIN: Mapping[str, Callable[[Values], bool]] = {
    "lost_phase": lambda now: (
        sorted(now[f"voltage_l{n}"] > 200 for n in (1, 2, 3)) == [False, True, True]
    ),
    "unbalance": lambda now: (
        min(now[f"current_l{n}"] for n in (1, 2, 3))
        < 0.65 * max(now[f"current_l{n}"] for n in (1, 2, 3))
    ),
}
BOILER: Mapping[str, Callable[[Values], bool]] = {
    "element_failed": lambda now: now["heat_pump_command"] == 1 and now["heat_pump_state"] == 0,
    "lock_out": lambda now: now["heat_pump_command"] == 1 and now["heat_pump_state"] == 0,
    "compressor_failed": lambda now: (
        now["heat_pump_state"] == 1 and now["heat_pump_outlet"] - now["heat_pump_inlet"] < 0.5
    ),
    "thermostat_stuck": lambda now: now["tank_temperature"] > 70,
    "low_pressure": lambda now: now["pressure"] < 0.8 and now["pump"] == 1,
    "pump_failed": lambda now: now["pump_command"] == 1 and now["pump"] == 0,
}
SHOWER: Mapping[str, Callable[[Values], bool]] = {
    "leak": lambda now: now["state"] != 2 and now["flow"] > 0.2,
    "valve_no_open": lambda now: now["state"] == 2 and now["flow"] == 0,
    "mixing_valve_failed": lambda now: now["state"] == 2 and now["outlet_temperature"] > 48,
}


def named(id_: str, kind: str) -> Device:
    return Device(id_, "any", kind, "dorm-07/1", timedelta(seconds=60), None, None, ())


class Lived:
    """Twins of one building, and what they have shown minute by minute."""

    def __init__(self, start_ms: int = MIDNIGHT + 17 * HOUR) -> None:
        self.now_ms = start_ms
        self.boiler = BoilerTwin(named("d/boiler-1", "boiler"), 3, start_ms)
        self.showers = [ShowerTwin(named(f"d/shower-{n}", "shower"), n, start_ms) for n in range(8)]
        self.room = RoomMeterTwin(named("d/meter-1", "meter"), 5, start_ms)
        self.main = MainMeterTwin(named("d/main", "meter"), 6, start_ms, [self.boiler, self.room])
        self.plant = Plant([self.boiler], self.showers, start_ms)

    def shown(self, twin: Twin, minutes: int) -> list[Values]:
        found = []
        for _ in range(minutes):
            self.now_ms += MINUTE
            self.plant.advance(self.now_ms)
            self.room.advance(self.now_ms)
            self.main.advance(self.now_ms)
            found.append(twin.values())
        return found


def cases():
    for what, table in (("room", ROOM), ("main", MAIN), ("boiler", BOILER)):
        yield from ((what, kind, seen) for kind, seen in table.items())
    yield from (("showers", kind, seen) for kind, seen in SHOWER.items())


def twin_of(lived: Lived, what: str) -> Twin:
    return lived.showers[0] if what == "showers" else getattr(lived, what)


@pytest.mark.parametrize(
    ("what", "kind", "seen"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in cases()],
)
def test_a_fault_shows_while_it_lasts_and_not_before_or_after(what, kind, seen) -> None:
    at_night = what == "room"  # when hardly anything else is on
    lived = Lived(MIDNIGHT + HOUR) if at_night else Lived()
    twin = twin_of(lived, what)
    hours = 2 if at_night else 8 if kind == "thermostat_stuck" else 4
    assert not any(seen(now) for now in lived.shown(twin, 60))
    twin.fault(kind)
    assert sum(seen(now) for now in lived.shown(twin, hours * 60)) > 5
    for wrong in set(twin.parts) - {twin.cures[kind]}:
        twin.repair(wrong)
    assert kind in twin.faults
    twin.repair(twin.cures[kind])
    lived.shown(twin, 60 if at_night else 600)  # a tank takes hours to be itself again
    assert not any(seen(now) for now in lived.shown(twin, 60))


@pytest.mark.parametrize(
    ("what", "kind", "seen"),
    [
        ("boiler", "thermostat_stuck", BOILER["thermostat_stuck"]),
        ("boiler", "low_pressure", BOILER["low_pressure"]),
        ("showers", "valve_no_open", SHOWER["valve_no_open"]),
    ],
)
def test_a_slow_fault_is_evident_from_when_it_shows_and_not_from_its_start(what, kind, seen):
    lived = Lived()
    twin = twin_of(lived, what)
    lived.shown(twin, 60)
    began_ms = lived.now_ms
    twin.fault(kind)
    shown = lived.shown(twin, 8 * 60)
    first_ms = began_ms + MINUTE * next(n for n, now in enumerate(shown, 1) if seen(now))
    assert max(began_ms, first_ms - 2 * MINUTE) < twin.evident_ms[kind] <= first_ms
    twin.repair(twin.cures[kind])
    twin.fault(kind)
    assert kind not in twin.evident_ms


class Air(Climate):
    """Air that is as cold all day."""

    def __init__(self, degrees: float) -> None:
        self._degrees = degrees

    def outdoor(self, at_ms: int) -> float:
        return self._degrees


@pytest.mark.parametrize(
    ("air", "cold", "freezes"), [(-2.0, True, True), (3.0, True, False), (9.0, False, False)]
)
def test_what_stands_in_a_loop_freezes_only_while_it_freezes_outside(air, cold, freezes):
    lived, climate = Lived(), Air(air)
    twin = lived.boiler = BoilerTwin(named("d/boiler-1", "boiler"), 3, lived.now_ms, 8, climate)
    lived.plant = Plant([twin], [], lived.now_ms, climate)
    began_ms = lived.now_ms
    twin.fault("pump_failed")
    shown = lived.shown(twin, 180)
    icy = [n for n, now in enumerate(shown, 1) if now["return_temperature"] < 5]
    assert (bool(icy), "freezing" in twin.evident_ms) == (cold, freezes)
    if freezes:
        assert 0 <= began_ms + icy[0] * MINUTE - twin.evident_ms["freezing"] < MINUTE
    twin.repair("circulation-pump")
    twin.fault("pump_failed")
    assert "freezing" not in twin.evident_ms


def test_no_other_fault_is_possible() -> None:
    lived = Lived()
    others = {"sensor_stuck"} | OF_ALL | OF_DIALS
    assert set(lived.room.cures) == others | set(ROOM) | {"scale_wrong"}
    assert set(lived.main.cures) == others | set(MAIN) | {"scale_wrong"}
    of_boiler = {"leak", "short_cycling", "fouled"}
    assert set(lived.boiler.cures) - others == set(BOILER) | of_boiler
    assert set(lived.showers[0].cures) - others == set(SHOWER)


def test_a_short_cycling_compressor_starts_ten_times_an_hour() -> None:
    lived = Lived()
    lived.boiler.fault("short_cycling")
    running = [now["heat_pump_state"] for now in lived.shown(lived.boiler, 240)]
    starts = sum(now > before for before, now in pairwise(running))
    assert starts > 24


def test_a_fouled_heat_pump_gives_seven_tenths_of_the_heat_for_the_same_electricity() -> None:
    def coefficient(fault: str | None) -> float:
        lived = Lived(MIDNIGHT)
        if fault:
            lived.boiler.fault(fault)
        lived.shown(lived.boiler, 720)
        return lived.boiler.ledger.heat_pump / lived.boiler.ledger.electric

    assert coefficient("fouled") / coefficient(None) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("what", "factor", "tolerance"), [("room", 10.0, 1e-6), ("main", 0.2, 1e-6)]
)
def test_a_wrong_scale_counts_wrongly_and_goes_on_from_there(what, factor, tolerance) -> None:
    lived = Lived()
    twin = twin_of(lived, what)

    def counted(minutes: int) -> tuple[float, float]:
        before, true = twin.values()["energy"], twin.used_kwh
        after = lived.shown(twin, minutes)[-1]["energy"]
        return after - before, twin.used_kwh - true

    twin.fault("scale_wrong")
    shown, true = counted(120)
    assert shown == pytest.approx(factor * true, rel=tolerance)
    level = twin.values()["energy"]
    twin.repair(twin.cures["scale_wrong"])
    assert twin.values()["energy"] == pytest.approx(level)
    shown, true = counted(120)
    assert shown == pytest.approx(true, rel=tolerance)


def test_a_lost_phase_is_missing_from_the_energy() -> None:
    lived = Lived()
    lived.main.fault("lost_phase")
    before, true = lived.main.values()["energy"], lived.main.used_kwh
    after = lived.shown(lived.main, 60)[-1]["energy"]
    assert 0.6 < (after - before) / (lived.main.used_kwh - true) < 0.72


@pytest.mark.parametrize(
    ("what", "kind", "point"),
    [
        ("room", "over_voltage", "status"),
        ("room", "malignant_load", "status"),
        ("room", "relay_stuck", "status"),
        ("boiler", "lock_out", "fault_code"),
        ("boiler", "pump_failed", "fault_code"),
        ("showers", "leak", "faults"),
        ("showers", "valve_no_open", "faults"),
    ],
)
def test_a_device_says_so_itself_unless_it_does_not_notice(what, kind, point) -> None:
    told = {}
    for said in (True, False):
        lived = Lived()
        twin = twin_of(lived, what)
        usual = twin.values()[point]
        twin.fault(kind, said=said)
        told[said] = {now[point] != usual for now in lived.shown(twin, 10)}
    assert told[True] == {True}
    if kind != "relay_stuck":  # its feedback is a bit of the same word
        assert told[False] == {False}


def test_an_overloaded_room_is_not_cut_off_while_its_relay_does_not_trip() -> None:
    lived = Lived()
    lived.room.write("load_limit", 300)
    assert lived.room.power_w == 0
    lived.room.write("relay", 1)
    assert lived.room.power_w == 0  # it trips again
    lived.room.write("load_limit", 2000)
    lived.room.write("relay", 1)
    lived.room.fault("overload")
    assert lived.room.power_w > 2600


def test_without_supply_nothing_is_used_and_nobody_answers() -> None:
    lived = Lived()
    lived.shown(lived.room, 10)
    twins = [lived.boiler, *lived.showers, lived.room]
    for twin in twins:
        twin.leave("supply_cut", dark=True)
    used = [lived.room.used_kwh, lived.boiler.used_kwh, *(one.litres for one in lived.showers)]
    lived.shown(lived.room, 120)
    assert all(twin.silent for twin in twins)
    after = [lived.room.used_kwh, lived.boiler.used_kwh, *(one.litres for one in lived.showers)]
    assert after == used
    for twin in twins:
        twin.come_back("supply_cut")
    lived.shown(lived.room, 60)
    assert not any(twin.silent for twin in twins)
    assert lived.room.used_kwh > used[0]
    assert lived.boiler.used_kwh > used[1]
