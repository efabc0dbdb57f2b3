"""A backup: one file with copies of the journal, the database and the readings that fit together.

The copies are made one after the other while the hub may go on working, what consumes the journal
first and the journal last: so no cursor is ever ahead of it. What a backup holds is counted on the
copies themselves and stands in it, with check sums. The secret is in it, so that labels on doors
stay good, and so are the photos. Nothing else of the data folder is: not the reserve, no lock, no
socket, and nothing that is worked out from what is.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from hub.database import counting, effects
from hub.database.connection import Database, open_database
from hub.journal import Journal, open_beside, open_connection
from hub.journal.look import copied, survey
from hub.model import Json
from hub.ports import Refused, TimeSeriesStore
from hub.store.duckdb import DuckStore

VERSION = 1
CONTENTS = "contents.json"
JOURNAL, DATABASE, READINGS = "journal.sqlite", "hub.sqlite", "telemetry.duckdb"
SIGNING = "secret"  # links and labels
NAMES = (JOURNAL, DATABASE, READINGS, SIGNING)
PHOTOS = "photos"  # a folder
_PHOTO = re.compile(rf"{PHOTOS}/[0-9a-f]{{64}}\.jpg")
DERIVED = "ledger"  # a folder worked out from these; what was worked out before goes
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What files hold: rows per table, the journal's first and last entry, what was passed."""

    rows: Mapping[str, int]
    oldest: int
    newest: int
    passed: Mapping[str, int]

    def problems(self) -> list[str]:
        """Return why these files do not fit together."""
        return [
            f"{name} is at entry {seq}, the journal ends at {self.newest}"
            for name, seq in self.passed.items()
            if seq > self.newest
        ] + [
            f"{name} is at entry {seq}, the journal begins at {self.oldest} only"
            for name, seq in self.passed.items()
            if seq + 1 < self.oldest
        ]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup says about itself; ``absent`` names what it does not hold, and why."""

    site: str
    settings_hash: str
    taken_ms: int
    facts: Facts
    files: Mapping[str, Mapping[str, Json]]
    absent: Sequence[str]


def copy(
    journal: Path, database: Database, store: TimeSeriesStore, folder: Path
) -> tuple[str, ...]:
    """Copy what holds data into an empty folder; return what is not there to be copied."""
    absent = []
    if isinstance(store, DuckStore):
        store.copy_to(folder / READINGS)
    else:
        absent.append("the readings: another server keeps them; back that up, too")
    if database.dialect == "sqlite":
        database.copy_to(folder / DATABASE)
    else:
        absent.append("the database: PostgreSQL keeps it; take a pg_dump, too")
    if (secret := journal.parent / SIGNING).exists():
        shutil.copyfile(secret, folder / SIGNING)
    connection = open_beside(journal)
    try:
        copied(connection, folder / JOURNAL)
    finally:
        connection.close()
    _take_photos(journal.parent / PHOTOS, folder / PHOTOS)
    return tuple(absent)


def _take_photos(source: Path, folder: Path) -> None:
    """Take the photos, which never change: after the database, so that all it names are there."""
    if not source.is_dir():
        return
    folder.mkdir()
    for photo in source.glob("*.jpg"):
        try:
            os.link(photo, folder / photo.name)
        except OSError:  # the file system knows no second name of a file
            shutil.copyfile(photo, folder / photo.name)


def in_the_way(names: Iterable[str], data: Path) -> list[str]:
    """Return the files of a data folder that would be overwritten, or read with what is restored.

    The logs that SQLite and DuckDB keep beside a file would be played into the new one.
    """
    return sorted(
        file.name
        for file in data.iterdir()
        if any(
            file.name == name or file.name.startswith((f"{name}-", f"{name}.")) for name in names
        )
    )


def settle(names: Iterable[str], folder: Path, data: Path) -> None:
    """Move unpacked copies into a data folder where nothing is in their way."""
    shutil.rmtree(data / DERIVED, ignore_errors=True)
    for name in names:
        (data / name).parent.mkdir(exist_ok=True)
        (folder / name).replace(data / name)


def look(folder: Path) -> Facts:
    """Open the copies in a folder and count what they hold; StartError when one is damaged."""
    rows: dict[str, int] = {}
    passed: dict[str, int] = {}
    connection = open_connection(folder / JOURNAL)
    journal = Journal(connection)
    try:
        if wrong := journal.check():
            raise Refused(f"the journal is damaged: {wrong}")
        seen = survey(connection, journal)
        rows["journal"] = seen.entries
        newest = journal.last()
    finally:
        journal.close()
    if (folder / DATABASE).exists():
        database = open_database(folder / DATABASE)
        try:
            rows |= {f"database.{name}": count for name, count in counting.rows(database).items()}
            passed["the engine"] = effects.applied(database)
        finally:
            database.close()
    if (folder / READINGS).exists():
        store = DuckStore(folder / READINGS)
        try:
            rows |= {f"telemetry.{name}": count for name, count in store.rows().items()}
            passed["the store"] = store.applied()
        finally:
            store.close()
    return Facts(rows, seen.oldest.seq if seen.oldest else 0, newest, passed)


def write(folder: Path, file: Path, contents: Contents) -> None:
    """Write the copies and what is said about them as one file."""
    with tarfile.open(file, "w") as archive:
        for name in contents.files:
            archive.add(folder / name, name, recursive=False)
        said = json.dumps({"version": VERSION, **asdict(contents)}, indent=1).encode()
        entry = tarfile.TarInfo(CONTENTS)
        entry.size = len(said)
        archive.addfile(entry, io.BytesIO(said))


def described(folder: Path) -> dict[str, dict[str, Json]]:
    """Return size and check sum of every copy."""
    photos = sorted(f"{PHOTOS}/{photo.name}" for photo in (folder / PHOTOS).glob("*.jpg"))
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": check_sum(folder / name)}
        for name in (*NAMES, *photos)
        if (folder / name).exists()
    }


def check_sum(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpack(file: Path, folder: Path) -> Contents:
    """Take a backup apart into a folder; Refused when it is none, or not the one once written."""
    with _opened(file) as archive:
        for entry in archive:
            if entry.name not in (*NAMES, CONTENTS) and not _PHOTO.fullmatch(entry.name):
                raise Refused(f"{file}: holds {entry.name!r}, which no backup does")
            (folder / entry.name).parent.mkdir(exist_ok=True)
            with _member(archive, entry) as source, (folder / entry.name).open("wb") as out:
                shutil.copyfileobj(source, out, PIECE)
            (folder / entry.name).chmod(0o600)
    contents = contents_of(file)
    if described(folder) != contents.files:
        raise Refused(f"{file}: the check sums do not hold; the file was damaged")
    return contents


def contents_of(file: Path) -> Contents:
    """Return what a backup says about itself."""
    with _opened(file) as archive, _member(archive, archive.getmember(CONTENTS)) as source:
        said = json.load(source)
        if said.pop("version") != VERSION:
            raise Refused(f"{file}: was written by another version of the hub")
        return Contents(**{**said, "facts": Facts(**said["facts"])})


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(file, "r:") as archive:
            yield archive
    except FileNotFoundError as error:
        raise Refused(f"{file}: there is no such file; name one that backup has written") from error
    except (tarfile.TarError, OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{file}: is no whole backup: {error}") from error


def _member(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    source = archive.extractfile(entry)
    if source is None:
        raise ValueError(f"{entry.name} is no file")
    return source
