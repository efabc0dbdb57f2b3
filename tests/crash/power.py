"""A disk whose power is cut: what was written and not synced may be gone, whole or in part.

The journal's own code runs over it, through a connection that looks like the one it is used to.
Only SQLite's file operations are stood in for; a cut ends every write and sync after it.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from hub.journal.connection import PRAGMAS, TABLES

SECTOR = 512


class Written(NamedTuple):
    """What a write has overwritten, and the size of the file before it."""

    offset: int
    before: bytes
    length: int
    size: int


class Disk(apsw.VFS):
    """Notes what each file would lose; with ``cut`` its power goes at that write."""

    def __init__(self, name: str, cut: int | None = None) -> None:
        self.name = name
        self.cut = cut
        self.writes = 0
        self.unsynced: dict[str, list[Written]] = {}
        super().__init__(name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _File(self, name, flags)

    def is_off(self) -> bool:
        return self.cut is not None and self.writes >= self.cut

    def after(self, source: Path, target: Path, chance: random.Random | None) -> Path:
        """Copy a database as it is found when the power is back; return its file.

        Everything unsynced is gone, or with ``chance`` each of its sectors with one half.
        """
        target.mkdir()
        for suffix in ("", "-wal"):
            file = Path(f"{source}{suffix}")
            if not file.exists():
                continue
            copy = target / file.name
            shutil.copy(file, copy)
            with copy.open("r+b") as found:
                for one in reversed(self.unsynced.get(str(file), [])):
                    _undo(found, one, chance)
        return target / source.name


def _undo(file: Any, one: Written, chance: random.Random | None) -> None:
    file.seek(one.offset)
    if chance is None:
        file.write(one.before)
        file.truncate(one.size)
        return
    old = one.before.ljust(one.length, b"\0")
    for start in range(0, one.length, SECTOR):
        if chance.random() < 0.5:
            file.seek(one.offset + start)
            file.write(old[start : start + SECTOR])


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._unsynced = disk.unsynced.setdefault(path, [])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.writes += 1
        self._stop_when_off()
        size = super().xFileSize()
        there = max(min(len(data), size - offset), 0)
        before = super().xRead(there, offset) if there else b""
        self._unsynced.append(Written(offset, before, len(data), size))
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._stop_when_off()
        super().xSync(flags)
        self._unsynced.clear()

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        self._stop_when_off()
        super().xTruncate(size)

    def _stop_when_off(self) -> None:
        if self._disk.is_off():
            raise apsw.IOError("the power is cut")


class Connection:
    """A connection of apsw that looks like one of sqlite3, as far as the journal goes."""

    def __init__(self, path: Path, disk: Disk, synchronous: str | None = None) -> None:
        self._real = apsw.Connection(str(path), vfs=disk.name)
        for statement in (*PRAGMAS, *TABLES):  # as the hub opens it
            self.execute(statement)
        if synchronous is not None:
            self.execute(f"PRAGMA synchronous = {synchronous}")

    def execute(self, statement: str, values: Any = ()) -> _Cursor:
        return self._run(self._real.execute, statement, values)

    def executemany(self, statement: str, rows: Iterable[Any]) -> _Cursor:
        return self._run(self._real.executemany, statement, rows)

    def _run(self, how: Any, statement: str, values: Any) -> _Cursor:
        try:
            return _Cursor(how(statement, values).fetchall(), self._real.changes())
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def close(self) -> None:
        """Let go; after a cut the closing fails as well."""
        try:
            self._real.close()
        except apsw.Error:
            return


class _Cursor:
    def __init__(self, rows: list[Any], changes: int) -> None:
        self._rows = iter(rows)
        self.rowcount = changes

    def __iter__(self) -> Any:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def close(self) -> None:
        """Have nothing to let go of."""
