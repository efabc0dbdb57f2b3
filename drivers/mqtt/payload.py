"""Our own JSON dialect: bytes <-> values; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from hub.model import Json

LARGEST = 64 * 1024


class PayloadError(ValueError):
    """A payload that cannot be used; the text says why, in few words that can be counted."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A telemetry message; ``at_ms`` is None when the device has no clock."""

    at_ms: int | None
    values: Mapping[str, Json]


def telemetry(payload: bytes) -> Telemetry:
    """Read ``{"at": …, "seq": …, "values": {…}}``.

    >>> telemetry(b'{"at": "1970-01-01T00:00:01Z", "values": {"flow": 5.5}}')
    Telemetry(at_ms=1000, values={'flow': 5.5})
    """
    content = thing(payload)
    values = content.get("values")
    if not isinstance(values, dict):
        raise PayloadError("no values")
    return Telemetry(_instant(content.get("at")), values)


def thing(payload: bytes) -> dict[str, Json]:
    """Read a JSON object of bearable size."""
    if len(payload) > LARGEST:
        raise PayloadError("larger than 64 KiB")
    try:
        content = orjson.loads(payload)
    except ValueError as error:
        text = "not UTF-8" if "utf-8" in str(error).lower() else "not JSON"
        raise PayloadError(text) from error
    if not isinstance(content, dict):
        raise PayloadError("no JSON object")
    return content


def number(value: Json) -> float:
    """Return a number or bool as float, anything else as NaN."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def command(id_: str, point: str, value: float, expires_ms: int) -> bytes:
    """Write a command; a device carries it out at most once and never after it expired."""
    return orjson.dumps({"id": id_, "point": point, "value": value, "expires_at": expires_ms})


def _instant(at: Json) -> int | None:
    if at is None:
        return None
    if isinstance(at, (int, float)) and not isinstance(at, bool) and 0 <= at < 2**53:
        return round(at)
    if isinstance(at, str):
        try:
            instant = datetime.fromisoformat(at)
        except ValueError:
            instant = None
        if instant is not None and instant.tzinfo is not None:
            return round(instant.timestamp() * 1000)
    raise PayloadError("at is no instant")
