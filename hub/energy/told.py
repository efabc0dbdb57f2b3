"""How an answer about use is told: the same digits to programs, tables, pages and files; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hub.energy.question import Balance, Compare, Figure, Row, Table
from hub.model import Json, Text
from hub.sheet import Cell, Column, Sheet

PLACES = 3  # Wh of a kWh, litres of a m3: finer is no meter of a campus
SHARE_PLACES = 4

UTILITY_NAMES = {
    "electricity": Text("用电量", "Electricity"),
    "water": Text("用水量", "Water"),
    "hot_water": Text("热水用量", "Hot water"),
    "gas": Text("燃气用量", "Gas"),
    "heat": Text("用热量", "Heat"),
}
PER_NAMES = {"student": Text("学生", "student"), "m2": Text("m²", "m2")}
KIND_WORDS = {
    "campus": Text("校园", "campus"),
    "building": Text("楼栋", "building"),
    "floor": Text("楼层", "floor"),
    "room": Text("房间", "room"),
    "shower_room": Text("浴室", "shower room"),
    "plant": Text("热水机房", "plant"),
    "device": Text("设备", "device"),
}
TOTAL = Text("合计", "total")
BEFORE_NAMES: dict[Compare, Text] = {
    "previous": Text("上一周期", "Period before"),
    "year": Text("去年同期", "Year before"),
}
CHANGE_NAMES: dict[Compare, Text] = {
    "previous": Text("环比", "Change on the period before"),
    "year": Text("同比", "Change on the year before"),
}


def rounded(value: float | None) -> float | None:
    """Return a figure with the digits that are told everywhere."""
    return None if value is None else round(value, PLACES) + 0.0


def share(value: float | None) -> float | None:
    """Return a share (0..1) with the digits that are told everywhere."""
    return None if value is None else round(value, SHARE_PLACES) + 0.0


def at(instant_ms: int, zone: ZoneInfo) -> str:
    """Write an instant: ISO 8601 with the site's offset."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant_ms)
    return instant.astimezone(zone).isoformat(timespec="seconds")


def instant(text: str) -> int:
    """Return the instant that :func:`at` wrote."""
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return round(since / timedelta(milliseconds=1))


def unit_of(table: Table) -> str:
    """Return the unit of the figures: kWh, or kWh/student."""
    per = table.query.per
    return f"{table.unit}/{per}" if per else table.unit


def answer(table: Table, zone: ZoneInfo) -> dict[str, Json]:
    """Return a table as it stands in the API: columns per row, one number per step."""
    query = table.query
    return {
        "utility": query.utility,
        "unit": unit_of(table),
        "places": list(query.places),
        "by": query.by,
        "step": query.step,
        "start": at(query.start_ms, zone),
        "end": at(query.end_ms, zone),
        "steps": [at(edge, zone) for edge in table.edges[:-1]],
        "compared": {
            name: {"start": at(start, zone), "end": at(end, zone)}
            for name, (start, end) in table.compared.items()
        },
        "rows": [_row(row) for row in table.rows],
        "total": _row(table.total),
        "balances": [_balance(one) for one in table.balances],
    }


def _row(row: Row) -> dict[str, Json]:
    return {
        "id": row.id,
        "kind": row.kind,
        "name": {"zh": row.name.zh, "en": row.name.en},
        "rank": row.rank,
        "meters": row.meters,
        "divisor": row.divisor,
        "total": _counted(row.total),
        "before": {
            name: {**_counted(one), "change": share(row.change(name))}
            for name, one in row.before.items()
        },
        **_columns(row.steps),
    }


def figure(one: Figure) -> dict[str, Json]:
    """Return one figure as it stands in the API."""
    return {
        "value": rounded(one.value),
        "measured": share(one.measured),
        "estimated": share(one.estimated),
        "missing": share(one.missing),
        "low": rounded(one.least),
        "high": rounded(one.most),
        "coverage": share(one.coverage),
    }


def _counted(one: Figure) -> dict[str, Json]:
    """Return a figure of use with how many findings explain it."""
    return {**figure(one), "findings": one.findings}


def _columns(steps: Sequence[Figure]) -> dict[str, Json]:
    told = [_counted(one) for one in steps]
    names = {"values": "value", "low": "low", "high": "high"}
    shares = ("measured", "estimated", "missing", "coverage", "findings")
    names |= {name: name for name in shares}
    return {column: [one[name] for one in told] for column, name in names.items()}


def _balance(one: Balance) -> dict[str, Json]:
    return {
        "place": one.place,
        "name": {"zh": one.name.zh, "en": one.name.en},
        "meter": _counted(one.parent),
        "below": _counted(one.children),
        "meters_below": one.count,
        "loss": rounded(one.loss),
        "share": share(one.share),
        "low": rounded(one.low),
        "high": rounded(one.high),
        "missing": list(one.missing),
    }


def sheet(table: Table, zone: ZoneInfo, language: str) -> Sheet:
    """Return a table as a sheet: one line per row and step, the total last in each step."""
    whole = table.query.step == "total"
    columns = [
        Column("place", Text("编号", "Id")),
        Column("name", Text("名称", "Name")),
        Column("kind", Text("类别", "Kind")),
        Column("start", Text("开始", "Start"), instant=True),
        Column("end", Text("结束", "End"), instant=True),
        Column("value", UTILITY_NAMES[table.query.utility], number=True),
        Column("unit", Text("单位", "Unit")),
        Column("measured", Text("实测占比", "Share measured"), number=True),
        Column("estimated", Text("估算占比", "Share estimated"), number=True),
        Column("missing", Text("缺失占比", "Share missing"), number=True),
        Column("low", Text("下限", "Low"), number=True),
        Column("high", Text("上限", "High"), number=True),
        Column("coverage", Text("读数覆盖率", "Coverage"), number=True),
        Column("findings", Text("发现条数", "Findings"), number=True),
    ]
    if whole:
        columns.append(Column("rank", Text("排名", "Rank"), number=True))
        for name in table.query.compare:
            columns.append(Column(f"before_{name}", BEFORE_NAMES[name], number=True))
            columns.append(Column(f"missing_{name}", _missing_name(name), number=True))
            columns.append(Column(f"change_{name}", CHANGE_NAMES[name], number=True))
    return Sheet("use", tuple(columns), _lines(table, zone, language))


def _missing_name(name: Compare) -> Text:
    before = BEFORE_NAMES[name]
    return Text(f"{before.zh}缺失占比", f"{before.en}: share missing")


def _lines(table: Table, zone: ZoneInfo, language: str) -> Iterator[Sequence[Cell]]:
    whole = table.query.step == "total"
    for n, (start, end) in enumerate(pairwise(table.edges)):
        span = at(start, zone), at(end, zone)
        for row in (*table.rows, table.total):
            kind = TOTAL if row is table.total else KIND_WORDS[row.kind]
            line = _line(row, row.total if whole else row.steps[n], span, unit_of(table))
            line[1:3] = [row.name.in_language(language) or row.id, kind.in_language(language)]
            if whole:
                line.append(row.rank)
                for name in table.query.compare:
                    before = row.before[name]
                    change = share(row.change(name))
                    line += [rounded(before.value), share(before.missing), change]
            yield line


def _line(row: Row, one: Figure, span: tuple[str, str], unit: str) -> list[Cell]:
    told = _counted(one)
    names = ("measured", "estimated", "missing", "low", "high", "coverage", "findings")
    return [row.id, "", "", *span, told["value"], unit, *(told[name] for name in names)]
