"""What is known of counters, and which readings could still alter it; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.energy.calendar import HOUR_MS
from hub.energy.counter import (
    HORIZON_MS,
    HORIZON_READINGS,
    Finding,
    Instants,
    Intervals,
)
from hub.energy.spread import Rows

CONTEXT_MS = 2 * HORIZON_MS + HOUR_MS
ALWAYS_MS = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Intervals of many counters: each in the ``row`` of its point, rows rising.

    A new reading of ``since_ms`` <= at <= ``until_ms`` of its row may change what is known. Before
    ``empty_before_ms`` a row has no usable reading at all; far off where that is not known.
    """

    row: Rows
    intervals: Intervals
    since_ms: Instants
    until_ms: Instants
    empty_before_ms: Instants
    findings: tuple[tuple[int, Finding], ...] = ()

    def touched_by(self, ends: Instants) -> tuple[Instants, Instants]:
        """Return per row from and until when a new reading can change a part of the span.

        That is everything around the part, and around the readings next to it.
        """
        since, until = self.since_ms.copy(), self.until_ms.copy()
        start, end = self.intervals.start_ms, self.intervals.end_ms
        for edge, found, before in ((ends[0], since, True), (ends[1], until, False)):
            on = np.flatnonzero((start <= edge) & (end >= edge))
            row = self.row[on]
            known = (start[on] if before else end[on]) + (-CONTEXT_MS if before else CONTEXT_MS)
            # Rare readings are judged by the next ones, however far away these are.
            next_ones = on + (-HORIZON_READINGS if before else HORIZON_READINGS)
            far = np.clip(next_ones, 0, len(start) - 1)
            there = (far == next_ones) & (self.row[far] == row)
            rare = np.where(there, (start if before else end)[far], found[row])
            beside = edge - CONTEXT_MS if before else edge + CONTEXT_MS
            nearer = np.minimum if before else np.maximum
            found[row] = nearer(nearer(known, rare), beside)
        return since, until
