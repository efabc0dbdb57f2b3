"""How money is told: the same digits to programs, pages and files; pure.

Amounts and prices are decimals: in JSON they are texts, so that no reader makes floats of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from hub.energy.bill import Bill, Demand, Line, Money
from hub.energy.cost import CostTable, PlaceCost
from hub.energy.demand import Forecast
from hub.energy.told import at, rounded, share
from hub.model import Json, Text
from hub.sheet import Cell, Column, Sheet

QUANTITY_PLACES = 3
COLUMNS = (
    Column("place", Text("地点", "Place")),
    Column("name", Text("名称", "Name")),
    Column("start", Text("开始", "From"), instant=True),
    Column("end", Text("结束", "To"), instant=True),
    Column("tariff", Text("电价", "Tariff")),
    Column("version", Text("版本", "Version")),
    Column("line", Text("项目", "Line")),
    Column("quantity", Text("数量", "Quantity"), number=True),
    Column("unit", Text("单位", "Unit")),
    Column("price", Text("单价", "Price"), number=True),
    Column("part", Text("占月比例", "Part of the month"), number=True),
    Column("amount", Text("金额", "Amount"), number=True),
    Column("estimated", Text("其中估算", "Of it estimated"), number=True),
    Column("low", Text("下限", "At least"), number=True),
    Column("high", Text("上限", "At most"), number=True),
    Column("missing", Text("缺失比例", "Share missing"), number=True),
    Column("currency", Text("货币", "Currency")),
)


def answer(table: CostTable, zone: ZoneInfo) -> dict[str, Json]:
    """Return what places cost as it stands in the API."""
    query = table.query
    return {
        "utility": query.utility,
        "by": query.by,
        "tariff": query.tariff,
        "start": at(query.start_ms, zone),
        "end": at(query.end_ms, zone),
        "currency": table.currency,
        "rows": [_row(row, zone) for row in table.rows],
        "total": None if table.total is None else money(table.total),
    }


def money(one: Money) -> dict[str, Json]:
    """Return an amount with what it rests on and between what it lies."""
    return {
        "amount": str(one.amount),
        "measured": str(one.measured),
        "estimated": str(one.estimated),
        "low": str(one.low),
        "high": str(one.high),
    }


def _row(row: PlaceCost, zone: ZoneInfo) -> dict[str, Json]:
    return {
        "id": row.id,
        "name": {"zh": row.name.zh, "en": row.name.en},
        **money(row.money),
        "missing": share(row.missing),
        "bills": [_bill(one, zone) for one in row.bills],
    }


def _bill(one: Bill, zone: ZoneInfo) -> dict[str, Json]:
    return {
        "tariff": one.tariff,
        "version": one.version,
        "start": at(one.start_ms, zone),
        "end": at(one.end_ms, zone),
        "currency": one.currency,
        "quantity": quantity(one.quantity),
        "unit": one.unit,
        **money(one.money),
        "missing": share(one.missing),
        "lines": [_line(line) for line in one.lines],
    }


def _line(line: Line) -> dict[str, Json]:
    return {
        "kind": line.kind,
        "id": line.id,
        "name": {"zh": line.name.zh, "en": line.name.en},
        "quantity": quantity(line.quantity),
        "unit": line.unit,
        "price": plain(line.price),
        "part_of_month": share(line.part),
        **money(line.money),
        "missing": share(line.missing),
    }


def quantity(value: Decimal) -> str:
    """Write a quantity with the digits of a meter; the amount was made from all of them.

    >>> quantity(Decimal("12.3456")), quantity(Decimal("3.0000"))
    ('12.346', '3')
    """
    return plain(value.quantize(Decimal(1).scaleb(-QUANTITY_PLACES)))


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent and without zeros that say nothing.

    >>> plain(Decimal("1.2960")), plain(Decimal("1E+2")), plain(Decimal("0.00"))
    ('1.296', '100', '0')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def sheet(table: CostTable, zone: ZoneInfo, language: str) -> Sheet:
    """Return one row per line of each bill; their amounts add up to the totals of the API."""
    return Sheet(f"cost-{table.query.utility}", COLUMNS, _rows(table, zone, language))


def _rows(table: CostTable, zone: ZoneInfo, language: str) -> Iterator[Sequence[Cell]]:
    for row in table.rows:
        for one in row.bills:
            head = (
                row.id,
                row.name.in_language(language),
                at(one.start_ms, zone),
                at(one.end_ms, zone),
                one.tariff,
                one.version,
            )
            for line in one.lines:
                yield (
                    *head,
                    line.name.in_language(language),
                    float(quantity(line.quantity)),
                    line.unit,
                    float(line.price),
                    share(line.part),
                    *_amounts(line.money),
                    share(line.missing),
                    one.currency,
                )


def _amounts(one: Money) -> tuple[float, ...]:
    """Return amounts as numbers of a table; so few digits come back from a float unharmed."""
    return float(one.amount), float(one.estimated), float(one.low), float(one.high)


def demand(one: Demand, zone: ZoneInfo) -> dict[str, Json]:
    """Return the highest window as it stands in the API."""
    return {
        "kw": rounded(one.kw),
        "low": rounded(one.low),
        "high": rounded(one.high),
        "missing": share(one.missing),
        "at": None if one.at_ms is None else at(one.at_ms, zone),
    }


def forecast(one: Forecast, limit_kw: float | None, zone: ZoneInfo) -> dict[str, Json]:
    """Return where the running window leads as it stands in the API."""
    return {
        "window": at(one.window_ms, zone),
        "at": at(one.at_ms, zone),
        "so_far_kw": rounded(one.so_far_kw),
        "expected_kw": rounded(one.expected_kw),
        "low_kw": rounded(one.low_kw),
        "high_kw": rounded(one.high_kw),
        "tried": one.tried,
        "limit_kw": limit_kw,
        "against_limit": one.against(limit_kw),
    }
