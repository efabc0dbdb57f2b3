"""Readings in DuckDB, the default store: one file of one process."""

from __future__ import annotations

from hub.store.duckdb.store import DuckStore

__all__ = ["DuckStore"]
