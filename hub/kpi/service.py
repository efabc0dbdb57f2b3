"""The figures of the service from the tables of a hub, by either way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import NamedTuple

from hub.database import service
from hub.database.connection import Database
from hub.kpi.figure import By, Figures, Period, grouping
from hub.kpi.recount import recounted
from hub.kpi.rows import MARKS, Lived, counted
from hub.ports import Refused


class Asked(NamedTuple):
    """The time, what the rows are (None: the whole alone), and the crews that are contractors."""

    period: Period
    by: By | None
    contractors: Collection[str] = ()


class Answer(NamedTuple):
    """The figures of each group, and of all together."""

    asked: Asked
    rows: Mapping[str, Figures]
    total: Figures | None


def service_figures(database: Database, asked: Asked) -> Answer:
    """Count the service from the rows of its tickets."""
    period = asked.period
    found = service.lived(database, period.start_ms, period.last_ms, MARKS)
    lives = [Lived(*one) for one in found]
    total = counted(lives, period, grouping(None)).get("")
    rows = counted(lives, period, grouping(asked.by, asked.contractors)) if asked.by else {}
    return Answer(asked, rows, total)


def service_recounted(database: Database, asked: Asked) -> Answer:
    """Count the service from the history of its tickets alone."""
    period = asked.period
    events = service.histories(database, period.start_ms, period.last_ms)
    total = recounted(events, period, grouping(None)).get("")
    rows = recounted(events, period, grouping(asked.by, asked.contractors)) if asked.by else {}
    return Answer(asked, rows, total)


def check_same(first: Answer, second: Answer) -> None:
    """Raise Refused with the first figures that two ways to count do not agree about."""
    for name in sorted({*first.rows, *second.rows}):
        _check(name, first.rows.get(name), second.rows.get(name))
    _check("total", first.total, second.total)


def _check(group: str, first: Figures | None, second: Figures | None) -> None:
    for one in fields(Figures):
        here, there = (getattr(figures, one.name, None) for figures in (first, second))
        if here != there:
            raise Refused(
                f"{group}, {one.name}: the tickets say {here}, their history {there}; run"
                " campus-hub audit verify"
            )
