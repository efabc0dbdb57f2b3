"""The shipped scenarios hold, repeat themselves byte for byte, and fail where they must."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulators.reference import write_reference
from tests.whole.program import campus_hub, campus_hub_here
from tests.whole.site import CONFIG

FAIL = "boiler_element_fail"
WRONG_FIX = "boiler_wrong_fix"
SOON = "PT2H30M"  # after the cold water is told, and after a ticket that is proven has closed
GOLDEN = "golden_timeline"

Played = tuple[int, dict[str, Any]]  # exit code and report


@pytest.fixture(scope="module")
def mended() -> Played:
    """Play the scenario of the right fix once for all tests."""
    return _in_a_process(FAIL, PYTHONHASHSEED="1")


def test_a_failed_element_is_found_mended_and_proven(mended: Played) -> None:
    code, report = mended

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["rule"], ticket["state"]) == ("heat-pump-refuses", "closed")


def test_the_same_seed_is_the_same_run_in_another_process(mended: Played) -> None:
    again = _in_a_process(FAIL, PYTHONHASHSEED="2")

    assert len(mended[1]["log_hash"]) == 64
    assert again == mended


def test_another_seed_is_another_run_that_holds_too(mended: Played) -> None:
    code, report = _played(FAIL, "--seed", "8")

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    # The log may be the same: the rule hears commands and states, and those come by the clock.
    energies = [_found(one, "kWh of devices without a fault") for one in (report, mended[1])]
    assert energies[0] != energies[1]


def test_a_wrong_fix_leaves_the_ticket_open(tmp_path: Path, full_scale: bool) -> None:
    shorter = _written(tmp_path, _script(WRONG_FIX) | {"length": "PT6H15M"})
    code, report = _played(WRONG_FIX if full_scale else shorter)

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["rule"], ticket["state"]) == ("heat-pump-refuses", "on_site")


def test_without_the_fault_the_scenario_fails(tmp_path: Path) -> None:
    script = _script(FAIL) | {"length": SOON}
    del script["steps"][0]

    code, report = _played(_written(tmp_path, script))

    assert (code, report["verdict"]) == (1, "failed")
    assert report["counts"]["tickets"] == 0


@pytest.mark.parametrize(
    ("left_out", "found"),
    [
        (("heat-pump-refuses",), ["tank-cold"]),  # only by its effect, when the water is cold
        (("heat-pump-refuses", "tank-cold"), []),
    ],
)
def test_without_the_rule_the_scenario_fails(
    left_out: Sequence[str], found: list[str], tmp_path: Path
) -> None:
    site = _site_with_rules(tmp_path / "site", lambda rule: rule["id"] not in left_out)

    code, report = _played(_written(tmp_path, _script(FAIL) | {"length": SOON}), "--config", site)

    assert (code, report["verdict"]) == (1, "failed")
    assert [ticket["rule"] for ticket in report["measured"]["tickets"]] == found
    (fault,) = report["measured"]["faults"]
    assert (fault["alarm_after_s"] is not None) == bool(found)


def test_the_scenario_of_the_wrong_fix_fails_when_the_right_part_is_mended(tmp_path: Path) -> None:
    script = _script(WRONG_FIX) | {"length": SOON}
    (step,) = (step for step in script["steps"] if "repair" in step)
    step["repair"] = "heating-element"

    code, report = _played(_written(tmp_path, script))

    assert (code, report["verdict"]) == (1, "failed")
    assert report["counts"]["closed"] == 1


Row = Mapping[str, str]


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """Write two buses of a building with their 64 meters."""
    return _thinned(
        tmp_path / "lines", lambda row: row["gateway"] in ("gw-dorm-01-1", "gw-dorm-01-2")
    )


def test_a_cut_bus_is_one_ticket_that_lists_its_32_meters(lines: Path, tmp_path: Path) -> None:
    code, report = _played(_cut_short(tmp_path), "--config", lines)

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["rule"], ticket["device"]) == ("gateway-silent", "gw-dorm-01-1")
    assert report["counts"]["alarms"] == 33


def test_without_the_cut_the_scenario_of_the_bus_fails(lines: Path, tmp_path: Path) -> None:
    code, report = _played(_cut_short(tmp_path, steps=[]), "--config", lines)

    assert (code, _found(report, "told")) == (1, [])


@pytest.mark.parametrize(
    "spoil",
    [lambda rule: rule.update(on_delay="P1D"), lambda rule: rule.pop("inhibits")],
    ids=["no alarm of the gateway", "no inhibition"],
)
def test_a_cut_bus_is_told_meter_by_meter_where_no_rule_inhibits_it(
    spoil: Callable[[Any], object], lines: Path, tmp_path: Path
) -> None:
    pack = yaml.safe_load((CONFIG / "rules" / "gateway.yaml").read_text("utf-8"))
    spoil(pack["rules"][0])
    _write_pack(lines, pack)

    code, report = _played(_cut_short(tmp_path), "--config", lines)

    assert (code, report["verdict"]) == (1, "failed")
    meters = [one for one in _found(report, "told") if one.endswith("#meter-silent")]
    assert (len(meters), _found(report, "listed")) == (32, 0)


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """Write three buildings with a quarter of their rooms and of their showers."""
    first = ("dorm-01/", "dorm-02/", "dorm-03/")
    return _thinned(
        tmp_path / "houses",
        lambda row: (
            row["id"].startswith(first)
            and (int(row["unit_id"]) <= 8 if row["unit_id"] else "/shower-1-" in row["id"])
        ),
    )


@pytest.mark.parametrize("cut", [2, 3])
def test_each_dark_building_is_one_alarm_and_all_of_them_together_are_one(
    cut: int, houses: Path, tmp_path: Path
) -> None:
    dark = [f"dorm-{n:02}" for n in range(1, cut + 1)]
    script = _script("supply_cut") | {"length": "PT20M"}
    script["steps"] = [{"at": "PT1M", "device": house, "fault": "supply_cut"} for house in dark]
    roots = [f"{house}#building-dark" for house in dark] if cut < 3 else ["hub#uplink-lost"]
    rows = [row for row in _rows(houses / "devices.csv") if row["id"].startswith(tuple(dark))]
    lost = {row["id"] for row in rows} | {row["gateway"] for row in rows if row["gateway"]}
    lost |= set() if cut < 3 else set(dark)  # under the hub the buildings, too
    script["expect"] = {"tickets": len(roots), "told": roots, "listed": len(lost)}

    code, report = _played(_written(tmp_path, script), "--config", houses)

    assert (code, report["verdict"]) == (0, "held"), report["checks"]


def test_the_supply_of_all_27_buildings_is_one_alarm_that_lists_all_devices(
    full_scale: bool,
) -> None:
    if not full_scale:
        pytest.skip("4,870 devices take minutes; --scale full plays them")
    code, report = _played("supply_cut")

    assert (code, report["verdict"]) == (0, "held"), report["checks"]


def _night(folder: Path, **changed: Any) -> Path:
    """Write the two hours of the cold snap in which the pump stands."""
    script = _script("cold_snap")
    short = {"start": "2026-11-21T01:55:00+08:00", "length": "PT1H30M"}
    script["snaps"][0]["at"] = "-PT7H"
    script["steps"] = [script["steps"][0] | {"at": "PT5M"}]
    return _written(folder, script | short | changed)


def test_a_pump_that_stands_in_a_cold_snap_is_a_danger_of_frost(tmp_path: Path) -> None:
    code, report = _played(_night(tmp_path))

    assert (code, report["verdict"]) == (0, "held"), report["checks"]


@pytest.mark.parametrize(
    ("missing", "told"), [("steps", []), ("snaps", ["dorm-07/boiler-1#pump-stands"])]
)
def test_frost_needs_the_cold_and_the_pump(missing: str, told: list[str], tmp_path: Path) -> None:
    code, report = _played(_night(tmp_path, **{missing: []}))

    assert (code, _found(report, "told")) == (1, told)


def test_a_report_of_19_30_is_answered_at_19_35_and_mended_at_20_30() -> None:
    code, report = _played(GOLDEN)

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["response_s"], ticket["fix_s"], ticket["state"]) == (300, 3600, "closed")


def test_an_answer_a_second_after_the_limit_is_a_breach_and_the_scenario_fails(
    tmp_path: Path,
) -> None:
    script = _script(GOLDEN)
    script["steps"] = [script["steps"][0], script["steps"][1] | {"after": "PT5M1S"}]
    script |= {"length": "PT8M", "expect": {"tickets": 1, "breaches": 0}}

    code, report = _played(_written(tmp_path, script))

    assert (code, report["counts"]["breaches"]) == (1, 1), report["checks"]


def test_all_shipped_scenarios_are_listed() -> None:
    listed = campus_hub_here("scenario", "list").stdout

    for path in (CONFIG / "scenarios").glob("*.yaml"):
        assert path.stem in listed


def test_a_scenario_that_there_is_not_is_one_clear_line() -> None:
    done = campus_hub_here("scenario", "run", "flood")

    assert (done.returncode, done.stdout) == (2, "")
    assert FAIL in done.stderr


def _played(name: str | Path, *options: str | Path) -> Played:
    return _told(campus_hub_here("scenario", "run", name, "--json", *options))


def _in_a_process(name: str, **environment: str) -> Played:
    return _told(campus_hub("scenario", "run", name, "--json", **environment))


def _told(done: subprocess.CompletedProcess[str]) -> Played:
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def _script(name: str) -> Any:
    return yaml.safe_load((CONFIG / "scenarios" / f"{name}.yaml").read_text("utf-8"))


def _written(folder: Path, script: Any) -> Path:
    path = folder / f"{script['id']}.yaml"
    path.write_text(yaml.safe_dump(script, allow_unicode=True), "utf-8")
    return path


def _site_with_rules(folder: Path, wanted: Any) -> Path:
    """Write the small campus with a boiler pack of its own, of the rules that are wanted."""
    folder.mkdir()
    shutil.copy(CONFIG / "campus.yaml", folder)
    pack = yaml.safe_load((CONFIG / "rules" / "boiler.yaml").read_text("utf-8"))
    pack["rules"] = [rule for rule in pack["rules"] if wanted(rule)]
    _write_pack(folder, pack)
    return folder


def _cut_short(folder: Path, **changed: Any) -> Path:
    """Write the scenario of the cut bus with a quick repair."""
    script = _script("bus_cut")
    script["steps"][1]["at"] = "PT16M"
    return _written(folder, script | {"length": "PT18M"} | changed)


def _found(report: dict[str, Any], name: str) -> Any:
    (check,) = (check for check in report["checks"] if check["name"] == name)
    return check["found"]


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _thinned(folder: Path, wanted: Callable[[Row], bool]) -> Path:
    """Write the reference campus with the devices that are wanted, and their gateways."""
    write_reference(folder)
    kept = [row for row in _rows(folder / "devices.csv") if wanted(row)]
    with (folder / "devices.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(kept[0]))
        table.writeheader()
        table.writerows(kept)
    campus = yaml.safe_load((folder / "campus.yaml").read_text("utf-8"))
    used = {row["gateway"] for row in kept}
    campus["gateways"] = [one for one in campus["gateways"] if one["id"] in used]
    text = yaml.safe_dump(campus, allow_unicode=True, sort_keys=False)
    (folder / "campus.yaml").write_text(text, "utf-8")
    return folder


def _write_pack(folder: Path, pack: Any) -> None:
    """Give a site a pack of its own in the place of the shipped one."""
    (folder / "rules").mkdir()
    text = yaml.safe_dump(pack, allow_unicode=True, sort_keys=False)
    (folder / "rules" / f"{pack['pack']}.yaml").write_text(text, "utf-8")
