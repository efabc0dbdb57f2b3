"""Room for the journal: its limit, the reserve on the disk, and when there will be none."""

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.journal import Journal, Retention, Room, Shedding, open_connection
from hub.journal import retention as retention_module
from hub.journal.journal import Space
from hub.journal.outlook import seconds_left
from hub.model import Batch, Entry, EntryKind

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
MB = 1_000_000


def readings(at_ms: int, rows: int = 1000) -> Entry:
    batch = Batch.of(range(rows), [at_ms] * rows, [1.0] * rows, [0] * rows, at_ms)
    return Entry(EntryKind.READINGS, at_ms, batch)


class Disk:
    """A disk of which one file can be seen: the reserve."""

    def __init__(self, folder: Path, free: int) -> None:
        self.folder = folder
        self.others = free

    def free(self, folder: Path) -> int:
        reserve = folder / "reserve"
        return self.others - (reserve.stat().st_size if reserve.exists() else 0)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path, 20 * MB)


def room_of(disk: Disk) -> Room:
    return Room(disk.folder, MB, disk.free)


def test_a_reserve_is_held_given_up_and_taken_again(disk: Disk, tmp_path: Path) -> None:
    reserve = tmp_path / "reserve"
    room = room_of(disk)
    assert reserve.stat().st_blocks * 512 >= MB, "a hole in a file reserves nothing"
    disk.others = MB + MB // 10
    room.look()
    assert room.full
    assert not reserve.exists()
    assert not room.may_try(), "the room of the reserve itself was taken for new room"
    assert room.full
    disk.others = 2 * MB
    assert room.may_try()
    assert reserve.exists()
    room.over()
    assert not room.full
    room.close()
    assert not reserve.exists(), "a hub that stands still keeps room from others"


def test_a_reserve_that_could_not_be_taken_is_taken_when_there_is_room(
    disk: Disk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "reserve").mkdir()
    room = room_of(disk)
    assert "no room for a reserve" in caplog.text
    (tmp_path / "reserve").rmdir()
    room.look()
    assert not room.full
    assert (tmp_path / "reserve").stat().st_size == MB


def test_without_a_disk_there_is_always_room_to_try() -> None:
    room = Room()
    room.look()
    room.give_up("no reason")
    assert room.full
    assert room.may_try()


class Bench:
    """A journal under retention, in virtual time."""

    def __init__(self, journal: Path | str, disk: Disk, limit: int) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START_MS, 1)
        self.journal = Journal(open_connection(journal), limit=limit)
        self.room = room_of(disk)
        self.shedding = Shedding({0: "counter"})
        self.passed = 0
        self.told: list[dict[str, str]] = []
        self.retention = Retention(
            self.journal, self.room, self.shedding, self.clock, 6 * HOUR_MS,
            lambda: self.passed, lambda entry: self.told.append(dict(entry.content)),
        )  # fmt: skip

    def look_after(self, hours: float) -> None:
        """Look every five minutes, and append something for the notes to go with."""
        for _ in range(round(hours * 12)):
            self.loop.run_until_complete(asyncio.sleep(300))
            self.retention.look()
            self.retention.tell()
            self.journal.append([Entry(EntryKind.TICK, self.clock.now_ms())])


@pytest.fixture
def bench(disk: Disk) -> Iterator[Bench]:
    made = Bench(":memory:", disk, 2 * MB)
    yield made
    made.journal.close()
    made.loop.close()


def test_entries_stay_for_their_time_also_when_all_have_passed_them(bench: Bench) -> None:
    bench.journal.append([readings(bench.clock.now_ms())])
    bench.passed = 10**9
    bench.look_after(5.9)
    assert bench.journal.read(0)[0][0] == 1
    bench.look_after(2)
    assert bench.journal.read(0)[0][0] > 1


def test_entries_stay_beyond_their_time_until_all_have_passed_them(bench: Bench) -> None:
    bench.journal.append([readings(bench.clock.now_ms())])
    bench.look_after(24)
    assert bench.journal.read(0)[0][0] == 1


def test_near_its_limit_the_journal_forgets_what_all_have_passed_before_anything_is_shed(
    bench: Bench,
) -> None:
    while bench.journal.fill < 0.95:
        bench.journal.append([readings(bench.clock.now_ms())])
    bench.passed = bench.journal.last()
    bench.look_after(0.1)
    assert bench.journal.fill <= retention_module.ROOM_FROM
    assert [told["state"] for told in bench.told] == ["online", "online"], "shed, or warned of"
    assert bench.journal.append([readings(1)]) > bench.passed, "a sequence was given twice"


def test_shedding_is_told_once_when_it_begins_and_once_when_it_ends(bench: Bench) -> None:
    batch = readings(1).batch
    assert batch is not None
    bench.retention.tell()
    bench.told.clear()
    for fill in (0.89, 0.91, 0.92, 1.0, 0.5):
        bench.shedding.split(batch, fill)
        bench.retention.tell()
        bench.retention.tell()
    assert [(told["state"], told.get("reason"), told.get("urgent")) for told in bench.told] == [
        ("degraded", "at its limit: the readings of gauge are not kept", False),
        ("degraded", "at its limit: the readings of gauge, state, counter are not kept", True),
        ("online", None, None),
    ]


def test_a_disk_that_fills_up_is_told_a_day_and_four_hours_before(bench: Bench, disk: Disk) -> None:
    disk.others = 32 * MB
    bench.retention.tell()
    bench.told.clear()
    left: list[float | None] = []
    for _ in range(35):
        bench.look_after(1)
        left += [bench.retention.seconds_left] * (len(bench.told) - len(left))
        disk.others -= MB
    reasons = [told.get("reason", "")[:16] for told in bench.told]
    assert reasons == ["full within 24 h", "full within 4 h ", "full: readings a"]
    assert left[0] == pytest.approx(24 * 3600, rel=0.1)
    assert left[1] == pytest.approx(4 * 3600, rel=0.3)


def test_what_was_free_is_known_after_a_restart(tmp_path: Path, disk: Disk) -> None:
    first = Bench(tmp_path / "journal", disk, 2 * MB)
    first.look_after(1)
    first.journal.close()
    first.loop.close()
    again = Journal(open_connection(tmp_path / "journal"))
    assert len(again.spaces()) == 12
    assert again.spaces()[-1].disk == 19 * MB
    again.close()


def test_a_stuck_consumer_is_seen_before_the_limit_is(bench: Bench) -> None:
    bench.journal.limit = 30 * MB
    for _ in range(36):
        bench.journal.append([readings(bench.clock.now_ms(), 20_000)])
        bench.look_after(1 / 12)
    told = next(told for told in bench.told if told["state"] == "degraded")
    assert told["hub"] == "disk"
    assert "full within" in told["reason"]


def test_when_space_will_be_used_up() -> None:
    falling = [Space(n * 600_000, 100 * MB - n * MB, 10**12) for n in range(10)]
    now_ms = falling[-1].at_ms
    assert seconds_left(falling, now_ms) == pytest.approx(91 * 600)
    by_journal = [Space(one.at_ms, 10**12, one.disk) for one in falling]
    assert seconds_left(by_journal, now_ms) == pytest.approx(91 * 600)
    assert seconds_left(falling[:3], falling[2].at_ms) is None, "twenty minutes say nothing"
    rising = [Space(one.at_ms, 10**12 - one.disk, 10**12) for one in falling]
    assert seconds_left(rising, now_ms) == math.inf
    assert seconds_left(falling, now_ms + 86_400_000) is None, "yesterday says nothing"
    assert seconds_left([], 0) is None


def test_cursors_are_seen_beside_the_entries(tmp_path: Path) -> None:
    journal = Journal(open_connection(tmp_path / "journal"))
    journal.append([Entry(EntryKind.TICK, n) for n in range(5)])
    journal.note_cursor("store", 3)
    journal.note_cursor("engine", 2)
    assert journal.cursors() == {}, "noted with the next append"
    journal.append([Entry(EntryKind.TICK, 6)])
    assert journal.cursors() == {"engine": 2, "store": 3}
    journal.note_cursor("store", 6)
    journal.close()
    again = Journal(open_connection(tmp_path / "journal"))
    assert again.cursors() == {"engine": 2, "store": 6}
    again.close()
