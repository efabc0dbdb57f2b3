"""Readings, and what they come to per step, as sheets that are made while they are written."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.model import Point, Quality, Reason, Text, flag
from hub.ports import Aggregate, TimeSeriesStore
from hub.sheet.sheet import Cell, Column, Sheet
from hub.site import Site

AGGREGATES: tuple[Aggregate, ...] = ("mean", "min", "max", "first", "last", "count")
MOST_NUMBERS = 50_000  # in one question to the store
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POINT = Column("point", Text("测点", "Point"))
_LABEL = Column("label", Text("名称", "Name"))
_UNIT = Column("unit", Text("单位", "Unit"))
_TITLES = {
    "mean": Text("平均", "Mean"),
    "min": Text("最低", "Lowest"),
    "max": Text("最高", "Highest"),
    "first": Text("首值", "First"),
    "last": Text("末值", "Last"),
    "count": Text("读数个数", "Readings"),
}


def readings_sheet(
    store: TimeSeriesStore,
    site: Site,
    points: Sequence[Point],
    span: tuple[int, int],
    language: str,
) -> Sheet:
    """Return all readings of points in start <= at < end (UTC ms), bad ones with their reason."""
    columns = (
        _POINT,
        _LABEL,
        Column("at", Text("时间", "Time"), instant=True),
        Column("value", Text("读数", "Reading"), number=True),
        _UNIT,
        Column("quality", Text("质量", "Quality")),
        Column("reason", Text("原因", "Reason")),
    )
    return Sheet("readings", columns, _readings(store, site, points, span, language))


def _readings(
    store: TimeSeriesStore,
    site: Site,
    points: Sequence[Point],
    span: tuple[int, int],
    language: str,
) -> Iterator[Sequence[Cell]]:
    of = {point.number: point for point in points}
    words = {
        flag(quality, reason): (quality.name.lower(), reason.name.lower())
        for quality in Quality
        for reason in Reason
    }
    for batch in store.export(list(of), *span):
        rows = zip(
            batch.point.tolist(),
            batch.at_ms.tolist(),
            batch.value.tolist(),
            batch.quality.tolist(),
            strict=True,
        )
        for number, at_ms, value, packed in rows:
            point = of[number]
            number_ = value if math.isfinite(value) else None
            label = point.label.in_language(language)
            yield (point.id, label, _at(at_ms, site.zone), number_, point.unit, *words[packed])


def series_sheet(
    store: TimeSeriesStore,
    site: Site,
    points: Sequence[Point],
    period: tuple[int, int, int],
    language: str,
) -> Sheet:
    """Return points per step of start, end, step (ms): aggregates of good readings, and coverage.

    Coverage is the share of the step in which readings came as often as the device's interval asks.
    """
    columns = (
        _POINT,
        _LABEL,
        Column("start", Text("开始", "Start"), instant=True),
        *(Column(name, _TITLES[name], number=True) for name in AGGREGATES),
        _UNIT,
        Column("coverage", Text("数据完整率", "Coverage"), number=True),
    )
    return Sheet("series", columns, _series(store, site, points, period, language))


def _series(
    store: TimeSeriesStore,
    site: Site,
    points: Sequence[Point],
    period: tuple[int, int, int],
    language: str,
) -> Iterator[Sequence[Cell]]:
    start_ms, end_ms, step_ms = period
    # Whole steps of as many as one question may hold, so that memory stays flat.
    window_ms = max(MOST_NUMBERS // len(AGGREGATES), 1) * step_ms
    for point in points:
        interval_ms = site.devices[point.device].interval / timedelta(milliseconds=1)
        label = point.label.in_language(language)
        for begin in range(start_ms, end_ms, window_ms):
            end = min(begin + window_ms, end_ms)
            found = store.series([point.number], begin, end, step_ms, AGGREGATES)[point.number]
            for n, numbers in enumerate(zip(*(found[name] for name in AGGREGATES), strict=True)):
                at_ms = begin + n * step_ms
                lasts = min(step_ms, end_ms - at_ms)
                coverage = min((numbers[-1] or 0) * interval_ms / lasts, 1.0)
                at = _at(at_ms, site.zone)
                yield (point.id, label, at, *numbers, point.unit, round(coverage, 4))


def _at(instant_ms: int, zone: ZoneInfo) -> str:
    instant = (_EPOCH + timedelta(milliseconds=instant_ms)).astimezone(zone)
    return instant.isoformat(timespec="milliseconds")
