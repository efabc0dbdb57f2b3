"""How an answer about hot water is told: the same digits to programs, pages and files; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

from hub.energy.calendar import Step
from hub.energy.hot_water import Loss
from hub.energy.hot_water_row import Answer, Row
from hub.energy.question import Figure
from hub.energy.told import at, figure, rounded, share
from hub.model import Json, Text
from hub.sheet import Cell, Column, Sheet


@dataclass(frozen=True, slots=True)
class Told:
    """One figure of a row: its name for programs, its title and unit for people."""

    key: str
    title: Text
    unit: str
    of: Callable[[Row], Figure]


def _loss(loss: Loss, days: float) -> Figure:
    """Return a loss with the share of the time in which it was to be seen."""
    seen = min(loss.hours / (24 * days), 1.0) if loss.kw is not None else 0.0
    return Figure(loss.kw, seen, 0.0, 1.0 - seen)


def _of_sessions(row: Row, value: float | None) -> Figure:
    """Return a figure of sessions; what belongs to no session that was seen is missing."""
    seen = row.sessions.seen * (1 - row.tapped.missing)
    return Figure(value, seen, 0.0, 1.0 - seen)


FIGURES: Sequence[Told] = (
    Told("per_day", Text("日供热水", "Hot water a day"), "t/d", lambda row: row.per_day),
    Told("delivered", Text("热水供应量", "Hot water delivered"), "t", lambda row: row.delivered),
    Told("made_up", Text("补水量", "Made up"), "t", lambda row: row.made_up),
    Told("unaccounted", Text("补水未供出", "Made up, not delivered"), "t",
         lambda row: row.unaccounted),
    Told("tapped", Text("终端用水", "Run at terminals"), "t", lambda row: row.tapped),
    Told("mixed_in", Text("混入冷水", "Cold water mixed in"), "t", lambda row: row.mixed_in),
    Told("energy", Text("用电量", "Electricity"), "kWh", lambda row: row.energy),
    Told("heat", Text("供热量", "Heat made"), "kWh", lambda row: row.heat),
    Told("per_tonne", Text("吨水电耗", "Electricity a tonne"), "kWh/t", lambda row: row.per_tonne),
    Told("expected_per_tonne", Text("吨水电耗期望值", "Expected of physics and COP"), "kWh/t",
         lambda row: row.expected_per_tonne),
    Told("heat_per_tonne", Text("吨水供热量", "Heat a tonne"), "kWh/t",
         lambda row: row.heat_per_tonne),
    Told("physics_per_tonne", Text("吨水理论热量", "Heat a tonne carries"), "kWh/t",
         lambda row: row.physics_per_tonne),
    Told("cop", Text("能效比 COP", "COP"), "", lambda row: row.cop),
    Told("supply", Text("平均供水温度", "Mean supply temperature"), "degC", lambda row: row.supply),
    Told("compliance", Text("供水温度达标率", "Supply as promised"), "share",
         lambda row: row.compliance),
    Told("outlet", Text("出水温度达标率", "Outlet as promised"), "share", lambda row: row.outlet),
    Told("standing", Text("静置热损失", "Standing loss"), "kW",
         lambda row: _loss(row.standing, row.days)),
    Told("loop", Text("循环管网热损失", "Loop loss"), "kW", lambda row: _loss(row.loop, row.days)),
    Told("per_terminal", Text("每终端日用水", "A terminal and day"), "L",
         lambda row: row.per_terminal),
    Told("per_student", Text("每生日用热水", "A student and day"), "L",
         lambda row: row.per_student),
    Told("sessions", Text("洗浴次数", "Sessions"), "",
         lambda row: _of_sessions(row, row.sessions.count)),
    Told("session_median", Text("单次用水中位数", "A session, median"), "L",
         lambda row: _of_sessions(row, row.sessions.quantile(0.5))),
    Told("session_high", Text("单次用水 90% 分位", "A session, 90 % below"), "L",
         lambda row: _of_sessions(row, row.sessions.quantile(0.9))),
)  # fmt: skip
BY_KEY = {one.key: one for one in FIGURES}


def answer(found: Answer, step: Step, zone: ZoneInfo) -> dict[str, Json]:
    """Return an answer as it stands in the API; every figure with its shares."""
    edges, promise, trend = found.edges, found.delivery, found.trend
    return {
        "place": found.place,
        "by": found.by,
        "step": step,
        "start": at(edges[0], zone),
        "end": at(edges[-1], zone),
        "steps": [at(edge, zone) for edge in edges[:-1]],
        "promise": {
            "open": [
                {"from": f"{one.start:%H:%M}", "to": f"{one.end:%H:%M}"} for one in promise.opening
            ],
            "supply": promise.supply,
            "outlet": promise.outlet,
            "cold": promise.cold,
            "cop": promise.cop,
        },
        "detailed": found.detailed,
        "units": {one.key: one.unit for one in FIGURES},
        "rows": [_row(row) for row in found.rows],
        "total": _row(found.total),
        "capacity": {
            "tonnes_per_day": found.capacity,
            "used": figure(found.used),
            "days": trend.days,
            "tonnes_per_day_and_year": rounded(trend.slope),
            "full_in_days": rounded(trend.full_in_days),
        },
    }


def _row(row: Row) -> dict[str, Json]:
    return {
        "id": row.id,
        "kind": row.kind,
        "name": {"zh": row.name.zh, "en": row.name.en},
        "source": row.source,
        "plants": row.plants,
        "terminals": row.terminals,
        "students": row.students,
        "figures": {one.key: figure(one.of(row)) for one in FIGURES},
        "steps": [figure(one) for one in row.steps],
    }


def sheet(found: Answer, step: Step, zone: ZoneInfo, language: str) -> Sheet:
    """Return an answer as a sheet: one line per row, or per row and step, the total last."""
    ends = (
        Column("place", Text("编号", "Id")),
        Column("name", Text("名称", "Name")),
        Column("start", Text("开始", "Start"), instant=True),
        Column("end", Text("结束", "End"), instant=True),
        Column("source", Text("吨水来源", "Tonnes by")),
    )
    if step != "total":
        return Sheet("hot-water", (*ends, *_tonnes()), _steps(found, zone, language))
    figures = [
        column
        for one in FIGURES
        for column in (
            Column(one.key, _titled(one), number=True),
            Column(f"{one.key}_measured", _shared(one, "实测占比", "measured"), number=True),
            Column(f"{one.key}_estimated", _shared(one, "估算占比", "estimated"), number=True),
            Column(f"{one.key}_missing", _shared(one, "缺失占比", "missing"), number=True),
        )
    ]
    return Sheet("hot-water", (*ends, *figures), _whole(found, zone, language))


def _titled(one: Told) -> Text:
    unit = f" ({one.unit})" if one.unit else ""
    return Text(one.title.zh + unit, one.title.en + unit)


def _shared(one: Told, zh: str, en: str) -> Text:
    return Text(f"{one.title.zh}{zh}", f"{one.title.en}: {en}")


def _tonnes() -> Iterator[Column]:
    yield Column("delivered", _titled(BY_KEY["delivered"]), number=True)
    for key, zh, en in (
        ("measured", "实测占比", "Share measured"),
        ("estimated", "估算占比", "Share estimated"),
        ("missing", "缺失占比", "Share missing"),
    ):
        yield Column(key, Text(zh, en), number=True)


def _cells(one: Figure) -> list[Cell]:
    return [rounded(one.value), share(one.measured), share(one.estimated), share(one.missing)]


def _whole(found: Answer, zone: ZoneInfo, language: str) -> Iterator[Sequence[Cell]]:
    span = at(found.edges[0], zone), at(found.edges[-1], zone)
    for row in (*found.rows, found.total):
        cells = [cell for one in FIGURES for cell in _cells(one.of(row))]
        yield [row.id, row.name.in_language(language) or row.id, *span, row.source, *cells]


def _steps(found: Answer, zone: ZoneInfo, language: str) -> Iterator[Sequence[Cell]]:
    for n, (start, end) in enumerate(pairwise(found.edges)):
        span = at(start, zone), at(end, zone)
        for row in (*found.rows, found.total):
            one = row.steps[n] if row.steps else Figure(None)
            name = row.name.in_language(language) or row.id
            yield [row.id, name, *span, row.source, *_cells(one)]
