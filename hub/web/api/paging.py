"""Lists in pages: which part is wanted, and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from hub.model import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a list that is asked for."""

    limit: int
    offset: int

    def of(self, rows: Sequence[T], written: Callable[[T], Json]) -> dict[str, Json]:
        """Answer with this part of a whole list."""
        chosen = rows[self.offset : self.offset + self.limit]
        return self.answer([written(row) for row in chosen], len(rows))

    def answer(self, items: Sequence[Json], total: int) -> dict[str, Json]:
        """Answer with items that are already this part of ``total``."""
        behind = self.offset + len(items)
        return {
            "items": items,
            "total": total,
            "next_offset": behind if items and behind < total else None,
        }


def _part(
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Part:
    return Part(limit, offset)


Paged = Annotated[Part, Depends(_part)]
Answer = dict[str, Any]
