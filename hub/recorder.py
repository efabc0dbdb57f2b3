"""From the journal to the time-series store, at the store's own pace."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from hub.journal import Journal, Room
from hub.model import Batch, Entry
from hub.ports import Clock, StoreError, TimeSeriesStore

log = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 60.0)
FULL_S = 1.0
NAME = "store"


class Recorder:
    """Appends what the store has not kept yet; a slow or locked store delays nothing else.

    ``gather_s`` is how long readings are gathered for one append; they are durable in the journal
    meanwhile. While ``room`` is full it appends nothing: what little room is left is for tickets.
    ``kept`` is told what the store has kept, and up to which entry of the journal.
    """

    def __init__(
        self,
        journal: Journal,
        store: TimeSeriesStore,
        clock: Clock,
        gather_s: float = 1.0,
        room: Room | None = None,
        kept: Callable[[Batch, int], None] | None = None,
    ) -> None:
        self._journal = journal
        self._store = store
        self._clock = clock
        self._gather_s = gather_s
        self._room = room or Room()
        self._kept = kept
        self._worker = clock.worker("recorder")
        self._wake = asyncio.Event()
        self._wake.set()  # what an earlier run left in the journal
        self.failing = False
        self.position = _passed(journal, store)
        self.failures = 0
        journal.begin_after(self.position)
        journal.note_cursor(NAME, self.position)

    def wake(self, entries: Sequence[tuple[int, Entry]] = ()) -> None:  # noqa: ARG002 - a consumer
        """Note that the journal has more; may stand among intake's consumers as it is."""
        self._wake.set()

    def lag(self) -> int:
        """Return how many entries of the journal the store has still to pass."""
        return self._journal.last() - self.position

    async def run(self) -> None:
        """Keep the store up with the journal, until cancelled."""
        wait_s = BACK_OFF_S[0]
        while True:
            await self._wake.wait()
            if self._room.full:
                await self._clock.sleep(FULL_S)
                continue
            self._wake.clear()
            try:
                await self.flush()
            except StoreError as error:
                self._lost(error)
                self._wake.set()
                await self._clock.sleep(wait_s)
                wait_s = min(2 * wait_s, BACK_OFF_S[1])
            else:
                self._back()
                wait_s = BACK_OFF_S[0]
                await self._clock.sleep(self._gather_s)

    async def flush(self) -> None:
        """Bring the store up to the journal's end now; StoreError when it does not keep."""
        while await self._worker.run(self._step):
            pass

    def _step(self) -> bool:
        """Append one piece of the journal; return whether there was any."""
        # Asked each time: after a failure the store may have kept more than it said, or less.
        self.position = max(self.position, self._store.applied())
        entries = self._journal.read(self.position)
        if not entries:
            return False
        batches = [entry.batch for _, entry in entries if entry.batch is not None]
        seq = entries[-1][0]
        if batches:
            whole = Batch.joined(batches, batches[-1].received_ms)
            self._store.append(whole, seq)
            if self._kept is not None:
                self._kept(whole, seq)
        self.position = seq
        self._journal.note_cursor(NAME, seq)
        return True

    def _lost(self, error: StoreError) -> None:
        self.failures += 1
        if not self.failing:
            log.error("store lost: readings wait in the journal: %s", error)
        self.failing = True

    def _back(self) -> None:
        if self.failing:
            log.warning("store back: all readings kept up to entry %s", self.position)
        self.failing = False

    def close(self) -> None:
        """End the thread, after the append in hand."""
        self._worker.close()


def _passed(journal: Journal, store: TimeSeriesStore) -> int:
    """Return what the store has passed, or, while it cannot be asked, what was last noted of it."""
    try:
        return store.applied()
    except StoreError:
        return journal.cursors().get(NAME, 0)
