"""The conformance kit: every shipped profile passes it, and it finds what is planted."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from drivers import registry
from drivers.profile import Profile
from hub.cli import conformance, kit_modbus, lint, run
from hub.cli.golden import load_golden
from hub.clock import RealClock
from hub.ports import ConfigError
from simulators.generic import plausible
from tests.whole.program import campus_hub

CHECKOUT = Path(__file__).parents[2]
PROFILES = CHECKOUT / "config" / "profiles"
GOLDEN = CHECKOUT / "tests" / "golden"


def shipped(id_: str, **changed: Any) -> Profile:
    content = yaml.safe_load((PROFILES / f"{id_}.yaml").read_text("utf-8"))
    return TypeAdapter(Profile).validate_python(content | changed)


def report_of(profile: Profile) -> conformance.Report:
    golden = {profile.id: load_golden(GOLDEN / f"{profile.id}.yaml")}
    (report,) = asyncio.run(conformance.examine([profile], golden, RealClock()))
    return report


def test_every_shipped_profile_passes_the_kit() -> None:
    done = campus_hub("profile", "test", "--all", "--json")
    said = json.loads(done.stdout)

    assert [row["problems"] for row in said["profiles"] if row["problems"]] == []
    assert (done.returncode, said["ok"]) == (0, True)
    assert {row["profile"] for row in said["profiles"]} == {p.stem for p in PROFILES.glob("*.yaml")}
    for row in said["profiles"]:
        points = len(shipped(row["profile"]).points)
        assert row["checks"]["read"] >= points, row
        assert row["checks"]["golden"] > 0, row
        assert row["checks"]["faults"] > 0, row
        assert row["checks"]["refuse"] > 0, row


def test_every_shipped_profile_passes_lint() -> None:
    done = campus_hub("profile", "lint", "--all")

    assert done.returncode == 0, done.stdout
    assert "0 problems" in done.stdout


def test_golden_bytes_name_a_source_that_is_not_our_encoder() -> None:
    for path in GOLDEN.glob("*.yaml"):
        for case in load_golden(path):
            assert len(case.source) > 20, path
            assert "encode" not in case.source, path


def test_list_and_show_tell_what_is_there(capsys) -> None:
    assert run(["profile", "list"]) == 0
    listed = capsys.readouterr().out
    assert run(["profile", "show", "gree-versati-iii"]) == 0
    shown = capsys.readouterr().out

    for path in PROFILES.glob("*.yaml"):
        assert path.stem in listed
    assert "verified   none" in shown
    assert re.search(r"tank_temperature +degC +holding 0x0080 int16 .*水箱温度 / Tank", shown)
    assert re.search(r"  setpoint .*write 40\.\.70 by 1", shown)


def test_an_unknown_profile_is_refused_with_what_may_have_been_meant(capsys) -> None:
    assert run(["profile", "test", "eastron-sdm63"]) == 2
    assert "did you mean 'eastron-sdm630'" in capsys.readouterr().err
    assert run(["profile", "lint"]) == 2
    assert "--all" in capsys.readouterr().err


@pytest.fixture
def no_trials(monkeypatch) -> None:
    """Leave the faults of the line out: they take seconds and are not what is looked at."""
    monkeypatch.setattr(kit_modbus, "TRIALS", ())


# A third-party file gets the same test by one command.


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a product of somebody else, with golden bytes beside it."""
    text = (PROFILES / "ectocontrol-gas-boiler.yaml").read_text("utf-8")
    path = tmp_path / "my-boiler.yaml"
    path.write_text(text.replace("id: ectocontrol-gas-boiler", "id: my-boiler"), "utf-8")
    golden = (GOLDEN / "ectocontrol-gas-boiler.yaml").read_text("utf-8")
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden" / "my-boiler.yaml").write_text(
        golden.replace("profile: ectocontrol-gas-boiler", "profile: my-boiler"), "utf-8"
    )
    return path


def spoil(path: Path, right: str, wrong: str) -> None:
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), "utf-8")


def test_somebody_elses_profile_is_tested_by_its_path(own, capsys) -> None:
    code = run(["profile", "test", str(own)])
    said = capsys.readouterr().out

    assert code == 0, said
    assert re.search(r"my-boiler +40 +20 +36 +22 +28 +\d+\n", said)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("address: 0x18", "address: 0x17"),
        ("scale: 0.00390625", "scale: 0.1"),
        ("byte: high, scale: 0.1, unit: bar", "byte: low, scale: 0.1, unit: bar"),
        ("bit: 3", "bit: 4"),
        ("type: int8", "type: uint8"),
        ("invalid: [0xFFFF]", "invalid: []"),
    ],
)
def test_golden_bytes_find_a_map_that_is_wrong(own, capsys, no_trials, right, wrong) -> None:
    spoil(own, right, wrong)

    assert run(["profile", "test", str(own)]) == 1
    assert "my-boiler: golden: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("right", "wrong", "key", "what"),
    [
        ("verified: none", "verified: field", "verified", "on which day"),
        ("verified: none", "verified: none\nverified_on: 2026-11-21", "verified_on", "remove it"),
        ("source: bulanovk", 'source: ""  # bulanovk', "source", "empty"),
        (
            "label: {zh: 锅炉总线故障, en: Boiler bus error}",
            "min: 0",
            "points.boiler_bus_error",
            "no label",
        ),
        ("en: Hot water flow", 'en: " "', "points.flow.label", "empty in one language"),
        ("max: 25.4", "max: 40", "points.pressure.max", "never reached"),
        ("min: -60, max: 60", "min: 70, max: 60", "points.outdoor_temperature.min", "no value"),
        ("write: {min: 20, max: 80", "write: {min: 20, max: 120", "points.setpoint.write", "range"),
        ("invalid: [0xFF]", "invalid: [0xFFFF]", "points.pressure.invalid", "more than 8 bits"),
        ("point: supply_temperature", "point: supply_temp", "probe.point", "did you mean"),
        ("probe: {point", "checks: [phase_sum]\nprobe: {point", "checks[0]", "power_l1"),
        ("min: 1, max: 99}", "min: 400, max: 900}", "probe", "no good value"),
        ("  flow:", "  Flow:", "points.Flow", "no point name"),
        ("write: {min: 40, max: 60, step: 1,", "write: {min: 40, max: 60, step: 50,",
         "points.hot_water_setpoint.write.step", "larger than the range"),
    ],
)  # fmt: skip
def test_lint_names_what_is_wrong_by_line_and_key(own, capsys, right, wrong, key, what) -> None:
    spoil(own, right, wrong)
    code = run(["profile", "lint", str(own)])
    said = capsys.readouterr().out.splitlines()

    assert code == 1
    assert len(said) == 2, said
    found = re.fullmatch(rf"{re.escape(str(own))}:(\d+): ([^:]+): (.+)", said[0])
    assert found, said
    assert found[2] == key
    assert what in found[3]


@pytest.mark.parametrize(
    ("limits", "what"),
    [("words: 2", "limits.words is 2"), ("words: 4, align: 4", "one answer brings 4")],
)
def test_lint_finds_a_value_that_no_answer_can_bring(tmp_path, limits, what) -> None:
    path = tmp_path / "small.yaml"
    label = "label: {zh: 电量, en: Energy}"
    path.write_text(
        "version: 1\nid: small\nmaker: a\nmodel: b\nkind: meter\nprotocol: modbus\n"
        f"source: a test\nlimits: {{{limits}}}\npoints:\n  energy:\n"
        f"    {{table: holding, address: 2, type: uint64, unit: kWh, {label}}}\n",
        "utf-8",
    )
    _, (problem,) = lint.read(path)
    assert what in problem.message


# The twin has the profile; a driver that has another one, or no protection, must be found out.


def changed_write(**changed: Any) -> Any:
    return lambda point: {"write": point.write.model_copy(update=changed)}


@pytest.mark.parametrize(
    ("section", "id_", "point", "change"),
    [
        ("read", "abb-b23", "power", {"scale": 0.1}),
        ("read", "carlo-gavazzi-em340", "energy", {"word_order": "big"}),
        ("read", "acrel-dtsd1352", "power", {"scale_from": ()}),
        ("read", "ectocontrol-gas-boiler", "flow", {"byte": "low"}),
        ("read", "ectocontrol-gas-boiler", "burner", {"bit": 1}),
        ("read", "sunspec-203", "voltage_l2", {"address": 40078}),
        ("markers", "abb-b23", "voltage_l1", {"invalid": ()}),
        ("write", "ectocontrol-gas-boiler", "setpoint", {"scale": 1.0}),
        ("refuse", "ectocontrol-gas-boiler", "setpoint", changed_write(max=100)),
        ("refuse", "ectocontrol-gas-boiler", "setpoint", changed_write(step=0.25)),
        ("refuse", "gree-versati-iii", "mode", changed_write(only_while=())),
        ("refuse", "gree-versati-iii", "power_switch", changed_write(one_of=())),
    ],
)
def test_the_kit_finds_a_driver_with_another_map(
    section, id_, point, change, monkeypatch, no_trials
) -> None:
    profile, polled = shipped(id_), registry.polled
    spec = profile.points[point]
    other_spec = spec.model_copy(update=change(spec) if callable(change) else change)
    other = profile.model_copy(update={"points": profile.points | {point: other_spec}})
    monkeypatch.setattr(
        registry, "polled", lambda bus, devices, _, clock: polled(bus, devices, {id_: other}, clock)
    )

    report = report_of(profile)

    assert any(point in problem for problem in report.failed[section]), report.problems


def test_the_kit_finds_a_driver_that_does_not_check_answers(monkeypatch) -> None:
    names = {"wrong unit", "wrong function"}  # a short answer is found a second time, in decoding
    trials = [trial for trial in kit_modbus.TRIALS if trial.name in names]
    monkeypatch.setattr(kit_modbus, "TRIALS", trials)
    profile = shipped("chint-ddsu666")
    assert report_of(profile).problems == []

    monkeypatch.setattr("drivers.modbus.tcp.fault_of", lambda *_: None)
    failed = " ".join(report_of(profile).failed["faults"])

    assert all(name in failed for name in names), failed


def test_the_kit_finds_a_terminal_driver_that_believes_everything(monkeypatch) -> None:
    profile = shipped("reference-shower-terminal")
    assert report_of(profile).problems == []
    monkeypatch.setattr("drivers.mqtt.driver.check", lambda *_: None)
    assert report_of(profile).problems == []  # the wire guard stands behind it
    monkeypatch.setattr("drivers.mqtt.guard.PublishGuard.objection", lambda *_: None)
    assert report_of(profile).failed["refuse"]


def test_golden_files_say_what_is_wrong_with_them(tmp_path) -> None:
    path = tmp_path / "abb-b23.yaml"
    text = (GOLDEN / "abb-b23.yaml").read_text("utf-8")
    for right, wrong, what in [
        ("profile: abb-b23", "profile: abb", "is not 'abb-b23'"),
        ("0000 0000 000D 1290", "0000 0000 000D 12", "no whole number of registers"),
        ("values: {energy", "value: {energy", "unknown key"),
    ]:
        path.write_text(text.replace(right, wrong, 1), "utf-8")
        with pytest.raises(ConfigError, match=what):
            load_golden(path)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_generic_twin_holds_a_plausible_value_for_every_point(path) -> None:
    profile = shipped(path.stem)
    for variant in (0, 1):
        values = plausible(profile, variant)
        for name, spec in profile.points.items():
            assert spec.min is None or values[name] >= spec.min, name
            assert spec.max is None or values[name] <= spec.max, name


def test_what_a_generic_meter_shows_fits_together() -> None:
    values = plausible(shipped("eastron-sdm630"))
    phases = ("_l1", "_l2", "_l3")
    for phase in phases:
        apparent = values[f"voltage{phase}"] * values[f"current{phase}"]
        assert values[f"power{phase}"] == pytest.approx(apparent * values[f"power_factor{phase}"])
    assert values["power"] == pytest.approx(sum(values[f"power{phase}"] for phase in phases))
