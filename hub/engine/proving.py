"""Which readings may prove a fix that somebody reported; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from hub.desk import Work
from hub.engine.fault import Fault
from hub.model import Batch


def proof_rows(
    batch: Batch, points: Sequence[int], works: Iterable[Work], faults: Mapping[str, Fault]
) -> Iterator[tuple[int, list[Work]]]:
    """Return the rows of points that a fix waits for, each with the tickets that wait.

    ``points`` are those that may prove a fix of some fault.
    """
    if not points or not np.isin(batch.point, points).any():
        return
    proving = {work.ticket.cause: work for work in works if work.watch}
    waiting: dict[int, list[Work]] = {}
    for cause, fault in faults.items() if proving else ():
        if cause in proving and fault.proof_point is not None:
            waiting.setdefault(fault.proof_point, []).append(proving[cause])
    if waiting:
        for row in np.flatnonzero(np.isin(batch.point, list(waiting))).tolist():
            yield row, waiting[int(batch.point[row])]
