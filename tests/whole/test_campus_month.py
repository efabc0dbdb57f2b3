from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from hub.app import Outside, running
from hub.cli import campus_month
from hub.cli.scenarios import find
from hub.cli.virtual import site_of
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.model import Batch, EntryKind
from hub.ports import Refused
from hub.settings import load
from simulators.agenda import Agenda
from simulators.campus import Day, Fleet
from simulators.episode import Episode
from simulators.events import events_of
from simulators.main_meter import MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.month import Month, life_of
from simulators.month_life import Calendar
from simulators.month_site import write_site
from simulators.virtual import TwinBus, TwinMessages
from simulators.weather import Snap

CONFIG = Path(__file__).parents[2] / "config"
EVENING_MS = round(datetime.fromisoformat("2026-12-31T19:50:00+08:00").timestamp() * 1000)
MINUTE_MS = 60_000
COMPARED_MS = (EVENING_MS + 2 * MINUTE_MS, EVENING_MS + 62 * MINUTE_MS)
OFF_GRAIN_MS = 7_023


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("month")
    write_site(folder, CONFIG)
    return load(folder)


def episode(n: int, kind: str, subject: str, begins: int, lasts: int, members=()) -> Episode:
    start_ms = EVENING_MS + begins * MINUTE_MS + OFF_GRAIN_MS
    return Episode(
        f"e{n}", "fault", kind, subject, start_ms, start_ms + lasts * MINUTE_MS, n % 2 == 0, members
    )


def evening(fleet: Fleet) -> Agenda:
    """Return an evening on which every device fault is there, and what strikes whole places."""
    rooms = [f"dorm-01/meter-{floor}{room:02}" for floor in (1, 2) for room in range(1, 21)]
    units = [f"dorm-01/boiler-{n}" for n in range(1, 5)]
    cures = fleet.twin("dorm-07/boiler-1").cures
    plan = [
        *((kind, rooms[n], 4 + n, 21 + n) for n, kind in enumerate(RoomMeterTwin.cures)),
        *((kind, "dorm-01/main", 3 + 6 * n, 5) for n, kind in enumerate(MainMeterTwin.cures)),
        *(
            (kind, units[n % 4], 4 + n // 4 * 15, 100 if kind == "pump_failed" else 13)
            for n, kind in enumerate(cures)
        ),
        *(
            (kind, f"dorm-01/shower-1-0{1 + n}", 5 + n, 30)
            for n, kind in enumerate(fleet.twin("dorm-01/shower-1-01").cures)
        ),
        ("pipe_leak", "dorm-07", 10, 30),
        ("bus_cut", "gw-dorm-01-3", 8, 12),
        ("gateway_cut", "gw-dorm-08-1", 20, 12),
        ("supply_cut", "dorm-07", 42, 9),
        ("door_open", "dorm-01/2/shower-2", 12, 30),
        ("broker_down", "hub", 53, 4),
    ]
    episodes = []
    for n, (kind, subject, begins, lasts) in enumerate(plan):
        whole = kind in fleet.grounds.possible(subject)
        members = [twin.device.id for twin in fleet.grounds.members(subject, kind)] if whole else []
        episodes.append(episode(n, kind, subject, begins, lasts, members))
    more = [
        ("heavy_use", "dorm-01/3/301", 0, 120),
        ("visitors", "dorm-01/3/302", 0, 120),
        ("air_conditioner", "dorm-01/3/303", 0, 120),
        ("heavy_use", "dorm-01/2/shower-2", 0, 120),
    ]
    episodes += [episode(100 + n, *one) for n, one in enumerate(more)]
    ordered = sorted(episodes, key=lambda one: one.start_ms)
    snaps = [Snap(EVENING_MS - 43_200_000, EVENING_MS + 43_200_000, 8.0)]
    return Agenda(9, ordered, snaps, Calendar([], (EVENING_MS * 2, EVENING_MS * 2)))


def fleet_of(settings, clock, agenda: Agenda | None = None) -> Fleet:
    site = site_of(settings)
    day = Day(life=life_of(agenda)) if agenda else Day()
    return Fleet(list(site.devices.values()), settings.profiles, clock, day=day, zone=site.zone)


async def full_path(settings, clock, agenda: Agenda) -> list[Batch]:
    """Return what the hub keeps of the twins, from bus and broker to its journal."""
    fleet = fleet_of(settings, clock, agenda)
    devices = list(fleet.devices.values())

    async def happen() -> None:
        for event in events_of(agenda.episodes):
            await clock.sleep((event.at_ms - clock.now_ms()) / 1000)
            fleet.advance(clock.now_ms())
            event.happen(fleet)

    def bus_of(gateway, _):
        behind = [one for one in devices if one.gateway == gateway.id]
        return TwinBus(fleet, behind, gateway.timeout.total_seconds())

    outside = Outside(memory=True, web=False, bus_of=bus_of, messages=TwinMessages(fleet, clock))
    async with running(settings, clock, outside) as hub:
        happening = asyncio.create_task(happen())
        await clock.sleep((COMPARED_MS[1] - clock.now_ms()) / 1000 + 1)
        happening.cancel()
        entries = hub.kept.journal.read(0, 1_000_000)
    return [one.batch for _, one in entries if one.kind is EntryKind.READINGS and one.batch]


def compared(batches: Sequence[Batch]) -> Batch:
    """Return the readings of the hour by instant and point."""
    whole = Batch.joined(batches, 0)
    start_ms, end_ms = COMPARED_MS
    whole = whole.taken((whole.at_ms >= start_ms) & (whole.at_ms < end_ms))
    return whole.taken(np.lexsort((whole.point, whole.at_ms)))


def test_an_hour_with_every_fault_is_the_same_as_over_bus_and_broker(settings) -> None:
    loop = VirtualLoop()
    clock = VirtualClock(loop, EVENING_MS, 9)
    agenda = evening(fleet_of(settings, clock))
    site = site_of(settings)
    month = Month(site, settings.profiles, clock, agenda, days=1)
    batches = []
    for batch in month.history():
        if batch.at_ms[0] >= COMPARED_MS[1]:
            break
        batches.append(batch)
    short = compared(batches)
    evident = {one.kind: one for one in month.truth if one.evident_ms is not None}
    assert set(evident) == {"low_pressure", "valve_no_open"}  # no tank gets too hot so soon
    assert all(one.start_ms < (one.evident_ms or 0) < one.end_ms for one in evident.values())
    stood, froze = (
        next(one for one in month.truth if one.kind == kind) for kind in ("pump_failed", "freezing")
    )
    assert stood.start_ms < froze.start_ms < froze.end_ms == stood.end_ms
    assert (froze.subject, froze.evident_ms) == (stood.subject, None)
    long = compared(run_virtual(loop, full_path(settings, clock, agenda)))
    names = {number: point.id for number, point in site.points.items()}
    assert [names[n] for n in sorted(set(short.point) ^ set(long.point))] == []
    assert len(short) == len(long) > 140_000
    assert (short.point == long.point).all()
    assert (short.at_ms == long.at_ms).all()
    assert (short.quality == long.quality).all()
    differ = ~((short.value == long.value) | (np.isnan(short.value) & np.isnan(long.value)))
    found = {names[n] for n in short.point[differ]}
    assert not differ.any(), (int(differ.sum()), sorted(found)[:20])


@pytest.fixture(scope="module")
def scenario():
    return find("campus_month")


@pytest.fixture(scope="module")
def first_day(scenario, tmp_path_factory):
    """Play the first day of a month in a folder once for all tests."""
    folder = tmp_path_factory.mktemp("kept")
    return folder, campus_month.play_month(scenario, 3, 1, folder)


def test_a_day_is_kept_with_its_truth_and_adds_up(scenario, first_day) -> None:
    folder, lived = first_day
    report = campus_month.judged(scenario, 3, lived)
    assert report["verdict"] == "held", report["checks"]
    assert report["counts"]["readings"] > 3_500_000
    head, *lines = (folder / "truth.jsonl").read_text("utf-8").splitlines()
    assert json.loads(head) == {
        "scenario": "campus_month",
        "seed": 3,
        "start_ms": scenario.start_ms,
        "end_ms": scenario.start_ms + 86_400_000,
        "devices": 234,
    }
    assert [json.loads(line) for line in lines] == [one.told() for one in lived.month.truth]
    assert load(folder).data.exists()  # other commands find it there
    assert str(folder / "truth.jsonl") in campus_month.readable(report)


def test_energy_that_does_not_add_up_fails(scenario, first_day) -> None:
    _, lived = first_day
    kwh = {device: (used or 0) * 1.002 for device, used in lived.played.kwh.items()}
    spoilt = replace(lived, played=replace(lived.played, kwh=kwh))
    assert campus_month.judged(scenario, 3, spoilt)["verdict"] == "failed"


def test_the_same_seed_is_the_same_bytes(scenario, settings, first_day) -> None:
    _, lived = first_day
    month = campus_month.month_of(scenario, 3, settings, site_of(settings), 1)
    digest = hashlib.sha256()
    last_ms = month.start_ms
    for batch in month.history():
        assert last_ms <= batch.at_ms[0]
        assert (np.diff(batch.at_ms) >= 0).all()
        assert batch.received_ms == batch.at_ms[-1]
        last_ms = batch.at_ms[-1]
        campus_month.digested(digest, batch)
    assert digest.hexdigest() == lived.columns
    assert month.truth == lived.month.truth


def test_a_folder_that_holds_a_site_is_left_alone(scenario, first_day) -> None:
    folder, _ = first_day
    with pytest.raises(Refused, match="holds a site already"):
        campus_month.play_month(scenario, 3, 1, folder)
