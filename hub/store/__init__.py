"""Where readings are kept: DuckDB unless the site says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hub.model import Point
from hub.ports import StartError, TimeSeriesStore

Kind = Literal["memory", "duckdb", "influx"]


def open_store(
    kind: Kind,
    path: Path | str = ":memory:",
    *,
    threads: int | None = None,
    points: Mapping[int, Point] | None = None,
    influx: Mapping[str, str] | None = None,
) -> TimeSeriesStore:
    """Open a store: ``path`` is DuckDB's file; ``points`` and ``influx`` are for InfluxDB.

    ``influx`` has ``url``, ``bucket`` and, where the server wants them, ``org`` and ``token``.
    """
    # The libraries are heavy: only the one in use is imported.
    if kind == "duckdb":
        from hub.store.duckdb import DuckStore  # noqa: PLC0415

        return DuckStore(path, threads)
    if kind == "influx":
        from hub.store.influx import InfluxStore  # noqa: PLC0415

        if not influx or not points:
            raise StartError("store influx: url and bucket are wanted, and the points of the site")
        return InfluxStore(points, **influx)
    from hub.store.memory import MemoryStore  # noqa: PLC0415

    return MemoryStore()
