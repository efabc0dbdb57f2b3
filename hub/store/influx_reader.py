"""Readings and roll-ups out of InfluxDB by InfluxQL, never Flux, in windows of at most 48 h."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from hub.model import Batch, Point, Rollups
from hub.store import influx_lines, rollup
from hub.store.influx_book import DAY_MS
from hub.store.influx_lines import PART, READING_FIELDS, ROLLUP_FIELDS, ROLLUPS, UNNAMED, quoted
from hub.store.influx_server import Series, Server
from hub.store.steps import in_order

# InfluxDB 3 Core answers one query for some 72 hours at most.
WINDOW_MS = 48 * 3_600_000
HOUR_MS = 3_600_000
# How many points one question names, and for how many hours of points it asks: each costs a
# server some time beside its rows, and what it answers is held in memory.
TOGETHER = 500
FEW = 50
POINT_HOURS = 125
# Rows of one series in one answer; a fuller one is asked for in two halves.
MOST = 20_000
THERE, GONE = "there", "gone"
_EMPTY = Batch.of([], [], [], [], 0)


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks for points of a span, only on days that hold any."""

    server: Server
    bucket: str
    rollup_bucket: str
    points: Mapping[int, Point]

    def readings(
        self, points: Sequence[int], start_ms: int, end_ms: int, days: Sequence[int]
    ) -> Batch:
        """Return all readings of start <= at < end in order of (point, at)."""
        return _joined(
            self._readings(name, together, span)
            for name, together in self._together(points)
            for span in _windows(start_ms, end_ms, days, _length(len(together)))
        )

    def one_by_one(
        self, number: int, start_ms: int, end_ms: int, days: Sequence[int]
    ) -> Iterator[Batch]:
        """Yield the readings of one point, window after window."""
        name = influx_lines.measurement(self.points, number)
        for span in _windows(start_ms, end_ms, days, WINDOW_MS):
            yield self._readings(name, [number], span)

    def newest(self, since_ms: int, days: Sequence[int]) -> Batch:
        """Return the last reading of every point from an instant on, of each window that has any.

        In order of (point, at).
        """
        names = {UNNAMED, *(point.name for point in self.points.values())}
        newest = "ORDER BY time DESC LIMIT 1"
        return _joined(
            influx_lines.readings(
                map(_of_point, self._ask(self.bucket, name, READING_FIELDS, "", span, newest))
            )
            for span in _windows(since_ms, rollup.LATEST_MS, days, WINDOW_MS)
            for name in sorted(names)
        )

    def rollups(
        self,
        points: Sequence[int],
        span: tuple[int, int],
        days: Sequence[int],
        step_ms: int,
        fields: Sequence[str] = ROLLUP_FIELDS,
    ) -> tuple[Rollups, Rollups]:
        """Return the roll-ups that are kept as series and begin in the span: there, and gone.

        A server's work goes by the number of ``fields``; what is not asked for is 0 or NaN.
        """
        wanted = np.unique(np.asarray(points, np.int32))
        kinds: dict[str, list[Rollups]] = {THERE: [], GONE: []}
        for where in _in_parts(wanted.tolist()):
            for window in _windows(*span, days, WINDOW_MS):
                found = list(self._found(self.rollup_bucket, ROLLUPS, fields, where, window))
                for kind, parts in kinds.items():
                    series = (_of_point(one) for one in found if one.tags["of"] == kind)
                    made = influx_lines.rollups(series, step_ms, fields)
                    parts.append(rollup.taken(made, np.isin(made.point, wanted)))
        return rollup.joined(kinds[THERE], step_ms), rollup.joined(kinds[GONE], step_ms)

    def forget(self, points: Sequence[int], start_ms: int, end_ms: int) -> None:
        """Take all readings of start <= at < end away."""
        for name, together in self._together(points):
            self.server.order(
                self.bucket,
                f"DELETE FROM {quoted(name)} WHERE {_any_of(together)}"  # noqa: S608 - own words
                f" AND {between(start_ms, end_ms)}",
            )

    def _together(self, points: Iterable[int]) -> Iterator[tuple[str, list[int]]]:
        """Group points by where they are, at most so many to a question."""

        def name_of(number: int) -> str:
            return influx_lines.measurement(self.points, number)

        for name, numbers in groupby(sorted(set(points), key=lambda n: (name_of(n), n)), name_of):
            for piece in _pieces(list(numbers)):
                yield name, piece

    def _readings(self, name: str, points: list[int], span: tuple[int, int]) -> Batch:
        found = self._found(self.bucket, name, READING_FIELDS, _any_of(points), span)
        return influx_lines.readings(map(_of_point, found))

    def _found(
        self,
        bucket: str,
        name: str,
        fields: Sequence[str],
        where: str,
        span: tuple[int, int],
    ) -> Iterator[Series]:
        """Return all rows of a span; where one series fills the answer, in two halves of it."""
        found = self._ask(bucket, name, fields, where, span, f"LIMIT {MOST}")
        start_ms, end_ms = span
        if end_ms - start_ms > 1 and any(len(series.rows) == MOST for series in found):
            middle = (start_ms + end_ms) // 2
            yield from self._found(bucket, name, fields, where, (start_ms, middle))
            yield from self._found(bucket, name, fields, where, (middle, end_ms))
            return
        yield from found

    def _ask(
        self,
        bucket: str,
        name: str,
        fields: Sequence[str],
        where: str,
        span: tuple[int, int],
        order: str,
    ) -> list[Series]:
        wanted = ", ".join(map(quoted, fields))
        asked = f" AND {where}" if where else ""
        return self.server.ask(
            bucket,
            f"SELECT {wanted} FROM {quoted(name)} WHERE {between(*span)}"  # noqa: S608 - own words
            f'{asked} GROUP BY "point", "of" {order}',
        )


def _of_point(series: Series) -> tuple[int, list[list[Any]]]:
    return int(series.tags["point"]), series.rows


def _joined(batches: Iterable[Batch]) -> Batch:
    """Join what was found, in order of (point, at)."""
    found = [batch for batch in batches if len(batch)]
    if not found:
        return _EMPTY
    return in_order(Batch.joined(found, max(batch.received_ms for batch in found)))


def between(start_ms: int, end_ms: int) -> str:
    """Say in InfluxQL that start <= time < end."""
    return f"time >= {start_ms}ms AND time < {end_ms}ms"


def _any_of(points: Sequence[int]) -> str:
    """Say in InfluxQL that a series is of one of some points."""
    if len(points) <= FEW:
        return "(" + " OR ".join(f"\"point\" = '{number}'" for number in points) + ")"
    # One expression: a server takes seconds over hundreds of alternatives one by one.
    return f'"point" =~ /^({"|".join(map(str, points))})$/'


def _in_parts(points: list[int]) -> Iterator[str]:
    """Say which roll-ups are of some points, or of some and others of the same part.

    All roll-ups are of one measurement, in which a server is slow to look for points.
    """
    for part, numbers in groupby(points, lambda number: number // PART):
        together = list(numbers)
        of_part = f"\"part\" = '{part}'"
        yield f"{of_part} AND {_any_of(together)}" if len(together) <= FEW else of_part


def _pieces(points: list[int]) -> Iterator[list[int]]:
    for begin in range(0, len(points), TOGETHER):
        yield points[begin : begin + TOGETHER]


def _length(points: int) -> int:
    return min(WINDOW_MS, POINT_HOURS * HOUR_MS // points)


def _windows(
    start_ms: int, end_ms: int, days: Sequence[int], length_ms: int
) -> Iterator[tuple[int, int]]:
    """Cut the days that hold anything, as far as they are in start..end, into windows.

    >>> list(_windows(5, 7 * DAY_MS, [0, 1, 2, 6], WINDOW_MS)) == [
    ...     (5, 2 * DAY_MS), (2 * DAY_MS, 3 * DAY_MS), (6 * DAY_MS, 7 * DAY_MS)]
    True
    """
    for first, last in _runs(days):
        begin, stop = max(start_ms, first * DAY_MS), min(end_ms, (last + 1) * DAY_MS)
        while begin < stop:
            # Windows end on whole multiples of their length, so that spans that overlap agree.
            end = min((begin // length_ms + 1) * length_ms, stop)
            yield begin, end
            begin = end


def _runs(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Return the first and last of days that follow each other."""
    for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0]):
        members = [day for _, day in run]
        yield members[0], members[-1]
