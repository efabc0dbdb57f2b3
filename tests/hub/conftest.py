"""A database of each kind, empty for every test; PostgreSQL is a real server on a free port."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from hub.database.connection import Database, open_database
from tests.ports import free_port

BINARIES = "/usr/lib/postgresql/15/bin"
_names = itertools.count()


@pytest.fixture(scope="session")
def postgres(binary: Callable[..., str]) -> Iterator[str]:
    """Start PostgreSQL and return the URL of its server."""
    initdb, server = binary("initdb", BINARIES), binary("postgres", BINARIES)
    with tempfile.TemporaryDirectory() as folder:
        demote = _as_other_user(folder)
        data = str(Path(folder) / "data")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(
            [*demote, initdb, "-D", data, "-U", "hub", "-A", "trust", "-N", "-E", "UTF8"],
            check=True,
            **quiet,
        )
        port = free_port()
        # Without fsync: these tests end the hub, not the machine.
        settings = ["-k", folder, "-h", "127.0.0.1", "-F"]
        process = subprocess.Popen(
            [*demote, server, "-D", data, "-p", str(port), *settings], **quiet
        )
        try:
            url = f"postgresql+psycopg://hub@127.0.0.1:{port}/postgres"
            _wait(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # SIGTERM would wait for every client
            process.wait(timeout=20)


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Return where an empty database is, for both kinds."""
    if request.param == "sqlite":
        return tmp_path / "hub.db"
    url: str = request.getfixturevalue("postgres")
    name = f"hub{next(_names)}"
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # a database each would cost seconds
    return f"{url}?options=-csearch_path%3D{name}"


@pytest.fixture
def database(where: str | Path) -> Iterator[Database]:
    """Open an empty database of each kind."""
    opened = open_database(where)
    yield opened
    opened.close()


def _as_other_user(folder: str) -> list[str]:
    """PostgreSQL refuses to run as root: give the folder to another user and become that one."""
    if os.geteuid() != 0:
        return []
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        os.chown(folder, user.pw_uid, user.pw_gid)
        setpriv = shutil.which("setpriv")
        if setpriv:
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            return [setpriv, *ids]
    pytest.skip("PostgreSQL refuses to run as root and no other user or no setpriv is here")


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"postgres ended with {process.returncode}")
        try:
            psycopg.connect(_plain(url)).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("postgres did not answer within 10 s")


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")
