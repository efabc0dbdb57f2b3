"""The journal's file: how it is opened to write, and to look at it beside a running hub."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from hub.ports import StartError

PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL")
TABLES = (
    """CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    crc INTEGER NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS journal_configuration ON journal (seq) WHERE kind = 6",
    "CREATE TABLE IF NOT EXISTS journal_cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS journal_room (
    at_ms INTEGER PRIMARY KEY, disk INTEGER NOT NULL, journal INTEGER NOT NULL)""",
)


def open_connection(path: Path | str) -> sqlite3.Connection:
    """Open the journal's file (or ``:memory:``) so that every commit is synced to the disk."""
    try:
        connection = sqlite3.connect(
            str(path), timeout=5, isolation_level=None, check_same_thread=False
        )
        for statement in (*PRAGMAS, *TABLES):
            connection.execute(statement)
    except sqlite3.Error as error:
        raise StartError(
            f"journal {path}: cannot be opened: {error}; check that the folder is writable and"
            " has space, or move a damaged file aside"
        ) from error
    return connection


def open_beside(path: Path) -> sqlite3.Connection:
    """Open a journal's file to read only, whether or not a hub writes to it meanwhile."""
    if not path.is_file():
        raise StartError(f"there is no journal {path} yet; start the hub once with run")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", timeout=5, uri=True)
        connection.execute("SELECT 1 FROM journal LIMIT 1")
    except sqlite3.Error as error:
        raise StartError(f"journal {path}: cannot be read: {error}") from error
    return connection
