"""Read YAML and CSV files with the line of every key; refuse what a configuration never needs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from hub.model import Json

Key = tuple[str | int, ...]


class CsvReader(Protocol):
    """What the standard library's reader of CSV offers."""

    line_num: int

    def __next__(self) -> list[str]:
        """Return the cells of the next row."""

    def __iter__(self) -> Iterator[list[str]]:
        """Return the rows."""


# The C parser is some ten times faster; both give the same events.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LARGEST_BYTES = 16 * 1024 * 1024
_DEEPEST = 20
_WORDS: Mapping[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,16}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with the configuration, and where."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        """Return the line that people read."""
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


def key_text(key: Key) -> str:
    """Write a key the way people do.

    >>> key_text(("devices", 3, "unit_id"))
    'devices[3].unit_id'
    """
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "file"


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one file and the line on which each key stands."""

    file: str
    data: Json
    lines: Mapping[Key, int]

    def line(self, key: Key) -> int:
        """Return the line of a key, or of the nearest thing around it."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)

    def problem(self, key: Key, message: str) -> Problem:
        """Say what is wrong at a key."""
        return Problem(self.file, self.line(key), key_text(key), message)

    def rows(self, name: str) -> list[Row]:
        """Return the entries of a list that are mappings, each with its place in the file."""
        listed = self.data.get(name) if isinstance(self.data, dict) else None
        if not isinstance(listed, list):
            return []
        return [Row(self, (name, n), one) for n, one in enumerate(listed) if isinstance(one, dict)]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a list, as it was written: its form may still be wrong."""

    document: Document
    key: Key
    data: Mapping[str, Json]

    def text(self, name: str) -> str | None:
        """Return the value of a key when it is a text."""
        value = self.data.get(name)
        return value if isinstance(value, str) else None

    def problem(self, name: str, message: str) -> Problem:
        """Say what is wrong with a key of this entry."""
        return self.document.problem((*self.key, name), message)


class _Wrong(Exception):  # noqa: N818 - carries a problem to the reader's edge, never leaves here
    def __init__(self, line: int, message: str, key: Key = ()) -> None:
        super().__init__(message)
        self.line = line
        self.key = key


class _Builder:
    """Turn the parser's events into plain values, keeping the line of every key."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self.lines: dict[Key, int] = {}

    def document(self) -> Json:
        value = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Wrong(_line(event), "a second document begins here; keep one per file")
                self.lines[()] = _line(event)
                value = self._value(next(self._events), ())
        return value

    def _value(self, event: yaml.Event, key: Key) -> Json:
        _refuse_tricks(event, key)
        if isinstance(event, yaml.ScalarEvent):
            return _plain(event.value) if event.implicit[0] else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(key)
        return self._mapping(key)

    def _sequence(self, key: Key) -> list[Json]:
        values: list[Json] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*key, len(values))
            self.lines[here] = _line(event)
            values.append(self._value(event, here))
        return values

    def _mapping(self, key: Key) -> dict[str, Json]:
        values: dict[str, Json] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            _refuse_tricks(event, key)
            if not isinstance(event, yaml.ScalarEvent):
                raise _Wrong(_line(event), "a key must be a plain word", key)
            here = (*key, event.value)
            if event.value in values:
                first = self.lines[here]
                raise _Wrong(_line(event), f"written twice; first on line {first}", here)
            self.lines[here] = _line(event)
            values[event.value] = self._value(next(self._events), here)
        return values


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _refuse_tricks(event: yaml.Event, key: Key) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        raise _Wrong(_line(event), "anchors and aliases (& and *) are not read; write it out", key)
    if (tag := getattr(event, "tag", None)) is not None:
        raise _Wrong(_line(event), f"tags ({tag}) are not read; remove it", key)
    if len(key) > _DEEPEST:
        raise _Wrong(_line(event), f"nested deeper than {_DEEPEST} levels", key[:3])


def _plain(text: str) -> Json:
    """Read an unquoted word by the core schema of YAML 1.2: ``on`` and 19:30 stay words."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text):
        return int(text, 16)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def read_yaml(path: Path, file: str, problems: list[Problem]) -> Document | None:
    """Read one YAML file; what is wrong with it goes to ``problems``."""
    text = _read_text(path, file, problems)
    if text is None:
        return None
    builder = _Builder(yaml.parse(text, Loader=_LOADER))
    try:
        data = builder.document()
    except _Wrong as wrong:
        problems.append(Problem(file, wrong.line, key_text(wrong.key), str(wrong)))
        return None
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(file, error))
        return None
    if not isinstance(data, dict):
        problems.append(Problem(file, 1, "file", "must hold keys and values, like version: 1"))
        return None
    return Document(file, data, builder.lines)


def read_csv(path: Path, columns: Sequence[str], problems: list[Problem]) -> Document | None:
    """Read ``places.csv`` as the list ``places``; column ``name.zh`` is the key zh below name."""
    text = _read_text(path, path.name, problems)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = _header(reader, path.name, columns, problems)
        return _rows(reader, path, header, problems) if header else None
    except csv.Error as error:
        problems.append(Problem(path.name, reader.line_num, "file", f"is not CSV: {error}"))
        return None


def _header(
    reader: CsvReader, file: str, columns: Sequence[str], problems: list[Problem]
) -> list[str]:
    known = f"columns are {', '.join(columns)}"
    header = [name.strip() for name in next(reader, [])]
    if not header:
        problems.append(Problem(file, 1, "header", f"missing; {known}"))
    wrong = [name for name in header if name not in columns or header.count(name) > 1]
    for name in dict.fromkeys(wrong):
        what = "stands here twice" if name in columns else "is no column"
        problems.append(Problem(file, 1, name or "header", f"{what}; {known}"))
    return [] if wrong else header


def _rows(
    reader: CsvReader, path: Path, header: Sequence[str], problems: list[Problem]
) -> Document:
    name = path.stem
    rows: list[Json] = []
    lines: dict[Key, int] = {(): 1}
    begins = 2  # a quoted cell may hold line breaks, so a row begins where the last one ended
    for cells in reader:
        line, begins = begins, reader.line_num + 1
        if not any(cells):
            continue
        if len(cells) > len(header):
            what = f"has {len(cells)} cells for {len(header)} columns; put commas in quotes"
            problems.append(Problem(path.name, line, "row", what))
            continue
        lines[name, len(rows)] = line
        rows.append(_nested(zip(header, cells, strict=False)))
    return Document(path.name, {name: rows}, lines)


def _nested(cells: Iterator[tuple[str, str]]) -> dict[str, Json]:
    row: dict[str, Json] = {}
    for name, cell in cells:
        if not (value := cell.strip()):
            continue
        outer, _, inner = name.partition(".")
        if inner:
            row.setdefault(outer, {})[inner] = value
        else:
            row[outer] = value
    return row


def _read_text(path: Path, file: str, problems: list[Problem]) -> str | None:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            problems.append(Problem(file, 1, "file", f"is larger than {_LARGEST_BYTES} bytes"))
            return None
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problems.append(Problem(file, 1, "file", "not found"))
    except OSError as error:
        problems.append(Problem(file, 1, "file", f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problems.append(Problem(file, line, "file", "is not UTF-8; save it as UTF-8 (in a "
                                "spreadsheet: 'CSV UTF-8')"))  # fmt: skip
    return None


def _syntax_problem(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line = mark.line + 1 if mark else 1
    return Problem(file, line, "file", f"is not YAML: {what}; look at this line and the one above")
