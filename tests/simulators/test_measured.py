"""The twins beside measurements: real showers and certified heat pumps."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from hub.site import Device
from simulators.boiler import STEP_MS, BoilerTwin
from simulators.campus import Plant
from simulators.climate import outdoor_temperature
from simulators.heat_pump import cop, heat_share
from simulators.shower import ShowerTwin

DATA = Path(__file__).parents[3] / "shared" / "data"
DAY_MS = 86_400_000
DECILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def measured(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the measurements are not here: ../shared/data/{name}")
    return path


def real_showers() -> np.ndarray:
    """Return seconds, L/min and litres of each measured session."""
    text = gzip.decompress(measured("water/weusedto_shower_1s.csv.gz").read_bytes()).decode()
    rows = [line.replace(",", " ").split() for line in text.splitlines()]
    at, flow = np.array([[float(one) for one in row] for row in rows if len(row) == 2]).T
    held_s = np.minimum(np.diff(at, append=at[-1] + 1), 5)
    runs = flow > 5
    starts = np.flatnonzero(np.diff(at[runs]) > 60) + 1
    sessions = []
    for times, millilitres in zip(
        np.split(at[runs], starts), np.split((flow * held_s)[runs], starts), strict=True
    ):
        length_s, litres = times[-1] - times[0] + 1, millilitres.sum() / 1000
        if litres >= 3:
            sessions.append((length_s, 60 * litres / length_s, litres))
    return np.array(sessions)


def simulated_showers(make_device, midnight_ms, days: int) -> np.ndarray:
    sessions = []
    for seed in range(6):
        device: Device = make_device("d/shower-1", "reference-shower-terminal", "d/1/shower-1")
        twin = ShowerTwin(device, seed, midnight_ms)
        group, began_ms, last = Plant([], [twin], midnight_ms), None, (0.0, 0.0)
        for at_ms in range(midnight_ms, midnight_ms + days * DAY_MS, STEP_MS):
            group.advance(at_ms)
            if twin.flow and began_ms is None:
                began_ms = at_ms
            elif not twin.flow and began_ms is not None:
                sessions.append(((at_ms - began_ms) / 1000, *last))
                began_ms = None
            last = (twin.flow, twin.session_litres)
    return np.array(sessions)


def test_sessions_have_the_quantiles_of_the_measured_ones(make_device, midnight_ms) -> None:
    real = real_showers()
    twins = simulated_showers(make_device, midnight_ms, days=20)
    assert abs(len(real) - 299) <= 3
    assert len(twins) > 2000
    for column, what in enumerate(("seconds", "L/min", "litres")):
        wanted = np.quantile(real[:, column], DECILES)
        found = np.quantile(twins[:, column], DECILES)
        assert found == pytest.approx(wanted, rel=0.1), what
    assert twins[:, 2].mean() == pytest.approx(real[:, 2].mean(), rel=0.1)


def test_the_terminals_of_the_campus_draw_what_the_mission_says(make_device, midnight_ms) -> None:
    """540 t of hot water a day from 816 terminals are 662 L each."""
    twins = simulated_showers(make_device, midnight_ms, days=20)
    litres = twins[:, 2].sum() / 6 / 20
    assert litres == pytest.approx(540_000 / 816, rel=0.1)


def on_off_pumps() -> tuple[list[float], list[list[float]]]:
    """Return the coefficients of the generic on-off air-to-water pump and of all real ones."""
    text = gzip.decompress(measured("heatpump/hplib_database.csv.gz").read_bytes()).decode()
    names = [f"p{n}_COP [-]" for n in (1, 2, 3, 4)]
    names += ["p1_P_el_h [1/°C]", "p2_P_el_h [1/°C]", "p3_P_el_h [-]", "p4_P_el_h [1/°C]"]
    generic: list[float] = []
    real = []
    for row in csv.DictReader(text.splitlines()):
        if row["Subtype"] != "On-Off" or row["Type"] != "Outdoor Air/Water" or not row[names[0]]:
            continue
        numbers = [float(row[name]) for name in names]
        if row["Manufacturer"] == "Generic":
            generic = numbers
        else:
            real.append(numbers)
    return generic, real


def cop_of(numbers: list[float], air: float, water: float) -> float:
    return numbers[0] * air + numbers[1] * water + numbers[2] + numbers[3] * air


def power_of(numbers: list[float], air: float, water: float) -> float:
    return cop_of(numbers[4:], air, water)


@pytest.mark.parametrize("air", [-7, 2, 7, 12, 25])
@pytest.mark.parametrize("water", [35, 45, 51])
def test_the_heat_pump_has_the_coefficients_of_the_certified_ones(air, water) -> None:
    generic, real = on_off_pumps()
    assert cop(air, water) == pytest.approx(cop_of(generic, air, water), abs=1e-9)
    heat = power_of(generic, air, water) * cop_of(generic, air, water)
    rated = power_of(generic, 7, 45) * cop_of(generic, 7, 45)
    assert heat_share(air, water) == pytest.approx(heat / rated, abs=1e-9)
    low, high = np.quantile([cop_of(one, air, water) for one in real], [0.0, 1.0])
    assert low <= cop(air, water) <= high


def test_over_a_year_it_does_what_real_dormitory_systems_do() -> None:
    """A measured air-source system of this climate had 3.35 over a year; 3.11 is a wide median."""
    hours = [outdoor_temperature(hour * 3_600_000) for hour in range(8760)]
    year = len(hours) / sum(1 / cop(air, 51) for air in hours)
    assert 3.1 < year < 4.2


def test_the_plant_as_a_whole_works_like_the_measured_ones(make_device) -> None:
    """One day of each month, with eight terminals that draw their 662 L.

    Of 171 measured systems the coefficient in hot water, with elements and circulation, was 2.26 to
    3.78 (a tenth was below, a tenth above); a dormitory's of this climate had 3.35 over a year.
    """
    device = make_device("d/boiler-1", "reference-boiler", "d/plant")
    terminal = make_device("d/shower-1", "reference-shower-terminal", "d/1/shower-1")
    heat = electric = elements = 0.0
    for month in range(12):
        start_ms = month * 30 * DAY_MS
        twin = BoilerTwin(device, month, start_ms, terminals=8)
        showers = [ShowerTwin(terminal, 8 * month + n, start_ms) for n in range(8)]
        Plant([twin], showers, start_ms).advance(start_ms + DAY_MS)
        ledger = twin.ledger
        heat += ledger.heat_pump + ledger.elements
        elements += ledger.elements
        electric += ledger.electric
    assert heat / electric == pytest.approx(3.35, rel=0.1)
    assert 2.26 < heat / electric < 3.78
    assert elements / heat < 0.05


def test_it_never_does_worse_than_an_electric_heater() -> None:
    assert cop(-60, 60) == 1.0
