"""Sheets as CSV that Excel opens rightly, and that makes no spreadsheet calculate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from hub.sheet.sheet import Cell, Sheet

# Excel takes a file without this mark for one of the machine's old code page.
MARK = "\ufeff"
# A text that begins so would be calculated when a spreadsheet opens the file.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHUNK = 64 * 1024


def harmless(cell: Cell) -> Cell:
    """Return a cell that is shown and never calculated; numbers stay numbers.

    >>> harmless("=1+1"), harmless(-2.5), harmless("7栋")
    ("'=1+1", -2.5, '7栋')
    """
    return "'" + cell if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def csv_text(sheet: Sheet, language: str) -> Iterator[str]:
    """Yield the text of a sheet piece by piece; a missing value is an empty cell."""
    text = io.StringIO(newline="")
    text.write(MARK)
    table = csv.writer(text)
    table.writerow([harmless(title) for title in sheet.titles(language)])
    for row in sheet.rows:
        table.writerow([harmless(cell) for cell in row])
        if text.tell() >= _CHUNK:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def write_csv(sheet: Sheet, file: Path, language: str) -> None:
    """Write a sheet to a file."""
    with file.open("w", encoding="utf-8", newline="") as out:
        out.writelines(csv_text(sheet, language))
