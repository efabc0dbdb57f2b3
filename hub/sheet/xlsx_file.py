"""The one door to XlsxWriter: sheets as XLSX, row by row through a temporary file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format as Style
from xlsxwriter.worksheet import Worksheet as Page

from hub.ports import Refused
from hub.sheet.sheet import Cell, Sheet

MOST_ROWS = 1_048_575  # of a worksheet, beside the titles
_WIDTH = 18
_LONGEST_TEXT = 32_767
_OPTIONS = {
    "constant_memory": True,
    # Text stays text, whatever it begins with.
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_xlsx(sheet: Sheet, file: Path, language: str) -> None:
    """Write a sheet to a file; Refused where it has more rows than a worksheet can have."""
    # A folder of its own: the file is put together from a part that may become large.
    options = {**_OPTIONS, "tmpdir": str(file.parent)}
    with xlsxwriter.Workbook(str(file), options) as book:
        bold = book.add_format({"bold": True})
        for one in (sheet, *sheet.more):
            _fill(book.add_worksheet(one.name), one, one.titles(language), bold)


def _fill(page: Page, sheet: Sheet, titles: Sequence[str], bold: Style) -> None:
    page.freeze_panes(1, 0)
    page.set_column(0, len(sheet.columns) - 1, _WIDTH)
    for n, title in enumerate(titles):
        page.write_string(0, n, title, bold)
    for line, row in enumerate(sheet.rows, 1):
        if line > MOST_ROWS:
            raise Refused(
                f"xlsx: a worksheet holds {MOST_ROWS:,} rows, and there are more; export less "
                "at once, or as csv or parquet"
            )
        for n, cell in enumerate(row):
            _write(page, line, n, cell)


def _write(page: Page, line: int, n: int, cell: Cell) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        page.write_string(line, n, cell[:_LONGEST_TEXT])
    else:
        page.write_number(line, n, cell)
