"""A table with titled columns, and the forms that it can be written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from hub.model import Text

Format = Literal["csv", "xlsx", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name for programs, its title for people, and what it holds: text or else.

    An instant is a text of ISO 8601 with its offset.
    """

    key: str
    title: Text
    number: bool = False
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A named table; the rows are read once, in order, each as long as there are columns.

    ``more`` are tables that belong to it: a workbook holds them on pages of their own.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Iterable[Sequence[Cell]]
    more: Sequence[Sheet] = ()

    def titles(self, language: str) -> list[str]:
        """Return the titles of the columns for people."""
        return [column.title.in_language(language) for column in self.columns]
