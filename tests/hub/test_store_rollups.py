"""Roll-ups are right at every moment: however readings come, are cut, corrected and forgotten."""

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model import Batch, Hold, Quality, Rollups, flag
from hub.ports import StoreError
from hub.store import open_store, rollup
from hub.store.duckdb import DuckStore, opening, order
from hub.store.memory import MemoryStore
from hub.store.rollup import HOUR_MS, QUARTER_MS

T0 = 1_800_000_000_000
DAY = 24 * HOUR_MS
EVER = (-(2**53), 2**53)
BAD = flag(Quality.BAD)
POINTS = (1, 2, 1500)
NAN = float("nan")

Row = tuple[int, int, float, int]

instants = st.one_of(
    st.integers(0, 40).map(lambda n: T0 + n * 7 * 60_000),
    st.integers(0, 6).map(lambda n: T0 + n * 11 * HOUR_MS + 1),
    st.sampled_from([0, 1, T0 + 2**42, 4_294_967_295_000]),
)
values = st.one_of(
    st.integers(-3, 9).map(lambda n: n / 10),
    st.sampled_from([NAN, math.inf, -math.inf, 4_294_967_295.0, 1e300, -0.0]),
)
rows = st.tuples(st.sampled_from(POINTS), instants, values, st.sampled_from([0, 0, 0, 1, BAD, 3]))
happenings = st.lists(
    st.one_of(
        st.lists(rows, min_size=1, max_size=8),
        st.sampled_from(["crash", "compact", "look"]),
    ),
    max_size=14,
)


def always() -> bool:
    return True


def batch(said: Sequence[Row]) -> Batch:
    point, at_ms, value, quality = zip(*said, strict=True)
    return Batch.of(point, at_ms, value, quality, T0)


def rows_of(found: Rollups) -> list[dict[str, Any]]:
    columns = rollup.columns_of(found)
    return [
        {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in zip(columns, row, strict=True)
        }
        for row in zip(*(column.tolist() for column in columns.values()), strict=True)
    ]


def expected(said: Sequence[Row], step_ms: int) -> list[dict[str, Any]]:
    """Count by hand, one reading after the other."""
    kept = {(point, at_ms): (value, quality) for point, at_ms, value, quality in said}
    made: dict[tuple[int, int], dict[str, Any]] = {}
    for (point, at_ms), (value, quality) in sorted(kept.items(), key=lambda item: item[0]):
        if not rollup.EARLIEST_MS <= at_ms < rollup.LATEST_MS:
            continue
        start = at_ms - at_ms % step_ms
        row = made.setdefault(
            (point, start),
            {"point": point, "start_ms": start, "count": 0, "good": 0, "min": None, "max": None,
             "sum": 0.0, "first": None, "last": None, "first_ms": 0, "last_ms": 0,
             "coverage_ms": 0},
        )  # fmt: skip
        row["count"] += 1
        if quality & 3 > 1 or not abs(value) < 1e15 or value == 4_294_967_295:
            continue
        if not row["good"]:
            row |= {"min": value, "max": value, "first": value, "first_ms": at_ms}
        elif at_ms - row["last_ms"] <= rollup.GAP_MS:
            row["coverage_ms"] += at_ms - row["last_ms"]
        row["good"] += 1
        row["sum"] += value
        row |= {"min": min(row["min"], value), "max": max(row["max"], value)}
        row |= {"last": value, "last_ms": at_ms}
    return list(made.values())


class Rig:
    """A DuckDB store whose process may die, beside one in memory that does not."""

    def __init__(self, step_ms: int, file: Path | str = ":memory:") -> None:
        self.step_ms = step_ms
        self.store = DuckStore(file, 1, step_ms, mark_rows=11)
        self.memory = MemoryStore(step_ms)
        self.said: list[Row] = []
        self.seq = 0

    def crash(self) -> None:
        """Forget what is in memory only, as a process does that dies, and start from the tables."""
        store = self.store
        store._newest = opening.prepared(store._writer, self.step_ms)
        store._append, store._applied = opening.last_append(store._writer)

    def happens(self, what: str | list[Row]) -> None:
        if isinstance(what, list):
            self.seq += 1
            self.said += what
            self.store.append(batch(what), self.seq)
            self.memory.append(batch(what), self.seq)
        elif what == "crash":
            self.crash()
        elif what == "compact":
            self.store.compact(T0 + 3 * DAY, always)
        else:
            self.agree()

    def agree(self) -> None:
        assert self.store.applied() == self.seq
        wanted = expected(self.said, self.step_ms)
        for store in (self.store, self.memory):
            assert rows_of(store.rollups(POINTS, *EVER)) == wanted
        ours, theirs = (
            [
                (reading.point, reading.at_ms, str(reading.value), reading.quality)
                for reading in found.readings()
            ]
            for one in (self.store, self.memory)
            for found in (one.raw(POINTS, *EVER),)
        )
        assert ours == theirs
        assert str(self.store.last().readings()) == str(self.memory.last().readings())


def test_rollups_are_those_of_the_readings_kept_at_every_moment(full_scale: bool) -> None:
    @settings(max_examples=500 if full_scale else 20)
    @given(happenings, st.sampled_from([HOUR_MS, QUARTER_MS]))
    def holds(what: list[str | list[Row]], step_ms: int) -> None:
        rig = Rig(step_ms)
        for one in [*what, "look", "crash", "look"]:
            rig.happens(one)
        rig.store.close()

    holds()


def test_any_order_and_any_cut_gives_the_same_to_the_last_bit(full_scale: bool) -> None:
    said = st.dictionaries(
        st.tuples(st.sampled_from(POINTS), instants), values, min_size=1, max_size=30
    )
    given_so = given(said, st.randoms(use_true_random=False))
    settings(max_examples=300 if full_scale else 12)(given_so(same_in_any_order))()


def same_in_any_order(said: dict[tuple[int, int], float], random: Any) -> None:
    answers = []
    rows = [(*where, value, 0) for where, value in said.items()]
    for _ in range(2):
        store = DuckStore(threads=1)
        left = list(rows)
        while left:
            cut = random.randint(1, len(left))
            store.append(batch(left[:cut]), store.applied() + 1)
            left = left[cut:]
        answers.append(rows_of(store.rollups(POINTS, *EVER)))
        store.close()
        random.shuffle(rows)
    assert answers[0] == answers[1]


def steady(days: int, points: Sequence[int] = (1, 2), start: int = T0 - T0 % DAY) -> Batch:
    """Return a reading every 10 min of counters that use 1 a reading."""
    count = days * 144
    at_ms = start + np.arange(count, dtype=np.int64) * 600_000
    return Batch(
        np.repeat(np.asarray(points, np.int32), count),
        np.tile(at_ms, len(points)),
        np.tile(np.arange(count, dtype=np.float64), len(points)),
        np.zeros(count * len(points), np.uint8),
        T0,
    )


@pytest.mark.parametrize("kind", ["memory", "duckdb"])
def test_what_is_forgotten_stays_in_the_rollups_and_what_is_held_stays_raw(
    kind: Any, tmp_path: Path
) -> None:
    store = open_store(kind, tmp_path / "telemetry")
    begin = T0 - T0 % DAY
    store.append(steady(5), 1)
    before = rows_of(store.rollups([1, 2], *EVER))
    hold = Hold(frozenset([2]), begin + DAY + 30 * 60_000, begin + 2 * DAY)
    assert store.forget([1, 2], begin + 3 * DAY + 5, [hold]) == 3 * 144 + 2 * 144
    assert len(store.raw([1], *EVER)) == 2 * 144
    assert store.raw([2], begin, begin + 3 * DAY).at_ms.tolist() == list(
        range(begin + DAY, hold.end_ms, 600_000)
    )
    assert rows_of(store.rollups([1, 2], *EVER)) == before
    # What comes for a time that is forgotten is added to what was known of it.
    store.append(batch([(1, begin + 61_000, 500.0, 0), (2, begin + 4 * DAY, 7.0, 0)]), 2)
    touched = rows_of(store.rollups([1, 2], *EVER))
    assert touched[0] | before[0] == before[0] | {"point": 1}
    assert (touched[0]["count"], touched[0]["max"], touched[0]["first"]) == (7, 500.0, 0.0)
    assert touched[1:120] == before[1:120]
    assert sum(row["count"] for row in touched) == 2 * 5 * 144 + 1
    store.close()


def test_a_crash_after_late_readings_for_a_forgotten_time_counts_them_once() -> None:
    rig = Rig(HOUR_MS)
    begin = T0 - T0 % DAY
    rig.store.append(steady(1, [1]), 1)
    rig.store.forget([1], begin + 2 * DAY)
    for seq in (2, 3):
        late = [(1, begin + DAY - 120_000 + seq, 9.0, 0), (1, begin + seq, 8.0, 0)]
        rig.store.append(batch(late), seq)
        known = rows_of(rig.store.rollups([1], *EVER))
        rig.crash()
        assert rows_of(rig.store.rollups([1], *EVER)) == known
    assert sum(row["count"] for row in known) == 144 + 4
    rig.store.close()


def test_closed_days_lie_in_order_and_nothing_else_has_changed(tmp_path: Path) -> None:
    store = DuckStore(tmp_path / "telemetry", 1)
    whole = steady(40, range(1, 9))
    order = np.argsort(whole.at_ms, kind="stable")
    for n, part in enumerate(np.array_split(order, 50), 1):
        store.append(whole.taken(part), n)
    before = rows_of(store.rollups(range(1, 9), *EVER)), store.raw(range(1, 9), *EVER).readings()
    end = int(whole.at_ms.max()) - DAY
    moved = store.compact(end, always)
    assert moved > 38 * 144 * 8
    assert store.compact(end, always) == 0
    after = rows_of(store.rollups(range(1, 9), *EVER)), store.raw(range(1, 9), *EVER).readings()
    assert after == before
    lying = store._writer.execute(
        "SELECT point, at_ms FROM readings WHERE at_ms < ? ORDER BY rowid", [end // DAY * DAY]
    ).fetchall()
    assert [(at_ms // DAY, point, at_ms) for point, at_ms in lying] == sorted(
        (at_ms // DAY, point, at_ms) for point, at_ms in lying
    )
    store.close()


def test_a_long_series_from_rollups_equals_the_one_from_readings() -> None:
    store, slow = DuckStore(threads=1), MemoryStore(2**40)  # a base step that serves no series
    for each in (store, slow):
        each.append(steady(3), 1)
    begin = T0 - T0 % DAY
    for end in (begin + 3 * DAY, begin + 2 * DAY + 12_345_678):
        asked = [1, 2], begin, end, 6 * HOUR_MS, ["count", "min", "max", "mean", "first", "last"]
        assert store.series(*asked) == slow.series(*asked)
    store.close()


def test_zones_that_are_no_whole_hours_from_utc_have_quarters() -> None:
    for zone, step in (("Asia/Shanghai", HOUR_MS), ("Europe/Berlin", HOUR_MS),
                       ("Asia/Kolkata", QUARTER_MS), ("Asia/Kathmandu", QUARTER_MS),
                       ("Australia/Lord_Howe", QUARTER_MS)):  # fmt: skip
        assert rollup.base_step(ZoneInfo(zone)) == step


def test_a_file_keeps_the_step_it_was_made_with(tmp_path: Path) -> None:
    DuckStore(tmp_path / "telemetry", 1, QUARTER_MS).close()
    store = DuckStore(tmp_path / "telemetry", 1, HOUR_MS)
    assert store.step_ms == QUARTER_MS
    store.close()


def test_while_days_are_put_in_order_appends_go_on_and_readers_see_everything_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "SLICE_ROWS", 300)  # many slices of little
    store = DuckStore(tmp_path / "telemetry", 1)
    days, points = 4, range(1, 5)
    whole = steady(days, points)
    by_time = np.argsort(whole.at_ms, kind="stable")
    store.append(whole.taken(by_time[: len(by_time) * 3 // 4]), 1)
    rest = np.array_split(by_time[len(by_time) * 3 // 4 :], 40)
    wrong: list[object] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            raw, rows = store.raw(points, *EVER), store.rollups(points, *EVER)
            rows_then = store.raw(points, *EVER)
            if len(np.unique(raw.at_ms * 8 + raw.point)) != len(raw):
                wrong.append("a reading twice")
            if not len(raw) <= int(rows.count.sum()) <= len(rows_then):
                wrong.append((len(raw), int(rows.count.sum()), len(rows_then)))

    def append() -> None:
        for n, part in enumerate(rest, 2):
            store.append(whole.taken(part), n)

    with ThreadPoolExecutor(3) as threads:
        looking = [threads.submit(look), threads.submit(look)]
        appending = threads.submit(append)
        moved = store.compact(T0 + 10 * DAY, always)
        appending.result(60)
        ended.set()
        for one in looking:
            one.result(60)
    assert wrong == []
    assert moved >= len(by_time) * 3 // 4
    assert store.raw(points, *EVER).readings() == whole.readings()
    assert int(store.rollups(points, *EVER).count.sum()) == len(whole)
    store.close()


def test_a_file_of_before_there_were_rollups_is_brought_up_to_date(tmp_path: Path) -> None:
    whole = steady(3)
    with duckdb.connect(str(tmp_path / "telemetry")) as old:
        old.execute(
            "CREATE TABLE readings (point INTEGER, at_ms BIGINT, value DOUBLE, quality UTINYINT,"
            " received_ms BIGINT); CREATE TABLE cursor (applied BIGINT);"
            "INSERT INTO cursor VALUES (7)"
        )
        old.register("said", {"point": whole.point, "at_ms": whole.at_ms, "value": whole.value})
        old.execute("INSERT INTO readings SELECT point, at_ms, value, 0, 0 FROM said")
    memory = MemoryStore()
    memory.append(whole, 7)
    for _ in range(2):
        store = DuckStore(tmp_path / "telemetry", 1)
        assert store.applied() == 7
        assert rows_of(store.rollups([1, 2], *EVER)) == rows_of(memory.rollups([1, 2], *EVER))
        assert store.raw([1, 2], *EVER).readings() == whole.readings()
        store.close()


def test_an_append_that_fails_leaves_the_rollups_as_they_were() -> None:
    store = DuckStore(threads=1)
    store.append(steady(1), 1)
    before = rows_of(store.rollups([1, 2], *EVER))
    store._writer.execute("DROP TABLE appends")
    late = [(1, T0 - T0 % DAY + 5, 900.0, 0), (1, T0 + 2 * DAY, 3.0, 0)]
    with pytest.raises(StoreError, match="2 readings not kept"):
        store.append(batch(late), 2)
    assert rows_of(store.rollups([1, 2], *EVER)) == before
    store.close()
