"""InfluxDB on a bad day: whatever it answers, nothing is lost, doubled, or lost without a word.

The server is real; a proxy of ours before it plays the fault.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from hub.model import Batch
from hub.ports import StoreError
from hub.store import influx_reader
from hub.store.influx import InfluxStore
from hub.store.influx_sender import PIECE
from hub.store.influx_server import Address
from tests.contract.conftest import new_bucket
from tests.contract.proxy import DEAD, NEW_PATH, Answer, Asked, Fault, Proxy
from tests.contract.readings import BAD, EVER, HOUR, MINUTE, NAN, POINTS, T0, batch, rows_of
from tests.contract.servers import PATIENCE_S, influxd
from tests.ports import free_port

LATE = batch((1, T0 - 9 * HOUR, 4.5), (3, T0, 5.0), (2, T0 + 1, NAN, BAD), received_ms=T0 + HOUR)
Letters = list[tuple[str, str]]


class Bench:
    """A store at a bucket of its own behind the proxy, opened anew as often as is asked."""

    def __init__(self, proxy: Proxy, upstream: str) -> None:
        self.proxy = proxy
        self.upstream = upstream
        self.bucket = new_bucket(upstream)
        self.letters: Letters = []
        self.opened: list[InfluxStore] = []

    def open(self, timeout_s: float = 10.0, **more: Any) -> InfluxStore:
        address = Address(self.proxy.url, self.bucket, timeout_s=timeout_s, **more)
        self.opened.append(InfluxStore(POINTS, address, self.bury))
        return self.opened[-1]

    def bury(self, reason: str, line: bytes) -> None:
        self.letters.append((reason, line.decode()))

    def write(self, line: str) -> None:
        params = {"db": self.bucket, "precision": "ms"}
        httpx.post(
            f"{self.upstream}/write", params=params, content=line, timeout=PATIENCE_S
        ).raise_for_status()

    def query(self, query: str) -> Any:
        params = {"db": self.bucket, "q": query, "epoch": "ms"}
        answer = httpx.post(f"{self.upstream}/query", params=params, timeout=PATIENCE_S)
        return answer.json()["results"][0].get("series", [])


@pytest.fixture
def bench(proxy: Proxy, influx_url: str) -> Iterator[Bench]:
    made = Bench(proxy, influx_url)
    yield made
    for store in made.opened:
        store.close()


def always(status: int, text: str) -> Fault:
    return lambda asked, ask: Answer(status, text.encode())


def on_writes(status: int, text: str) -> Fault:
    return lambda asked, ask: Answer(status, text.encode()) if asked.writes else ask()


class Nth:
    """Plays a fault at the nth request from now on, and on no other."""

    def __init__(self, n: int, play: Callable[[Callable[[], Answer]], Answer]) -> None:
        self.left = n
        self.play = play
        self.played = False

    def __call__(self, asked: Asked, ask: Callable[[], Answer]) -> Answer:
        self.left -= 1
        if self.left != 0:
            return ask()
        self.played = True
        return self.play(ask)


def went_away(ask: Callable[[], Answer]) -> Answer:
    return DEAD


def kept_and_went_away(ask: Callable[[], Answer]) -> Answer:
    ask()
    return DEAD


def roll(store: InfluxStore) -> dict[str, list[Any]]:
    made = store.rollups([1, 2, 3], T0 - 24 * HOUR, T0 + 24 * HOUR)
    return {
        name: np.nan_to_num(getattr(made, name), nan=-1.0).tolist()
        for name in ("point", "start_ms", "count", "good", "sum", "last")
    }


@pytest.mark.parametrize(("play", "rewrite"), [(went_away, False), (kept_and_went_away, True)])
def test_a_line_that_goes_dead_at_any_request_loses_and_doubles_nothing(
    bench: Bench, play: Callable[..., Answer], rewrite: bool
) -> None:
    bench.proxy.rewrite = rewrite
    first = batch((1, T0 - 9 * HOUR, 1.0), (1, T0 - 9 * HOUR + 7, 2.0), (3, T0 - 1, 4.0))
    n, played = 0, True
    while played:
        n += 1
        bench.bucket = new_bucket(bench.upstream)
        bench.proxy.fault = None
        store = bench.open()
        store.append(first, 1)
        bench.proxy.fault = fault = Nth(n, play)
        with contextlib.suppress(StoreError):
            store.append(LATE, 2)
        played = fault.played
        bench.proxy.fault = None
        restarted = bench.open()
        # The cursor is written last of all, so it never promises what is not there.
        assert restarted.applied() == 1 or played is False or play is kept_and_went_away
        for again in (store, restarted)[n % 2 :]:  # both, or the one that starts anew
            again.append(LATE, 2)
            assert again.applied() == 2
            assert rows_of(again.raw([1, 2, 3], *EVER)) == [
                (1, T0 - 9 * HOUR, 4.5, 0),
                (1, T0 - 9 * HOUR + 7, 2.0, 0),
                (2, T0 + 1, None, BAD),
                (3, T0 - 1, 4.0, 0),
                (3, T0, 5.0, 0),
            ]
            assert roll(again) == {
                "point": [1, 2, 3, 3],
                "start_ms": [T0 - 9 * HOUR, T0, T0 - HOUR, T0],
                "count": [2, 1, 1, 1],
                "good": [2, 0, 1, 1],
                "sum": [6.5, 0.0, 4.0, 5.0],
                "last": [2.0, -1.0, 4.0, 5.0],
            }
    assert n > 6  # readings, roll-ups, last readings and cursor, and what they ask between
    assert bench.letters == []


def test_a_server_that_is_killed_and_comes_back_has_everything(
    binary: Callable[..., str], tmp_path: Path
) -> None:
    program, port = binary("influxd", "/usr/sbin"), free_port()
    address = Address(f"http://127.0.0.1:{port}", "campus")
    store = InfluxStore(POINTS, address)
    with pytest.raises(StoreError, match="no answer"):  # it is not up yet
        store.applied()
    with contextlib.suppress(KeyError), influxd(program, tmp_path, port) as url:
        httpx.post(
            f"{url}/query", params={"q": "CREATE DATABASE campus"}, timeout=PATIENCE_S
        ).raise_for_status()
        store.append(batch((1, T0, 1.0)), 1)
        raise KeyError  # leaves the block by SIGKILL
    with pytest.raises(StoreError, match="no answer"):
        store.append(batch((1, T0 + 1, 2.0)), 2)
    with pytest.raises(StoreError, match="no answer"):
        store.raw([1], *EVER)
    with influxd(program, tmp_path, port):
        store.append(batch((1, T0 + 1, 2.0)), 2)
        assert rows_of(store.raw([1], *EVER)) == [(1, T0, 1.0, 0), (1, T0 + 1, 2.0, 0)]
    store.close()


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (500, '{"error":"timeout"}', "timeout"),
        (503, '{"error":"engine: cache maximum memory size exceeded"}', "memory size exceeded"),
        (429, "slow down", "answered 429"),
        (401, '{"error":"unauthorized access"}', "check token_file of the store"),
        (403, '{"error":"forbidden"}', "check token_file of the store"),
        (400, "Bad Request", "does not take the hub's own lines"),
        (413, "Request Entity Too Large", "does not take the hub's own lines"),
    ],
)
@pytest.mark.parametrize("rewrite", [False, True])
def test_an_answer_that_is_not_about_a_line_buries_none(
    bench: Bench, status: int, text: str, said: str, rewrite: bool
) -> None:
    bench.proxy.rewrite = rewrite
    store = bench.open()
    store.append(batch((1, T0, 1.0)), 1)
    bench.proxy.fault = on_writes(status, text)
    with pytest.raises(StoreError, match=said):
        store.append(batch((1, T0 + 1, 2.0), (2, T0, 3.0)), 2)
    bench.proxy.fault = None
    assert store.applied() == 1
    store.append(batch((1, T0 + 1, 2.0), (2, T0, 3.0)), 2)
    assert len(store.raw([1, 2], *EVER)) == 3
    assert bench.letters == []
    assert store.refused == 0


@pytest.mark.parametrize("words", ["max-series-per-database", "max-values-per-tag"])
def test_a_server_that_takes_no_more_series_buries_none(bench: Bench, words: str) -> None:
    """It still takes the hub's cursor, whose series is there; so its words decide."""

    def full(asked: Asked, ask: Callable[[], Answer]) -> Answer:
        if asked.writes and asked.body.startswith(b"power"):
            return Answer(
                400, f'{{"error":"partial write: {words} limit exceeded (9/9) dropped=1"}}'.encode()
            )
        return ask()

    store = bench.open()
    bench.proxy.fault = full
    with pytest.raises(StoreError, match="limit exceeded"):
        store.append(batch((1, T0, 1.0), (2, T0, 3.0)), 1)
    assert bench.letters == []
    bench.proxy.fault = None
    store.append(batch((1, T0, 1.0), (2, T0, 3.0)), 1)
    assert len(store.raw([1, 2], *EVER)) == 2


def test_who_reads_does_not_wait_for_an_append(bench: Bench) -> None:
    store = bench.open()
    store.append(batch((1, T0, 1.0)), 1)
    writing, go_on = threading.Event(), threading.Event()

    def slow(asked: Asked, ask: Callable[[], Answer]) -> Answer:
        if asked.writes:
            writing.set()
            go_on.wait(30)
        return ask()

    bench.proxy.fault = slow
    append = threading.Thread(target=store.append, args=(batch((1, T0 + 1, 2.0)), 2))
    append.start()
    assert writing.wait(30)
    assert len(store.raw([1], *EVER)) == 1
    assert store.rollups([1], *EVER).count.tolist() == [1]
    go_on.set()
    append.join()
    assert len(store.raw([1], *EVER)) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (always(500, "down"), "answered 500: down"),
        (always(200, "<html>sign in</html>"), "does not answer InfluxQL"),
        (always(200, '{"results":[]}'), "does not answer InfluxQL"),
        (always(200, '{"results":[{"error":"shard is closed"}]}'), "shard is closed"),
        (always(401, '{"error":"authorization failed"}'), "check token_file"),
        (lambda asked, ask: DEAD, "no answer"),
    ],
)
def test_a_question_that_is_not_answered_is_a_store_error(
    bench: Bench, fault: Fault, said: str
) -> None:
    store = bench.open()
    store.append(batch((1, T0, 1.0)), 1)
    bench.proxy.fault = fault
    for ask in (
        lambda: store.raw([1], *EVER),
        lambda: store.rollups([1], *EVER),
        lambda: store.edges([1], T0),
        lambda: store.series([1], *EVER, HOUR, ["mean"]),
        bench.open().last,
        bench.open().applied,
    ):
        with pytest.raises(StoreError, match=said):
            ask()
    bench.proxy.fault = None
    assert len(store.raw([1], *EVER)) == 1


def test_slow_answers_end_in_time_and_are_asked_for_again(bench: Bench) -> None:
    store = bench.open(timeout_s=0.3)
    store.append(batch((1, T0, 1.0)), 1)
    go_on = threading.Event()

    def slow(asked: Asked, ask: Callable[[], Answer]) -> Answer:
        go_on.wait(30)
        return ask()

    bench.proxy.fault = slow
    with pytest.raises(StoreError, match="no answer"):
        store.append(batch((1, T0 + 1, 2.0)), 2)
    with pytest.raises(StoreError, match="no answer"):
        store.raw([1], *EVER)
    go_on.set()
    bench.proxy.fault = None
    patient = bench.open()
    patient.append(batch((1, T0 + 1, 2.0)), 2)
    assert len(patient.raw([1], *EVER)) == 2


def test_one_bad_line_loses_no_batch_where_the_server_takes_the_rest(bench: Bench) -> None:
    bench.write(f'energy,device=dorm-07/meter-3,point=3 value="words" {T0}')
    store = bench.open()
    readings = [(1, T0 + n, float(n)) for n in range(50)]
    store.append(batch(*readings, (3, T0 + 7, 1.0), (3, T0 + 8, 2.0)), 1)
    assert [row[:3] for row in rows_of(store.raw([1], *EVER))] == readings
    assert [line.partition(" ")[0] for _, line in bench.letters] == [
        "energy,device=dorm-07/meter-3,point=3"
    ] * 2
    assert all("field type conflict" in reason for reason, _ in bench.letters)
    assert store.refused == 2
    assert roll(store)["point"] == [1]
    assert rows_of(store.last()) == [(1, T0 + 49, 49.0, 0)]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("bad", [set(), {0}, {999}, {17, 18, 500}, set(range(0, 1000, 125))])
def test_one_bad_line_loses_no_batch_where_the_server_refuses_it_whole(
    bench: Bench, status: int, bad: set[int]
) -> None:
    """As 2.x does by its documentation; the bad lines are found in 2 k log2 n questions."""
    bench.proxy.rewrite = True
    marks = {f",quality=0i {T0 + n}" for n in bad}

    def whole(asked: Asked, ask: Callable[[], Answer]) -> Answer:
        lines = asked.body.decode().split("\n")
        wrong = [line for line in lines if any(line.endswith(mark) for mark in marks)]
        if asked.path == NEW_PATH and wrong:
            return Answer(status, f'{{"message":"cannot take {wrong[0]}"}}'.encode())
        return ask()

    bench.proxy.fault = whole
    store = bench.open()
    store.append(batch(*((1, T0 + n, float(n)) for n in range(1000))), 1)
    kept = {at_ms - T0 for at_ms in store.raw([1], *EVER).at_ms.tolist()}
    assert kept == set(range(1000)) - bad
    assert sorted(int(line.rpartition(" ")[2]) - T0 for _, line in bench.letters) == sorted(bad)
    assert all(line in reason for reason, line in bench.letters)
    # The readings once, the proof that the server takes lines at all, and the halves.
    asked = [write for write in bench.proxy.writes() if write.body.startswith(b"power")]
    assert len(asked) <= 1 + 2 * len(bad) * 10
    assert store.applied() == 1
    bench.opened[0].append(batch((1, T0 + 5000, 1.0)), 2)


def test_a_reading_that_was_refused_hides_no_earlier_one(bench: Bench) -> None:
    store = bench.open()
    store.append(batch((1, T0 - 48 * HOUR, 1.0)), 1)

    def refuse(asked: Asked, ask: Callable[[], Answer]) -> Answer:
        bad = b"point=1 value=2.0" in asked.body
        return Answer(400, b"cannot take it") if bad else ask()

    bench.proxy.fault = refuse
    store.append(batch((1, T0, 2.0), (2, T0, 3.0)), 2)
    assert [reason for reason, _ in bench.letters] == ["cannot take it"]
    assert rows_of(store.last()) == [(1, T0 - 48 * HOUR, 1.0, 0), (2, T0, 3.0, 0)]


def test_large_batches_go_in_pieces_and_come_back_whole(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_reader, "MOST", 2_000)
    store = bench.open()
    rows = PIECE + 1
    store.append(
        Batch(
            np.ones(rows, np.int32),
            T0 + np.arange(rows, dtype=np.int64),
            np.zeros(rows),
            np.zeros(rows, np.uint8),
            T0,
        ),
        1,
    )
    lengths = [write.body.count(b"\n") + 1 for write in bench.proxy.writes()]
    assert max(lengths) == PIECE
    assert store.rollups([1], T0, T0 + HOUR).count.tolist() == [rows]
    assert len(store.raw([1], *EVER)) == rows


def test_a_question_spans_48_hours_at_most_and_only_days_that_hold_something(bench: Bench) -> None:
    store = bench.open()
    days = [0, 1, 2, 3, 4, 200, 364]
    rows = [(number, T0 + day * 24 * HOUR, 1.0) for day in days for number in (1, 2, 3)]
    store.append(batch(*rows, received_ms=T0 + 360 * 24 * HOUR), 1)
    bench.proxy.asked.clear()
    year = (T0, T0 + 365 * 24 * HOUR)
    assert len(store.raw([1], *year)) == len(days)
    assert len(store.rollups([1, 2, 3], *year)) == 3 * len(days)
    steps = store.series([1], T0 + MINUTE, T0 + 10 * 24 * HOUR, HOUR, ["count"])[1]["count"]
    assert steps.count(1.0) == 4  # of readings: these steps are none of the roll-ups'
    assert store.edges([1], T0 + 100 * 24 * HOUR).after_ms.tolist() == [T0 + 200 * 24 * HOUR]
    spans = [
        int(found[2]) - int(found[1])
        for asked in bench.proxy.asked
        if (found := re.search(r"time >= (\d+)ms AND time < (\d+)ms", asked.params["q"]))
    ]
    assert len(spans) == len(bench.proxy.asked)  # none without both ends
    assert max(spans) <= 48 * HOUR
    assert len(spans) < 60


def test_forgetting_on_a_line_that_goes_dead_forgets_no_roll_up(bench: Bench) -> None:
    n, played = 0, True
    while played:
        n += 1
        bench.bucket = new_bucket(bench.upstream)
        bench.proxy.fault = None
        store = bench.open()
        rows = [(number, T0 - 2 * HOUR + minute * MINUTE, 2.0) for number in (1, 3)
                for minute in range(100)]  # fmt: skip
        store.append(batch(*rows), 1)
        before = roll(store)
        bench.proxy.fault = fault = Nth(n, went_away if n % 2 else kept_and_went_away)
        with contextlib.suppress(StoreError):
            store.forget([1], T0 - HOUR)
        played = fault.played
        bench.proxy.fault = None
        restarted = bench.open()
        assert roll(restarted) == before
        restarted.forget([1], T0 - HOUR)
        assert roll(restarted) == before
        assert len(restarted.raw([1], *EVER)) == 40
        restarted.append(batch((1, T0 - 2 * HOUR + 1, 5.0)), 2)
        assert restarted.rollups([1], T0 - 2 * HOUR, T0 - HOUR).sum.tolist() == [125.0]
        assert len(restarted.raw([3], *EVER)) == 100
    assert n > 4


def test_a_bucket_of_another_base_step_is_refused(bench: Bench) -> None:
    bench.open().append(batch((1, T0, 1.0)), 1)
    quarters = InfluxStore(POINTS, Address(bench.proxy.url, bench.bucket), step_ms=15 * MINUTE)
    bench.opened.append(quarters)
    with pytest.raises(StoreError, match="use another bucket"):
        quarters.applied()


def test_a_bucket_of_an_earlier_version_is_refused(bench: Bench) -> None:
    bench.write(f"campus_hub_cursor applied=7i,closed={T0}i,step={HOUR}i 0")
    with pytest.raises(StoreError, match=r"earlier version.*use another bucket"):
        bench.open().append(batch((1, T0, 1.0)), 8)


def test_a_missing_database_is_named_and_made_up_for(bench: Bench) -> None:
    bench.query(f'DROP DATABASE "{bench.bucket}"')
    store = bench.open()
    for ask in (store.applied, lambda: store.append(batch((1, T0, 1.0)), 1)):
        with pytest.raises(StoreError, match="database not found"):
            ask()
    bench.query(f'CREATE DATABASE "{bench.bucket}"')
    store.append(batch((1, T0, 1.0)), 1)
    bench.query(f'DROP DATABASE "{bench.bucket}"')  # while the hub runs
    with pytest.raises(StoreError, match="database not found"):
        store.append(batch((1, T0 + 1, 2.0)), 2)
    bench.query(f'CREATE DATABASE "{bench.bucket}"')
    store.append(batch((1, T0 + 1, 2.0)), 2)
    assert rows_of(bench.open().raw([1], *EVER)) == [(1, T0 + 1, 2.0, 0)]
    assert store.rollups([1], *EVER).count.tolist() == [1]  # what it held in memory is gone, too


def test_a_wrong_token_is_said_and_a_user_of_1x_is_let_in(
    binary: Callable[..., str], tmp_path: Path
) -> None:
    with influxd(binary("influxd", "/usr/sbin"), tmp_path, auth=True) as url:
        make = "CREATE USER hub WITH PASSWORD 'se:cret' WITH ALL PRIVILEGES"
        httpx.post(f"{url}/query", params={"q": make}, timeout=PATIENCE_S).raise_for_status()
        httpx.post(
            f"{url}/query",
            params={"q": "CREATE DATABASE a"},
            auth=("hub", "se:cret"),
            timeout=PATIENCE_S,
        ).raise_for_status()
        for token in ("", "hub:wrong", "nonsense"):
            store = InfluxStore(POINTS, Address(url, "a", token=token))
            with pytest.raises(StoreError, match=r"401.*check token_file") as caught:
                store.append(batch((1, T0, 1.0)), 1)
            assert "wrong" not in str(caught.value)
            store.close()
        store = InfluxStore(POINTS, Address(url, "a", token="hub:se:cret"))
        store.append(batch((1, T0, 1.0)), 1)
        assert len(store.raw([1], *EVER)) == 1
        store.close()


def test_a_bucket_that_forgets_needs_one_for_the_roll_ups(bench: Bench) -> None:
    lasting, bench.bucket = bench.bucket, f"{bench.bucket}days"
    bench.query(f'CREATE DATABASE "{bench.bucket}" WITH DURATION 3650d')
    with pytest.raises(StoreError, match=r"must keep what it has for ever.*rollup_bucket"):
        bench.open().append(batch((1, T0, 1.0)), 1)
    store = bench.open(rollup_bucket=lasting)
    store.append(batch((1, T0, 1.0), (1, T0 + HOUR, 2.0)), 1)
    store.append(batch((1, T0 + 2 * HOUR, 3.0), received_ms=T0 + 3 * HOUR), 2)
    before = store.rollups([1], *EVER)
    assert before.sum.tolist() == [1.0, 2.0, 3.0]
    # The server forgets its days; the roll-ups stay, and what comes late is added to them.
    bench.query('DROP MEASUREMENT "power"')
    assert len(store.raw([1], *EVER)) == 0
    assert store.rollups([1], T0, T0 + 2 * HOUR).sum.tolist() == [1.0, 2.0]
    assert store.edges([1], T0 + HOUR + MINUTE).before.tolist() == [2.0]
    late = batch((1, T0 + MINUTE, 10.0), received_ms=T0 + 3 * HOUR)
    for seq in (3, 4):  # a repeat changes nothing
        store.append(late, seq)
        assert store.rollups([1], T0, T0 + 2 * HOUR).sum.tolist() == [11.0, 2.0]
        assert store.rollups([1], T0, T0 + HOUR).count.tolist() == [2]
