"""The power is cut under the journal: what it had acknowledged is there, and the file is whole.

A kill takes the process and leaves what the system has taken over; this takes that away as well.
With ``synchronous=NORMAL`` the same test must lose readings, or it would prove nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from hub.journal import Journal, open_connection
from hub.journal.journal import Space
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from tests.crash.power import Connection, Disk

APPENDS = 120
CHECKPOINT = "PRAGMA wal_autocheckpoint = 60"  # several within one workload


def entries(n: int) -> list[Entry]:
    """Make what is appended as the n-th: from one to forty readings, and a tick."""
    rows = 1 + n * 7 % 40
    value = [n + k / 8 for k in range(rows)]
    batch = Batch.of(range(rows), [n] * rows, value, [0] * rows, n)
    return [Entry(EntryKind.READINGS, n, batch), Entry(EntryKind.TICK, n)]


@dataclass
class Told:
    """What the journal has acknowledged before the cut."""

    last: int = 0
    forgotten: int = 0


def work(journal: Journal, told: Told) -> None:
    """Append, note and forget as the hub does."""
    for n in range(1, APPENDS + 1):
        journal.note_cursor("store", told.last)
        if n % 10 == 0:
            journal.note_space(Space(n, 10**9, 10**9))
        told.last = journal.append(entries(n))
        if n % 40 == 0:
            told.forgotten = n // 2
            journal.prune(before_ms=n // 2, passed_seq=told.last)


class Cuts:
    """The same work again and again, its power cut at another write each time."""

    def __init__(self, folder: Path, synchronous: str | None) -> None:
        self._folder = folder
        self._synchronous = synchronous
        self._chance = random.Random(f"power/{synchronous}")
        whole = Disk("power-whole")
        connection = self._opened(folder / "whole", whole)
        work(Journal(cast("Any", connection)), Told())
        self.writes = whole.writes
        connection.close()

    def _opened(self, path: Path, disk: Disk) -> Connection:
        connection = Connection(path, disk, self._synchronous)
        connection.execute(CHECKPOINT)
        return connection

    def lost(self, n: int, judge: Callable[[Journal, Told], int]) -> int:
        """Cut the power once; return how many acknowledged readings are gone."""
        disk = Disk(f"power-{n}")
        source = self._folder / f"cut-{n}"
        connection = self._opened(source, disk)
        journal, told = Journal(cast("Any", connection)), Told()
        disk.cut = disk.writes + self._chance.randrange(1, self.writes - disk.writes)
        with pytest.raises(StoreError, match="the power is cut"):
            work(journal, told)
        chance = self._chance if n % 2 else None
        found = disk.after(source, self._folder / f"after-{n}", chance)
        connection.close()
        again = Journal(open_connection(found))
        try:
            assert again.check() is None, "the file is damaged"
            return judge(again, told)
        finally:
            again.close()


def gone(journal: Journal, told: Told) -> int:
    """Count the acknowledged readings that are not there; what is there must be right."""
    found: dict[int, Entry] = {}
    after = 0
    while pairs := journal.read(after):
        found |= dict(pairs)
        after = pairs[-1][0]
    assert journal.damaged == set()
    assert journal.last() % 2 == 0, "half a transaction"
    missing = 0
    for seq in range(1, told.last + 1):
        n = (seq + 1) // 2
        wanted = entries(n)[(seq - 1) % 2]
        if seq not in found:
            missing += len(wanted.batch or ()) if n >= told.forgotten else 0
        elif wanted.batch is not None:
            kept = found[seq].batch
            assert kept is not None
            assert kept.at_ms.tolist() == wanted.batch.at_ms.tolist()
            assert kept.value.tolist() == wanted.batch.value.tolist()
    assert journal.append(entries(1)) > told.last or missing, "a sequence is given twice"
    return missing


def test_no_acknowledged_reading_is_lost_when_the_power_is_cut(
    tmp_path: Path, full_scale: bool
) -> None:
    cuts = Cuts(tmp_path, None)
    lost = [cuts.lost(n, gone) for n in range(200 if full_scale else 10)]
    print(f"{len(lost)} cuts within {cuts.writes} writes: {sum(lost)} acknowledged readings lost")
    assert sum(lost) == 0


def test_the_same_cuts_lose_readings_when_commits_are_not_synced(
    tmp_path: Path, full_scale: bool
) -> None:
    cuts = Cuts(tmp_path, "NORMAL")
    lost = [cuts.lost(n, gone) for n in range(200 if full_scale else 10)]
    hit = sum(found > 0 for found in lost)
    print(f"NORMAL: {sum(lost)} acknowledged readings lost in {hit} of {len(lost)} cuts")
    assert hit > len(lost) / 4
