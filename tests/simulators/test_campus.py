"""All twins on one clock: couplings, truth, determinism and the reference campus."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from hub import settings
from hub.ports import Refused
from simulators.campus import write_reference

HOUR = 3_600_000
ROOT = Path(__file__).parents[2]


def everything(fleet) -> dict:
    return {device: fleet.twin(device).values() for device in fleet.devices}


def test_the_main_meter_sums_rooms_and_boiler_whenever_it_is_read(fleet, midnight_ms):
    def below() -> float:
        return sum(
            fleet.twin_at(device, now_ms).truth()["energy_kwh"]
            for device, one in fleet.devices.items()
            if one.kind in ("meter", "boiler") and device != "dorm-07/main"
        )

    first = fleet.twin("dorm-07/main").values()["energy"]
    for hour in (1, 2, 7, 19, 30):
        now_ms = midnight_ms + hour * HOUR + 1234
        main = fleet.twin_at("dorm-07/main", now_ms)
        assert main.values()["energy"] - first == pytest.approx(below(), abs=1e-9 * first)


def test_a_fleet_is_the_same_whatever_was_read_before(make_fleet, midnight_ms):
    often, once = make_fleet(), make_fleet()
    for second in range(0, 3 * 3600, 7):
        device = list(often.devices)[second % len(often.devices)]
        often.twin_at(device, midnight_ms + second * 1000).values()
    often.advance(midnight_ms + 3 * HOUR)
    once.advance(midnight_ms + 3 * HOUR)
    assert everything(often) == everything(once)


def test_another_seed_gives_another_day(make_fleet, midnight_ms):
    one, other = make_fleet(seed=1), make_fleet(seed=2)
    one.advance(midnight_ms + HOUR)
    other.advance(midnight_ms + HOUR)
    assert everything(one) != everything(other)


def test_a_quick_plant_lives_an_hour_in_a_minute(make_fleet, midnight_ms):
    quick, slow = make_fleet(pace=60.0), make_fleet()
    quick.advance(midnight_ms + HOUR // 60)
    slow.advance(midnight_ms + HOUR)
    assert everything(quick) == everything(slow)


async def test_faults_and_repairs_are_labelled(fleet, midnight_ms):
    boiler = "dorm-07/boiler-1"
    await fleet.fault(boiler, "element_failed")
    await fleet.fault(boiler, "element_failed")
    await fleet.fault("dorm-07/meter-301", "counter_reset")
    fleet.clock.now += HOUR
    await fleet.repair(boiler, "sensor")
    assert [(label.kind, label.end_ms) for label in fleet.labels] == [
        ("element_failed", None),
        ("counter_reset", midnight_ms),
    ]
    fleet.clock.now += HOUR
    await fleet.repair(boiler, "heating-element")
    assert fleet.labels[0].end_ms == midnight_ms + 2 * HOUR
    truth = fleet.truth()[boiler]
    assert truth["wrong_parts"] == ["sensor"]
    assert [one["part"] for one in truth["repairs"]] == ["sensor", "heating-element"]


async def test_the_overview_tells_what_can_break_and_what_is_broken(fleet):
    await fleet.fault("dorm-07/shower-1-01", "leak")
    overview = {one["device"]: one for one in await fleet.overview()}
    assert set(overview) == set(fleet.devices)
    assert overview["dorm-07/shower-1-01"]["active"] == ["leak"]
    assert "element_failed" in overview["dorm-07/boiler-1"]["faults"]
    assert overview["dorm-07/boiler-1"]["place"] == "dorm-07/plant"
    json.dumps(list(overview.values()))


async def test_an_unknown_device_is_refused(fleet):
    with pytest.raises(Refused, match="dorm-99/boiler"):
        await fleet.fault("dorm-99/boiler", "silent")


def test_every_part_that_a_rule_pack_names_can_be_replaced_on_its_twins(fleet):
    packs = settings.load(ROOT / "config").packs
    assert packs
    for pack in packs:
        for device, one in fleet.devices.items():
            points = {point.name for point in one.points}
            ruled = [rule for rule in pack.rules if points.issuperset(rule.inputs)]
            wanted = {part for rule in ruled for part in rule.parts}
            meant = pack.applies_to
            if one.kind == meant.kind and (not meant.profiles or one.profile in meant.profiles):
                assert wanted <= set(fleet.twin(device).parts), (pack.pack, device)


RUN = """
import hashlib, json, sys
sys.path[:0] = ["tests/simulators", "."]
from conftest import CONFIG, MIDNIGHT_MS, Profile, Still, TypeAdapter, small_site, yaml
from simulators.campus import Fleet
from simulators.telemetry import Terminals
profiles = {p.stem: TypeAdapter(Profile).validate_python(yaml.safe_load(p.read_text("utf-8")))
            for p in (CONFIG / "profiles").glob("*.yaml")}
clock = Still(seed=7)
fleet = Fleet(small_site(), profiles, clock)
terminals, told = Terminals(fleet), hashlib.sha256()
for minute in range(0, 20 * 60, 10):
    clock.now = MIDNIGHT_MS + minute * 60_000
    for said in terminals.spoken(clock.now):
        told.update(said.topic.encode() + said.payload)
told.update(json.dumps(fleet.truth()).encode())
print(told.hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_under_any_hash_seed():
    hashes = set()
    for hash_seed in ("0", "1", "4711"):
        env = os.environ | {"PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", RUN]
        done = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
        hashes.add(done.stdout)
    assert len(hashes) == 1
    assert len(hashes.pop()) == hashlib.sha256().digest_size * 2 + 1


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder)
    with (folder / "places.csv").open(encoding="utf-8") as file:
        places = list(csv.DictReader(file))
    with (folder / "devices.csv").open(encoding="utf-8") as file:
        devices = list(csv.DictReader(file))
    campus = yaml.safe_load((folder / "campus.yaml").read_text("utf-8"))
    return campus, places, devices


def test_the_reference_campus_has_the_numbers_of_the_mission(reference, profiles):
    campus, places, devices = reference
    kinds = Counter(place["kind"] for place in places)
    assert (kinds["building"], kinds["room"], kinds["shower_room"]) == (27, 4000, 124)
    used = Counter(device["profile"] for device in devices)
    assert used == {
        "reference-room-meter": 4000,
        "reference-shower-terminal": 816,
        "reference-boiler": 27,
        "eastron-sdm630": 27,
    }
    points = sum(len(profiles[profile].points) * count for profile, count in used.items())
    assert points == 55_851  # the number that demo and README print
    assert sum(int(place["students"]) for place in places if place["kind"] == "room") == 40_000
    assert len(campus["gateways"]) == 125 + 27


def test_every_room_bus_of_the_reference_campus_has_32_meters(reference):
    campus, places, devices = reference
    buses = Counter(device["gateway"] for device in devices if "meter-" in device["id"])
    assert len(buses) == 125
    assert set(buses.values()) == {32}
    assert {gateway["id"] for gateway in campus["gateways"]} == {
        device["gateway"] for device in devices if device["gateway"]
    }
    assert {device["place"] for device in devices} <= {place["id"] for place in places}
    units = Counter((one["gateway"], one["unit_id"]) for one in devices if one["gateway"])
    assert max(units.values()) == 1
    per_room = Counter(device["place"] for device in devices if "shower" in device["profile"])
    assert Counter(per_room.values()) == {7: 72, 6: 52}


def test_the_reference_campus_is_a_valid_site(tmp_path):
    write_reference(tmp_path, first_port=20_000)
    assert len(settings.load(tmp_path).devices) == 4_870
