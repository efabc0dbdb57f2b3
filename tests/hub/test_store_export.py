"""An export comes in pieces of a bounded number of readings, whatever the points and the days."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from hub.model import Batch
from hub.store.duckdb import DuckStore, pieces
from hub.store.rollup import HOUR_MS

T0 = 1_799_971_200_000  # the begin of a UTC day
DAY = 24 * HOUR_MS
MOST = 50
Row = tuple[int, int, float]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckStore]:
    monkeypatch.setattr(pieces, "PIECE_ROWS", MOST)
    one = DuckStore(threads=1)
    yield one
    one.close()


def rows_of(batch: Batch) -> list[Row]:
    columns = (batch.point, batch.at_ms, batch.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def filled(store: DuckStore, each: dict[int, int], days: int) -> list[Row]:
    """Keep, of each point, so many readings a day; return them in order of (day, point, at)."""
    said = [
        (point, T0 + day * DAY + n * DAY // rows, float(n))
        for day in range(days)
        for point, rows in each.items()
        for n in range(rows)
    ]
    for seq, some in enumerate((said[1::2], said[::2]), 1):  # half of it comes late
        point, at_ms, value = zip(*some, strict=True)
        store.append(Batch.of(point, at_ms, value, [0] * len(some), T0), seq)
    return said


@pytest.mark.parametrize(
    "each",
    [
        dict.fromkeys(range(1, 101), 3),
        {1: 1, 2: MOST, 3: 1, 4: MOST + 1, 5: 7 * MOST, 6: 1},
        {9: 20 * MOST},
        {2: 3},
    ],
)
def test_pieces_are_bounded_and_make_up_the_whole_in_order(
    store: DuckStore, each: dict[int, int]
) -> None:
    said = filled(store, each, days=3)
    found = list(store.export(list(each), T0, T0 + 3 * DAY))
    assert all(0 < len(piece) <= MOST for piece in found)
    assert len(found) <= 3 * (2 + 4 * sum(each.values()) // MOST)
    assert [row for piece in found for row in rows_of(piece)] == said


def test_an_export_is_cut_to_its_points_and_its_span(store: DuckStore) -> None:
    said = filled(store, dict.fromkeys(range(1, 30), 24), days=3)
    points, start, end = [2, 3, 17, 99], T0 + 5 * HOUR_MS, T0 + 2 * DAY + 1
    found = [row for piece in store.export(points, start, end) for row in rows_of(piece)]
    assert found == [row for row in said if row[0] in points and start <= row[1] < end]
    assert not list(store.export([99], T0, T0 + DAY))


def test_more_than_a_piece_at_one_instant_is_not_cut_for_ever(
    store: DuckStore, tmp_path: Path
) -> None:
    # The store keeps one reading of a point and instant; a file filled by others may hold more.
    path = tmp_path / "filled.duckdb"
    DuckStore(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "INSERT INTO readings SELECT 1, ?, 1, 0, 1 FROM range(?)", [T0, MOST + 9]
        )
    one = DuckStore(path)
    assert Counter(row for piece in one.export([1], T0, T0 + DAY) for row in rows_of(piece)) == {
        (1, T0, 1.0): 1
    }
    one.close()
