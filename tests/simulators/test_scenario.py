"""Scripts are read strictly and played in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub import settings
from hub.cli.scenarios import site_of_scenario
from hub.ports import ConfigError
from simulators.campus import Fleet
from simulators.grounds import CURES
from simulators.scenario import Scenario, Step, load, play

CONFIG = Path(__file__).parents[2] / "config"
SCENARIOS = sorted((CONFIG / "scenarios").glob("*.yaml"))
MINUTE = 60_000


class Desk:
    """Tickets that open a fixed time after the first fault."""

    def __init__(self, clock, opens_after_ms: int | None) -> None:
        self.clock = clock
        self.opens_ms = None if opens_after_ms is None else clock.now + opens_after_ms
        self.acts: list[tuple[int, str]] = []

    async def opened_ms(self, device: str) -> int | None:
        opened = self.opens_ms
        return opened if opened is not None and self.clock.now >= opened else None

    async def act(self, step: Step) -> None:
        self.acts.append((self.clock.now, step.ticket))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_shipped_scenarios_load_and_name_faults_and_parts_that_exist(path, still):
    scenario = load(path)
    read = site_of_scenario(scenario, None)
    built = settings.build_site(read, lambda ids: {one: n for n, one in enumerate(ids, 1)})
    fleet = Fleet(list(built.devices.values()), read.profiles, still())
    long = scenario.metering is not None or scenario.labelled is not None
    assert long or scenario.length.total_seconds() <= 24 * 3600
    for step in scenario.steps:
        if possible := fleet.grounds.possible(step.device):
            assert step.fault in (*possible, None)
            assert step.repair in (*CURES.values(), None)
            continue
        twin = fleet.twin(step.device)
        assert step.fault is None or step.fault in twin.faults_possible
        assert step.repair is None or step.repair in twin.parts


def test_the_three_scenarios_of_the_story_are_there():
    assert {path.stem for path in SCENARIOS} >= {
        "boiler_element_fail",
        "boiler_wrong_fix",
        "normal_day",
    }


async def test_people_act_so_long_after_their_ticket_opened(fleet):
    scenario = load(CONFIG / "scenarios/boiler_element_fail.yaml")
    clock = fleet.clock
    began, desk = clock.now, Desk(clock, opens_after_ms=75 * MINUTE)
    await play(scenario, fleet, desk, clock)
    minutes = [((at - began) / MINUTE, act) for at, act in desk.acts]
    assert minutes == [(79, "acknowledge"), (90, "arrive"), (135, "fix")]
    label = fleet.labels[0]
    assert ((label.start_ms - began) / MINUTE, (label.end_ms - began) / MINUTE) == (30, 120)


async def test_a_ticket_that_never_opens_ends_the_play_at_the_end(fleet):
    scenario = load(CONFIG / "scenarios/boiler_element_fail.yaml")
    began, desk = fleet.clock.now, Desk(fleet.clock, opens_after_ms=None)
    await play(scenario, fleet, desk, fleet.clock)
    assert desk.acts == []
    assert fleet.clock.now - began <= scenario.length.total_seconds() * 1000
    assert fleet.twin("dorm-07/boiler-1").faults == ["element_failed"]


GOOD = {
    "version": 1,
    "id": "short",
    "title": {"zh": "短", "en": "Short"},
    "start": "2026-11-21T00:00:00+08:00",
    "length": "PT1H",
}

STEP = {"at": "PT1M", "device": "a/b", "fault": "leak"}
METERING = {
    "buildings": 1,
    "rooms": 10,
    "interval": "PT15M",
    "delivery": {
        "missing": 0.1,
        "longest_gap": "PT8H",
        "late": 0.1,
        "latest": "PT8H",
        "repeated": 0.1,
        "clock": "PT2M",
        "wrong_clocks": 0.1,
    },
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": [{"at": "PT1M", "device": "a/b"}]}, "one of fault, repair, ticket and report"),
        ({"steps": [{"device": "a/b", "fault": "leak"}]}, "one of at and after"),
        ({"metering": {"buildings": 0}}, "buildings"),
        ({"metering": METERING, "steps": [STEP]}, "has nothing else that happens"),
        ({"start": "2026-11-21T00:00:00"}, "timezone"),
        ({"length": "PT0S"}, "greater than"),
        ({"colour": "red"}, "Extra inputs"),
        ({"id": "other"}, "the file's name"),
    ],
)
def test_a_wrong_script_is_refused_with_its_file_and_key(tmp_path, change, message):
    path = tmp_path / "short.yaml"
    path.write_text(str(GOOD | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as raised:
        load(path)
    assert all(problem.startswith(str(path)) for problem in raised.value.problems)


def test_a_good_script_is_read(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(str(GOOD), encoding="utf-8")
    scenario = load(path)
    assert isinstance(scenario, Scenario)
    assert scenario.start_ms == 1_795_190_400_000


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"{: [", b""])
def test_a_file_that_is_no_script_is_refused(tmp_path, content):
    path = tmp_path / "short.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path)
