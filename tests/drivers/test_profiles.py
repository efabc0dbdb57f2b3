from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from drivers.codec import encode
from drivers.plan import plan
from drivers.profile import ModbusProfile, Profile

FOLDER = Path(__file__).parents[2] / "config" / "profiles"
FILES = sorted(FOLDER.glob("*.yaml"))


def load(path: Path) -> ModbusProfile:
    return TypeAdapter(Profile).validate_python(yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_profile_is_complete(path) -> None:
    profile = load(path)
    assert profile.id == path.stem
    assert len(profile.source) > 10
    for name, point in profile.points.items():
        assert point.label is not None, name
        assert point.label.zh.strip(), name
        assert point.label.en.strip(), name
        assert (point.kind == "counter") == (point.rollover is not None), name
    if profile.probe:
        assert profile.probe.point in profile.points


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_request_of_a_profile_is_larger_than_the_device_takes(path) -> None:
    profile = load(path)
    if profile.protocol == "modbus":
        requests = plan(profile.points, profile.limits)
        assert all(
            request.count <= profile.limits.words and request.address % profile.limits.align == 0
            for request in requests
            if request.table in ("holding", "input")
        )
        assert len(requests) <= 3


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_everything_that_may_be_written_fits_its_register(path) -> None:
    profile = load(path)
    if profile.protocol == "modbus":
        for point in profile.points.values():
            if point.write:
                assert encode(point, point.write.min) != encode(point, point.write.max)


def test_the_reference_devices_have_the_points_that_the_campus_counts() -> None:
    counts = {path.stem: len(load(path).points) for path in FILES}
    assert counts["reference-room-meter"] == 12
    assert counts["reference-shower-terminal"] == 8
    assert counts["reference-boiler"] == 18
    assert counts["eastron-sdm630"] == 25
