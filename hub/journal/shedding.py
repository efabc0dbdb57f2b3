"""Which readings the journal does without when it reaches its limit: billing counters last."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch, PointKind

log = logging.getLogger(__name__)

# From how much of the limit on each kind is shed. What is not a reading is never shed.
SHED_FROM: Mapping[PointKind, float] = {"gauge": 0.90, "state": 0.95, "counter": 1.0}
_KINDS: tuple[PointKind, ...] = tuple(SHED_FROM)
_RANK = {kind: rank for rank, kind in enumerate(_KINDS)}


class Shedding:
    """Tells kinds of points apart by their numbers; a number it does not know counts as a gauge."""

    def __init__(self, kinds: Mapping[int, PointKind]) -> None:
        self._rank = np.zeros(max(kinds, default=0) + 1, np.uint8)
        for number, kind in kinds.items():
            self._rank[number] = _RANK[kind]
        self.counts: dict[PointKind, int] = dict.fromkeys(_KINDS, 0)
        self.shed: tuple[PointKind, ...] = ()

    def split(self, batch: Batch, fill: float) -> tuple[Batch, Batch | None]:
        """Return what the journal keeps of a batch and what it does without, None if nothing."""
        self._say(tuple(kind for kind, share in SHED_FROM.items() if fill >= share))
        if not self.shed:
            return batch, None
        mask = self._rank_of(batch.point) < len(self.shed)
        return (batch.taken(~mask), batch.taken(mask)) if mask.any() else (batch, None)

    def count(self, batch: Batch) -> None:
        """Count the readings that were shed, by kind."""
        found = np.bincount(self._rank_of(batch.point), minlength=len(_KINDS)).tolist()
        for kind, count in zip(_KINDS, found, strict=True):
            self.counts[kind] += count

    def _rank_of(self, point: NDArray[np.int32]) -> NDArray[np.uint8]:
        known = point < len(self._rank)
        return self._rank[np.where(known, point, 0)] * known

    def _say(self, shed: tuple[PointKind, ...]) -> None:
        if shed == self.shed:
            return
        self.shed = shed
        if shed:
            log.error("journal at its limit: it does without the readings of %s", ", ".join(shed))
        else:
            log.warning("journal has room again: it keeps all readings")
