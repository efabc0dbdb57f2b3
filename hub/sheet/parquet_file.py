"""Sheets as Parquet, through DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from hub.sheet.sheet import Cell, Column, Sheet

_ROWS = 10_000
_MEMORY = "200MB"


def write_parquet(sheet: Sheet, file: Path) -> None:
    """Write a sheet to a file: columns by their keys, each with the type of what it holds.

    Numbers are DOUBLE, instants TIMESTAMP WITH TIME ZONE (kept in UTC), all else VARCHAR.
    """
    columns = ", ".join(f'"{one.key}" {_type(one)}' for one in sheet.columns)
    told = ", ".join(
        f'CASE WHEN NOT isnan("{one.key}") THEN "{one.key}" END' if one.number else f'"{one.key}"'
        for one in sheet.columns
    )
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        database = duckdb.connect(str(Path(folder) / "rows"))
        try:
            database.execute(f"SET memory_limit = '{_MEMORY}'; SET threads = 1")
            database.execute(f"CREATE TABLE sheet ({columns})")
            left = iter(sheet.rows)
            while rows := list(islice(left, _ROWS)):
                database.register("lines", _arrays(sheet, rows))
                database.execute(f"INSERT INTO sheet SELECT {told} FROM lines")  # noqa: S608 - own words
                database.unregister("lines")
            target = str(file).replace("'", "''")
            database.execute(f"COPY sheet TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        finally:
            database.close()


def _type(column: Column) -> str:
    if column.number:
        return "DOUBLE"
    return "TIMESTAMP WITH TIME ZONE" if column.instant else "VARCHAR"


def _arrays(sheet: Sheet, rows: Sequence[Sequence[Cell]]) -> dict[str, NDArray[Any]]:
    return {
        column.key: np.array([row[n] for row in rows], np.float64 if column.number else object)
        for n, column in enumerate(sheet.columns)
    }
