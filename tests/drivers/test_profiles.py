from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from drivers.codec import encode
from drivers.plan import plan
from drivers.profile import Profile

FOLDER = Path(__file__).parents[2] / "config" / "profiles"
FILES = sorted(FOLDER.glob("*.yaml"))
ORDERED = {
    "abb-b23",
    "acrel-dtsd1352",
    "carlo-gavazzi-em340",
    "chint-ddsu666",
    "chint-dtsu666",
    "dtsy-prepaid-room-meter",
    "eastron-sdm120",
    "eastron-sdm230",
    "eastron-sdm630",
    "ectocontrol-gas-boiler",
    "gree-versati-iii",
    "midea-m-thermal",
    "reference-boiler",
    "reference-room-meter",
    "reference-shower-terminal",
    "schneider-iem3155",
    "sunspec-203",
}


def load(path: Path):
    return TypeAdapter(Profile).validate_python(yaml.safe_load(path.read_text("utf-8")))


def modbus():
    return [path for path in FILES if load(path).protocol == "modbus"]


def test_every_product_that_was_asked_for_is_there() -> None:
    assert {path.stem for path in FILES} >= ORDERED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_readme_of_its_driver_names_it_with_its_level(path) -> None:
    profile = load(path)
    readme = FOLDER.parents[1] / "drivers" / profile.protocol / "README.md"
    lines = [line for line in readme.read_text("utf-8").splitlines() if f"`{profile.id}`" in line]
    assert any(profile.verified in line for line in lines), lines


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_profile_is_complete(path) -> None:
    profile = load(path)
    assert profile.id == path.stem
    assert len(profile.source) > 10
    for name, point in profile.points.items():
        assert point.label is not None, name
        assert point.label.zh.strip(), name
        assert point.label.en.strip(), name
        assert point.rollover is None or point.kind == "counter", name


@pytest.mark.parametrize("path", modbus(), ids=lambda path: path.stem)
def test_no_request_of_a_profile_is_larger_than_the_device_takes(path) -> None:
    profile = load(path)
    requests = plan(profile.points, profile.limits)
    assert all(
        request.count <= profile.limits.words and request.address % profile.limits.align == 0
        for request in requests
        if request.table in ("holding", "input")
    )
    assert len(requests) <= max(3, len(profile.points) // 2)  # never one request per point


@pytest.mark.parametrize("path", modbus(), ids=lambda path: path.stem)
def test_everything_that_may_be_written_fits_its_register(path) -> None:
    for point in load(path).points.values():
        if point.write and point.write.min != point.write.max:
            assert encode(point, point.write.min) != encode(point, point.write.max)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_meter_has_the_counter_that_consumption_is_summed_from(path) -> None:
    profile = load(path)
    if profile.kind == "meter" and profile.protocol != "cjt188":
        assert profile.points["energy"].kind == "counter"
        assert profile.points["energy"].unit == "kWh"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_plant_has_the_temperature_that_its_rules_judge(path) -> None:
    profile = load(path)
    if profile.kind == "boiler":
        assert profile.points["tank_temperature"].unit == "degC"


def test_the_reference_devices_have_the_points_that_the_campus_counts() -> None:
    counts = {path.stem: len(load(path).points) for path in FILES}
    assert counts["reference-room-meter"] == 12
    assert counts["reference-shower-terminal"] == 8
    assert counts["reference-boiler"] == 24
    assert counts["eastron-sdm630"] == 25
