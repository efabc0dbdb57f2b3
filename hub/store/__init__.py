"""Where readings are kept: DuckDB unless the site says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from hub.model import Point
from hub.ports import StartError, TimeSeriesStore
from hub.store.rollup import BASE_MS

Kind = Literal["memory", "duckdb", "influx"]


def open_store(
    kind: Kind,
    path: Path | str = ":memory:",
    *,
    threads: int | None = None,
    points: Mapping[int, Point] | None = None,
    influx: Mapping[str, Any] | None = None,
    dead: Callable[[str, bytes], None] | None = None,
    step_ms: int = BASE_MS,
) -> TimeSeriesStore:
    """Open a store: ``path`` is DuckDB's file; ``points`` and ``influx`` are for InfluxDB.

    ``step_ms`` is the base step of the roll-ups (:func:`hub.store.rollup.base_step` of the zone);
    a file keeps the one it was made with. ``influx`` has ``url``, ``bucket`` and, where the server
    wants them, ``org``, ``token``, ``rollup_bucket``; ``dead`` keeps what it refuses.
    """
    # The libraries are heavy: only the one in use is imported.
    if kind == "duckdb":
        from hub.store.duckdb import DuckStore  # noqa: PLC0415

        return DuckStore(path, threads, step_ms)
    if kind == "influx":
        from hub.store.influx import InfluxStore  # noqa: PLC0415
        from hub.store.influx_sender import nowhere  # noqa: PLC0415
        from hub.store.influx_server import Address  # noqa: PLC0415

        if not influx or not points:
            raise StartError("store influx: url and bucket are wanted, and the points of the site")
        return InfluxStore(points, Address(**influx), dead or nowhere, step_ms)
    from hub.store.memory import MemoryStore  # noqa: PLC0415

    return MemoryStore(step_ms)
