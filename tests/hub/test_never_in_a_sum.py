"""What is no number never becomes one: from intake through journal and store to the figures."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.energy.consumption import Consumption
from hub.energy.ledger import Ledger
from hub.energy.question import Query
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.recorder import Recorder
from hub.site import Device, Place, Site
from hub.store import open_store

MINUTE, HOUR = 60_000, 3_600_000
T0 = 1_800_000_000_000 - 1_800_000_000_000 % HOUR
HOURS, PER_H = 8, 5.0
ENERGY, POWER = 1, 2
GOOD, BAD = 0, flag(Quality.BAD, Reason.INVALID_MARKER)
NAME = Text("名", "Name")
YEAR_1970, YEAR_2106 = 0, 4_294_967_295_000
MOST = 4_294_967_295.0

Row = tuple[int, int, float, int]


def site() -> Site:
    points = (
        Point(ENERGY, "d7/meter-1/energy", "d7/meter-1", "energy", "kWh", "counter", NAME),
        Point(POWER, "d7/meter-1/power", "d7/meter-1", "power", "W", "gauge", NAME),
    )
    meter = Device("d7/meter-1", "any", "meter", "d7", timedelta(minutes=1), None, None, points)
    places = [Place("d7", "building", NAME)]
    return Site("campus", NAME, ZoneInfo("Asia/Shanghai"), places, [], [meter])


def honest() -> list[Row]:
    """Return a reading a minute of a meter that counts 5 kWh an hour: 40 kWh."""
    at = range(T0, T0 + HOURS * HOUR + 1, MINUTE)
    counted = [(ENERGY, one, 100 + PER_H * (one - T0) / HOUR, GOOD) for one in at]
    return counted + [(POWER, one, 1000 * PER_H, GOOD) for one in at]


# Each by itself, 10 s after the reading of some minute, as a meter that has lost its mind says it:
# what is flagged by the profile, and what is not.
WRONG: dict[str, list[Row]] = {
    "a filler, known": [(ENERGY, 7, 65_535.0, BAD), (POWER, 7, 65_535.0, BAD)],
    "a filler of 32 bits": [(ENERGY, 7, MOST, GOOD), (POWER, 7, MOST, GOOD)],
    "a filler with a scale": [(ENERGY, 7, MOST / 1000, GOOD), (ENERGY, 9, MOST / 100, GOOD)],
    "a filler of 31 bits": [(ENERGY, 7, 2_147_483_647.0, GOOD)],
    "no number": [(ENERGY, 7, math.nan, GOOD), (POWER, 7, math.nan, GOOD)],
    "infinities": [(n, m, v, GOOD) for n in (1, 2) for m, v in ((7, math.inf), (9, -math.inf))],
    "beyond all": [(ENERGY, 7, 1e300, GOOD), (POWER, 7, -1e300, GOOD)],
    "below zero": [(ENERGY, 7, -1.0, GOOD), (ENERGY, 9, -MOST, GOOD)],
    "a jump that stays": [(ENERGY, m, MOST, GOOD) for m in range(60, 120)],
    "a zero in between": [(ENERGY, 7, 0.0, GOOD)],
}


def wrong(name: str) -> list[Row]:
    return [(point, T0 + m * MINUTE + 10_000, *rest) for point, m, *rest in WRONG[name]]


UNSET_CLOCKS = [
    (point, at_ms, value, GOOD)
    for at_ms in (YEAR_1970, YEAR_1970 + 1, YEAR_2106, YEAR_2106 - 1)
    for point, value in ((ENERGY, 7.0), (ENERGY, 9e6), (POWER, 1e6))
]


class Path:
    """The path of a reading, in virtual time: intake, journal, recorder, store, figures."""

    def __init__(self, kind: str) -> None:
        self.site = site()
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, T0 + 9 * HOUR, 1)
        self.journal = Journal(open_connection(":memory:"))
        self.store = open_store(kind, ":memory:", threads=1)
        self.ledger = Ledger(self.site, self.store)
        self.consumption = Consumption(self.site, self.ledger)
        self.recorder = Recorder(self.journal, self.store, self.clock, kept=self.ledger.recorded)
        self.live = Live(POWER)
        self.intake = Intake(self.journal, self.live, self.clock, [self.recorder.wake])

    def lead(self, rows: Sequence[Row]) -> None:
        """Lead readings through it in pieces, and ask in between: what is known is corrected."""

        async def story() -> None:
            task = asyncio.create_task(self.intake.run())
            for piece in np.array_split(np.arange(len(rows)), 4):
                point, at_ms, value, quality = zip(*(rows[n] for n in piece), strict=True)
                self.intake.put(Batch.of(point, at_ms, value, quality, self.clock.now_ms()))
                await self.clock.sleep(2)
                await self.recorder.flush()
                self.use()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.loop.run_until_complete(story())

    def use(self) -> list[float | None]:
        query = Query(start_ms=T0, end_ms=T0 + HOURS * HOUR, places=("d7",), step="hour")
        table = self.consumption.use(query)
        (row,) = table.rows
        for figure in (*row.steps, row.total):
            numbers = [one for one in (figure.value, figure.low, figure.high) if one is not None]
            assert all(math.isfinite(one) and one >= 0 for one in numbers), figure
        return [*(figure.value for figure in row.steps), row.total.value]

    def close(self) -> None:
        self.recorder.close()
        self.store.close()
        self.journal.close()
        self.loop.close()


@pytest.fixture(params=["memory", "duckdb"])
def path(request: pytest.FixtureRequest) -> Iterator[Path]:
    made = Path(request.param)
    yield made
    made.close()


def expect_40_kwh(path: Path) -> None:
    found = path.use()
    assert found == pytest.approx([PER_H] * HOURS + [HOURS * PER_H], abs=1e-9)
    span = T0, T0 + HOURS * HOUR
    rows = path.store.rollups([ENERGY, POWER], -(2**53), 2**53)
    for column in (rows.sum, rows.min, rows.max, rows.first, rows.last):
        assert np.isfinite(column[rows.good > 0]).all()
    unset = (rows.start_ms < T0) | (rows.start_ms > T0 + HOURS * HOUR)
    assert rows.good[unset].sum() == 0, "readings of no known instant are usable"
    assert rows.max[(rows.point == POWER) & (rows.good > 0)].max() == 1000 * PER_H
    asked = ["mean", "min", "max", "count", "first", "last"]
    power = path.store.series([POWER], *span, HOUR, asked)[POWER]
    for name in ("mean", "min", "max", "first", "last"):
        assert power[name] == pytest.approx([1000 * PER_H] * HOURS)
    assert power["count"] == [60] * HOURS
    assert path.store.last().at_ms.max() <= span[1], "a clock that was never set is the newest"


@pytest.mark.parametrize("path", ["memory"], indirect=True)
@pytest.mark.parametrize("name", WRONG)
def test_no_wrong_reading_changes_a_figure(path: Path, name: str) -> None:
    rows = sorted([*honest(), *wrong(name)], key=lambda row: row[1])
    path.lead([row for row in rows if not hidden(name, row)])
    expect_40_kwh(path)


def hidden(name: str, row: Row) -> bool:
    """While a counter shows only a filler, what it counted is not seen."""
    stays = name == "a jump that stays"
    return stays and row[0] == ENERGY and T0 + HOUR <= row[1] < T0 + 2 * HOUR and row[2] != MOST


def test_readings_of_1970_and_2106_change_no_figure(path: Path) -> None:
    path.lead([*UNSET_CLOCKS[:6], *honest(), *UNSET_CLOCKS[6:]])
    expect_40_kwh(path)


@pytest.mark.parametrize("seed", range(2))
def test_all_of_it_at_once_in_any_order_changes_no_figure(path: Path, seed: int) -> None:
    rows = [*honest(), *UNSET_CLOCKS, *(one for name in WRONG for one in wrong(name))]
    rows = list({row[:2]: row for row in rows}.values())  # one value of each instant
    random.Random(seed).shuffle(rows)
    path.lead(rows)
    expect_40_kwh(path)
