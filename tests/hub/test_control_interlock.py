"""What the plant says against a command; a safe write is never held back."""

import pytest

from drivers.profile import ModbusProfile, PointSpec, RegisterPoint, Write
from hub.control.interlock import PLANTS, interlock
from hub.settings import load, shipped

SETPOINT = PointSpec(unit="degC")
SWITCH = PointSpec(kind="state")
NOW = {
    "tank_top": 58.0, "tank_temperature": 55.0, "supply_temperature": 60.0,
    "flow": 2.0, "pump": 1.0, "setpoint": 50.0, "element": 0.0,
}  # fmt: skip
HOTTER = ("setpoint", SETPOINT, 55.0)
COOLER = ("setpoint", SETPOINT, 45.0)
ON = ("element", SWITCH, 1.0)
OFF = ("element", SWITCH, 0.0)
PUMP_ON = ("pump", SWITCH, 1.0)
PUMP_OFF = ("pump", SWITCH, 0.0)

Asked = tuple[str, PointSpec, float]


def said(write: Asked, kind: str = "boiler", **changes: float | None) -> str | None:
    name, spec, value = write
    return interlock(kind, name, spec, value, {**NOW, **changes})


@pytest.mark.parametrize("write", [HOTTER, COOLER, ON, OFF, PUMP_ON, PUMP_OFF])
def test_a_plant_in_order_takes_every_command(write: Asked) -> None:
    assert said(write) is None


@pytest.mark.parametrize("point", ["tank_top", "tank_temperature", "supply_temperature"])
@pytest.mark.parametrize("write", [HOTTER, ON, PUMP_OFF])
def test_over_temperature_stops_what_heats_and_the_stop_of_the_pump(
    write: Asked, point: str
) -> None:
    limit = PLANTS["boiler"].hottest[point]
    assert f"over-temperature: {point} is {limit:g}" in str(said(write, **{point: limit}))
    assert said(write, **{point: limit - 0.1}) is None


@pytest.mark.parametrize("write", [HOTTER, ON, PUMP_ON])
def test_a_pump_that_moves_no_water_stops_what_heats_and_runs_it(write: Asked) -> None:
    assert said(write, flow=0.0) == "dry run: the pump is on and flow is 0"
    assert said(write, flow=0.05) is None


@pytest.mark.parametrize("write", [HOTTER, ON, PUMP_ON])
def test_no_flow_is_in_order_while_the_pump_stands(write: Asked) -> None:
    assert said(write, flow=0.0, pump=0.0) is None


@pytest.mark.parametrize("lost", ["tank_top", "tank_temperature", "supply_temperature", "flow"])
@pytest.mark.parametrize("write", [HOTTER, ON])
def test_a_lost_sensor_stops_what_heats(write: Asked, lost: str) -> None:
    assert f"sensor lost: {lost}" in str(said(write, **{lost: None}))


@pytest.mark.parametrize("write", [HOTTER, ON, PUMP_ON])
def test_a_pump_nobody_knows_of_counts_as_running(write: Asked) -> None:
    assert "sensor lost: pump" in str(said(write, pump=None))


@pytest.mark.parametrize("write", [COOLER, OFF])
def test_less_heat_is_let_through_whatever_the_plant_says(write: Asked) -> None:
    lost = dict.fromkeys(("tank_top", "tank_temperature", "flow", "pump"))
    assert said(write, supply_temperature=99.0, **lost) is None


def test_a_switch_is_off_at_its_safe_value() -> None:
    write = Write(min=0x55, max=0xAA, one_of=(0x55, 0xAA), safe=0x55)
    switch = PointSpec(kind="state", write=write)
    assert said(("switch", switch, 0x55), tank_top=99.0) is None
    assert "over-temperature" in str(said(("switch", switch, 0xAA), tank_top=99.0))


def test_a_setpoint_nobody_knows_counts_as_raised() -> None:
    assert "over-temperature" in str(said(COOLER, setpoint=None, tank_top=90.0))


def test_a_plant_without_a_thermometer_is_not_heated_more() -> None:
    assert "no sensor" in str(interlock("boiler", *HOTTER, {"setpoint": 50.0}))


def test_a_plant_is_judged_by_the_sensors_it_has() -> None:
    assert interlock("boiler", *HOTTER, {"setpoint": 50.0, "tank_temperature": 55.0}) is None


def test_a_meter_has_no_interlock() -> None:
    assert said(ON, kind="meter", tank_top=99.0) is None


def test_every_shipped_boiler_that_can_be_written_has_a_sensor_the_interlock_knows() -> None:
    profiles = load(shipped()).profiles.values()
    for profile in profiles:
        if profile.kind not in PLANTS or not isinstance(profile, ModbusProfile):
            continue
        points: dict[str, RegisterPoint] = profile.points
        if any(point.write for point in points.values()):
            assert set(PLANTS[profile.kind].hottest) & set(points), profile.id
