"""Steps of time that all stores agree on, and how their answers are laid out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch
from hub.ports import Aggregate, StoreError

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


def last_said(batch: Batch) -> NDArray[np.intp]:
    """Return the rows in order of (point, at); of one point and instant only the last said."""
    order = np.lexsort((batch.at_ms, batch.point))  # stable: what was said later stands later
    point, at_ms = batch.point[order], batch.at_ms[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (point[1:] != point[:-1]) | (at_ms[1:] != at_ms[:-1])
    return order[last]
