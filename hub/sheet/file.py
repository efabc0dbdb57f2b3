"""The one way to write a sheet to a file, in whichever form."""

from __future__ import annotations

from pathlib import Path

from hub.sheet.sheet import Format, Sheet


def write(sheet: Sheet, form: Format, file: Path, language: str) -> None:
    """Write a sheet to a file; people read its titles in CSV and XLSX, programs keys in Parquet."""
    # The libraries are heavy: only the one in use is imported.
    if form == "csv":
        from hub.sheet.csv_file import write_csv  # noqa: PLC0415

        write_csv(sheet, file, language)
    elif form == "xlsx":
        from hub.sheet.xlsx_file import write_xlsx  # noqa: PLC0415

        write_xlsx(sheet, file, language)
    else:
        from hub.sheet.parquet_file import write_parquet  # noqa: PLC0415

        write_parquet(sheet, file)
