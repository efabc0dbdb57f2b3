"""The journal: what is said to be kept is kept, in order, and damage is never guessed away."""

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hub.clock import RealClock
from hub.journal import Journal, open_connection
from hub.model import Batch, Entry, EntryKind, Quality, Reason, flag
from hub.ports import StartError, StoreError

ROOT = Path(__file__).parents[2]
BAD = flag(Quality.BAD, Reason.INVALID_MARKER)


def readings(n: int, rows: int = 3) -> Entry:
    return Entry(
        EntryKind.READINGS,
        1000 * n,
        Batch.of(range(rows), [1000 * n] * rows, [n + k / 8 for k in range(rows)], [0] * rows, n),
    )


def tick(n: int) -> Entry:
    return Entry(EntryKind.TICK, 1000 * n)


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal(open_connection(":memory:"))
    yield opened
    opened.close()


def test_reads_back_every_kind_as_it_was(journal: Journal) -> None:
    batch = Batch.of([7, 8], [5, -6], [1.5, float("nan")], [0, BAD], 99)
    action = {"kind": "fix", "ticket": "20261121-3f9a2c", "note": "换了加热管"}
    last = journal.append(
        [Entry(EntryKind.READINGS, 5, batch), Entry(EntryKind.ACTION, 6, content=action), tick(7)]
    )
    (_, first), (_, second), (seq, third) = journal.read(0)
    assert last == seq == journal.last() == 3
    assert first.batch is not None
    for column in ("point", "at_ms", "value", "quality"):
        kept, given = getattr(first.batch, column), getattr(batch, column)
        assert kept.dtype == given.dtype
        np.testing.assert_array_equal(kept, given)
    assert first.batch.received_ms == 99
    assert (second.kind, second.at_ms, second.content) == (EntryKind.ACTION, 6, action)
    assert (third.kind, third.at_ms, dict(third.content)) == (EntryKind.TICK, 7000, {})


def test_every_commit_is_synced(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "journal")
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_sequence_goes_on_after_a_restart(tmp_path: Path) -> None:
    for start in (0, 2, 4):
        journal = Journal(open_connection(tmp_path / "journal"))
        assert journal.last() == start
        assert journal.append([readings(1), tick(1)]) == start + 2
        assert [seq for seq, _ in journal.read(start)] == [start + 1, start + 2]
        journal.close()


def test_no_sequence_is_given_twice_when_everything_old_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    journal.append([tick(n) for n in range(5)])
    assert journal.prune(before_ms=10**12, passed_seq=5) == 4
    journal.close()
    journal = Journal(open_connection(tmp_path / "journal"))
    assert journal.append([tick(9)]) == 6
    journal.close()


def test_goes_on_above_a_consumer_that_is_further(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.begin_after(500)
    journal.begin_after(3)
    assert journal.append([tick(1)]) == 501
    assert "journal is older than its consumers" in caplog.text


def test_forgets_only_what_is_old_and_passed(journal: Journal) -> None:
    journal.append([tick(n) for n in range(1, 11)])
    assert journal.prune(before_ms=4000, passed_seq=9) == 3
    assert journal.prune(before_ms=10**12, passed_seq=5) == 2
    assert [seq for seq, _ in journal.read(0)] == [6, 7, 8, 9, 10]


def test_room_is_made_of_the_oldest_that_all_have_passed_and_never_of_the_newest(
    journal: Journal,
) -> None:
    for n in range(1, 41):
        journal.append([readings(n, rows=1000)])
    half = journal.size // 2
    assert journal.make_room(half, passed_seq=0) == 0
    assert journal.make_room(half, passed_seq=30) == 30
    assert journal.size <= half
    assert [seq for seq, _ in journal.read(0)] == list(range(31, 41))
    journal.make_room(0, passed_seq=10**9)
    assert [seq for seq, _ in journal.read(0)] == [40]


def test_the_configuration_in_force_outlives_its_age(journal: Journal) -> None:
    journal.append([Entry(EntryKind.CONFIGURATION, 1, content={"hash": "a"}), tick(2)])
    journal.append([Entry(EntryKind.CONFIGURATION, 3, content={"hash": "b"}), tick(4), tick(5)])
    assert journal.configuration(2) == {"hash": "a"}
    journal.prune(before_ms=10**12, passed_seq=4)
    assert [seq for seq, _ in journal.read(0)] == [3, 5]
    assert journal.configuration(5) == {"hash": "b"}
    assert journal.configuration(2) is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE journal SET body = zeroblob(length(body)) WHERE seq BETWEEN 2 AND 4",
        "UPDATE journal SET crc = crc + 1 WHERE seq BETWEEN 2 AND 4",
        "UPDATE journal SET kind = 99 WHERE seq BETWEEN 2 AND 4",
    ],
)
def test_damaged_entries_are_counted_said_and_skipped(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_connection(tmp_path / "journal")
    journal = Journal(connection)
    journal.append([readings(n) for n in range(1, 7)])
    connection.execute(damage)
    assert [seq for seq, _ in journal.read(0)] == [1, 5, 6]
    assert journal.damaged == {2, 3, 4}
    assert "journal entry damaged, skipped: 2: " in caplog.text
    # A piece of the journal that is damaged as a whole must not look like its end.
    assert [seq for seq, _ in journal.read(1, limit=2)] == [5]
    assert caplog.text.count("skipped: 2: ") == 1
    journal.close()


def test_a_body_of_no_whole_readings_is_damage(journal: Journal) -> None:
    journal.append([readings(1)])
    whole = journal._connection.execute("SELECT body FROM journal").fetchone()[0]
    cut = whole[:-1]
    journal._connection.execute("UPDATE journal SET body = ?, crc = ?", (cut, zlib.crc32(cut)))
    assert journal.read(0) == []
    assert journal.damaged == {1}


def test_a_torn_tail_leaves_whole_entries_in_order(tmp_path: Path) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    for n in range(40):
        journal.append([readings(n, rows=50), tick(n)])
    wal = (tmp_path / "journal-wal").read_bytes()
    cuts = RealClock().random("cuts").sample(range(1, len(wal)), 12)
    for cut in sorted(cuts):
        torn = tmp_path / f"torn-{cut}"
        shutil.copy(tmp_path / "journal", torn)
        Path(f"{torn}-wal").write_bytes(wal[:cut])
        after = Journal(open_connection(torn))
        kept = after.read(0)
        assert [seq for seq, _ in kept] == list(range(1, after.last() + 1))
        assert after.last() % 2 == 0, "half a transaction"
        assert not after.damaged
        assert after.append([tick(99)]) == len(kept) + 1
        after.close()
    journal.close()


def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    connection = open_connection(tmp_path / "journal")
    journal = Journal(connection)
    journal.append([tick(1)])
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="2 entries not kept: database or disk is full"):
        journal.append([tick(2), readings(2, rows=5000)])
    assert journal.last() == len(journal.read(0)) == 1
    connection.execute("PRAGMA max_page_count = 100000")
    assert journal.append([readings(2, rows=5000)]) == 2
    journal.close()


def test_a_second_writer_is_an_error_and_leaves_no_transaction_open(tmp_path: Path) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    intruder = Journal(open_connection(tmp_path / "journal"))
    intruder.append([tick(1)])
    with pytest.raises(StoreError, match="1 entries not kept: UNIQUE"):
        journal.append([tick(2)])
    assert intruder.append([tick(3)]) == 2
    journal.close()
    intruder.close()


def test_a_piece_to_read_is_bounded_in_bytes(journal: Journal) -> None:
    for n in range(10):
        journal.append([readings(n, rows=100_000)])
    assert len(journal.read(0)) == 4  # 2.1 MB each
    assert len(journal.read(8)) == 2


def test_what_is_no_journal_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else entirely" * 100)
    with pytest.raises(StartError, match=r"journal.*cannot be opened.*move a damaged file aside"):
        open_connection(tmp_path / "journal")
    with pytest.raises(StartError, match="check that the folder is writable"):
        open_connection(tmp_path / "missing" / "journal")


def test_check_finds_a_damaged_file(tmp_path: Path) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    for n in range(50):
        journal.append([readings(n, rows=1000)])
    assert journal.check() is None
    journal.close()
    content = bytearray((tmp_path / "journal").read_bytes())
    content[2 * 4096 : 2 * 4096 + 512] = bytes(range(256)) * 2
    (tmp_path / "journal").write_bytes(content)
    damaged = Journal(open_connection(tmp_path / "journal"))
    assert damaged.check()
    damaged.close()


def test_a_damaged_page_costs_its_own_entries_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    for n in range(1, 201):
        journal.append([readings(n, rows=20)])
    journal.close()
    content = bytearray((tmp_path / "journal").read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(range(256)) * 16
    (tmp_path / "journal").write_bytes(content)
    damaged = Journal(open_connection(tmp_path / "journal"))
    found: list[int] = []
    after = 0
    while entries := damaged.read(after, limit=50):
        found += [seq for seq, _ in entries]
        after = entries[-1][0]
    assert sorted(set(found) | damaged.damaged) == list(range(1, 201))
    assert found == sorted(found)
    assert 0 < len(damaged.damaged) < 40
    assert "journal file damaged" in caplog.text
    damaged.close()


CHILD = """
import sys
from hub.journal import Journal, open_connection
from hub.model import Batch, Entry, EntryKind
journal = Journal(open_connection(sys.argv[1]))
while True:
    n = journal.last() + 1
    rows = 1 + n % 40
    batch = Batch.of(range(rows), range(n, n + rows), [n + k / 8 for k in range(rows)],
        [0] * rows, n)
    sys.stdout.write(f"{journal.append([Entry(EntryKind.READINGS, n, batch)])}\\n")
    sys.stdout.flush()
"""


def test_no_acknowledged_entry_is_lost_when_the_process_is_killed(
    tmp_path: Path, full_scale: bool
) -> None:
    acknowledged = 0
    random = RealClock().random("kill")
    for _ in range(20 if full_scale else 4):
        with subprocess.Popen(
            [sys.executable, "-c", CHILD, tmp_path / "journal"], stdout=subprocess.PIPE, cwd=ROOT
        ) as child:
            assert child.stdout is not None
            for _ in range(random.randint(1, 400)):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            for line in child.stdout:  # acknowledged before the kill, read after it
                acknowledged = int(line) if line.endswith(b"\n") else acknowledged
        journal = Journal(open_connection(tmp_path / "journal"))
        assert journal.last() >= acknowledged
        expect_every_reading(journal)
        journal.close()


def expect_every_reading(journal: Journal) -> None:
    seq = 0
    while entries := journal.read(seq):
        for seq, entry in entries:
            rows = 1 + seq % 40
            assert entry.batch is not None
            assert entry.batch.point.tolist() == list(range(rows))
            assert entry.batch.at_ms.tolist() == list(range(seq, seq + rows))
            assert entry.batch.value.tolist() == [seq + k / 8 for k in range(rows)]
    assert seq == journal.last()
    assert not journal.damaged


def test_with_a_connection_to_read_by_an_append_and_a_reader_never_wait_for_each_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal"
    journal = Journal(open_connection(path), open_connection(path))
    journal.append([readings(1), tick(2)])
    with journal._lock, ThreadPoolExecutor(1) as pool:  # an append stands still
        assert [seq for seq, _ in pool.submit(journal.read, 0).result(5)] == [1, 2]
    with journal._reading, ThreadPoolExecutor(1) as pool:  # a reader stands still
        assert pool.submit(journal.append, [tick(3)]).result(5) == 3
    assert [seq for seq, _ in journal.read(2)] == [3]
    journal.close()


def test_threads_share_a_journal(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(journal.append, [readings(n), tick(n)]) for n in range(200)]
        reads = [pool.submit(journal.read, n) for n in range(200)]
        assert sorted(write.result() for write in writes) == list(range(2, 401, 2))
        assert all(read.result() is not None for read in reads)
    assert isinstance(journal._connection, sqlite3.Connection)
    assert [seq for seq, _ in journal.read(0)] == list(range(1, 401))
    assert not journal.damaged
