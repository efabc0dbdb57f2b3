"""The live table: the last reading of every point, whatever the order they came in."""

import itertools

import numpy as np

from hub.live import Live, Snapshot
from hub.model import Batch, Quality, Reason, flag

NAN = float("nan")


def batch(*rows: tuple[int, int, float], received: int = 9) -> Batch:
    point, at_ms, value = zip(*rows, strict=True)
    return Batch.of(point, at_ms, value, [0] * len(rows), received)


def rows_of(known: Snapshot) -> list[tuple[int, int, float, int, int]]:
    columns = (known.point, known.at_ms, known.value, known.quality, known.received_ms)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_knows_nothing_of_a_point_never_read() -> None:
    live = Live(10)
    live.update(batch((3, 5, 1.0)))
    assert live.value(4) is None
    assert live.value(4000) is None
    assert live.value(-1) is None
    assert live.value(3) == (5, 1.0, 0, 9)


def test_the_newest_instant_wins_in_any_order_and_any_cut() -> None:
    rows = [(1, 10, 1.0), (1, 30, 3.0), (1, 20, 2.0), (2, 10, 7.0)]
    for order in itertools.permutations(rows):
        for cut in range(len(rows) + 1):
            live = Live(0)
            for part in (order[:cut], order[cut:]):
                if part:
                    live.update(batch(*part))
            assert rows_of(live.snapshot()) == [(1, 30, 3.0, 0, 9), (2, 10, 7.0, 0, 9)]


def test_a_snapshot_is_of_all_or_of_some_points_in_their_order() -> None:
    live = Live(5)
    live.update(batch((1, 10, 1.0), (4, 20, 2.0)))
    live.update(batch((3, 30, 3.0), received=31))
    assert rows_of(live.snapshot()) == [(1, 10, 1.0, 0, 9), (3, 30, 3.0, 0, 31), (4, 20, 2.0, 0, 9)]
    some = live.snapshot(np.array([4, -1, 2, 3, 9000], np.int32))
    assert rows_of(some) == [(4, 20, 2.0, 0, 9), (3, 30, 3.0, 0, 31)]
    assert len(some) == 2


def test_a_snapshot_stays_as_it_was() -> None:
    live = Live(5)
    live.update(batch((1, 10, 1.0)))
    then = live.snapshot(), live.snapshot(np.array([1], np.int32))
    live.update(batch((1, 20, 2.0), (2, 20, 2.0), received=21))
    for one in then:
        assert rows_of(one) == [(1, 10, 1.0, 0, 9)]


def test_of_one_instant_the_last_said_wins() -> None:
    live = Live(5)
    live.update(batch((1, 10, 1.0), (1, 10, 2.0)))
    assert live.value(1) == (10, 2.0, 0, 9)
    live.update(batch((1, 10, 3.0), received=11))
    assert live.value(1) == (10, 3.0, 0, 11)


def test_says_what_changed_since_a_version() -> None:
    live = Live(5)
    live.update(batch((1, 10, 1.0), (2, 10, 1.0)))
    before = live.version
    live.update(batch((2, 20, 1.0), (1, 5, 0.0)))
    every = np.array([3, 2, 1], np.int32)
    assert live.changed_since(before, every).tolist() == [2]
    assert live.changed_since(0, every).tolist() == [2, 1]
    assert live.changed_since(before, every[2:]).tolist() == []
    assert live.changed_since(live.version, every).tolist() == []


def test_repeats_are_equal_in_point_time_value_and_quality() -> None:
    live = Live(5)
    live.update(Batch.of([1, 2], [10, 10], [1.5, NAN], [0, 10], 9))
    again = Batch.of(
        [1, 2, 1, 1, 1, 3, 900],
        [10, 10, 11, 10, 10, 10, 10],
        [1.5, NAN, 1.5, 1.6, 1.5, 1.5, 1.5],
        [0, 10, 0, 0, flag(Quality.UNCERTAIN, Reason.RECEIPT_TIME), 0, 0],
        12,
    )
    assert live.repeats(again).tolist() == [True, True, False, False, False, False, False]


def test_an_empty_batch_changes_nothing() -> None:
    live = Live(5)
    live.restore(Batch.of([], [], [], [], 0))
    assert live.version == 0
