"""The close and the report of a day: the site's civil day, and nothing measured is not zero."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.clock import InlineWorker
from hub.database import daily_use
from hub.database.connection import MEMORY, Database, open_database
from hub.energy.consumption import Consumption
from hub.energy.daily import Daily
from hub.energy.ledger import Ledger
from hub.model import Batch, Point, Text
from hub.site import Device, Place, Site
from hub.store.memory import MemoryStore

NAME = Text("七栋", "Dorm 7")
HOUR_MS = 3_600_000
BERLIN = ZoneInfo("Europe/Berlin")


def site(zone: ZoneInfo) -> Site:
    places = [Place("dorm-07", "building", NAME), Place("dorm-08", "building", Text("八栋", "8"))]
    devices = []
    for number, place in enumerate(("dorm-07", "dorm-08"), 1):
        id_ = f"{place}/meter"
        energy = Point(number, f"{id_}/energy", id_, "energy", "kWh", "counter", NAME)
        minute = timedelta(minutes=60)
        devices.append(Device(id_, "m", "meter", f"{place}/1", minute, "gw", number, (energy,)))
    return Site("s", NAME, zone, places, [], devices)


def instant(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


@pytest.fixture
def database() -> Iterator[Database]:
    made = open_database(MEMORY)
    yield made
    made.close()


def daily(database: Database, day: date, zone: ZoneInfo, folder: Path | None) -> Daily:
    """One building that uses 1 kWh an hour from before the day until after it; one unread."""
    store = MemoryStore()
    start_ms = instant(day, zone) - 2 * HOUR_MS
    at = [start_ms + n * HOUR_MS for n in range(30)]
    store.append(Batch.of([1] * 30, at, [float(n) for n in range(30)], [0] * 30, at[-1]), 1)
    made = site(zone)
    return Daily(made, Consumption(made, Ledger(made, store)), database, folder, InlineWorker())


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 11, 20), 24), (date(2026, 10, 25), 25), (date(2026, 3, 29), 23)],
)
async def test_a_day_is_closed_by_the_sites_own_hours(
    database: Database, day: date, hours: int
) -> None:
    await daily(database, day, BERLIN, None).close(day)
    (row,) = daily_use.get(database, "dorm-07", day.isoformat(), day.isoformat())
    assert row.kwh == pytest.approx(hours)
    assert row.coverage == pytest.approx(1.0)


async def test_what_nobody_measured_is_none_and_not_zero(database: Database) -> None:
    day = date(2026, 11, 20)
    await daily(database, day, BERLIN, None).close(day)
    (row,) = daily_use.get(database, "dorm-08", day.isoformat(), day.isoformat())
    assert (row.kwh, row.coverage) == (None, 0.0)


async def test_a_day_closed_twice_is_the_same(database: Database) -> None:
    day = date(2026, 11, 20)
    once = daily(database, day, BERLIN, None)
    await once.close(day)
    before = daily_use.get(database, "dorm-07", day.isoformat(), day.isoformat())
    await once.close(day)
    assert daily_use.get(database, "dorm-07", day.isoformat(), day.isoformat()) == before


async def test_the_report_is_a_table_that_excel_reads(database: Database, tmp_path: Path) -> None:
    day = date(2026, 11, 20)
    await daily(database, day, BERLIN, tmp_path / "reports").report(day)
    file = tmp_path / "reports" / "2026-11-20.csv"
    assert {one.name for one in file.parent.iterdir()} == {file.name, "ticket-chain.csv"}
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert [(row["name_zh"], row["kwh"], row["tickets_opened"]) for row in rows] == [
        ("七栋", "24.000", "0"),
        ("八栋", "", "0"),
    ]
