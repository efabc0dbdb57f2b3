"""The days of the ledger on disk: one file for each, and a mark for all of them.

They are derived, and may be deleted at any time: what is not there is worked out again. The mark
says up to which entry of the journal readings have been taken into account, and by which changes
of meters; it is written after the days that it speaks of. So whatever a crash leaves behind, what
came after the mark is known to be unknown.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.energy.counter import COLUMNS, Finding, Intervals, MeterChange
from hub.energy.day import Day, Odd
from hub.energy.days import Changes, State

log = logging.getLogger(__name__)

MARK = "mark.json"
ENDING = ".day"
_MAGIC = b"CHUBDAY1"
_HEAD = struct.Struct("<8sII")  # what it is, check sum of all that follows the head, its label
_NO_FILE = "no whole file"


class KeptDays:
    """A folder of days. ``key`` names all that they were worked out by: another one, none counts.

    Only the writing side removes what does not count.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key
        self._ours = False
        self._damaged: list[Path] = []
        self._marked: Changes | None = None

    def state(self) -> State | None:
        """Return what holds for the days there, None when they do not count."""
        try:
            said = json.loads((self._folder / MARK).read_bytes())
            if said.pop("crc") != _check_sum(said) or said["key"] != self._key:
                return None
            changes = {
                int(point): tuple(MeterChange(*one) for one in them)
                for point, them in said["changes"].items()
            }
            found = State(said["seq"], changes, np.array(said["empty_before"], np.int64))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("kept days not used, worked out again: %s: %s", MARK, error)
            return None
        self._marked = found.changes
        return found

    def days(self) -> Iterator[Day]:
        """Yield the days there; a file that is damaged is named in the log and left out."""
        self._ours = True
        for file in sorted(self._folder.glob(f"*{ENDING}")):
            try:
                yield unpacked(file.read_bytes(), self._key)
            except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
                log.warning("kept day not used, worked out again: %s: %s", file.name, error)
                self._damaged.append(file)

    def write(self, state: State, days: Mapping[int, Day | None]) -> None:
        """Write days and then the mark, each durable before the next; OSError when it fails."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._ours:
            self._clear()
        if state.changes != self._marked:
            # After a crash a day would stand by changes that the mark does not know of.
            self._unmark()
        while self._damaged:
            self._damaged.pop().unlink(missing_ok=True)
        for begin, day in days.items():
            file = self._folder / f"{begin}{ENDING}"
            if day is None:
                file.unlink(missing_ok=True)
            else:
                _put(file, packed(day, self._key))
        self._sync()
        said = {
            "key": self._key,
            "seq": state.seq,
            "changes": {
                str(point): [[one.at_ms, one.closing, one.opening, one.multiplier] for one in them]
                for point, them in state.changes.items()
            },
            "empty_before": state.empty_before.tolist(),
        }
        _put(self._folder / MARK, json.dumps(said | {"crc": _check_sum(said)}).encode())
        self._sync()
        self._marked = state.changes

    def _clear(self) -> None:
        """Take away what does not count, the mark first: without it no day does."""
        self._unmark()
        for file in self._folder.glob(f"*{ENDING}"):
            file.unlink()
        self._ours = True

    def _unmark(self) -> None:
        (self._folder / MARK).unlink(missing_ok=True)
        self._sync()
        self._marked = None

    def _sync(self) -> None:
        opened = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def packed(day: Day, key: str) -> bytes:
    """Return a day as the bytes of a file."""
    columns = [
        ("valid", np.packbits(day.valid)),
        ("measured", day.measured),
        ("ends", day.ends),
        ("rows", day.odd.rows),
        ("parts", day.odd.parts),
        ("since_ms", day.odd.since_ms),
        ("until_ms", day.odd.until_ms),
        ("whose", day.whose),
        *((f"across.{name}", getattr(day.across, name)) for name in COLUMNS),
    ]
    label = json.dumps(
        {
            "key": key,
            "begin_ms": day.begin_ms,
            "end_ms": day.end_ms,
            "findings": [[row, *one] for row, one in day.findings],
            "columns": [[name, column.dtype.str, column.shape] for name, column in columns],
        }
    ).encode()
    body = b"".join([label, *(np.ascontiguousarray(column).tobytes() for _, column in columns)])
    return _HEAD.pack(_MAGIC, zlib.crc32(body), len(label)) + body


def unpacked(content: bytes, key: str) -> Day:
    """Return the day of a file; ValueError when it is damaged, or of another key."""
    if len(content) < _HEAD.size:
        raise ValueError(_NO_FILE)
    magic, check_sum, length = _HEAD.unpack_from(content)
    body = memoryview(content)[_HEAD.size :]
    if magic != _MAGIC or zlib.crc32(body) != check_sum:
        raise ValueError(_NO_FILE)
    said = json.loads(bytes(body[:length]))
    if said["key"] != key:
        raise ValueError("worked out by other settings")
    columns: dict[str, NDArray[Any]] = {}
    at = length
    for name, kind, shape in said["columns"]:
        count = int(np.prod(shape))
        columns[name] = np.frombuffer(body, kind, count, at).reshape(shape).copy()
        at += columns[name].nbytes
    return Day(
        said["begin_ms"],
        said["end_ms"],
        np.unpackbits(columns["valid"], count=len(columns["measured"])).astype(np.bool_),
        columns["measured"],
        columns["ends"],
        Odd(*(columns[name] for name in ("rows", "parts", "since_ms", "until_ms"))),
        columns["whose"],
        Intervals(**{name: columns[f"across.{name}"] for name in COLUMNS}, findings=()),
        [(row, Finding(*one)) for row, *one in said["findings"]],
    )


def _put(file: Path, content: bytes) -> None:
    """Put a whole and durable file in the place of what was there."""
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)


def _check_sum(said: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())
