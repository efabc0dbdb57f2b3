"""Wrong profiles and devices stop the hub, unless it is told to keep going without them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.ports import ConfigError
from hub.settings import load

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
places:
  - {id: dorm-07, kind: building, name: {zh: 北苑7栋, en: North Garden 7}}
gateways:
  - {id: gw, url: "tcp://10.0.7.10:502"}
devices:
  - {id: dorm-07/good, profile: right, place: dorm-07, gateway: gw, unit_id: 1}
  - {id: dorm-07/lost, profile: right, place: dorm-99, gateway: gw, unit_id: 2}
  - {id: dorm-07/blind, profile: wrong, place: dorm-07, gateway: gw, unit_id: 3}
  - not a device
"""
CSV = """\
id,profile,place,gateway,unit_id
dorm-07/too-far,right,dorm-07,gw,700
dorm-07/fine,right,dorm-07,gw,12
dorm-07/long,right,dorm-07,gw,13,14,15,PT1M,a,b,c,d,e,f
"""
PROFILE = """\
version: 1
id: {id}
maker: Try
model: M
kind: meter
protocol: modbus
source: this test
points:
  power: {{table: input, address: 52, type: {type}, unit: W}}
"""
WRONG = [
    "campus.yaml:11:",
    "campus.yaml:9:",
    "devices.csv:2:",
    "devices.csv:4:",
    "profiles/wrong.yaml:9:",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    for name, type_ in (("right", "float32"), ("wrong", "float23")):
        text = PROFILE.format(id=name, type=type_)
        (tmp_path / "profiles" / f"{name}.yaml").write_text(text, "utf-8")
    (tmp_path / "campus.yaml").write_text(CAMPUS, "utf-8")
    (tmp_path / "devices.csv").write_text(CSV, "utf-8")
    return tmp_path


def test_every_mistake_is_named_and_nothing_runs(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    named = sorted(caught.value.problems)
    assert len(named) == len(WRONG)
    assert all(line.startswith(where) for line, where in zip(named, WRONG, strict=True)), named


def test_told_to_keep_going_it_runs_what_is_right_and_names_the_rest(folder: Path) -> None:
    settings = load(folder, keep_going=True)
    assert [device.id for device in settings.devices] == ["dorm-07/good", "dorm-07/fine"]
    assert "wrong" not in settings.profiles
    assert len(settings.left_out) == len(WRONG)


def test_a_right_configuration_leaves_nothing_out(folder: Path) -> None:
    (folder / "devices.csv").unlink()
    good = CAMPUS.splitlines()[:8]
    (folder / "campus.yaml").write_text("\n".join(good) + "\n", "utf-8")
    (folder / "profiles" / "wrong.yaml").unlink()
    assert load(folder, keep_going=True) == load(folder)
    assert load(folder).left_out == ()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Asia/Shanghai", "Asia/Wuhan"),
        ("tcp://10.0.7.10:502", "http://10.0.7.10:502"),
        ("kind: building", "kind: castle"),
        ("devices:\n", "devices: 3\nmore:\n"),
    ],
)
def test_what_is_wrong_elsewhere_is_never_left_out(folder: Path, right: str, wrong: str) -> None:
    assert right in CAMPUS
    (folder / "campus.yaml").write_text(CAMPUS.replace(right, wrong), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(folder, keep_going=True)
    assert any("campus.yaml" in line for line in caught.value.problems)


def test_a_shipped_profile_does_not_step_in_for_the_site_s_own(folder: Path) -> None:
    """Its registers may be others: the device would be read wrongly instead of not at all."""
    own = folder / "profiles" / "eastron-sdm120.yaml"
    own.write_text(PROFILE.format(id="eastron-sdm120", type="float23"), "utf-8")
    (folder / "devices.csv").write_text(
        "id,profile,place,gateway,unit_id\ndorm-07/own,eastron-sdm120,dorm-07,gw,9\n", "utf-8"
    )
    settings = load(folder, keep_going=True)
    assert "dorm-07/own" not in [device.id for device in settings.devices]


def test_the_command_says_what_it_leaves_out(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["campus-hub", "run", "--config", str(folder)])
    assert main() == 2
    assert "profiles/wrong" in capsys.readouterr().err

    ran = []
    monkeypatch.setattr("hub.cli.service.run", lambda job: (job.close(), ran.append(job)))
    monkeypatch.setattr("sys.argv", [*sys.argv, "--keep-going"])
    assert main() == 0
    said = capsys.readouterr().err.splitlines()
    assert len(ran) == 1
    assert len([line for line in said if line.startswith("campus-hub: left out: ")]) == len(WRONG)
