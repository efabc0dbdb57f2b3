"""A dirty month adds up to what was truly used; without one of its corrections it does not."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hub.cli import scenarios
from hub.energy import counter, ledger, readout
from hub.energy.meter_changes import MeterChanges
from tests.whole.program import campus_hub
from tests.whole.site import CONFIG

NAME = "dirty_month"
SEED = 3

Played = tuple[int, dict[str, Any]]  # exit code and report
Play = Callable[..., Played]


@pytest.fixture
def play(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Play:
    """Play two days of one small dormitory, every fifth meter faulty."""
    script = yaml.safe_load((CONFIG / "scenarios" / f"{NAME}.yaml").read_text("utf-8"))
    script |= {"start": "2026-10-31T22:00:00+08:00", "length": "P2DT4H"}
    script["metering"] |= {"buildings": 1, "rooms": 10, "faulty": 5}
    shorter = {"longest_gap": "PT8H", "latest": "PT6H", "wrong_clocks": 0.3}
    script["metering"]["delivery"] |= shorter
    path = tmp_path / f"{NAME}.yaml"
    path.write_text(yaml.safe_dump(script, allow_unicode=True), "utf-8")

    def played(seed: int = SEED) -> Played:
        asked = Namespace(name=str(path), seed=seed, config=None, json=True)
        code = scenarios.play_one(asked)
        return code, json.loads(capsys.readouterr().out)

    return played


def wrong(report: dict[str, Any]) -> list[str]:
    return [check["name"] for check in report["checks"] if not check["ok"]]


def test_the_energy_of_dirty_data_is_that_of_the_twins_and_the_same_each_time(play: Play) -> None:
    code, report = play()

    assert (code, report["verdict"], wrong(report)) == (0, "held", [])
    (building,) = report["measured"]["buildings"]
    assert abs(building["error"]) <= 0.001
    assert 0.05 < building["estimated"] < 0.25
    assert {fault[1] for fault in report["measured"]["faults"]} == {
        "counter_rollover", "counter_reset", "counter_glitch", "meter_swapped",
    }  # fmt: skip
    assert report["counts"]["exchanges entered"] == 1
    _, again = play()
    assert json.dumps(again) == json.dumps(report)


def test_without_the_modulus_of_the_counter_it_fails(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_of = ledger.rule_of
    monkeypatch.setattr(ledger, "rule_of", lambda *one: replace(rule_of(*one), modulus=None))
    code, report = play()

    assert (code, report["verdict"]) == (1, "failed")
    assert "meters with more jumps than happened to them" in wrong(report)


def test_where_every_fall_is_taken_for_a_roll_over_it_fails(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    def any_step(step: Any, _most: Any, _modulus: Any) -> Any:
        return np.ones(len(step), np.bool_)

    for module in (counter, readout):
        monkeypatch.setattr(module, "countable", any_step)
    code, report = play()

    assert (code, report["verdict"]) == (1, "failed")
    assert {
        "dorm-01: error within 0.1%",
        "meters whose truth is outside their bounds and their ends",
        "meters that went back or on by a jump, and nothing is said",
    } <= set(wrong(report))


def test_where_nothing_that_undoes_itself_is_left_out_it_fails(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter._Sifted, "_undone", lambda *_: 0)
    code, report = play()

    assert (code, report["verdict"]) == (1, "failed")
    assert "meters with a glitch of which nothing is said" in wrong(report)


def test_where_what_a_person_entered_is_not_gone_by_it_fails(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MeterChanges, "tell", lambda _: None)
    code, report = play()

    assert (code, report["verdict"]) == (1, "failed")
    assert "meters with more jumps than happened to them" in wrong(report)


def test_the_whole_month_holds(full_scale: bool) -> None:
    if not full_scale:
        pytest.skip("the whole month takes minutes: --scale full")
    done = campus_hub("scenario", "run", NAME, "--seed", "5", "--json", patience_s=900)
    report = json.loads(done.stdout)

    assert (done.returncode, report["verdict"], wrong(report)) == (0, "held", [])


def test_another_seed_is_another_month(play: Play, full_scale: bool) -> None:
    if not full_scale:
        pytest.skip("one more month: --scale full")
    (_, one), (_, other) = play(), play(SEED + 1)
    assert other["log_hash"] != one["log_hash"]
