"""Entries in their order, appended and read back."""

from __future__ import annotations

import logging
import sqlite3
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.journal.body import pack, unpack
from hub.model import Entry, EntryKind, Json
from hub.ports import StoreError

log = logging.getLogger(__name__)

LIMIT_BYTES = 8_000_000_000
READ_BYTES = 8 << 20
PRUNE_ROWS = 1000
ROOM_KEPT_MS = 3 * 86_400_000
_SIZE = (
    "SELECT (p.page_count - f.freelist_count) * s.page_size"
    " FROM pragma_page_count() p, pragma_freelist_count() f, pragma_page_size() s"
)
_ROW = "SELECT seq, kind, at_ms, crc, body FROM journal"
_FAR_MS = 1 << 62

Row = tuple[int, int, int, int, bytes]


@dataclass(frozen=True, slots=True)
class Space:
    """What was free at one instant, in bytes: on the disk, and in the journal up to its limit."""

    at_ms: int
    disk: int
    journal: int


class Journal:
    """Entries in their order under a sequence that only grows; safe to use from any thread.

    One object for all who write and read a file: it alone gives the sequences. With ``reader``, a
    second connection to the same file, consumers that catch up never hold up an append. ``limit``
    is how many bytes it should hold at most; who appends looks at :attr:`fill`.

    ``damaged`` holds the entries met whose check sum did not hold; they are skipped, never guessed.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        reader: sqlite3.Connection | None = None,
        limit: int = LIMIT_BYTES,
    ) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._reader = reader or connection
        self._reading = threading.Lock() if reader else self._lock
        self._last = int(
            connection.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()[0]
        )
        self.limit = limit
        self._size = self._measured()
        self._cursors: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        self._space: Space | None = None
        self.damaged: set[int] = set()

    @property
    def size(self) -> int:
        """Return the bytes in use, without the room that was let go of."""
        return self._size

    @property
    def fill(self) -> float:
        """Return how much of the limit is in use: 1.0 at the limit."""
        return self._size / self.limit

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
            noted, space = dict(self._cursors), self._space
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
                self._write_notes(noted, space)
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise StoreError(f"journal: {len(rows)} entries not kept: {error}") from error
            self._noted = noted
            if space is self._space:
                self._space = None
            self._last += len(rows)
            self._size = self._measured()
            return self._last

    def _write_notes(self, cursors: Mapping[str, int], space: Space | None) -> None:
        """Write beside the entries, in their transaction, what is only there to be looked at."""
        if cursors != self._noted:
            changed = "INSERT OR REPLACE INTO journal_cursor VALUES (?, ?)"
            self._connection.executemany(changed, list(cursors.items()))
        if space is not None:
            row = (space.at_ms, space.disk, space.journal)
            self._connection.execute("INSERT OR REPLACE INTO journal_room VALUES (?, ?, ?)", row)
            old = "DELETE FROM journal_room WHERE at_ms < ?"
            self._connection.execute(old, (space.at_ms - ROOM_KEPT_MS,))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _measured(self) -> int:
        return int(self._connection.execute(_SIZE).fetchone()[0])

    def note_cursor(self, name: str, seq: int) -> None:
        """Let it be seen how far a consumer is; written with the next append, for onlookers.

        What a consumer goes by is the cursor that it keeps itself, together with its effect.
        Waits for nobody, so that it may be called in an event loop.
        """
        self._cursors[name] = seq

    def cursors(self) -> dict[str, int]:
        """Return how far each consumer was when it was last noted."""
        with self._reading:
            rows = self._reader.execute("SELECT name, seq FROM journal_cursor ORDER BY name")
            return dict(rows.fetchall())

    def note_space(self, space: Space) -> None:
        """Keep what is free at this instant, with the next append."""
        self._space = space

    def spaces(self) -> list[Space]:
        """Return what was free at the instants noted, of the last days."""
        with self._reading:
            rows = self._reader.execute("SELECT at_ms, disk, journal FROM journal_room ORDER BY 1")
            return [Space(*row) for row in rows.fetchall()]

    def read(self, after: int, limit: int = 1000) -> list[tuple[int, Entry]]:
        """Return the entries after a sequence, at most ``limit`` and some megabytes of them."""
        while rows := self._rows(after, limit):
            if entries := [(row[0], entry) for row in rows if (entry := self._entry(row))]:
                return entries
            after = rows[-1][0]  # nothing of these could be read: an empty list would mean the end
        return []

    def _rows(self, after: int, limit: int) -> list[Row]:
        with self._reading:
            try:
                return self._whole_rows(after, limit)
            except sqlite3.OperationalError as error:
                raise StoreError(f"journal: cannot be read after {after}: {error}") from error
            except sqlite3.DatabaseError as error:
                log.error("journal file damaged after entry %s: %s", after, error)  # noqa: TRY400
                return self._rows_one_by_one(after, limit)

    def _whole_rows(self, after: int, limit: int) -> list[Row]:
        rows: list[Row] = []
        size = 0
        cursor = self._reader.execute(f"{_ROW} WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        for row in cursor:
            rows.append(row)
            size += len(row[4])
            if size >= READ_BYTES:
                break
        cursor.close()
        return rows

    def _rows_one_by_one(self, after: int, limit: int) -> list[Row]:
        """Read what can be read of a file with a damaged page, and count what cannot."""
        rows: list[Row] = []
        size = 0
        for seq in range(after + 1, self._last + 1):
            try:
                row = self._reader.execute(f"{_ROW} WHERE seq = ?", (seq,)).fetchone()
            except sqlite3.DatabaseError:
                self.damaged.add(seq)
                continue
            if row is not None:
                rows.append(row)
                size += len(row[4])
            if len(rows) >= limit or size >= READ_BYTES:
                break
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

    def share_after(self, seq: int) -> float:
        """Return which share of the entries comes after a sequence, 0 to 1."""
        with self._reading:
            first = self._reader.execute("SELECT min(seq) FROM journal").fetchone()[0]
        held = self._last - (first or self._last + 1) + 1
        return min(max((self._last - seq) / held, 0.0), 1.0) if held > 0 else 0.0

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
                f"{_ROW} WHERE kind = 6 AND seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
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

    def make_room(self, size: int, passed_seq: int) -> int:
        """Forget entries that all have passed, whatever their age, until ``size`` bytes are in use.

        The oldest go first; returns how many went.
        """
        upto = min(passed_seq, self._last - 1)
        forgotten = 0
        while self._size > size and (removed := self._prune_some(_FAR_MS, upto)):
            forgotten += removed
        return forgotten

    def _prune_some(self, before_ms: int, upto: int) -> int:
        with self._lock:  # let go of between slices: a long deletion must not delay an append
            try:
                removed = self._connection.execute(
                    "DELETE FROM journal WHERE seq IN ("
                    " SELECT seq FROM journal WHERE seq <= ?1 AND at_ms < ?2 AND seq NOT IN"
                    " (SELECT coalesce(max(seq), 0) FROM journal WHERE kind = 6 AND seq <= ?1)"
                    " ORDER BY seq LIMIT ?3)",
                    (upto, before_ms, PRUNE_ROWS),
                ).rowcount
            except sqlite3.Error as error:
                raise StoreError(f"journal: nothing forgotten: {error}") from error
            self._size = self._measured()
            return removed

    def check(self) -> str | None:
        """Return what is wrong with the file, or None."""
        with self._lock:
            said = str(self._connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        return None if said == "ok" else said

    def close(self) -> None:
        """Write down how far the consumers are, and let go of the file."""
        with self._lock:
            if self._cursors != self._noted:
                try:
                    self._write_notes(self._cursors, None)
                except sqlite3.Error as error:
                    log.warning("journal: cursors not noted: %s", error)
            self._connection.close()
        with self._reading:
            self._reader.close()
