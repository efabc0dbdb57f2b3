"""The upkeep of a store: closed days put in order, old readings forgotten, disputes held."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.model import Hold
from hub.ports import Clock, StoreError, TimeSeriesStore
from hub.site import Site

log = logging.getLogger(__name__)

DAY_MS = 24 * 3_600_000
EVERY_S = 6 * 3600.0
PAUSE_S = 60.0  # after which is looked whether there is room again
# A day is put in order some hours after its end: most late readings have come by then.
SETTLED_MS = 6 * 3_600_000


@dataclass(frozen=True, slots=True)
class Keep:
    """How long raw readings are kept, in ms: of counters, and of all other points."""

    gauges_ms: int
    counters_ms: int


class Upkeep:
    """Works beside the recorder in a worker of its own; appends and readers wait for no more.

    While ``paused``, because the disk is full, it writes nothing: what is moved takes room first.
    """

    def __init__(
        self,
        store: TimeSeriesStore,
        site: Site,
        keep: Keep,
        holds: Sequence[Hold],
        clock: Clock,
        paused: Callable[[], bool],
    ) -> None:
        self._store = store
        self._keep = keep
        self._holds = tuple(holds)
        self._clock = clock
        self._paused = paused
        self._failed = ""
        self._counters = {
            number for number, point in site.points.items() if point.kind == "counter"
        }
        self._worker = clock.worker("upkeep")

    async def run(self) -> None:
        """Keep the store in order, until cancelled."""
        wait_s = EVERY_S
        while True:
            await self._clock.sleep(wait_s)
            wait_s = EVERY_S if await self._worker.run(self.look) else PAUSE_S

    def look(self) -> bool:
        """Do what is due, and say once when that fails; return whether it waits for no room."""
        try:
            done = self.once()
        except StoreError as error:
            said, self._failed = self._failed, str(error)
            if not said:
                log.error("store not kept in order, tried again later: %s", error)  # noqa: TRY400
            return True
        if done and self._failed:
            log.warning("store kept in order again")
            self._failed = ""
        return done

    def once(self) -> bool:
        """Do what is due now; return False when the disk was full before all of it was done."""
        now_ms = self._clock.now_ms()
        self._store.compact(now_ms - SETTLED_MS, lambda: not self._paused())
        if self._paused():
            return False
        # The points of devices that were taken away have readings, too.
        everybody = set(self._store.last().point.tolist())
        for points, keep_ms in (
            (everybody - self._counters, self._keep.gauges_ms),
            (everybody & self._counters, self._keep.counters_ms),
        ):
            before_ms = (now_ms - keep_ms) // DAY_MS * DAY_MS
            if points and (gone := self._store.forget(sorted(points), before_ms, self._holds)):
                log.info("readings forgotten, their roll-ups stay: %s", gone)
        return True

    def close(self) -> None:
        """End the thread, after the work in hand."""
        self._worker.close()
