"""How readings come into DuckDB's table: by one statement planned once, in bounded memory."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

from hub.model import Batch
from hub.ports import StoreError
from hub.store.duckdb import DuckStore, loading
from hub.store.duckdb import store as duck
from hub.store.duckdb.layout import Connection

T0 = 1_800_000_000_000
EVER = (-(2**53), 2**53)


def counted(rows: int, value: float = 1.0) -> Batch:
    point = np.arange(rows, dtype=np.int32)
    return Batch(
        point, np.full(rows, T0), (point + value).astype(np.float64), np.zeros(rows, np.uint8), T0
    )


def kept(store: DuckStore) -> Sequence[float]:
    found: list[float] = store.raw(range(200_000), *EVER, 10**6).value.tolist()
    return found


@pytest.mark.parametrize("rows", [1, loading.ROOM_ROWS, 2 * loading.ROOM_ROWS + 3])
def test_an_append_of_any_size_is_kept_as_it_is(rows: int) -> None:
    store = DuckStore(threads=1)
    store.append(counted(rows), 1)
    assert kept(store) == [n + 1.0 for n in range(rows)]
    store.close()


def test_a_small_append_after_a_large_one_brings_nothing_of_that_again() -> None:
    store = DuckStore(threads=1)
    store.append(counted(5000), 1)
    later = Batch.of([7], [T0 + 1000], [9.0], [0], T0)
    store.append(later, 2)
    assert len(kept(store)) == 5001
    assert store.raw([7], T0 + 1, T0 + 2000).value.tolist() == [9.0]
    store.close()


def test_nothing_is_loaded_outside_of_the_writers_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A failed append takes a new connection; when that fails too, nothing is half new."""
    store = DuckStore(threads=1)
    store.append(counted(10), 1)
    store._writer.execute("DROP TABLE appends")

    def broken(_: Connection) -> None:
        raise duckdb.Error("no room")

    with monkeypatch.context() as patch:
        patch.setattr(duck, "Loading", broken)
        with pytest.raises(StoreError):
            store.append(counted(20, 2.0), 2)
    with pytest.raises(StoreError):
        store.append(counted(30, 3.0), 2)
    assert kept(store) == [n + 1.0 for n in range(10)]
    store.close()


def test_a_file_is_held_in_bounded_memory(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry.duckdb")
    said = store._writer.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    assert said == "122.0 MiB"  # 128 million bytes
    store.close()
