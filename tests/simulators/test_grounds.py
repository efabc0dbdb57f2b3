"""What strikes a place, a gateway or the broker strikes all that hangs on it, and nothing else."""

from __future__ import annotations

import pytest

from hub.ports import Refused

CASES = {
    ("bus_cut", "gw-rooms", "line"): "gw-rooms",
    ("gateway_cut", "gw-plant", "gateway"): "gw-plant",
    ("broker_down", "hub", "broker"): None,
}


@pytest.mark.parametrize(("kind", "subject", "part"), CASES)
async def test_only_what_hangs_on_it_falls_silent_until_it_is_mended(fleet, kind, subject, part):
    gateway = CASES[kind, subject, part]
    await fleet.fault(subject, kind)
    silent = {one for one in fleet.devices if fleet.twin(one).silent}
    assert silent == {one.id for one in fleet.devices.values() if one.gateway == gateway}
    assert 0 < len(silent) < len(fleet.devices)
    assert not any(fleet.twin(one).dark for one in silent)
    await fleet.repair(subject, "pipe")
    assert {one for one in fleet.devices if fleet.twin(one).silent} == silent
    fleet.clock.now += 60_000
    await fleet.repair(subject, part)
    assert not any(fleet.twin(one).silent for one in fleet.devices)
    (label,) = fleet.labels
    assert (label.device, label.kind) == (subject, kind)
    assert label.end_ms == label.start_ms + 60_000


async def test_a_building_without_supply_uses_nothing(fleet):
    await fleet.fault("dorm-07", "supply_cut")
    assert all(fleet.twin(one).silent and fleet.twin(one).dark for one in fleet.devices)
    used = {one: fleet.twin(one).truth() for one in fleet.devices}
    fleet.clock.now += 4 * 3_600_000
    fleet.advance(fleet.clock.now)
    for one, before in used.items():
        after = fleet.twin(one).truth()
        assert after.get("energy_kwh") == before.get("energy_kwh")
        assert after.get("litres") == before.get("litres")
    await fleet.repair("dorm-07", "supply")
    fleet.clock.now += 3_600_000
    fleet.advance(fleet.clock.now)
    assert fleet.twin("dorm-07/main").truth()["energy_kwh"] > used["dorm-07/main"]["energy_kwh"]


async def test_a_leak_in_the_building_is_counted_as_hot_water_that_nobody_draws(fleet):
    boiler = fleet.twin("dorm-07/boiler-1")
    await fleet.fault("dorm-07", "pipe_leak")
    before = boiler.values()
    fleet.clock.now += 3 * 3_600_000  # 00:00 to 03:00
    fleet.advance(fleet.clock.now)
    now = boiler.values()
    litres = sum(fleet.twin(one).litres for one in fleet.devices if "shower" in one)
    leaked = now["hot_water"] - before["hot_water"] - litres / 1000
    assert leaked > 3 * 0.1  # m3
    assert now["make_up_water"] - before["make_up_water"] == pytest.approx(
        now["hot_water"] - before["hot_water"]
    )
    await fleet.repair("dorm-07", "pipe")
    assert boiler.leaking_kg_s == 0


async def test_the_same_thing_is_wrong_only_once(fleet):
    await fleet.fault("dorm-07", "supply_cut")
    await fleet.fault("dorm-07", "supply_cut")
    assert len(fleet.labels) == 1


@pytest.mark.parametrize(("subject", "kind"), [("dorm-07", "bus_cut"), ("gw-rooms", "pipe_leak")])
async def test_what_a_subject_cannot_have_is_refused(fleet, subject, kind):
    with pytest.raises(Refused, match="has no fault"):
        await fleet.fault(subject, kind)
