"""The readings on both sides of an instant: nobody looks where nothing can be."""

from __future__ import annotations

import numpy as np

from hub.model import Batch, Rollups
from hub.store import rollup
from hub.store.duckdb.store import DuckStore
from hub.store.edges import edges

HOUR, DAY = 3_600_000, 86_400_000
T0 = 1_790_000_000_000 // HOUR * HOUR


def one(at_ms: int, value: float) -> Batch:
    return Batch.of([1], [at_ms], [value], [0], at_ms)


def test_nobody_looks_before_the_first_or_after_the_last_reading() -> None:
    asked: list[tuple[int, int]] = []

    def rolled(points, start_ms: int, end_ms: int) -> Rollups:
        asked.append((start_ms, end_ms))
        return rollup.none(HOUR)

    def raw(points, start_ms: int, end_ms: int) -> Batch:
        return one(T0, 1.0).taken(slice(0))

    found = edges([1], T0, HOUR, raw, rolled, (T0 - 3 * HOUR - 5, T0 + 2 * HOUR))

    assert np.isnan([found.before[0], found.after[0]]).all()
    assert min(start for start, _ in asked) < T0 - 3 * HOUR - 5
    assert len(asked) == 5  # its own hour; an hour and a day before it; the same after it
    asked.clear()
    edges([1], T0, HOUR, raw, rolled, (T0, T0))
    assert asked == [(T0, T0 + HOUR)]


def test_a_reading_that_comes_late_is_found_before_all_others(tmp_path) -> None:
    store = DuckStore(tmp_path / "t.duckdb")
    store.append(one(T0 + 100 * DAY, 5.0), 1)
    assert np.isnan(store.edges([1], T0 + 50 * DAY).before[0])
    store.append(one(T0, 2.0), 2)
    assert store.edges([1], T0 + 50 * DAY).before.tolist() == [2.0]
    store.close()
    again = DuckStore(tmp_path / "t.duckdb")
    assert again.edges([1], T0 + 50 * DAY).before.tolist() == [2.0]
    again.close()


def test_a_single_open_hour_is_known_after_a_start(tmp_path) -> None:
    store = DuckStore(tmp_path / "t.duckdb")
    store.append(one(T0, 2.0), 1)
    store.close()
    again = DuckStore(tmp_path / "t.duckdb")
    assert again.edges([1], T0 + 50 * DAY).before.tolist() == [2.0]
    again.close()
