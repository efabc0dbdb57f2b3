"""How the figures of the service are told: the same digits to programs, tables and files; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from zoneinfo import ZoneInfo

from hub.energy.told import at
from hub.kpi.figure import Backlog, Figures, Mean, Share
from hub.kpi.service import Answer
from hub.model import Json, Text
from hub.sheet import Cell, Column, Sheet

TIMES = ("mtta", "mttr", "paused")  # in ms; told in minutes
MINUTE_MS = 60_000
PLACES = 4
TITLES: Mapping[str, Text] = {
    "opened": Text("新工单数", "Tickets opened"),
    "refused": Text("不予受理数", "Refused"),
    "response": Text("响应达标率", "Response in time"),
    "on_site": Text("到场达标率", "On site in time"),
    "fix": Text("修复达标率", "Fixed in time"),
    "crew": Text("增援到场达标率", "Extra crew in time"),
    "mtta": Text("平均响应时间", "Mean time to response"),
    "mttr": Text("平均修复时间", "Mean time to repair"),
    "paused": Text("平均暂停时间", "Mean time paused"),
    "first_time": Text("一次修复率", "Fixed the first time"),
    "rework": Text("七日内返修率", "Rework within 7 days"),
    "reopened": Text("重开次数", "Reopenings"),
    "backlog": Text("期末未结", "Open at the end"),
    "rating": Text("平均评分", "Mean rating"),
    "answered": Text("评价回收率", "Ratings per person asked"),
    "unproven": Text("未核实到场占比", "Arrivals not proven"),
}
_AGES = {
    "day": Text("不超过一天", "up to a day old"),
    "week": Text("一天至七天", "a day to a week old"),
    "older": Text("超过七天", "older"),
}
COLUMNS = (
    Column("group", Text("分组", "Group")),
    Column("figure", Text("指标", "Figure")),
    Column("value", Text("数值", "Value"), number=True),
    Column("unit", Text("单位", "Unit")),
    Column("of", Text("基数", "Of"), number=True),
)
TOTAL = Text("合计", "total")
NOBODY = Text("无", "none")
_MINUTES, _STARS = Text("分钟", "min"), Text("星", "stars")


def answer(found: Answer, zone: ZoneInfo) -> dict[str, Json]:
    """Return the figures as they stand in the API; null is what nobody knows, not zero."""
    period = found.asked.period
    return {
        "from": at(period.start_ms, zone),
        "to": at(period.end_ms, zone),
        "asked": at(period.now_ms, zone),
        "by": found.asked.by,
        "rows": [{"id": name, "figures": _all(one)} for name, one in found.rows.items()],
        "total": _all(found.total) if found.total else None,
    }


def _all(figures: Figures) -> dict[str, Json]:
    return {one.name: _plain(one.name, getattr(figures, one.name)) for one in fields(figures)}


def _plain(name: str, figure: int | Share | Mean | Backlog) -> Json:
    if isinstance(figure, Share):
        return {"value": rounded(figure.value), "n": figure.n, "of": figure.of}
    if isinstance(figure, Mean):
        return {"value": _mean(name, figure), "of": figure.of}
    return figure._asdict() if isinstance(figure, Backlog) else figure


def rounded(value: float | None) -> float | None:
    """Return a figure with the digits that are told everywhere."""
    return None if value is None else round(value, PLACES)


def _mean(name: str, figure: Mean) -> float | None:
    value = figure.value
    return rounded(value / MINUTE_MS if value is not None and name in TIMES else value)


def sheet(answer: Answer, language: str) -> Sheet:
    """Return one row for each figure of each group, those of all together last."""
    return Sheet("service", COLUMNS, list(_rows(answer, language)))


def _rows(answer: Answer, language: str) -> Iterator[Sequence[Cell]]:
    groups = [(name or NOBODY.in_language(language), one) for name, one in answer.rows.items()]
    total = [(TOTAL.in_language(language), answer.total)] if answer.total else []
    for group, figures in (*groups, *total):
        for line in lines(figures, language):
            yield group, *line


def lines(figures: Figures, language: str) -> Iterator[Sequence[Cell]]:
    """Yield title, value, unit and what it is of, for each figure as people read it."""
    for one in fields(figures):
        yield from _lines(one.name, getattr(figures, one.name), language)


def _lines(
    name: str, figure: int | Share | Mean | Backlog, language: str
) -> Iterator[Sequence[Cell]]:
    title = TITLES[name].in_language(language)
    if isinstance(figure, Share):
        value = rounded(figure.value)
        yield title, None if value is None else round(value * 100, PLACES - 2), "%", figure.of
    elif isinstance(figure, Mean):
        unit = _MINUTES if name in TIMES else _STARS
        yield title, _mean(name, figure), unit.in_language(language), figure.of
    elif isinstance(figure, Backlog):
        for age, n in figure._asdict().items():
            yield f"{title}: {_AGES[age].in_language(language)}", n, "", None
    else:
        yield title, figure, "", None
