from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hub.clock import InlineWorker, ThreadWorker
from hub.database.connection import MEMORY, Database, open_database
from hub.database.holes import KeptHoles, keep, known
from hub.ports import Hole, StoreError

HOLES = (Hole("input", 3, 1), Hole("holding", 8, 0))


def test_holes_are_kept_per_device_and_profile_in_place_of_those_before(tmp_path: Path) -> None:
    database = open_database(tmp_path / "hub.sqlite")
    keep(database, "dorm-01/m-1", "test", 1000, [Hole("input", 99, 2)])
    keep(database, "dorm-01/m-1", "test", 2000, HOLES)
    keep(database, "dorm-01/m-2", "test", 3000, HOLES[:1])
    database.close()
    database = open_database(tmp_path / "hub.sqlite")
    assert known(database) == {
        ("dorm-01/m-1", "test"): (2000, [HOLES[1], HOLES[0]]),
        ("dorm-01/m-2", "test"): (3000, [HOLES[0]]),
    }
    keep(database, "dorm-01/m-1", "other", 4000, HOLES[:1])  # the device is another one now
    keep(database, "dorm-01/m-2", "test", 4000, [])
    assert list(known(database)) == [("dorm-01/m-1", "other")]
    database.close()


async def test_what_is_learned_is_there_at_the_next_start(tmp_path: Path) -> None:
    database = open_database(tmp_path / "hub.sqlite")
    worker = ThreadWorker("holes")
    holes = KeptHoles(database, worker)
    assert holes.known("dorm-01/m-1", "test") == (0, ())
    holes.keep("dorm-01/m-1", "test", 2000, HOLES)
    async with asyncio.timeout(5):
        while not known(database):  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
    worker.close()
    again = KeptHoles(database, InlineWorker())
    assert again.known("dorm-01/m-1", "test") == (2000, [HOLES[1], HOLES[0]])
    assert again.known("dorm-01/m-1", "other") == (0, ())
    database.close()


async def test_a_database_that_is_away_costs_no_reading(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(MEMORY)
    holes = KeptHoles(database, InlineWorker())

    def away(self: Database) -> None:
        raise StoreError("database is away")

    monkeypatch.setattr(Database, "write", away)
    with caplog.at_level(logging.WARNING):
        holes.keep("dorm-01/m-1", "test", 2000, HOLES)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert "holes of dorm-01/m-1 not kept" in caplog.text
    database.close()
