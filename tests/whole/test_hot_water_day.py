"""The hub's tonnes and kWh a tonne are the twins', through the whole stack, unless falsified."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from hub.cli import hot_water_day
from hub.cli.scenarios import find
from hub.ports import Table
from hub.site import Device
from simulators.campus import Fleet
from simulators.virtual import TwinBus

POINT = 16  # the register of the hot-water counter, two words
# What is before the first and after the last reading nobody knows; of two hours it must be little.
HALF_A_MINUTE = timedelta(seconds=30)
EVENING = {"start": "2026-11-21T19:00:00+08:00", "length": timedelta(hours=2)}


class ScaledBus(TwinBus):
    """A plant whose counter of hot water shows a tenth too much."""

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        words = list(await super().read(unit_id, table, address, count))
        at = POINT - address
        if table == "input" and 0 <= at < count - 1:
            litres = round(1.1 * (words[at] << 16 | words[at + 1]))
            words[at : at + 2] = divmod(litres, 1 << 16)
        return words


def played(bus_of: Any, seed: int = 1) -> dict[str, Any]:
    """Play two hours of an evening in two buildings."""
    scenario = find("hot_water_day")
    small = scenario.hot_water.model_copy(
        update={"buildings": 2, "tonnes": 10.6, "plants": HALF_A_MINUTE, "terminals": HALF_A_MINUTE}
    )
    evening = scenario.model_validate(
        scenario.model_dump(by_alias=True) | EVENING | {"hot_water": small.model_dump()}
    )
    return hot_water_day.judged(evening, seed, hot_water_day.play_day(evening, seed, None, bus_of))


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return played(TwinBus)


def test_tonnes_and_kilowatt_hours_a_tonne_equal_the_twins_on_each_plant(sound) -> None:
    assert sound["verdict"] == "held", [one for one in sound["checks"] if not one["ok"]]
    assert len(sound["measured"]["plants"]) == 2
    total = sound["measured"]["total"]
    assert abs(total["sessions"] / total["true_sessions"] - 1) < 0.03


def test_the_report_shows_the_hub_beside_the_truth(sound) -> None:
    text = hot_water_day.readable(sound)
    assert "dorm-01/plant: " in text
    assert "(true " in text


def test_the_same_seed_gives_the_same_figures_and_another_does_not(sound) -> None:
    assert json.dumps(played(TwinBus)) == json.dumps(sound)
    assert played(TwinBus, 2)["log_hash"] != sound["log_hash"]


def test_a_plant_that_tells_other_tonnes_fails() -> None:
    def bus_of(fleet: Fleet, devices: Sequence[Device]) -> TwinBus:
        scaled = any(one.id == "dorm-02/boiler-1" for one in devices)
        return (ScaledBus if scaled else TwinBus)(fleet, devices)

    report = played(bus_of)

    assert report["verdict"] == "failed"
    wrong = {check["name"].split(":")[0] for check in report["checks"] if not check["ok"]}
    assert {"dorm-02/plant", "campus"} <= wrong
    assert "dorm-01/plant" not in wrong


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_day_of_540_tonnes_holds(full_scale: bool) -> None:
    if not full_scale:
        pytest.skip("a whole day of 27 plants and 816 terminals: --scale full")
    scenario = find("hot_water_day")
    report = hot_water_day.judged(scenario, 1, hot_water_day.play_day(scenario, 1, None))
    assert report["verdict"] == "held", [one for one in report["checks"] if not one["ok"]]
    assert report["counts"]["terminals"] == 816
