"""The balances close, the story works, and reading a twin never moves it."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from hub.ports import Refused
from hub.site import Device
from simulators.boiler import STEP_MS, BoilerTwin
from simulators.campus import Plant
from simulators.main_meter import MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.shower import ShowerTwin

MINUTE = 60_000
HOUR = 60 * MINUTE
MIDNIGHT = 1_795_190_400_000  # 2026-11-21 00:00 in Wuhan
MIDDLES_OF_2026 = [MIDNIGHT + (30 * month - 310) * 24 * HOUR for month in range(12)]
SEEDS = st.integers(0, 2**64 - 1)
MOMENTS = st.lists(st.integers(0, 36 * HOUR), min_size=1, max_size=40)


def named(id_: str, kind: str) -> Device:
    return Device(id_, "any", kind, "dorm-07/1", timedelta(seconds=60), None, None, ())


def boiler(seed: int, now_ms: int = MIDNIGHT, terminals: int = 8) -> BoilerTwin:
    return BoilerTwin(named("dorm-07/boiler-1", "boiler"), seed, now_ms, terminals)


def plant(seed: int, now_ms: int = MIDNIGHT, terminals: int = 8, demand: float = 1.0):
    twin = boiler(seed, now_ms, terminals)
    showers = [
        ShowerTwin(named(f"dorm-07/shower-{n}", "shower"), seed + n, now_ms, lambda _: demand)
        for n in range(terminals)
    ]
    return twin, showers, Plant([twin], showers, now_ms)


@given(SEEDS, st.lists(st.floats(0, 60), min_size=1, max_size=400), st.sets(st.integers(0, 400)))
def test_the_heat_and_water_of_a_tank_balance(seed, draws, changes):
    twin = boiler(seed)
    before = twin.stored_kj
    for n, draw_kg in enumerate(draws):
        if n in changes:
            twin.fault("leak")
            twin.fault("element_failed")
            twin.write("setpoint", 40 + n % 21)
        elif n - 50 in changes:
            twin.repair("pipe")
            twin.repair("heating-element")
        twin.step(MIDNIGHT + n * STEP_MS, draw_kg)
    book = twin.ledger
    into = book.heat_pump + book.elements + book.brought
    out = book.lost + book.drawn + book.leaked
    turnover = before + into + out
    assert twin.stored_kj - before == pytest.approx(into - out, abs=1e-9 * turnover)
    assert book.drawn_kg == pytest.approx(sum(draws), rel=1e-9)
    assert book.made_up_kg == pytest.approx(book.drawn_kg + book.leaked_kg, rel=1e-9)
    assert twin.bottom <= twin.top + 1e-9


@given(SEEDS)
@given_settings(max_examples=5, deadline=None)
def test_showers_draw_what_the_plant_delivers_and_it_stays_hot_for_a_day(seed):
    twin, showers, group = plant(seed)
    for minute in range(1, 24 * 60):
        group.advance(MIDNIGHT + minute * MINUTE)
        assert twin.values()["tank_temperature"] > 51.5
    drawn = sum(shower.truth()["hot_kg"] for shower in showers)
    assert twin.truth()["hot_water_kg"] == pytest.approx(drawn, rel=1e-9)
    assert 300 < sum(shower.litres for shower in showers) / 8 < 900  # 540 t / 816 = 662 L
    truth = twin.truth()
    left = truth["heat_kwh"] - truth["lost_kwh"] - truth["drawn_kwh"] - truth["stored_kwh"]
    assert abs(left) < 1e-9 * truth["heat_kwh"]


@pytest.mark.parametrize(
    ("hour", "terminals", "minutes"),
    [
        (19, 8, 45), (19, 30, 45), (21, 8, 45), (21, 30, 45),  # at the peak it shows at once
        (10, 8, 120), (10, 30, 120), (2, 0, 200), (2, 30, 200), (19, 0, 200),
    ],
)  # fmt: skip
def test_a_failed_element_cools_the_tank_until_the_right_part_is_replaced(hour, terminals, minutes):
    start = MIDNIGHT + hour * HOUR
    twin, _, group = plant(hour, start, terminals)

    def after(minutes: int) -> float:
        group.advance(start + minutes * MINUTE)
        return twin.values()["tank_temperature"]

    assert after(30) > 52.5
    twin.fault("element_failed")
    assert after(30 + minutes) < 50
    assert twin.values()["fault_code"] == 21
    assert twin.repair("sensor") == []
    assert all(after(minutes) < 50 for minutes in range(31 + minutes, 400, 5))
    assert twin.truth()["wrong_parts"] == ["sensor"]
    assert twin.repair("heating-element") == ["element_failed"]
    assert max(after(minutes) for minutes in range(400, 460, 5)) > 53
    assert after(640) > 52


@pytest.mark.parametrize("demand", [1.0, 1.7])
def test_elements_are_a_back_up_that_cold_days_need(demand):
    shares = {}
    for month, start in enumerate(MIDDLES_OF_2026):
        twin, _, group = plant(month, start, 8, demand)
        group.advance(start + 24 * HOUR)
        shares[month] = twin.ledger.elements / (twin.ledger.elements + twin.ledger.heat_pump)
    assert max(shares.values()) == max(shares[0], shares[1]) > 0.02
    assert sum(shares.values()) / 12 < 0.05


def test_without_the_fault_the_tank_never_cools():
    twin, _, group = plant(19, MIDNIGHT + 19 * HOUR)
    for minutes in range(0, 400, 5):
        group.advance(MIDNIGHT + 19 * HOUR + minutes * MINUTE)
        assert twin.values()["tank_temperature"] > 51.5


@pytest.mark.parametrize(("setpoint", "low", "high"), [(45, 41, 46), (60, 70, 78.5)])
def test_a_stuck_sensor_deceives_the_controller_too(setpoint, low, high):
    twin, _, group = plant(3)
    twin.fault("sensor_stuck")
    stuck = twin.values()["tank_temperature"]
    twin.write("setpoint", setpoint)
    group.advance(MIDNIGHT + 8 * HOUR)
    assert twin.values()["tank_temperature"] == stuck
    assert low < twin.truth()["tank_top"] < high
    twin.repair("sensor")
    assert low < twin.values()["tank_temperature"] < high


def test_a_leak_is_made_up_but_never_delivered():
    twin, _, group = plant(3)
    group.advance(MIDNIGHT + HOUR)
    twin.fault("leak")
    group.advance(MIDNIGHT + 2 * HOUR)
    truth = twin.truth()
    assert truth["leaked_kg"] == pytest.approx(8 * 0.01 * 3600)
    assert truth["make_up_kg"] == pytest.approx(truth["hot_water_kg"] + truth["leaked_kg"])


def test_a_dripping_terminal_flows_while_nobody_showers():
    twin = ShowerTwin(named("dorm-07/shower-1", "shower"), 4, MIDNIGHT + 2 * HOUR)
    group = Plant([], [twin], MIDNIGHT + 2 * HOUR)
    twin.fault("leak")
    group.advance(MIDNIGHT + 2 * HOUR + MINUTE)
    assert (twin.values()["state"], twin.values()["flow"]) == (0, 0.4)
    twin.write("valve", 0)
    group.advance(MIDNIGHT + 2 * HOUR + 2 * MINUTE)
    assert (twin.values()["state"], twin.values()["flow"], twin.values()["valve"]) == (4, 0, 0)


def test_sessions_are_as_long_and_strong_as_the_measured_ones():
    lengths, flows = [], []
    for seed in range(12):
        twin = ShowerTwin(named("dorm-07/shower-1", "shower"), seed, MIDNIGHT)
        group, running, last = Plant([], [twin], MIDNIGHT), 0, 0.0
        for step in range(2 * 8640):
            group.advance(MIDNIGHT + step * STEP_MS)
            if twin.flow:
                running += 1
            elif running:
                lengths.append(10 * running)
                flows.append(last)
                running = 0
            last = twin.flow
    assert len(lengths) / 24 == pytest.approx(30, abs=5)  # of some 22 L each: 662 L a day
    assert median(lengths) == pytest.approx(226, rel=0.12)
    assert median(flows) == pytest.approx(5.1, rel=0.05)


@given(SEEDS, MOMENTS)
@given_settings(max_examples=40, deadline=None)
def test_a_plant_is_the_same_however_often_it_is_read(seed, moments):
    twin, showers, group = plant(seed, terminals=3)
    same, others, whole = plant(seed, terminals=3)
    for moment in sorted(moments):
        group.advance(MIDNIGHT + moment)
        twin.values()
    whole.advance(MIDNIGHT + max(moments))
    assert twin.values() == same.values()
    assert [one.values() for one in showers] == [one.values() for one in others]


@given(SEEDS, MOMENTS, st.integers(0, 36 * HOUR))
def test_a_meter_is_the_same_however_often_it_is_read(seed, moments, switched):
    often, once = (RoomMeterTwin(named("dorm-07/m", "meter"), seed, MIDNIGHT) for _ in range(2))
    end = MIDNIGHT + 36 * HOUR
    for moment in sorted([*moments, switched]):
        often.advance(MIDNIGHT + moment)
        often.values()
        if moment == switched:
            often.write("relay_command", 0)
    once.advance(MIDNIGHT + switched)
    once.write("relay_command", 0)
    often.advance(end)
    once.advance(end)
    assert often.values() == once.values()


@given(SEEDS, MOMENTS)
def test_a_meter_counts_up_and_its_tariffs_add_up(seed, moments):
    twin = RoomMeterTwin(named("dorm-07/m", "meter"), seed, MIDNIGHT)
    begin = last = twin.values()["energy"]
    for moment in sorted(moments):
        twin.advance(MIDNIGHT + moment)
        values = twin.values()
        tariffs = values["energy_peak"] + values["energy_flat"] + values["energy_valley"]
        assert values["energy"] == pytest.approx(tariffs, rel=1e-12)
        assert values["energy"] >= last
        apparent = values["voltage"] * values["current"]
        assert values["power"] == pytest.approx(apparent * values["power_factor"])
        last = values["energy"]
    assert last - begin == pytest.approx(twin.truth()["energy_kwh"], abs=1e-8)


@given(SEEDS, MOMENTS)
@given_settings(max_examples=30, deadline=None)
def test_a_main_meter_is_the_sum_of_what_hangs_below(seed, moments):
    meters = [RoomMeterTwin(named(f"dorm-07/m{n}", "meter"), seed + n, MIDNIGHT) for n in range(5)]
    heater = boiler(seed)
    group = Plant([heater], [], MIDNIGHT)
    main = MainMeterTwin(named("dorm-07/main", "meter"), seed, MIDNIGHT, [*meters, heater])
    first = main.values()["energy"]
    for moment in sorted(moments):
        for one in (*meters, group, main):
            one.advance(MIDNIGHT + moment)
    meters[0].fault("counter_reset")  # what a meter shows is nothing to the wires above it
    values = main.values()
    used = sum(one.truth()["energy_kwh"] for one in (*meters, heater))
    assert values["energy"] - first == pytest.approx(used, abs=1e-9 * values["energy"])
    assert values["power"] == pytest.approx(sum(one.power_w for one in (*meters, heater)))
    phases = sum(values[f"power_l{n}"] for n in (1, 2, 3))
    assert phases == pytest.approx(values["power"])


def test_a_load_above_the_limit_opens_the_relay_until_it_is_closed_again():
    twin = RoomMeterTwin(named("dorm-07/m", "meter"), 5, MIDNIGHT + 20 * HOUR)
    twin.write("load_limit", 100)
    assert (twin.values()["relay"], twin.values()["power"]) == (0, 0)
    assert int(twin.values()["status"]) == 0b11
    twin.advance(MIDNIGHT + 21 * HOUR)
    assert twin.truth()["energy_kwh"] == 0
    twin.write("load_limit", 5000)
    twin.write("relay_command", 1)
    assert twin.values()["power"] > 100
    assert twin.values()["status"] == 0


def test_switching_a_room_off_keeps_what_it_used_until_then():
    twin = RoomMeterTwin(named("dorm-07/m", "meter"), 5, MIDNIGHT + 20 * HOUR)
    twin.advance(MIDNIGHT + 20 * HOUR + 5 * MINUTE)
    used = twin.truth()["energy_kwh"]
    assert used > 0
    twin.write("relay_command", 0)
    twin.advance(MIDNIGHT + 22 * HOUR)
    assert twin.truth()["energy_kwh"] == used


def test_a_reset_counter_begins_at_zero_while_the_truth_goes_on():
    twin = RoomMeterTwin(named("dorm-07/m", "meter"), 5, MIDNIGHT)
    twin.advance(MIDNIGHT + 20 * HOUR)
    before = twin.truth()["energy_kwh"]
    twin.fault("counter_reset")
    assert twin.values()["energy"] == 0
    assert twin.faults == []
    twin.advance(MIDNIGHT + 24 * HOUR)
    gained = twin.truth()["energy_kwh"] - before
    assert twin.values()["energy"] == pytest.approx(gained, abs=1e-9)


@pytest.mark.parametrize(
    ("wish", "named_in_the_answer"),
    [
        (lambda twin: twin.fault("earthquake"), "element_failed"),
        (lambda twin: twin.repair("flux-capacitor"), "heating-element"),
        (lambda twin: twin.write("power", 1), "power"),
    ],
)
def test_what_a_twin_does_not_have_is_refused_by_name(wish, named_in_the_answer):
    with pytest.raises(Refused, match=named_in_the_answer):
        wish(boiler(1))
