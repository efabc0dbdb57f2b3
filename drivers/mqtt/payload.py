"""Our own JSON dialect, and what all dialects share: bytes <-> values; pure."""

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
    """What a device said of one instant; ``at_ms`` is None when the device has no clock.

    ``seq`` rises with what the device says, so that of two about one instant the later is known;
    None where it does not count.
    """

    at_ms: int | None
    values: Mapping[str, Json]
    seq: int | None = None


def telemetry(payload: bytes) -> list[Telemetry | PayloadError]:
    """Read ``{"at": …, "seq": …, "values": {…}}`` or a list of these.

    >>> telemetry(b'{"at": "1970-01-01T00:00:01Z", "values": {"flow": 5.5}}')
    [Telemetry(at_ms=1000, values={'flow': 5.5}, seq=None)]
    """
    content = loaded(payload)
    if not isinstance(content, list):
        return [_telemetry(content)]
    if not content:
        raise PayloadError("no values")
    return [_told_or_why_not(one) for one in content]


def _told_or_why_not(content: Json) -> Telemetry | PayloadError:
    try:
        return _telemetry(content)
    except PayloadError as error:
        return error


def _telemetry(content: Json) -> Telemetry:
    if not isinstance(content, dict):
        raise PayloadError("no JSON object")
    values = content.get("values")
    if not isinstance(values, dict):
        raise PayloadError("no values")
    seq = content.get("seq")
    counts = isinstance(seq, int) and not isinstance(seq, bool)
    return Telemetry(instant(content.get("at")), values, seq if counts else None)


def loaded(payload: bytes) -> Json:
    """Read JSON of bearable size."""
    if len(payload) > LARGEST:
        raise PayloadError("larger than 64 KiB")
    try:
        return orjson.loads(payload)
    except ValueError as error:
        text = "not UTF-8" if "utf-8" in str(error).lower() else "not JSON"
        raise PayloadError(text) from error


def thing(payload: bytes) -> dict[str, Json]:
    """Read a JSON object of bearable size."""
    content = loaded(payload)
    if not isinstance(content, dict):
        raise PayloadError("no JSON object")
    return content


def number(value: Json) -> float:
    """Return a number or bool as float, anything else as NaN."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def command(id_: str, point: str, value: float, expires_ms: int) -> bytes:
    """Write a command; a device carries it out at most once and never after it expired."""
    return orjson.dumps({"id": id_, "point": point, "value": value, "expires_at": expires_ms})


def instant(at: Json) -> int | None:
    """Read milliseconds since 1970 or ISO 8601 with a zone; None stays None.

    >>> instant("2026-11-21T10:00:00+08:00")
    1795226400000
    """
    if at is None:
        return None
    if isinstance(at, (int, float)) and not isinstance(at, bool) and 0 <= at < 2**53:
        return round(at)
    if isinstance(at, str):
        told = written_instant(at)
        if told is not None and told.tzinfo is not None:
            return round(told.timestamp() * 1000)
    raise PayloadError("at is no instant")


def written_instant(text: str) -> datetime | None:
    """Read ISO 8601; None when it is not."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
