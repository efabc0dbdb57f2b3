"""The use of one counter by what is known of it alone, which the ledger is held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from hub.energy.counter import Intervals
from hub.energy.spread import Course, PointFinding, Uses, lay


def per_step(
    intervals: Intervals,
    edges: ArrayLike,
    courses: Mapping[int, Course] | None = None,
    point: int = 0,
    digit: float = 0.0,
) -> Uses:
    """Return what one counter used per step; ``courses`` are by the start of their gap.

    ``digit`` is the last one that the counter shows.
    """
    instants = np.asarray(edges, np.int64)
    row = np.zeros(len(intervals), np.intp)
    known = {(0, start): course for start, course in (courses or {}).items()}
    laid = lay(row, intervals, instants, 1, known)
    findings = tuple(
        PointFinding(point, one)
        for one in intervals.findings
        if one.start_ms < instants[-1] and one.end_ms > instants[0]
    )
    return Uses(
        np.array([point], np.int32), instants, **laid.columns(instants, digit), findings=findings
    )
