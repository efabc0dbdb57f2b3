"""Roll-ups: what the readings of a point came to per base step; pure.

The rows of a point add up in one way only: readings count in order of their instants, one after
the other. So a roll-up is the same to the last bit however the readings came and were cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Hold, Rollups

HOUR_MS = 3_600_000
QUARTER_MS = 900_000
BASE_MS = HOUR_MS
# Usable neighbours further apart than this leave a hole in the coverage.
GAP_MS = 900_000
# Instants outside of these are of clocks that were never set, or overflowed (1970, 2106).
EARLIEST_MS = 946_684_800_000  # 2000-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01
# Nothing on a campus comes near; what does is a filler or garbage, and would drown every sum.
LARGEST = 1e15
FILLER = 4_294_967_295.0
# The years whose offsets decide the base step of a zone.
_YEARS = range(2020, 2040)

COLUMNS: dict[str, Any] = {
    "point": np.int32,
    "start_ms": np.int64,
    "count": np.int32,
    "good": np.int32,
    "min": np.float64,
    "max": np.float64,
    "sum": np.float64,
    "first": np.float64,
    "last": np.float64,
    "first_ms": np.int64,
    "last_ms": np.int64,
    "coverage_ms": np.int32,
}
assert list(COLUMNS) == [field.name for field in fields(Rollups)][1:]  # noqa: S101 - one order


def base_step(zone: ZoneInfo) -> int:
    """Return the base step in ms whose sums are the civil hours and days of a zone.

    An hour; a quarter of one where the zone is not whole hours from UTC.

    >>> base_step(ZoneInfo("Asia/Shanghai")), base_step(ZoneInfo("Asia/Kathmandu"))
    (3600000, 900000)
    """
    for year in _YEARS:
        for month in range(1, 13):
            offset = datetime(year, month, 1, tzinfo=UTC).astimezone(zone).utcoffset()
            if offset is not None and offset % timedelta(hours=1):
                return QUARTER_MS
    return HOUR_MS


def plausible(at_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which instants (ms) can be."""
    return (at_ms >= EARLIEST_MS) & (at_ms < LATEST_MS)


def usable(batch: Batch) -> NDArray[np.bool_]:
    """Tell which readings may enter a sum: good or uncertain, a number, an instant that can be.

    >>> usable(Batch.of([1] * 4, [0] + [HOUR_MS * 500_000] * 3, [1, 1, np.inf, 1], [0, 0, 0, 2],
    ...                 0)).tolist()
    [False, True, False, False]
    """
    number = (np.abs(batch.value) < LARGEST) & (batch.value != FILLER)  # false for NaN, too
    found: NDArray[np.bool_] = number & (batch.quality & 2 == 0) & plausible(batch.at_ms)
    return found


def none(step_ms: int) -> Rollups:
    """Return no roll-ups."""
    return Rollups(step_ms, **{name: np.empty(0, kind) for name, kind in COLUMNS.items()})


def unrolled(step_ms: int, point: NDArray[np.int32], start_ms: NDArray[np.int64]) -> Rollups:
    """Return one row for each point and step in which nothing has been read yet."""
    columns: dict[str, NDArray[Any]] = {
        name: np.full(len(point), np.nan if kind is np.float64 else 0, kind)
        for name, kind in COLUMNS.items()
    }
    columns |= {"point": point, "start_ms": start_ms}
    columns["sum"][:] = 0.0
    return Rollups(step_ms, **columns)


def columns_of(rollups: Rollups) -> dict[str, NDArray[Any]]:
    """Return the columns by their names."""
    return {name: getattr(rollups, name) for name in COLUMNS}


def taken(rollups: Rollups, rows: NDArray[Any]) -> Rollups:
    """Return the rows that a mask, or indices in their order, name."""
    rows = indices(rows)
    columns = {name: column.take(rows) for name, column in columns_of(rollups).items()}
    return Rollups(rollups.step_ms, **columns)


def indices(rows: NDArray[Any]) -> NDArray[np.intp]:
    """Return a mask, or indices, as what numpy looks a dozen columns up by the fastest."""
    return np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.intp, copy=False)


def concatenated(parts: Iterable[Rollups], step_ms: int) -> Rollups:
    """Return roll-ups of one step one after the other."""
    columns = [columns_of(part) for part in parts if len(part)]
    if len(columns) <= 1:
        return Rollups(step_ms, **columns[0]) if columns else none(step_ms)
    return Rollups(
        step_ms, **{name: np.concatenate([part[name] for part in columns]) for name in COLUMNS}
    )


def joined(parts: Iterable[Rollups], step_ms: int) -> Rollups:
    """Join roll-ups of one step into one, in order of (point, start)."""
    whole = concatenated(parts, step_ms)
    if not len(whole):
        return whole
    # One key, for the sake of speed: long runs are in order already, and then it is soon done.
    steps = (whole.start_ms - whole.start_ms.min()) // step_ms
    key = whole.point.astype(np.int64) * (steps.max() + 1) + steps
    if (key[1:] >= key[:-1]).all():
        return whole
    return taken(whole, np.argsort(key, kind="stable"))


def rolled(batch: Batch, step_ms: int, prior: Rollups | None = None) -> Rollups:
    """Roll readings up, which are in order of (point, at) and of distinct instants.

    ``prior`` goes before them: its row n is the last step of point n, whose readings are all
    older; where a step of the batch is that step, the row goes on from it.
    """
    if not len(batch):
        return none(step_ms)
    start = batch.at_ms // step_ms * step_ms
    begin = np.ones(len(batch), np.bool_)
    begin[1:] = (batch.point[1:] != batch.point[:-1]) | (start[1:] != start[:-1])
    begins = np.flatnonzero(begin)
    point, start = batch.point[begins], start[begins]
    goes_on = np.zeros(len(point), np.bool_) if prior is None else prior.start_ms[point] == start
    if prior is not None and goes_on.all():
        rows = taken(prior, point)
    else:
        rows = unrolled(step_ms, point, start)
    if prior is not None and not goes_on.all():
        before = taken(prior, point[goes_on])
        for name, column in columns_of(rows).items():
            column[goes_on] = getattr(before, name)
    use = usable(batch)
    if len(rows) == len(batch) and use.all():
        _add_each(rows, batch)
    else:
        rows.count[:] += np.diff(np.append(begins, len(batch))).astype(np.int32)
        _add(rows, batch.taken(use), (np.cumsum(begin) - 1)[use])
    return rows


def _add_each(rows: Rollups, batch: Batch) -> None:
    """Add one usable reading to each row: live readings come like this, so it is made fast."""
    at, value = batch.at_ms, batch.value
    new = rows.good == 0
    lasted = at - rows.last_ms
    lasted[new | (lasted > GAP_MS)] = 0
    rows.coverage_ms[:] += lasted.astype(np.int32)
    np.copyto(rows.first, value, where=new)
    np.copyto(rows.first_ms, at, where=new)
    rows.sum[:] += value
    np.fmin(rows.min, value, out=rows.min)
    np.fmax(rows.max, value, out=rows.max)
    rows.last[:] = value
    rows.last_ms[:] = at
    rows.count[:] += 1
    rows.good[:] += 1


def _add(rows: Rollups, batch: Batch, row: NDArray[np.intp]) -> None:
    """Add usable readings, in order, each to its row."""
    at, value = batch.at_ms, batch.value
    if not len(row):
        return
    change = np.ones(len(row), np.bool_)
    change[1:] = row[1:] != row[:-1]
    begins = np.flatnonzero(change)
    ends = np.append(begins[1:], len(row)) - 1
    touched = row[begins]
    _cover(rows, row, at, begins)
    new = touched[rows.good[touched] == 0]
    fresh = begins[rows.good[touched] == 0]
    rows.first[new], rows.first_ms[new] = value[fresh], at[fresh]
    # One after the other, from what was there: any other order would differ in the last bit.
    every = np.append(touched, row)
    sums = np.bincount(every, np.append(rows.sum[touched], value), len(rows))
    rows.sum[touched] = sums[touched]
    rows.min[touched] = np.fmin(rows.min[touched], np.minimum.reduceat(value, begins))
    rows.max[touched] = np.fmax(rows.max[touched], np.maximum.reduceat(value, begins))
    rows.last[touched], rows.last_ms[touched] = value[ends], at[ends]
    rows.good[touched] += (ends - begins + 1).astype(np.int32)


def _cover(
    rows: Rollups, row: NDArray[np.intp], at: NDArray[np.int64], begins: NDArray[np.intp]
) -> None:
    lasted = np.diff(at, prepend=at[:1])
    before = rows.last_ms[row[begins]]
    lasted[begins] = np.where(rows.good[row[begins]] > 0, at[begins] - before, 0)
    lasted[lasted > GAP_MS] = 0
    rows.coverage_ms[:] += np.bincount(row, lasted, len(rows)).astype(np.int32)


def merged(old: Rollups, new: Rollups) -> Rollups:
    """Add rows to rows of the same points and steps whose readings are kept no more.

    ``first`` and ``last`` go by their instants; sums and counts add, so a repeat counts twice:
    there is nothing left to know it by.
    """
    old_good, new_good = old.good > 0, new.good > 0
    earlier = new_good & (~old_good | (new.first_ms < old.first_ms))
    later = new_good & (~old_good | (new.last_ms >= old.last_ms))
    return replace(
        old,
        count=old.count + new.count,
        good=old.good + new.good,
        sum=old.sum + new.sum,
        min=np.fmin(old.min, new.min),
        max=np.fmax(old.max, new.max),
        first=np.where(earlier, new.first, old.first),
        first_ms=np.where(earlier, new.first_ms, old.first_ms),
        last=np.where(later, new.last, old.last),
        last_ms=np.where(later, new.last_ms, old.last_ms),
        coverage_ms=np.minimum(old.coverage_ms + new.coverage_ms, old.step_ms),
    )


def together(old: Rollups, new: Rollups) -> Rollups:
    """Join roll-ups, each in order of (point, start); rows of one point and step are merged."""
    both = joined((old, new), old.step_ms)  # stable: of two, the old row stands first
    second = np.zeros(len(both), np.bool_)
    second[1:] = (both.point[1:] == both.point[:-1]) & (both.start_ms[1:] == both.start_ms[:-1])
    if not second.any():
        return both
    first = np.append(second[1:], False)
    whole = merged(taken(both, first), taken(both, second))
    return joined((taken(both, ~(first | second)), whole), old.step_ms)


def single(batch: Batch, step_ms: int) -> Rollups:
    """Return usable readings as rows of one reading each, to be summed up beside others."""
    good = batch.taken(usable(batch))
    rows = unrolled(step_ms, good.point, good.at_ms)
    rows.count[:] = rows.good[:] = 1
    for column in (rows.min, rows.max, rows.sum, rows.first, rows.last):
        column[:] = good.value
    rows.first_ms[:] = rows.last_ms[:] = good.at_ms
    return rows


def next_step(at_ms: int, step_ms: int) -> int:
    """Return the first begin of a step at or after an instant.

    >>> next_step(5, 10), next_step(20, 10)
    (10, 20)
    """
    return -(-at_ms // step_ms) * step_ms


def widened(hold: Hold, step_ms: int) -> Hold:
    """Return a hold of whole base steps: a step is kept, or forgotten, as one."""
    begin_ms = hold.start_ms // step_ms * step_ms
    return Hold(hold.points, begin_ms, next_step(hold.end_ms, step_ms))


def needed(aggregates: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that :func:`summed` looks at for some aggregates.

    >>> needed(["count", "mean"])
    ('point', 'start_ms', 'good', 'sum')
    """
    own = (("sum" if name == "mean" else name) for name in aggregates if name != "count")
    return tuple(dict.fromkeys(("point", "start_ms", "good", *own)))


def summed(
    rows: Rollups, start_ms: int, step_ms: int, aggregates: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64], list[NDArray[Any]]]:
    """Sum rows in order of (point, start) up to longer steps that begin at ``start_ms``.

    Return the point, the number of the step, and per aggregate the numbers.
    """
    rows = taken(rows, rows.good > 0)
    step = (rows.start_ms - start_ms) // step_ms
    if not len(rows):
        return rows.point, step, [np.empty(0) for _ in aggregates]
    begin = np.ones(len(rows), np.bool_)
    begin[1:] = (rows.point[1:] != rows.point[:-1]) | (step[1:] != step[:-1])
    begins = np.flatnonzero(begin)
    ends = np.append(begins[1:], len(rows)) - 1
    row = np.cumsum(begin) - 1
    good = np.bincount(row, rows.good)
    made: dict[str, Callable[[], NDArray[Any]]] = {
        "count": lambda: good,
        "min": lambda: np.minimum.reduceat(rows.min, begins),
        "max": lambda: np.maximum.reduceat(rows.max, begins),
        "mean": lambda: np.bincount(row, rows.sum) / good,
        "first": lambda: rows.first[begins],
        "last": lambda: rows.last[ends],
    }
    return rows.point[begins], step[begins], [made[name]() for name in aggregates]
