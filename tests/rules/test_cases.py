"""Every shipped rule rings where it must, and only there: cases in files, and no rule without."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.settings import Settings, load
from rules.spec import Pack, Rule
from simulators.boiler import BoilerTwin
from simulators.grounds import CURES
from simulators.main_meter import MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.month_plan import BROUGHT_ABOUT
from simulators.shower import ShowerTwin
from tests.rules.told_case import Rang, Story, play, read_case

CASES = Path(__file__).parent / "cases"
CONFIG = Path(__file__).parents[2] / "config"
SETTINGS = load(CONFIG)
STORIES: tuple[Story, ...] = ("raises", "look_alike", "clears")
ALIKE = {"planned_outage", "door_open"}  # what ends them is named beside the cures of faults
TWINS = ("reference-boiler", "reference-shower-terminal", "reference-room-meter", "eastron-sdm630")
RULES = [(pack, rule) for pack in SETTINGS.packs for rule in pack.rules]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return SETTINGS


def folder_of(pack: Pack, rule: Rule) -> Path:
    return CASES / pack.pack / rule.id


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize(("pack", "rule"), RULES, ids=[rule.id for _, rule in RULES])
def test_a_rule_does_what_its_case_says(
    settings: Settings, pack: Pack, rule: Rule, story: Story
) -> None:
    folder = folder_of(pack, rule)
    case = read_case(folder)
    expected = getattr(case, story)

    rang = play(settings, case, rule, folder / f"{story}.csv")

    own = [one for one in rang if one.rule == rule.id]
    wanted = [Rang(rule.id, case.subject, expected.raised, expected.cleared)]
    assert own == (wanted if expected.raised is not None else [])
    assert {one.rule for one in rang} - {rule.id} == {*expected.also}


@pytest.mark.parametrize(("pack", "rule"), RULES, ids=[rule.id for _, rule in RULES])
def test_a_case_raises_stays_silent_and_clears(pack: Pack, rule: Rule) -> None:
    case = read_case(folder_of(pack, rule))

    assert case.raises.raised is not None
    assert case.look_alike.raised is None
    assert case.clears.raised is not None
    assert case.clears.cleared is not None
    assert case.clears.raised < case.clears.cleared


def test_no_case_is_left_of_a_rule_that_there_is_not() -> None:
    known = {folder_of(pack, rule) for pack, rule in RULES}

    assert {path.parent for path in CASES.glob("*/*/case.yaml")} == known


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("boiler", BoilerTwin.cures),
        ("shower", ShowerTwin.cures),
        ("meter", RoomMeterTwin.cures),
        ("meter", MainMeterTwin.cures),
    ],
    ids=["boiler", "shower", "room meter", "main meter"],
)
def test_every_fault_of_a_twin_is_found_by_some_rule(kind: str, faults: dict[str, str]) -> None:
    around = {"gateway", "building"}
    found = {
        name
        for pack, rule in RULES
        if pack.applies_to.kind in around | {kind}
        for name in rule.finds
    }

    brought_about = {name for fault in faults for name in BROUGHT_ABOUT.get(fault, ())}
    assert (set(faults) | brought_about) - found == set()


def test_every_fault_of_a_place_or_line_is_found_by_some_rule() -> None:
    around = {"gateway", "building", "hub"}
    found = {name for pack, rule in RULES if pack.applies_to.kind in around for name in rule.finds}

    assert set(CURES) - ALIKE - found == set()


@pytest.mark.parametrize("profile", TWINS)
def test_a_fault_of_a_twin_is_found_by_one_rule_alone(profile: str) -> None:
    points, kind = {*SETTINGS.profiles[profile].points}, SETTINGS.profiles[profile].kind
    finds = [
        name
        for pack, rule in RULES
        if pack.applies_to.kind == kind
        and (not pack.applies_to.profiles or profile in pack.applies_to.profiles)
        and {*rule.inputs} <= points
        for name in rule.finds
    ]

    assert sorted(finds) == sorted({*finds})


def test_what_is_too_hot_or_runs_dry_is_told_whatever_is_suppressed() -> None:
    dangerous = {"tank-hot", "outlet-too-hot", "dry-run", "no-water-flow", "gas-boiler-pressure"}

    told = {rule.id for _, rule in RULES if not rule.suppressible}

    assert dangerous <= told


def test_guidance_is_for_people_who_stand_before_the_thing() -> None:
    for _, rule in RULES:
        assert len(rule.guidance.zh) >= 30, rule.id
        assert len(rule.guidance.en) >= 60, rule.id
        assert rule.severity in ("small", "ordinary", "large")
