"""Readings and roll-ups as InfluxDB line protocol, and what its answers mean; pure.

The first line of a field decides its type for ever, so each field is always written as one type:
a value is a float also where it is whole. The protocol knows neither NaN nor infinity, and writing
again replaces only the fields that the new line has. So ``quality`` also says what the value is,
and a ``value`` that was there before a correction does not come back. Two fields and no more: a
server's work, and its disk, go by the number of fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from hub.model import Batch, Point, Rollups
from hub.store import rollup

UNNAMED = "unnamed"  # readings of points that the site no longer has
ROLLUPS, LAST = "campus_hub_rollups", "campus_hub_last"
READING_FIELDS = ("value", "quality")
ROLLUP_FIELDS = tuple(name for name in rollup.COLUMNS if name not in {"point", "start_ms"})
# Points to a part: a string of the server, which holds their last readings, has 64 kB at most.
PART = 500
# Beside a batch's byte, in the same integer: the value is none, or plus or minus infinity.
_ODD = 256
_PLAIN, _NAN, _PLUS, _MINUS = range(4)
_VALUES = np.array([0.0, math.nan, math.inf, -math.inf])
_ESCAPED = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})


def measurement(points: Mapping[int, Point], number: int) -> str:
    """Return where the readings of a point are: the name of the point."""
    point = points.get(number)
    return point.name if point else UNNAMED


class Heads(dict[int, str]):
    """What the lines of a point begin with, by its number; made once of each."""

    def __init__(self, points: Mapping[int, Point]) -> None:
        super().__init__()
        self._points = points

    def __missing__(self, number: int) -> str:
        """Write the head of a point."""
        point = self._points.get(number)
        device = f",device={escaped(point.device)}" if point else ""
        self[number] = f"{escaped(measurement(self._points, number))}{device},point={number} "
        return self[number]


def reading_lines(batch: Batch, heads: Heads) -> list[str]:
    """Write one line per reading, in their order; instants in ms."""
    odd = np.select(
        [np.isfinite(batch.value), np.isnan(batch.value), batch.value > 0],
        [_PLAIN, _NAN, _PLUS],
        _MINUS,
    )
    marks = batch.quality + odd * _ODD
    columns = (column.tolist() for column in (batch.point, batch.at_ms, batch.value, marks))
    return [
        f"{heads[number]}value={value!r},quality={mark}i {at_ms}"
        if mark < _ODD
        else f"{heads[number]}quality={mark}i {at_ms}"
        for number, at_ms, value, mark in zip(*columns, strict=True)
    ]


def readings(found: Iterable[tuple[int, Sequence[Sequence[Any]]]]) -> Batch:
    """Make a batch of point numbers and their rows of instant and READING_FIELDS, in any order.

    Rows without a quality were written by somebody else and are left out.
    """
    series = [(number, rows) for number, rows in found if rows]
    if not series:
        return Batch.of([], [], [], [], 0)
    counts = [len(rows) for _, rows in series]
    point = np.repeat(np.array([number for number, _ in series], np.int32), counts)
    at_ms, value, mark = zip(*chain.from_iterable(rows for _, rows in series), strict=True)
    marks = np.array(mark, np.float64)  # what is None becomes NaN
    ours = ~np.isnan(marks)
    odd, quality = np.divmod(marks[ours].astype(np.int64), _ODD)
    values = np.where(odd == _PLAIN, np.array(value, np.float64)[ours], _VALUES[odd])
    instants = np.array(at_ms, np.int64)[ours]
    batch = Batch(
        point[ours], instants, values, quality.astype(np.uint8), int(instants.max(initial=0))
    )
    return batch.taken(np.lexsort((batch.at_ms, batch.point)))


def last_lines(last: Batch) -> list[str]:
    """Write the last readings, of one instant per point, in parts: a line for so many points."""
    columns = (last.point, last.at_ms, last.value, last.quality)
    parts: dict[int, list[str]] = {}
    for number, at_ms, value, quality in zip(*(c.tolist() for c in columns), strict=True):
        parts.setdefault(number // PART, []).append(f"{number} {at_ms} {value!r} {quality}")
    return [f'{LAST},part={part} readings="{";".join(rows)}" 0' for part, rows in parts.items()]


def last_readings(parts: Iterable[str]) -> Batch:
    """Return the last readings that parts hold."""
    rows = [row.split(" ") for part in parts for row in part.split(";")]
    if not rows:
        return Batch.of([], [], [], [], 0)
    point, at_ms, value, quality = zip(*rows, strict=True)
    instants = [int(at) for at in at_ms]
    return Batch.of(
        [int(number) for number in point],
        instants,
        [float(number) for number in value],
        [int(packed) for packed in quality],
        max(instants),
    )


def rollup_lines(rows: Rollups, points: Mapping[int, Point], kind: str) -> list[str]:
    """Write one line per roll-up; numbers that are none are left out.

    ``kind`` tags what they were made of: readings that are there, or that are kept no more.
    """
    columns = rollup.columns_of(rows)
    point, start = columns.pop("point").tolist(), columns.pop("start_ms").tolist()
    fields = [
        f"{name}=%r" if column.dtype.kind == "f" else f"{name}=%di"
        for name, column in columns.items()
    ]
    # A campus closes an hour of tens of thousands at once: whole rows are written in one go.
    floats = [column for column in columns.values() if column.dtype.kind == "f"]
    whole = np.all([np.isfinite(column) for column in floats], axis=0)
    heads = {number: f"{ROLLUPS},of={kind}{_tags(points, number)} " for number in set(point)}
    form = ",".join(fields)
    return [
        f"{heads[number]}{form % row if all_there else _some(fields, row)} {at_ms}"
        for number, at_ms, all_there, row in zip(
            point,
            start,
            whole.tolist(),
            zip(*(column.tolist() for column in columns.values()), strict=True),
            strict=True,
        )
    ]


def _some(fields: Sequence[str], row: Sequence[float]) -> str:
    pairs = zip(fields, row, strict=True)
    return ",".join(field % value for field, value in pairs if math.isfinite(value))


def _tags(points: Mapping[int, Point], number: int) -> str:
    point = points.get(number)
    named = f",device={escaped(point.device)},name={escaped(point.name)}" if point else ""
    return f"{named},part={number // PART},point={number}"


def rollups(
    found: Iterable[tuple[int, Sequence[Sequence[Any]]]],
    step_ms: int,
    fields: Sequence[str] = ROLLUP_FIELDS,
) -> Rollups:
    """Make roll-ups of point numbers and their rows of start and fields, in any order.

    A field that is not named is 0, or NaN where it may be.
    """
    series = [(number, rows) for number, rows in found if rows]
    if not series:
        return rollup.none(step_ms)
    counts = [len(rows) for _, rows in series]
    point = np.repeat(np.array([number for number, _ in series], np.int32), counts)
    table = zip(*chain.from_iterable(rows for _, rows in series), strict=True)
    columns = rollup.columns_of(rollup.unrolled(step_ms, point, np.zeros(len(point), np.int64)))
    for name, column in zip(("start_ms", *fields), table, strict=True):
        numbers = np.array(column, np.float64)  # what is None becomes NaN
        can_be_none = columns[name].dtype.kind == "f" and name != "sum"
        columns[name][:] = numbers if can_be_none else np.nan_to_num(numbers)
    # A roll-up that lost its last usable reading still has the numbers of before.
    nothing = columns["good"] == 0
    for name in ("min", "max", "first", "last"):
        columns[name][nothing] = np.nan
    made = Rollups(step_ms, **columns)
    return rollup.joined([rollup.taken(made, made.count > 0)], step_ms)


def escaped(word: str) -> str:
    """Write a measurement or tag so that the protocol takes it as one word."""
    return word.translate(_ESCAPED)


def quoted(name: str) -> str:
    r"""Write a name so that InfluxQL takes it as one.

    >>> quoted('power"; DROP')
    '"power\\"; DROP"'
    """
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
