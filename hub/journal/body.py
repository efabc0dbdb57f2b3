"""The form of an entry in the journal: packed columns for readings, JSON for all else."""

from __future__ import annotations

import struct

import numpy as np
import orjson

from hub.model import Batch, Entry, EntryKind

_RECEIVED = struct.Struct("<q")
_ROW_BYTES = 8 + 8 + 4 + 1


def pack(entry: Entry) -> bytes:
    """Write the body of an entry: packed columns for readings, JSON for everything else."""
    if entry.batch is None:
        return orjson.dumps(entry.content)
    batch = entry.batch
    return b"".join(
        (
            _RECEIVED.pack(batch.received_ms),
            np.asarray(batch.at_ms, "<i8").tobytes(),
            np.asarray(batch.value, "<f8").tobytes(),
            np.asarray(batch.point, "<i4").tobytes(),
            np.asarray(batch.quality, "u1").tobytes(),
        )
    )


def unpack(kind: EntryKind, at_ms: int, body: bytes) -> Entry:
    """Read an entry back; ValueError when the body is none."""
    if kind is not EntryKind.READINGS:
        return Entry(kind, at_ms, content=orjson.loads(body))
    count, rest = divmod(len(body) - _RECEIVED.size, _ROW_BYTES)
    if rest or count < 0:
        raise ValueError(f"{len(body)} bytes are no whole number of readings")
    values = _RECEIVED.size + 8 * count
    points = values + 8 * count
    batch = Batch(
        np.frombuffer(body, "<i4", count, points),
        np.frombuffer(body, "<i8", count, _RECEIVED.size),
        np.frombuffer(body, "<f8", count, values),
        np.frombuffer(body, "u1", count, points + 4 * count),
        _RECEIVED.unpack_from(body)[0],
    )
    return Entry(kind, at_ms, batch)
