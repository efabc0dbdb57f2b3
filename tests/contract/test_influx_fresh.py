"""What the Influx store holds in memory costs no question, and is never taken for more than it is.

The stores are opened anew without closing them first, as after a kill; the server is real.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from hub.model import Batch
from hub.store import rollup
from hub.store.influx import InfluxStore
from hub.store.influx_fresh import AHEAD_MS, Fresh
from hub.store.influx_server import Address
from tests.contract.proxy import Proxy
from tests.contract.readings import BAD, HOUR, MINUTE, POINTS, T0, batch, rows_of

SPAN = (T0 - 9 * HOUR, T0 + 9 * HOUR)


@pytest.fixture
def opened(proxy: Proxy, influx_bucket: str) -> Iterator[Callable[[], InfluxStore]]:
    with ExitStack() as stack:

        def open_one() -> InfluxStore:
            store = InfluxStore(POINTS, Address(proxy.url, influx_bucket))
            stack.callback(store.close)
            return store

        yield open_one


def asked_of(proxy: Proxy, word: str) -> list[str]:
    return [asked.params["q"] for asked in proxy.asked if word in asked.params.get("q", "")]


def counts(store: InfluxStore, number: int = 1) -> list[int]:
    found: list[int] = store.rollups([number], *SPAN).count.tolist()
    return found


def test_hours_that_were_heard_whole_are_closed_without_a_question(
    opened: Callable[[], InfluxStore], proxy: Proxy
) -> None:
    store = opened()
    for n in range(26):
        said = ((number, T0 + n * 5 * MINUTE, float(n)) for number in POINTS)
        store.append(batch(*said, received_ms=T0 + n * 5 * MINUTE), n + 1)
    assert store.last().at_ms.tolist() == [T0 + 25 * 5 * MINUTE] * len(POINTS)
    assert asked_of(proxy, "quality") == []
    assert counts(store) == [12, 12, 2]
    assert asked_of(proxy, "quality") == []
    assert rollup.columns_of(store.rollups([*POINTS], *SPAN))["sum"].tolist() == [
        sum(range(12)), sum(range(12, 24)), 24.0 + 25.0
    ] * len(POINTS)  # fmt: skip


def test_an_hour_of_which_a_part_was_heard_before_is_asked_for(
    opened: Callable[[], InfluxStore], proxy: Proxy
) -> None:
    opened().append(batch((1, T0 + MINUTE, 1.0), (2, T0 - MINUTE, 1.0)), 1)
    store = opened()
    store.append(batch((1, T0 + 2 * MINUTE, 2.0), (2, T0 + MINUTE, 5.0)), 2)
    assert counts(store) == [2]
    assert counts(store, 2) == [1, 1]
    store.append(batch((1, T0 + 61 * MINUTE, 3.0), received_ms=T0 + 70 * MINUTE), 3)
    assert counts(store) == [2, 1]
    proxy.asked.clear()
    store.append(batch((1, T0 + 62 * MINUTE, 3.0), received_ms=T0 + 140 * MINUTE), 4)
    assert asked_of(proxy, "quality") == []  # the next one began here
    assert counts(store) == [2, 2]


def test_a_late_reading_of_an_open_hour_counts(opened: Callable[[], InfluxStore]) -> None:
    store = opened()
    store.append(batch((1, T0 + MINUTE, 1.0), (1, T0 + 30 * MINUTE, 3.0)), 1)
    store.append(batch((1, T0 + 7 * MINUTE, 2.0)), 2)
    assert counts(store) == [3]
    store.append(batch((1, T0 + 30 * MINUTE, 5.0)), 3)  # the newest one corrected
    assert store.rollups([1], *SPAN).sum.tolist() == [8.0]
    store.append(batch((1, T0 + 61 * MINUTE, 1.0), received_ms=T0 + 70 * MINUTE), 4)
    assert store.rollups([1], *SPAN).sum.tolist() == [8.0, 1.0]


def test_hours_that_open_again_are_asked_for(opened: Callable[[], InfluxStore]) -> None:
    store = opened()
    store.append(batch((1, T0 + MINUTE, 1.0)), 1)
    store.append(batch((1, T0 + 61 * MINUTE, 2.0), received_ms=T0 + 9 * HOUR), 2)
    store.append(batch((1, T0 + 62 * MINUTE, 3.0), received_ms=T0 + 62 * MINUTE), 3)
    assert counts(store) == [1, 2]


def test_last_readings_are_known_after_a_stop_and_after_a_kill(
    opened: Callable[[], InfluxStore], proxy: Proxy, influx_bucket: str
) -> None:
    first = opened()
    first.append(batch((1, T0, 1.0), (2, T0, 2.0), (77, T0, 7.0), (3, T0 - 9 * HOUR, 3.0)), 1)
    first.append(batch((1, T0 + 1, 4.0), (2, T0, 8.0, BAD), (3, T0 - 10 * HOUR, 5.0)), 2)
    expected = [
        (1, T0 + 1, 4.0, 0),
        (2, T0, 8.0, BAD),
        (3, T0 - 9 * HOUR, 3.0, 0),
        (77, T0, 7.0, 0),
    ]
    assert rows_of(first.last()) == expected
    killed = opened()
    assert rows_of(killed.last()) == expected
    assert asked_of(proxy, "LIMIT 1")
    stopped = InfluxStore(POINTS, Address(proxy.url, influx_bucket))
    stopped.append(batch((1, T0 + 1, 4.0)), 3)
    stopped.close()
    proxy.asked.clear()
    assert rows_of(opened().last()) == expected
    assert asked_of(proxy, "LIMIT 1") == []  # they were written down


def test_what_is_said_again_leaves_an_hour_whole_and_what_differs_does_not() -> None:
    fresh = Fresh(HOUR, T0, batch((2, T0 - HOUR, 1.0)))
    for _ in range(2):
        fresh.hear(batch((1, T0, 1.0), (2, T0, float("nan"), BAD)))
    assert fresh.since_closed([1, 2, 99, -1], *SPAN)[2] == []
    assert fresh.since_closed([1, 2], *SPAN)[1].count.tolist() == [1, 1]
    fresh.hear(batch((1, T0, 1.5)))
    assert fresh.since_closed([1, 2], *SPAN)[2] == [1]


def test_a_clock_that_is_far_ahead_fills_no_memory() -> None:
    fresh = Fresh(HOUR, T0, Batch.of([], [], [], [], 0))
    for hours in range(0, 9000, 3):
        fresh.hear(batch((1, T0 + hours * HOUR, 1.0)))
    ever = (T0, rollup.LATEST_MS)
    assert len(fresh.of_step(T0)[0]) == 0
    assert fresh.since_closed([1], *ever)[2] == [1]
    fresh.hear(batch((2, T0, 1.0), (2, T0 + 3 * HOUR, 1.0)))
    held = fresh.since_closed([1, 2], *ever)[1]
    assert held.point.tolist() == [2, 2]
    assert len(fresh._passed) <= 1 + AHEAD_MS // (3 * HOUR)


def test_the_earliest_newest_instant_is_what_a_kill_costs() -> None:
    fresh = Fresh(HOUR, T0, batch((1, T0 + 5, 1.0)))
    assert fresh.hear(batch((1, T0 + 4, 1.0))) == rollup.LATEST_MS
    assert fresh.hear(batch((1, T0 + 5, 2.0), (2, T0 + 9, 1.0))) == T0 + 5
    assert fresh.hear(batch((2, 5 * MINUTE, 1.0), (2, T0 + 10, 1.0))) == T0 + 10
    assert np.array_equal(fresh.last().at_ms, [T0 + 5, T0 + 10])
