"""Look at a journal's file without changing it, beside a running hub or without one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hub.journal.journal import Journal
from hub.model import Entry, EntryKind
from hub.ports import StoreError

PIECE = 200
FAR_MS = 1 << 62
_OLDEST = "SELECT seq, at_ms FROM journal ORDER BY seq LIMIT 1"
_NEWEST = "SELECT seq, at_ms FROM journal ORDER BY seq DESC LIMIT 1"
_WANTED = (
    "SELECT seq FROM journal WHERE seq > ? AND at_ms >= ? AND at_ms < ?"
    " AND kind IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"
)


class End(NamedTuple):
    """The first or the last entry."""

    seq: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is: its last entry, and what came after it."""

    seq: int
    entries: int
    lag_ms: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in a journal; ``oldest`` and ``newest`` are None where nothing is."""

    entries: int
    oldest: End | None
    newest: End | None
    lags: Mapping[str, Lag]


class Wanted(NamedTuple):
    """Which entries are looked for: of which instants (start <= at < end) and kinds."""

    start_ms: int = -FAR_MS
    end_ms: int = FAR_MS
    kinds: Collection[EntryKind] = tuple(EntryKind)


def survey(connection: sqlite3.Connection, journal: Journal) -> Survey:
    """Return what is in a journal and how far its consumers are."""
    oldest, newest = (_end(connection, order) for order in (_OLDEST, _NEWEST))
    count = int(connection.execute("SELECT count(*) FROM journal").fetchone()[0])
    lags = {}
    for name, seq in journal.cursors().items():
        at_ms = _at(connection, seq)
        behind = newest.at_ms - at_ms if newest and at_ms is not None else 0
        lags[name] = Lag(seq, max(journal.last() - seq, 0), max(behind, 0))
    return Survey(count, oldest, newest, lags)


def _end(connection: sqlite3.Connection, query: str) -> End | None:
    row = connection.execute(query).fetchone()
    return End(*row) if row else None


def _at(connection: sqlite3.Connection, seq: int) -> int | None:
    """Return the instant of the last entry up to a sequence, or of the first there is."""
    query = "SELECT at_ms FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT 1"
    row = connection.execute(query, (seq,)).fetchone() or _end(connection, _OLDEST)
    return int(row[-1]) if row else None


def copied(connection: sqlite3.Connection, file: Path) -> None:
    """Write a copy of a journal, as it is at one instant, to a new file."""
    try:
        connection.execute("VACUUM INTO ?", (str(file),))
    except sqlite3.Error as error:
        raise StoreError(f"journal: not copied: {error}") from error


def entries(
    connection: sqlite3.Connection, journal: Journal, wanted: Wanted
) -> Iterator[tuple[int, Entry]]:
    """Yield the entries wanted in their order; those damaged are in ``journal.damaged`` after.

    It reads in small pieces, so that it never keeps a running hub from tidying its file.
    """
    kinds = json.dumps([int(kind) for kind in wanted.kinds])
    after = 0
    while True:
        try:
            asked = (after, wanted.start_ms, wanted.end_ms, kinds, PIECE)
            seqs = [row[0] for row in connection.execute(_WANTED, asked).fetchall()]
        except sqlite3.Error as error:
            raise StoreError(f"journal: cannot be read after {after}: {error}") from error
        if not seqs:
            return
        for seq in seqs:
            yield from (pair for pair in journal.read(seq - 1, 1) if pair[0] == seq)
        after = seqs[-1]
