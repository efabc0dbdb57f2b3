"""The one door to the database: SQLite by default, PostgreSQL by URL, the same code for both."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hub.database.migration import migrate
from hub.ports import StoreError

MEMORY = ":memory:"


class ConflictError(StoreError):
    """What should be kept contradicts what is kept already."""


class Database:
    """A migrated database; its calls block, so run them in a worker."""

    def __init__(self, engine: sa.Engine, *, shared: bool) -> None:
        self._engine = engine
        # In memory there is one connection for all threads, so they take turns.
        self._turn: AbstractContextManager[Any] = threading.RLock() if shared else nullcontext()

    @property
    def dialect(self) -> str:
        """Return ``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Open a transaction that only reads."""
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Open a transaction that commits at the end, or keeps nothing when something raises."""
        with self._transaction(writes=True) as connection:
            yield connection

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """Return the dialect's INSERT, which knows ON CONFLICT."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    def copy_to(self, file: Path) -> None:
        """Write a copy of a SQLite database, as it is at one instant, to a new file."""
        try:
            with self._engine.connect().execution_options(campus_alone=True) as one:
                one.exec_driver_sql("VACUUM INTO ?", (str(file),))
        except sa.exc.DBAPIError as error:
            raise StoreError(f"database {self._engine.url!r}: not copied: {error.orig}") from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[sa.Connection]:
        try:
            with self._turn, self._engine.connect() as connection:
                connection.execution_options(campus_writes=writes)
                with connection.begin():
                    yield connection
        except sa.exc.IntegrityError as error:
            raise ConflictError(f"database {self._engine.url!r}: {error.orig}") from error
        except sa.exc.DBAPIError as error:
            raise StoreError(f"database {self._engine.url!r}: {error.orig}") from error


def open_database(where: str | Path) -> Database:
    """Open a database and bring its tables up to date.

    ``where`` is the path of a SQLite file, ``:memory:`` or a ``postgresql+psycopg://`` URL.
    """
    engine = _engine(where)
    try:
        with _alone(where):
            migrate(engine)
    except sa.exc.DBAPIError as error:
        engine.dispose()
        raise StoreError(
            f"database {engine.url!r}: cannot be opened: {error.orig}; check that it runs, "
            "that the account may create tables, and the database key of campus.yaml"
        ) from error
    return Database(engine, shared=where == MEMORY)


@contextmanager
def _alone(where: str | Path) -> Iterator[None]:
    """Let one opener of a SQLite file at a time go on; the others wait."""
    # Turning a new file to WAL fails at once when another connection does the same: SQLite
    # does not ask its busy timeout there. The lock is the folder's, because closing any
    # descriptor of the file itself would drop SQLite's own locks.
    folder = Path(where).parent
    if where == MEMORY or "://" in str(where) or not folder.is_dir():
        yield
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _engine(where: str | Path) -> sa.Engine:
    if isinstance(where, str) and "://" in where:
        url = sa.make_url(where)
        if url.get_backend_name() != "postgresql":
            raise StoreError(f"database {url!r}: only postgresql+psycopg:// URLs are known")
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5},
        )
    return _sqlite(where)


def _sqlite(where: str | Path) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(where)),
        poolclass=sa.StaticPool if where == MEMORY else sa.QueuePool,
        connect_args={"check_same_thread": False, "timeout": 5.0},
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes too late and never is IMMEDIATE: _begin does it.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that will write takes the lock at once: upgrading later can only fail.
    options = connection.get_execution_options()
    if options.get("campus_alone"):  # a statement that refuses to be part of one
        return
    writes = options.get("campus_writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
