"""What reports and exports share: the form they are written in, the file or terminal they go to."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub.cli.beside import whole_file
from hub.ports import Refused
from hub.settings import Settings
from hub.sheet import FORMATS
from hub.sheet.csv_file import MARK

_ENDINGS = {f".{form}": form for form in FORMATS}


def add_output(parser: argparse.ArgumentParser, forms: Sequence[str]) -> None:
    """Give a command its form and its file."""
    parser.add_argument("--format", choices=forms, help="default: by the ending of FILE")
    parser.add_argument("--language", choices=("zh", "en"), help="of the titles (default: site's)")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: the terminal")


def form_of(arguments: argparse.Namespace, otherwise: Any) -> Any:
    """Return the form that is asked for, by name or by the ending of the file."""
    ending = _ENDINGS.get(arguments.file.suffix) if arguments.file else None
    form = arguments.format or ending or otherwise
    if form in ("xlsx", "parquet") and arguments.file is None:
        raise Refused(f"{form} is nothing for a terminal; name a FILE")
    return form


def language_of(arguments: argparse.Namespace, settings: Settings) -> str:
    """Return the language of the titles."""
    site = "en" if settings.locale.startswith("en") else "zh"
    return arguments.language or site


def deliver(fill: Callable[[Path], object], file: Path | None, *, as_table: bool = False) -> None:
    """Let a file be filled and put it where it is wanted: in its place, or on the terminal."""
    if file is not None and not as_table:
        with whole_file(file) as part:
            fill(part)
        return
    with tempfile.TemporaryDirectory(prefix="campus-hub-") as folder:
        made = Path(folder) / "made"
        fill(made)
        if not as_table:
            with made.open("rb") as source:
                while piece := source.read(1 << 16):
                    sys.stdout.buffer.write(piece)
            return
        text = aligned(made.read_text("utf-8"))
    if file is None:
        print(text)
    else:
        with whole_file(file) as part:
            part.write_text(text + "\n", "utf-8")


def aligned(text: str) -> str:
    r"""Return CSV as a table for a terminal; Chinese letters are two columns wide.

    >>> print(aligned("name,kWh\r\n7栋,1.5\r\nall,20\r\n"))
    name  kWh
    7栋   1.5
    all    20
    Tables with an empty line between them are aligned each for itself.
    """
    rows = list(csv.reader(io.StringIO(text.replace(MARK, ""))))
    if [] in rows:
        at = rows.index([])
        return f"{_aligned(rows[:at])}\n\n{_aligned(rows[at + 1 :])}"
    return _aligned(rows)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    columns = list(zip(*rows, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    right = [any(map(_is_number, column[1:])) for column in columns]
    lines = []
    for row in rows:
        cells = [
            " " * (width - _width(cell)) + cell if number else cell + " " * (width - _width(cell))
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
