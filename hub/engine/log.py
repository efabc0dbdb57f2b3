"""The log of alarms and tickets: one line for each effect."""

from __future__ import annotations

from dataclasses import asdict

import orjson

from hub.model import Effect


def log_line(effect: Effect) -> bytes:
    """Return one line of the alarm and ticket log: canonical JSON without any wall clock."""
    content = {"what": type(effect).__name__.lower(), **asdict(effect)}
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
