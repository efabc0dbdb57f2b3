"""The durable log: everything the hub acts on stands here, synced, before anything acts on it."""

from __future__ import annotations

import logging
import sqlite3
import struct
import threading
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import orjson

from hub.model import Batch, Entry, EntryKind, Json
from hub.ports import StartError, StoreError

log = logging.getLogger(__name__)

READ_BYTES = 8 << 20
PRUNE_ROWS = 1000
_RECEIVED = struct.Struct("<q")
_ROW_BYTES = 8 + 8 + 4 + 1
_TABLES = """
CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS journal_configuration ON journal (seq) WHERE kind = 6;
"""

Row = tuple[int, int, int, int, bytes]


def open_connection(path: Path | str) -> sqlite3.Connection:
    """Open the journal's file (or ``:memory:``) so that every commit is synced to the disk."""
    try:
        connection = sqlite3.connect(
            str(path), timeout=5, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(_TABLES)
    except sqlite3.Error as error:
        raise StartError(
            f"journal {path}: cannot be opened: {error}; check that the folder is writable and"
            " has space, or move a damaged file aside"
        ) from error
    return connection


def pack(entry: Entry) -> bytes:
    """Write the body of an entry: packed columns for readings, JSON for everything else."""
    if entry.batch is None:
        return orjson.dumps(entry.content)
    batch = entry.batch
    return b"".join(
        (
            _RECEIVED.pack(batch.received_ms),
            np.asarray(batch.at_ms, "<i8").tobytes(),
            np.asarray(batch.value, "<f8").tobytes(),
            np.asarray(batch.point, "<i4").tobytes(),
            np.asarray(batch.quality, "u1").tobytes(),
        )
    )


def unpack(kind: EntryKind, at_ms: int, body: bytes) -> Entry:
    """Read an entry back; ValueError when the body is none."""
    if kind is not EntryKind.READINGS:
        return Entry(kind, at_ms, content=orjson.loads(body))
    count, rest = divmod(len(body) - _RECEIVED.size, _ROW_BYTES)
    if rest or count < 0:
        raise ValueError(f"{len(body)} bytes are no whole number of readings")
    values = _RECEIVED.size + 8 * count
    points = values + 8 * count
    batch = Batch(
        np.frombuffer(body, "<i4", count, points),
        np.frombuffer(body, "<i8", count, _RECEIVED.size),
        np.frombuffer(body, "<f8", count, values),
        np.frombuffer(body, "u1", count, points + 4 * count),
        _RECEIVED.unpack_from(body)[0],
    )
    return Entry(kind, at_ms, batch)


class Journal:
    """Entries in their order under a sequence that only grows; safe to use from any thread.

    One object for all who write and read a file: it alone gives the sequences. With ``reader``, a
    second connection to the same file, consumers that catch up never hold up an append.

    ``damaged`` holds the entries met whose check sum did not hold; they are skipped, never guessed.
    """

    def __init__(
        self, connection: sqlite3.Connection, reader: sqlite3.Connection | None = None
    ) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._reader = reader or connection
        self._reading = threading.Lock() if reader else self._lock
        self._last = int(
            connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        )
        self.damaged: set[int] = set()

    def append(self, entries: Sequence[Entry]) -> int:
        """Keep entries in one synced transaction; return the sequence of the last one."""
        bodies = [pack(entry) for entry in entries]
        with self._lock:
            rows = [
                (seq, int(entry.kind), entry.at_ms, zlib.crc32(body), body)
                for seq, (entry, body) in enumerate(
                    zip(entries, bodies, strict=True), self._last + 1
                )
            ]
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise StoreError(f"journal: {len(rows)} entries not kept: {error}") from error
            self._last += len(rows)
            return self._last

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def read(self, after: int, limit: int = 1000) -> list[tuple[int, Entry]]:
        """Return the entries after a sequence, at most ``limit`` and some megabytes of them."""
        while rows := self._rows(after, limit):
            if entries := [(row[0], entry) for row in rows if (entry := self._entry(row))]:
                return entries
            after = rows[-1][0]  # nothing of these could be read: an empty list would mean the end
        return []

    def _rows(self, after: int, limit: int) -> list[Row]:
        rows: list[Row] = []
        size = 0
        with self._reading:
            try:
                cursor = self._reader.execute(
                    "SELECT seq, kind, at_ms, crc, body FROM journal WHERE seq > ?"
                    " ORDER BY seq LIMIT ?",
                    (after, limit),
                )
                for row in cursor:
                    rows.append(row)
                    size += len(row[4])
                    if size >= READ_BYTES:
                        break
                cursor.close()
            except sqlite3.Error as error:
                raise StoreError(f"journal: cannot be read after {after}: {error}") from error
        return rows

    def _entry(self, row: Row) -> Entry | None:
        seq, kind, at_ms, crc, body = row
        reason: object = "the check sum does not hold"
        if zlib.crc32(body) == crc:
            try:
                return unpack(EntryKind(kind), at_ms, body)
            except ValueError as error:
                reason = error
        if seq not in self.damaged:
            self.damaged.add(seq)
            log.error("journal entry damaged, skipped: %s: %s", seq, reason)
        return None

    def last(self) -> int:
        """Return the sequence of the newest entry, 0 at first."""
        return self._last

    def begin_after(self, seq: int) -> None:
        """Go on above ``seq``: a consumer that has passed it would ignore lower numbers."""
        with self._lock:
            if seq > self._last:
                log.warning("journal is older than its consumers: goes on after %s", seq)
                self._last = seq

    def configuration(self, seq: int) -> Mapping[str, Json] | None:
        """Return the configuration in force at a sequence, if the journal still has it."""
        with self._reading:
            row = self._reader.execute(
                "SELECT seq, kind, at_ms, crc, body FROM journal WHERE kind = 6 AND seq <= ?"
                " ORDER BY seq DESC LIMIT 1",
                (seq,),
            ).fetchone()
        entry = self._entry(row) if row else None
        return entry.content if entry else None

    def prune(self, before_ms: int, passed_seq: int) -> int:
        """Forget entries that are old and passed by every consumer; return how many.

        The newest entry stays, so that no sequence is given twice, and so does the configuration
        in force at the oldest entry kept.
        """
        upto = min(passed_seq, self._last - 1)
        forgotten = 0
        while removed := self._prune_some(before_ms, upto):
            forgotten += removed
        return forgotten

    def _prune_some(self, before_ms: int, upto: int) -> int:
        with self._lock:  # let go of between slices: a long deletion must not delay an append
            return self._connection.execute(
                "DELETE FROM journal WHERE seq IN ("
                " SELECT seq FROM journal WHERE seq <= ?1 AND at_ms < ?2 AND seq NOT IN"
                " (SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 6 AND seq <= ?1)"
                " ORDER BY seq LIMIT ?3)",
                (upto, before_ms, PRUNE_ROWS),
            ).rowcount

    def check(self) -> str | None:
        """Return what is wrong with the file, or None."""
        with self._lock:
            said = str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        return None if said == "ok" else said

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
        with self._reading:
            self._reader.close()
