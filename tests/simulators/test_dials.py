"""Counters roll over, are reset, lie for a moment, and meters are exchanged; the truth goes on."""

from __future__ import annotations

import pytest

from hub.ports import Refused
from simulators.campus import Fleet
from simulators.dials import Dials
from simulators.registers import words_of

METER = "dorm-07/meter-301"
KINDS = ("counter_reset", "counter_glitch", "meter_swapped")


@pytest.fixture
def meter(fleet):
    return fleet.twin(METER)


def used(fleet) -> float:
    return fleet.truth()[METER]["energy_kwh"]


async def later(fleet, hours: float) -> dict[str, float]:
    """Let hours pass and return what the meter then shows."""
    await fleet.clock.sleep(hours * 3600)
    return fleet.twin_at(METER, fleet.clock.now_ms()).values()


async def test_a_wound_counter_rolls_over_where_its_profile_says(fleet, profiles) -> None:
    modulus = fleet.wind(METER, 1.0)
    assert modulus == profiles["reference-room-meter"].points["energy"].rollover
    shown = await later(fleet, 24)

    point = profiles["reference-room-meter"].points["energy"]
    high, low = words_of(point, shown["energy"])
    assert used(fleet) > 1.0
    assert (high << 16 | low) / 100 == pytest.approx(used(fleet) - 1.0, abs=0.006)


async def test_winding_and_rolling_over_touch_neither_truth_nor_the_other_counters(fleet) -> None:
    before = await later(fleet, 5)
    true = used(fleet)
    fleet.wind(METER, 0.5)
    after = fleet.twin(METER).values()

    assert used(fleet) == true
    assert {name for name in after if after[name] != before[name]} == {"energy"}


def test_what_never_rolls_over_cannot_be_wound(make_fleet, profiles, make_device, still) -> None:
    endless = profiles["reference-room-meter"].model_copy(deep=True)
    endless.points["energy"] = endless.points["energy"].model_copy(update={"rollover": None})
    devices = [make_device(METER, "reference-room-meter", "dorm-07/3/301", "gw", 1)]
    fleet = Fleet(devices, profiles | {"reference-room-meter": endless}, still())
    with pytest.raises(Refused, match="never rolls over"):
        fleet.wind(METER, 1.0)


async def test_a_glitch_is_over_by_itself_after_a_reading_or_two(fleet, meter) -> None:
    await later(fleet, 3)
    right = meter.values()["energy"]
    await fleet.fault(METER, "counter_glitch")
    wrong = meter.values()["energy"]
    (label,) = fleet.labels
    lasts_s = (label.end_ms - label.start_ms) / 1000

    assert abs(wrong - right) > 1
    assert lasts_s == 1.5 * meter.device.interval.total_seconds()
    await fleet.clock.sleep(lasts_s)
    fleet.advance(fleet.clock.now_ms())
    assert meter.values()["energy"] == pytest.approx(right, abs=0.1)
    assert meter.faults == []


async def test_glitches_are_of_every_way() -> None:
    ways = set()
    for at_ms in range(0, 100_000, 1000):
        dials = Dials(["energy"])
        dials.fault("counter_glitch", {"energy": 500.0}, at_ms, 60_000)
        wrong = dials.shown({"energy": 500.0}, at_ms)["energy"]
        ways.add("nothing" if wrong == 0 else "near" if wrong < 900 else "far")
    assert ways == {"nothing", "near", "far"}


async def test_another_meter_goes_on_from_its_own_reading(fleet, meter) -> None:
    shown = (await later(fleet, 10))["energy"]
    await fleet.fault(METER, "meter_swapped")
    (swap,) = fleet.truth()[METER]["swaps"]
    before = used(fleet)
    after = await later(fleet, 10)

    assert swap["closing"]["energy"] == shown
    assert swap["opening"]["energy"] != shown
    assert after["energy"] - swap["opening"]["energy"] == pytest.approx(used(fleet) - before)
    parts = sum(swap["opening"][f"energy_{part}"] for part in ("peak", "flat", "valley"))
    assert parts == pytest.approx(swap["opening"]["energy"])


@pytest.mark.parametrize("kind", KINDS)
async def test_what_happens_to_a_meter_is_labelled_and_changes_no_truth(fleet, kind) -> None:
    await later(fleet, 10)
    true = used(fleet)
    await fleet.fault(METER, kind)

    assert [(label.device, label.kind) for label in fleet.labels] == [(METER, kind)]
    assert fleet.labels[0].end_ms is not None
    assert used(fleet) == true


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_seed_is_the_same_to_the_last_digit(make_fleet, kind) -> None:
    shown = []
    for _ in range(2):
        fleet = make_fleet(seed=9)
        await later(fleet, 7)
        await fleet.fault(METER, kind)
        shown.append(await later(fleet, 0.01))
    assert shown[0] == shown[1]
