"""Concentrators lose, hold back, repeat and mistime readings as drawn, and invent none."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from hub.cli.virtual import site_of
from hub.clock import VirtualClock, VirtualLoop
from hub.settings import load as load_site
from simulators.campus import Fleet
from simulators.concentrator import Concentrators, shares
from simulators.metering import WORK_MS, Planned, planned, write_site
from simulators.scenario import Scenario, load

CONFIG = Path(__file__).parents[2] / "config"
DAYS = 2


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    whole = load(CONFIG / "scenarios" / "dirty_month.yaml")
    assert whole.metering is not None
    fewer = {"buildings": 1, "rooms": 20, "faulty": 5}
    return whole.model_copy(
        update={
            "length": timedelta(days=DAYS),
            "metering": whole.metering.model_copy(update=fewer),
        }
    )


class Played:
    """What came of the path alone: every message as it came, and the truth beside it."""

    def __init__(self, scenario: Scenario, folder: Path, seed: int = 5) -> None:
        assert scenario.metering is not None
        write_site(folder, scenario.metering)
        settings = load_site(folder)
        site = site_of(settings)
        self.heard: list[tuple[str, int, int, float, bool]] = []
        loop = VirtualLoop()
        clock = VirtualClock(loop, scenario.start_ms, seed)
        self.fleet = Fleet(list(site.devices.values()), settings.profiles, clock)
        self.plans = planned(scenario, list(self.fleet.devices.values()), clock)
        self.path = Concentrators(self.fleet, scenario, self.plans)
        loop.run_until_complete(self._play(scenario))
        loop.close()

    async def _play(self, scenario: Scenario) -> None:
        await self.path.start(self._hear)
        await self.fleet.clock.sleep(scenario.length.total_seconds() + 1)
        await self.path.close()

    def _hear(self) -> None:
        for message in self.path.drain():
            content = json.loads(message.payload)
            device = message.topic.removeprefix("campus/").removesuffix("/telemetry")
            for one in content if isinstance(content, list) else [content]:
                energy = one["values"]["energy"]
                waited = message.waited or isinstance(content, list)
                self.heard.append((device, message.received_ms, one["at"], energy, waited))


@pytest.fixture(scope="module")
def played(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Played:
    return Played(scenario, tmp_path_factory.mktemp("metering"))


def test_every_reading_is_lost_or_comes_and_repeats_say_the_same(played: Played) -> None:
    tally = played.path.tally
    assert tally.made == 20 * DAYS * 96
    assert len({(device, at, value) for device, _, at, value, _ in played.heard}) == (
        tally.made - tally.lost
    )
    assert tally.repeated > 20
    assert len(played.heard) <= tally.made - tally.lost + tally.repeated


def test_the_shares_that_were_asked_for_are_reached(played: Played) -> None:
    found = shares(played.path.tally)
    assert found["lost"] >= 0.06
    assert found["late"] >= 0.04
    assert found["repeated"] >= 0.015


def test_what_comes_late_comes_with_its_own_time(played: Played) -> None:
    late = [(received - at, at) for _, received, at, _, waited in played.heard if waited]
    assert max(wait for wait, _ in late) > 3_600_000
    assert all(wait >= -120_000 for wait, _ in late)


def test_clocks_are_a_little_wrong_or_beyond_belief(played: Played) -> None:
    ahead = [at - received for _, received, at, _, waited in played.heard if not waited]
    little = [ms for ms in ahead if abs(ms) <= 120_000]
    assert len(little) < len(ahead)
    assert max(little) > 60_000 > -60_000 > min(little)
    assert all(abs(ms) > 300_000 for ms in ahead if abs(ms) > 120_000)


def test_no_bearable_clock_carries_a_reading_across_a_quarter(played: Played) -> None:
    for _, received, at, _, waited in played.heard:
        if not waited and abs(at - received) <= 120_000:
            assert received // 900_000 == at // 900_000


def test_a_meter_says_nothing_while_somebody_works_at_it(played: Played) -> None:
    swaps = [plan for plan in played.plans if plan.kind == "meter_swapped"]
    assert len(swaps) == 4
    for plan in swaps:
        near = [
            at
            for device, _, at, _, _ in played.heard
            if device == plan.device and abs(at - plan.at_ms) < WORK_MS - 120_000
        ]
        assert near == []


def test_every_faulty_meter_has_one_of_each_and_half_the_exchanges_are_entered(
    played: Played, scenario: Scenario
) -> None:
    by_device: dict[str, list[Planned]] = {}
    for plan in played.plans:
        by_device.setdefault(plan.device, []).append(plan)
    assert len(by_device) == 4
    for plans in by_device.values():
        kinds = [plan.kind for plan in plans]
        assert kinds[0] == "counter_rollover"
        assert sorted(kinds) == sorted(scenario.metering.faults)
    entered = [plan for plan in played.plans if plan.entered_ms is not None]
    assert len(entered) == 2
    assert all(plan.at_ms < plan.entered_ms < scenario.end_ms for plan in entered)


def test_the_same_seed_sends_the_same_messages(
    played: Played, scenario: Scenario, tmp_path: Path
) -> None:
    again = Played(scenario, tmp_path)
    assert again.heard == played.heard
    assert again.plans == played.plans
