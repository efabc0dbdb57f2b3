"""Products of other makers among the twins: physics where their points allow it."""

from __future__ import annotations

import json
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.ports import Refused
from hub.site import Device
from simulators import fit
from simulators.campus import Fleet
from simulators.generic import GenericTwin
from simulators.telemetry import Terminals

HOUR = 3_600_000
ROOM, MAIN, PLANT = "d/1/101", "d", "d/plant"
WITHOUT_PHYSICS = {"cjt188-water-meter", "sunspec-203"}
OF_THE_METER = {"clock_ahead", "keep_power", "reclose_permitted", "energy_sharp"}


@pytest.fixture
def fleet_of(profiles, still):
    def make(*wanted: tuple[str, str], **options) -> Fleet:
        devices = []
        for name, place in wanted:
            profile = profiles[name]
            polled = profile.protocol != "mqtt"
            devices.append(
                Device(
                    f"d/{len(devices)}-{name}",
                    name,
                    profile.kind,
                    place,
                    timedelta(minutes=1),
                    f"gw-{profile.protocol}" if polled else None,
                    len(devices) + 1,
                    (),
                    topic="plug-1" if name == "tasmota-plug" else None,
                )
            )
        return Fleet(devices, profiles, still(), **options)

    return make


def only(fleet: Fleet):
    return fleet.twin_at(next(iter(fleet.devices)), fleet.clock.now)


@pytest.mark.parametrize("place", [ROOM, MAIN, PLANT])
def test_every_product_shows_all_its_points_within_their_ranges(fleet_of, profiles, place):
    for name, profile in profiles.items():
        twin = only(fleet_of((name, place)))
        shown = twin.values()
        missing = set(profile.points) - set(shown)
        own = OF_THE_METER | {"remaining_energy"} if profile.protocol == "dlt645" else set()
        assert missing <= own, name
        for point, spec in profile.points.items():
            if point in shown:
                assert spec.min is None or shown[point] >= spec.min, (name, point)
                assert spec.max is None or shown[point] <= spec.max, (name, point)
        assert isinstance(twin, GenericTwin) == (name in WITHOUT_PHYSICS), name


@pytest.mark.parametrize(
    "name", ["abb-b23", "chint-dtsu666", "schneider-iem3155", "carlo-gavazzi-em340"]
)
def test_a_main_meter_of_any_maker_sums_what_is_below(fleet_of, name):
    fleet = fleet_of((name, MAIN), ("chint-ddsu666", ROOM), ("reference-boiler", PLANT))
    main, room, boiler = fleet.devices
    first = {one: fleet.twin(one).values()["energy"] for one in fleet.devices}
    fleet.clock.now += 7 * HOUR
    last = {one: fleet.twin_at(one, fleet.clock.now).values()["energy"] for one in fleet.devices}
    used = {one: last[one] - first[one] for one in fleet.devices}
    assert used[main] == pytest.approx(used[room] + used[boiler], rel=1e-6)
    shown = fleet.twin(main).values()
    phases = ("l1", "l2", "l3")
    assert sum(shown[f"energy_{one}"] for one in phases) == pytest.approx(shown["energy"])
    assert sum(shown[f"power_{one}"] for one in phases) == pytest.approx(shown["power"])
    single = only(fleet_of(("chint-ddsu666", MAIN), ("chint-ddsu666", ROOM))).values()
    product = single["voltage"] * single["current"] * single["power_factor"]
    assert product == pytest.approx(single["power"]) != 0


def test_a_point_of_another_unit_or_scale_is_not_taken_from_the_physics(profiles):
    meter = profiles["chint-ddsu666"]
    names = {*meter.points, "tank_top"} - {"export_energy"}
    assert fit.told(meter, names) == set(meter.points) - {"export_energy"}
    kilo = meter.points["power"].model_copy(update={"unit": "kW"})
    changed = meter.model_copy(update={"points": {**meter.points, "power": kilo}})
    assert fit.told(changed, names) == set(meter.points) - {"export_energy", "power"}
    chosen = profiles["sunspec-203"]
    assert fit.told(chosen, chosen.points) is None  # exponents that the device chooses


def test_water_and_a_second_meter_of_a_room_are_no_load_of_the_building(fleet_of):
    fleet = fleet_of(
        ("eastron-sdm630", MAIN),
        ("eastron-sdm120", ROOM),
        ("tasmota-plug", ROOM),
        ("cjt188-water-meter", ROOM),
    )
    main, room, *_ = fleet.devices
    assert fleet.twin(main).values()["power"] == fleet.twin(room).values()["power"] > 0


def test_a_written_setpoint_moves_the_plant_and_the_product_has_its_own_conditions(
    fleet_of, profiles
):
    fleet = fleet_of(("gree-versati-iii", PLANT))
    twin = only(fleet)
    twin.write("setpoint", 45)
    assert twin.values()["setpoint"] == twin.setpoint == 45
    points = profiles["gree-versati-iii"].points
    with pytest.raises(Refused):
        twin.write("outdoor_temperature", 5)
    name, spec = next((name, one) for name, one in points.items() if one.write and one.write.one_of)
    twin.write(name, spec.write.one_of[-1])
    assert twin.values()[name] == spec.write.one_of[-1]
    with pytest.raises(Refused, match="none of its values"):
        twin.write(name, spec.write.one_of[-1] + 0.5)


def test_faults_of_physics_show_in_any_product(fleet_of):
    fleet = fleet_of(("midea-m-thermal", PLANT))
    twin = only(fleet)
    twin.fault("sensor_stuck")
    before = twin.values()["tank_temperature"]
    fleet.clock.now += 5 * HOUR
    assert only(fleet).values()["tank_temperature"] == before
    twin.repair("sensor")
    assert only(fleet).values()["tank_temperature"] != before


def test_a_plug_obeys_in_the_words_of_its_firmware(fleet_of):
    fleet = fleet_of(("tasmota-plug", ROOM), ("zigbee2mqtt-plug", "d/1/102"))
    tasmota, zigbee = fleet.devices
    terminals = Terminals(fleet)
    assert terminals.topics() == ["cmnd/plug-1/POWER", f"zigbee2mqtt/{zigbee}/set"]
    said = terminals.reply("cmnd/plug-1/POWER", b"OFF")
    assert (said.topic, json.loads(said.payload)) == ("stat/plug-1/RESULT", {"POWER": "OFF"})
    assert fleet.twin(tasmota).values()["power"] == 0
    said = terminals.reply(f"zigbee2mqtt/{zigbee}/set", b'{"state": "OFF"}')
    assert (said.topic, json.loads(said.payload)) == (f"zigbee2mqtt/{zigbee}", {"state": "OFF"})
    assert fleet.twin(zigbee).values()["relay"] == 0
    for nonsense in (b"", b"PERHAPS", b"[1]", b'{"state": "TOGGLE"}', b"\xff", b"x" * 70_000):
        assert terminals.reply("cmnd/plug-1/POWER", nonsense) is None
        assert terminals.reply(f"zigbee2mqtt/{zigbee}/set", nonsense) is None


def test_a_plug_tells_the_time_of_its_site_and_its_will(fleet_of, midnight_ms):
    fleet = fleet_of(("tasmota-plug", ROOM), zone=ZoneInfo("Asia/Shanghai"))
    terminals = Terminals(fleet)
    (online,) = terminals.statuses(online=True)
    assert (online.topic, online.payload, online.retained) == ("tele/plug-1/LWT", b"Online", True)
    (said,) = terminals.spoken(midnight_ms)
    assert said.topic == "tele/plug-1/SENSOR"
    assert json.loads(said.payload)["Time"] == "2026-11-21T00:00:00"
    fleet.twin("d/0-tasmota-plug").fault("silent")
    (will,) = terminals.spoken(midnight_ms + 60_000)
    assert (will.topic, will.payload) == ("tele/plug-1/LWT", b"Offline")
