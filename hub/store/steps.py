"""Steps of time that all stores agree on, and how their answers are laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, Rollups
from hub.ports import Aggregate, StoreError
from hub.store import rollup

Series = dict[int, dict[str, list[float | None]]]
Found = tuple[int, int, Sequence[float]]
MOST_STEPS = 1_000_000


def count_steps(start_ms: int, end_ms: int, step_ms: int) -> int:
    """Count the steps of start..end; the last one may be cut short."""
    if step_ms <= 0:
        raise StoreError(f"series: a step of {step_ms} ms is none; ask for 1 ms or more")
    if end_ms <= start_ms:
        raise StoreError(f"series: the end {end_ms} is not after the start {start_ms}")
    steps = -(-(end_ms - start_ms) // step_ms)
    if steps > MOST_STEPS:
        raise StoreError(f"series: {steps} steps are too many; ask for a longer step")
    return steps


def laid_out(
    points: Sequence[int], steps: int, aggregates: Sequence[Aggregate], found: Iterable[Found]
) -> Series:
    """Lay (point, step, one number per aggregate) out as one list per point and aggregate."""
    series: Series = {
        point: {aggregate: [None] * steps for aggregate in aggregates} for point in points
    }
    for point, step, numbers in found:
        lists = series[point]
        for aggregate, number in zip(aggregates, numbers, strict=True):
            lists[aggregate][step] = float(number)
    return series


def series(
    points: Sequence[int],
    span: tuple[int, int, int],
    aggregates: Sequence[Aggregate],
    base_ms: int,
    raw: Callable[[int, int], Batch],
    rollups: Callable[[int, int], Rollups],
) -> Series:
    """Answer a series of ``span`` (start, end, step) from roll-ups where its steps allow it.

    What they do not cover (steps that cut a base step, a last step cut short) comes from raw.
    """
    start_ms, end_ms, step_ms = span
    steps = count_steps(start_ms, end_ms, step_ms)
    whole = start_ms
    if step_ms % base_ms == 0 and start_ms % base_ms == 0:
        whole = max(start_ms, end_ms // base_ms * base_ms)
    parts = []
    if whole > start_ms:
        parts.append(rollups(start_ms, whole))
    if end_ms > whole:
        parts.append(rollup.single(raw(whole, end_ms), base_ms))
    whole_rows = rollup.joined(parts, base_ms)
    point, step, numbers = rollup.summed(whole_rows, start_ms, step_ms, aggregates)
    rows = zip(*(column.tolist() for column in numbers), strict=True)
    found = zip(point.tolist(), step.tolist(), rows, strict=True)
    return laid_out(points, steps, aggregates, found)


def in_order(batch: Batch) -> Batch:
    """Return the readings in order of (point, at); of one point and instant only the last said."""
    ahead = batch.point[1:] > batch.point[:-1]
    if not ahead.all():
        ahead |= (batch.point[1:] == batch.point[:-1]) & (batch.at_ms[1:] > batch.at_ms[:-1])
    return batch if ahead.all() else batch.taken(last_said(batch))


def last_said(batch: Batch) -> NDArray[np.intp]:
    """Return the rows in order of (point, at); of one point and instant only the last said."""
    order = np.lexsort((batch.at_ms, batch.point))  # stable: what was said later stands later
    point, at_ms = batch.point[order], batch.at_ms[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (point[1:] != point[:-1]) | (at_ms[1:] != at_ms[:-1])
    return order[last]


def last_of_each(batch: Batch) -> Batch:
    """Return the last reading of every point, of readings in order of (point, at)."""
    newest = np.ones(len(batch), np.bool_)
    newest[:-1] = batch.point[1:] != batch.point[:-1]
    return batch.taken(newest)
