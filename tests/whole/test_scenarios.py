"""The shipped scenarios hold, repeat themselves byte for byte, and fail where they must."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.whole.program import campus_hub
from tests.whole.site import CONFIG

FAIL = "boiler_element_fail"
WRONG_FIX = "boiler_wrong_fix"

Played = tuple[int, dict[str, Any]]  # exit code and report


@pytest.fixture(scope="module")
def mended() -> Played:
    """Play the scenario of the right fix once for all tests."""
    return _played(FAIL, "--seed", "7", PYTHONHASHSEED="1")


def test_a_failed_element_is_found_mended_and_proven(mended: Played) -> None:
    code, report = mended

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["rule"], ticket["state"]) == ("tank-cold", "closed")


def test_the_same_seed_is_the_same_run_in_another_process(mended: Played) -> None:
    again = _played(FAIL, "--seed", "7", PYTHONHASHSEED="2")

    assert len(mended[1]["log_hash"]) == 64
    assert again == mended


def test_another_seed_is_another_run_that_holds_too(mended: Played) -> None:
    code, report = _played(FAIL, "--seed", "8")

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    assert report["log_hash"] != mended[1]["log_hash"]


def test_a_wrong_fix_leaves_the_ticket_open() -> None:
    code, report = _played(WRONG_FIX)

    assert (code, report["verdict"]) == (0, "held"), report["checks"]
    (ticket,) = report["measured"]["tickets"]
    assert (ticket["rule"], ticket["state"]) == ("tank-cold", "on_site")


def test_without_the_fault_the_scenario_fails(tmp_path: Path) -> None:
    script = _script(FAIL)
    del script["steps"][0]

    code, report = _played(_written(tmp_path, script))

    assert (code, report["verdict"]) == (1, "failed")
    assert report["counts"]["tickets"] == 0


def test_without_the_rule_the_scenario_fails(tmp_path: Path) -> None:
    site = _site_with_rules(tmp_path, lambda rule: rule["id"] != "tank-cold")

    code, report = _played(FAIL, "--config", site)

    assert (code, report["verdict"]) == (1, "failed")
    assert report["counts"]["tickets"] == 0
    assert report["measured"]["faults"][0]["alarm_after_s"] is None


def test_the_scenario_of_the_wrong_fix_fails_when_the_right_part_is_mended(tmp_path: Path) -> None:
    script = _script(WRONG_FIX)
    (step,) = (step for step in script["steps"] if "repair" in step)
    step["repair"] = "heating-element"

    code, report = _played(_written(tmp_path, script))

    assert (code, report["verdict"]) == (1, "failed")
    assert report["counts"]["closed"] == 1


def test_all_shipped_scenarios_are_listed() -> None:
    listed = campus_hub("scenario", "list").stdout

    for path in (CONFIG / "scenarios").glob("*.yaml"):
        assert path.stem in listed


def test_a_scenario_that_there_is_not_is_one_clear_line() -> None:
    done = campus_hub("scenario", "run", "flood")

    assert (done.returncode, done.stdout) == (2, "")
    assert FAIL in done.stderr


def _played(name: str | Path, *options: str | Path, **environment: str) -> Played:
    done: subprocess.CompletedProcess[str] = campus_hub(
        "scenario", "run", name, "--json", *options, **environment
    )
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
    shutil.copy(CONFIG / "campus.yaml", folder)
    pack = yaml.safe_load((CONFIG / "rules" / "boiler.yaml").read_text("utf-8"))
    pack["rules"] = [rule for rule in pack["rules"] if wanted(rule)]
    (folder / "rules").mkdir()
    text = yaml.safe_dump(pack, allow_unicode=True, sort_keys=False)
    (folder / "rules" / "boiler.yaml").write_text(text, "utf-8")
    return folder
