"""One contract for every time-series store: memory, DuckDB, and InfluxDB on real servers."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub.model import Batch
from hub.ports import StartError, StoreError
from hub.store import open_store
from hub.store.duckdb import DuckStore
from tests.contract.conftest import KINDS, Made
from tests.contract.readings import (
    BAD,
    EVER,
    HOUR,
    MINUTE,
    MISSING,
    NAN,
    NO_CLOCK,
    T0,
    UNCERTAIN,
    batch,
    rows_of,
)

LASTING = [kind for kind in KINDS if kind != "memory"]


def test_begins_with_nothing(store: Any) -> None:
    assert store.applied() == 0
    assert rows_of(store.raw([1, 2], *EVER)) == []
    assert rows_of(store.last()) == []
    assert store.series([1], T0, T0 + 2, 1, ["mean"]) == {1: {"mean": [None, None]}}


def test_returns_readings_in_order_of_point_and_instant(store: Any) -> None:
    store.append(batch((2, T0 + 5, 2.5), (1, T0 + 9, 1.5), (1, T0, -1e-7)), 3)
    store.append(batch((1, T0 + 5, 1e300), (40_000, T0, 0.1), (1, T0 - 1, 0)), 4)
    assert rows_of(store.raw([2, 1], T0, T0 + 9)) == [
        (1, T0, -1e-7, 0),
        (1, T0 + 5, 1e300, 0),
        (2, T0 + 5, 2.5, 0),
    ]
    assert rows_of(store.raw([2, 1], T0 - 1, T0 + 10, limit=2)) == [
        (1, T0 - 1, 0, 0),
        (1, T0, -1e-7, 0),
    ]
    assert rows_of(store.raw([40_000, 77], *EVER)) == [(40_000, T0, 0.1, 0)]
    assert store.applied() == 4


def test_quality_and_missing_values_survive(store: Any) -> None:
    said = [
        (1, T0, NAN, MISSING),
        (1, T0 + 1, 7.5, BAD),
        (1, T0 + 2, 8.0, NO_CLOCK),
        (2, T0, 0.0, 0),
    ]
    store.append(batch(*said), 1)
    assert rows_of(store.raw([1, 2], T0, T0 + 9)) == [(1, T0, None, MISSING), *said[1:]]
    assert rows_of(store.last()) == [said[2], said[3]]


def test_a_sequence_that_was_passed_is_ignored(store: Any) -> None:
    store.append(batch((1, T0, 1.0)), 5)
    store.append(batch((1, T0, 2.0), (1, T0 + 1, 2.0)), 5)
    store.append(batch((1, T0 + 2, 2.0)), 4)
    assert rows_of(store.raw([1], *EVER)) == [(1, T0, 1.0, 0)]
    assert store.applied() == 5


def test_of_one_instant_the_last_said_is_kept_once(store: Any) -> None:
    store.append(batch((1, T0, 1.0), (1, T0, 1.5), (2, T0, 9.0)), 1)
    assert rows_of(store.raw([1], *EVER)) == [(1, T0, 1.5, 0)]
    store.append(batch((1, T0 + 10, 2.0), (2, T0 + 10, 9.0)), 2)
    store.append(batch((1, T0, 3.0), (2, T0 + 20, 9.0), (1, T0 + 5, 4.0)), 3)
    store.append(batch((2, T0 + 20, NAN, BAD)), 4)
    assert [row[:3] for row in rows_of(store.raw([1], *EVER))] == [
        (1, T0, 3.0),
        (1, T0 + 5, 4.0),
        (1, T0 + 10, 2.0),
    ]
    assert store.raw([2], *EVER).quality.tolist() == [0, 0, BAD]
    assert rows_of(store.last())[1] == (2, T0 + 20, None, BAD)
    assert store.series([1, 2], T0, T0 + 30, 30, ["count"]) == {
        1: {"count": [3]},
        2: {"count": [2]},
    }


def test_a_late_reading_takes_its_place_and_does_not_become_the_last(store: Any) -> None:
    store.append(batch((1, T0 + 10, 2.0), (2, T0 + 10, 2.0)), 1)
    store.append(batch((1, T0 + 5, 1.0), (2, T0 + 15, 3.0)), 2)
    assert store.raw([1], *EVER).at_ms.tolist() == [T0 + 5, T0 + 10]
    assert rows_of(store.last()) == [(1, T0 + 10, 2.0, 0), (2, T0 + 15, 3.0, 0)]


def test_a_series_has_one_number_per_step_of_good_readings(store: Any) -> None:
    store.append(
        batch(
            (1, T0, 4.0),
            (1, T0 + 10, 2.0),
            (1, T0 + 59, 6.0, NO_CLOCK),
            (1, T0 + 30, 1000.0, BAD),
            (1, T0 + 31, NAN, MISSING),
            (1, T0 + 120, 5.0),
            (1, T0 + 149, 7.0),
            (1, T0 + 150, 99.0),
            (2, T0 + 60, NAN, MISSING),
        ),
        1,
    )
    found = store.series([1, 2], T0, T0 + 150, 60, ["count", "min", "max", "mean", "first", "last"])
    assert found[1] == {
        "count": [3, None, 2],
        "min": [2.0, None, 5.0],
        "max": [6.0, None, 7.0],
        "mean": [4.0, None, 6.0],
        "first": [4.0, None, 5.0],
        "last": [6.0, None, 7.0],
    }
    assert found[2]["mean"] == [None, None, None]


def test_rollups_hold_what_is_usable_and_count_the_rest(store: Any) -> None:
    store.append(
        batch(
            (1, T0 + MINUTE, 4.0),
            (1, T0 + 2 * MINUTE, 2.0, UNCERTAIN),
            (1, T0 + 40 * MINUTE, 7.0, NO_CLOCK),
            (1, T0 + 41 * MINUTE, 1000.0, BAD),
            (1, T0 + 42 * MINUTE, NAN, MISSING),
            (1, T0 + 43 * MINUTE, NAN),
            (1, T0 + 44 * MINUTE, 4_294_967_295.0),
            (1, T0 + 45 * MINUTE, 1e300),
            (1, 5 * MINUTE, 3.0),
            (1, 4_294_967_295_000, 3.0),
            (1, T0 + HOUR, NAN, MISSING),
        ),
        1,
    )
    found = store.rollups([1, 2], *EVER)
    assert (found.step_ms, found.point.tolist()) == (HOUR, [1, 1])
    assert found.start_ms.tolist() == [T0, T0 + HOUR]
    assert (found.count.tolist(), found.good.tolist()) == ([8, 1], [3, 0])
    numbers = (found.min, found.max, found.sum, found.first, found.last)
    assert [float(column[0]) for column in numbers] == [2.0, 7.0, 13.0, 4.0, 7.0]
    assert all(math.isnan(column[1]) for column in (found.min, found.max, found.first, found.last))
    assert found.first_ms.tolist() == [T0 + MINUTE, 0]
    assert found.last_ms.tolist() == [T0 + 40 * MINUTE, 0]
    assert found.coverage_ms.tolist() == [MINUTE, 0]  # 38 min are a hole


def test_edges_are_the_usable_readings_on_both_sides_however_far(store: Any) -> None:
    store.append(
        batch(
            (1, T0 + MINUTE, 1.0),
            (1, T0 + 2 * MINUTE, 9.0, BAD),
            (1, T0 + 300 * HOUR, 5.0),
            (2, T0 + 3 * MINUTE, 2.0),
            (2, T0 + 7 * MINUTE, 3.0),
        ),
        1,
    )
    for at_ms, one, two in (
        (T0 + 5 * MINUTE, (1.0, 5.0), (2.0, 3.0)),
        (T0 + 3 * MINUTE, (1.0, 5.0), (2.0, 2.0)),
        (T0 + 30 * HOUR, (1.0, 5.0), (3.0, None)),
        (T0 - 90 * HOUR, (None, 1.0), (None, 2.0)),
        (T0 + 900 * HOUR, (5.0, None), (3.0, None)),
    ):
        found = store.edges([2, 1, 40_000], at_ms)
        sides = zip(found.before.tolist(), found.after.tolist(), strict=True)
        known = [tuple(None if math.isnan(value) else value for value in side) for side in sides]
        assert known == [two, one, (None, None)], at_ms
        assert found.point.tolist() == [2, 1, 40_000]
    assert found.before_ms.tolist() == [T0 + 7 * MINUTE, T0 + 300 * HOUR, 0]


def test_a_reading_of_a_clock_that_was_never_set_is_no_neighbour_and_in_no_series(
    store: Any,
) -> None:
    store.append(batch((1, 5 * MINUTE, 1.0), (1, T0, 2.0)), 1)
    found = store.edges([1], 7 * MINUTE)
    assert math.isnan(found.before[0])
    assert found.after.tolist() == [2.0]
    for step_ms in (MINUTE, HOUR):
        assert store.series([1], 0, HOUR, step_ms, ["max"])[1]["max"] == [None] * (HOUR // step_ms)


def test_an_export_has_every_reading_once(store: Any) -> None:
    said = [(point, T0 + n * 7 * HOUR, float(n)) for point in (1, 2) for n in range(20)]
    store.append(batch(*said), 1)
    pieces = list(store.export([2, 1], T0, T0 + 13 * 7 * HOUR))
    found = [row[:3] for piece in pieces for row in rows_of(piece)]
    assert sorted(found) == [row for row in said if row[1] < T0 + 13 * 7 * HOUR]
    assert [piece.at_ms.max() for piece in pieces] == sorted(piece.at_ms.max() for piece in pieces)
    assert len(pieces) > 1


def test_a_series_of_many_days_has_no_seams(store: Any) -> None:
    start = T0 + 17 * MINUTE
    every = [(1, start + n * 2 * HOUR, float(n)) for n in range(84)]
    store.append(batch(*every), 1)
    found = store.series([1], start, start + 7 * 24 * HOUR, 5 * HOUR, ["count", "last"])[1]
    expected: dict[int, float] = {}
    for _, at_ms, value in every:
        expected[(at_ms - start) // (5 * HOUR)] = value
    assert found["last"] == [expected.get(step) for step in range(34)]
    assert sum(count or 0 for count in found["count"]) == 84
    assert len(store.raw([1], start, start + 7 * 24 * HOUR)) == 84


@pytest.mark.parametrize(("start", "end", "step"), [(5, 5, 1), (5, 4, 1), (0, 9, 0), (0, 10**9, 1)])
def test_steps_that_make_no_sense_are_refused(store: Any, start: int, end: int, step: int) -> None:
    with pytest.raises(StoreError, match=r"^series: .*(step|after the start)"):
        store.series([1], start, end, step, ["mean"])


@pytest.mark.parametrize("made", LASTING, indirect=True)
def test_everything_is_there_after_closing_and_opening(made: Made) -> None:
    first = made.open()
    first.append(batch((1, T0, 1.0), (2, T0, NAN, MISSING)), 7)
    first.close()
    second = made.open()
    assert second.applied() == 7
    assert rows_of(second.last()) == [(1, T0, 1.0, 0), (2, T0, None, MISSING)]
    second.append(batch((1, T0, 1.25), (1, T0 + 1, 2.0)), 7)  # a replay
    second.append(batch((1, T0, 1.5)), 8)  # a correction of what an earlier run kept
    assert rows_of(second.raw([1], *EVER)) == [(1, T0, 1.5, 0)]
    second.close()


def test_duckdb_keeps_nothing_of_a_batch_that_fails(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry")
    store.append(batch((1, T0, 1.0)), 1)
    broken = Batch.of([1, 2], [T0 + 1, T0 + 1], [1.0, 2.0], [0, 0], T0)
    store._writer.execute("DROP TABLE appends")  # the last statement of the transaction fails
    with pytest.raises(StoreError, match="2 readings not kept"):
        store.append(broken, 2)
    assert len(store.raw([1, 2], *EVER)) == 1
    assert store.applied() == 1
    store._writer.execute(
        "CREATE TABLE appends AS SELECT 1 AS append, 1::BIGINT AS seq, 0::BIGINT AS received_ms"
    )
    store.append(broken, 2)
    assert len(store.raw([1, 2], *EVER)) == 3
    store.close()


def test_duckdb_in_use_by_another_process_is_one_clear_error(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry")
    script = (
        "import sys; from hub.store.duckdb import DuckStore\n"
        "try: DuckStore(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "telemetry"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    ).stdout  # fmt: skip
    store.close()
    assert said.startswith("StartError telemetry ")
    assert "is another hub using it?" in said


def test_a_store_that_is_not_described_is_refused() -> None:
    with pytest.raises(StartError, match="url and bucket"):
        open_store("influx")
