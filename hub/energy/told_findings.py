"""How an answer about use is told with what explains it: findings about the meters; pure."""
# ruff: noqa: RUF001 - Chinese has its own commas

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from hub.energy import told
from hub.energy.counter import FindingKind
from hub.energy.question import Explanation, Table
from hub.energy.told import at, rounded
from hub.model import Json, Text
from hub.sheet import Cell, Column, Sheet

_ENTER = Text(
    "到现场核对；若换过表或被清零，请登记换表，用量即按记录重算。",
    "Look at the meter; if it was exchanged or set back, enter the change: the use follows it.",
)
_NOTHING = Text("无需处理。", "Nothing to do.")
NAMES: Mapping[FindingKind, Text] = {
    "reset": Text("清零", "Reset"),
    "swap": Text("疑似换表", "Exchanged?"),
    "glitch": Text("错误读数", "Wrong reading"),
    "unconfirmed": Text("待确认", "Unconfirmed"),
    "record": Text("记录不符", "Record denied"),
    "stuck": Text("表不走", "Stands still"),
    "rollover": Text("翻转", "Roll-over"),
    "change": Text("已登记换表", "Change entered"),
}
WHAT: Mapping[FindingKind, Text] = {
    "reset": Text(
        "表底数突然退回，没有换表记录；这段用量按前后用量估算。",
        "The counter went back and no change is entered; the use in between is an estimate.",
    ),
    "swap": Text(
        "表底数跳到另一水平，没有换表记录；这段用量按前后用量估算。",
        "The counter jumped to another level and no change is entered; the use is an estimate.",
    ),
    "glitch": Text(
        "读数与前后矛盾，没有计入。",
        "A reading that its neighbours deny; it was left out.",
    ),
    "unconfirmed": Text(
        "最后一个读数跳变，后续读数到来前按估算计入。",
        "The last reading jumped; until the next one it counts as an estimate.",
    ),
    "record": Text(
        "登记的换表读数与表的读数矛盾。",
        "The closing or opening entered for a change and the readings contradict each other.",
    ),
    "stuck": Text(
        "功率或流量表明在用，表底数却不动；上限是按功率算出的用量。",
        "Its power or flow says that it should count; high is what that comes to.",
    ),
    "rollover": Text(
        "表走满量程后从零继续，已计入。",
        "The counter came to its end and went on from 0; that is counted.",
    ),
    "change": Text(
        "换表已登记：旧表止数与新表起数。",
        "A change that was entered: closing of the old and opening of the new counter.",
    ),
}
DO: Mapping[FindingKind, Text] = {
    "reset": _ENTER,
    "swap": _ENTER,
    "glitch": Text(
        "无需处理；若经常出现，请检查表和线路。",
        "Nothing; if it comes often, check the meter and its line.",
    ),
    "unconfirmed": Text(
        "等待下一个读数；若换过表，请登记换表。",
        "Wait for the next reading; if the meter was exchanged, enter the change.",
    ),
    "record": Text(
        "核对登记的时间、止数和起数，必要时更正记录。",
        "Check the instant, closing and opening of the record, and correct it.",
    ),
    "stuck": Text("检查或更换计量表。", "Check the meter, or replace it."),
    "rollover": _NOTHING,
    "change": _NOTHING,
}
_TO_ENTER: tuple[FindingKind, ...] = ("reset", "swap", "unconfirmed")

COLUMNS = (
    Column("device", Text("设备", "Device")),
    Column("point", Text("测点", "Point")),
    Column("kind", Text("发现", "Finding")),
    Column("start", Text("开始", "Start"), instant=True),
    Column("end", Text("结束", "End"), instant=True),
    Column("before", Text("前读数", "Reading before"), number=True),
    Column("after", Text("后读数", "Reading after"), number=True),
    Column("shown_unit", Text("读数单位", "Unit of readings")),
    Column("used", Text("计入用量", "Use counted"), number=True),
    Column("low", Text("下限", "Low"), number=True),
    Column("high", Text("上限", "High"), number=True),
    Column("unit", Text("单位", "Unit")),
    Column("what", Text("说明", "What it is")),
    Column("do", Text("处理", "What to do")),
    Column("command", Text("登记命令", "Command")),
)
BRIEF = ("device", "kind", "start", "end", "before", "after", "used", "low", "high", "unit", "do")
"""What of it fits a terminal."""


def command(one: Explanation) -> str | None:
    """Return the command that enters the change, up to the instant and reason; None where none."""
    if one.kind not in _TO_ENTER:
        return None
    return (
        f"campus-hub meter change {one.device} --point {one.point} --at …"
        f" --closing {rounded(one.before)} --opening {rounded(one.after)} --reason …"
    )


def answer(table: Table, zone: ZoneInfo) -> dict[str, Json]:
    """Return a table and its findings as they stand in the API."""
    findings = [_answer(one, table.unit, zone) for one in table.findings]
    return {**told.answer(table, zone), "findings": findings, "found": table.found}


def sheet_with_findings(table: Table, zone: ZoneInfo, language: str) -> Sheet:
    """Return a table as a sheet that has its findings on a page of their own."""
    return replace(told.sheet(table, zone, language), more=(sheet(table, zone, language),))


def _answer(one: Explanation, unit: str, zone: ZoneInfo) -> dict[str, Json]:
    what, do = WHAT[one.kind], DO[one.kind]
    return {
        "device": one.device,
        "point": one.point,
        "kind": one.kind,
        "start": at(one.start_ms, zone),
        "end": at(one.end_ms, zone),
        "before": rounded(one.before),
        "after": rounded(one.after),
        "shown_unit": one.shown_unit,
        "used": rounded(one.used),
        "low": rounded(one.low),
        "high": rounded(one.high),
        "unit": unit,
        "what": {"zh": what.zh, "en": what.en},
        "do": {"zh": do.zh, "en": do.en},
        "command": command(one),
    }


def sheet(table: Table, zone: ZoneInfo, language: str) -> Sheet:
    """Return the findings as a sheet of their own, one line each."""
    return Sheet("findings", COLUMNS, _lines(table, zone, language))


def _lines(table: Table, zone: ZoneInfo, language: str) -> Iterator[Sequence[Cell]]:
    for one in table.findings:
        line = _answer(one, table.unit, zone)
        line |= {
            "kind": NAMES[one.kind].in_language(language),
            "what": WHAT[one.kind].in_language(language),
            "do": DO[one.kind].in_language(language),
        }
        yield list(line.values())
