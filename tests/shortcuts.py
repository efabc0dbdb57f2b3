"""What every test of this process is spared: dear work whose result is the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from hub import access
from hub.database import connection
from hub.settings import folder, shipped


def take(patch: pytest.MonkeyPatch) -> None:
    """Take all shortcuts until the patch is undone."""
    # The real algorithm, with parameters that cost nothing.
    patch.setattr(access, "_HASHER", PasswordHasher(1, 8, 1))
    _copy_tables(patch)
    _read_shipped_files_once(patch)


def _copy_tables(patch: pytest.MonkeyPatch) -> None:
    """Give a new database in memory the tables that the revisions have made once."""
    migrate = connection.migrate
    first = connection._engine(connection.MEMORY)
    migrate(first)
    made: Any = first.raw_connection().driver_connection

    def migrated(engine: sa.Engine) -> None:
        if engine.url.database != connection.MEMORY:
            migrate(engine)
            return
        with engine.connect() as new:
            made.backup(new.connection.driver_connection)

    patch.setattr(connection, "migrate", migrated)


def _read_shipped_files_once(patch: pytest.MonkeyPatch) -> None:
    """Keep what was read of the profiles and rules that travel with the hub, with its model."""
    read, fit, home = folder.read_yaml, folder.fitted, shipped()
    documents: dict[tuple[Path, str], Any] = {}
    models: dict[int, Any] = {}  # by their documents, which stay

    def read_once(path: Path, file: str, problems: list[Any]) -> Any:
        if path.parent.parent != home:
            return read(path, file, problems)
        if (path, file) not in documents:
            documents[path, file] = document = read(path, file, problems)
            models[id(document)] = None
        return documents[path, file]

    def fitted_once(document: Any, adapter: Any, problems: list[Any]) -> Any:
        if document is None or id(document) not in models:
            return fit(document, adapter, problems)
        if models[id(document)] is None:
            models[id(document)] = fit(document, adapter, problems)
        return models[id(document)]

    patch.setattr(folder, "read_yaml", read_once)
    patch.setattr(folder, "fitted", fitted_once)
