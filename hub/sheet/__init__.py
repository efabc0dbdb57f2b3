"""Tables that leave the hub as files: CSV, XLSX and Parquet, written row by row in flat memory."""

from hub.sheet.file import write
from hub.sheet.sheet import FORMATS, MEDIA_TYPES, Cell, Column, Format, Sheet

__all__ = ["FORMATS", "MEDIA_TYPES", "Cell", "Column", "Format", "Sheet", "write"]
