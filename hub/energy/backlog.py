"""Closed days worked out before anybody asks, gently; kept on disk, with what late data alter."""

from __future__ import annotations

import logging

from hub.energy.kept_days import KeptDays
from hub.energy.ledger import Ledger
from hub.journal import Journal, Room
from hub.model import Batch
from hub.ports import Clock, StoreError, TimeSeriesStore

log = logging.getLogger(__name__)

# The hub has better things to do while it starts.
BEGIN_S = 20.0
# After each piece of work it rests for so many times as long, and for so long at least.
RESTS = 4.0
PAUSE_S = 0.2
# Late readings alter a day many times: it is worked out again now and then, not each time.
IDLE_S = 1800.0
WRITE_MS = 60_000
# Beyond so many entries of the journal it is quicker to work the days out again.
MOST_ENTRIES = 20_000


class Backlog:
    """Works in a worker of its own; whoever asks meanwhile waits for nothing of it.

    Without ``kept`` days stay in memory. Nothing is written while ``room`` is full.
    """

    def __init__(self, ledger: Ledger, kept: KeptDays | None, room: Room, clock: Clock) -> None:
        self._ledger = ledger
        self._kept = kept
        self._room = room
        self._clock = clock
        self._worker = clock.worker("backlog")
        self._written_ms = clock.now_ms()

    async def run(self) -> None:
        """Work out what is lacking and write down what is new, until cancelled."""
        await self._clock.sleep(BEGIN_S)
        while True:
            began = self._clock.monotonic()
            more = await self._worker.run(self.once)
            took_s = self._clock.monotonic() - began
            await self._clock.sleep(max(PAUSE_S, RESTS * took_s) if more else IDLE_S)

    def once(self) -> bool:
        """Do one piece of work; tell whether there may be more."""
        try:
            more = self._ledger.work_out(self._clock.now_ms())
        except StoreError as error:
            log.warning("closed days not worked out now, tried again later: %s", error)
            more = False
        if not more or self._clock.now_ms() - self._written_ms >= WRITE_MS:
            self.write()
        return more

    def write(self) -> None:
        """Write down the days that are new or altered."""
        if self._kept is None or self._room.full:
            return
        self._written_ms = self._clock.now_ms()
        state, days = self._ledger.days.to_write(self._written_ms)
        try:
            self._kept.write(state, days)
        except OSError as error:
            self._ledger.days.not_written(days)
            log.warning("days of the ledger not written, tried again later: %s", error)

    def close(self) -> None:
        """End the thread after the work in hand, and write down what is new."""
        self._worker.close()
        self.write()


def resume(ledger: Ledger, kept: KeptDays, journal: Journal, store: TimeSeriesStore) -> bool:
    """Let a new ledger go on with the days on disk; False: they must be left alone for now.

    What the store has kept since they were written is read from the journal, and forgotten again.
    """
    try:
        applied = store.applied()
    except StoreError as error:
        log.warning("store away at the start, kept days are not used: %s", error)
        return False
    state = kept.state()
    if state is None:
        ledger.days.drop(applied)
        return True
    ledger.days.resume(state, list(kept.days()))
    if not _caught_up(ledger, journal, state.seq, applied):
        log.warning("kept days do not fit journal and store any more: worked out again")
        ledger.days.drop(applied)
    return True


def _caught_up(ledger: Ledger, journal: Journal, after: int, applied: int) -> bool:
    """Tell the ledger of all that was recorded in between; False where not all is there."""
    if not 0 <= applied - after <= MOST_ENTRIES:
        return False
    while after < applied:
        entries = [(seq, entry) for seq, entry in journal.read(after) if seq <= applied]
        if [seq for seq, _ in entries] != list(range(after + 1, after + len(entries) + 1)):
            return False
        if not entries:
            return False
        after = entries[-1][0]
        batches = [entry.batch for _, entry in entries if entry.batch is not None]
        if batches:
            ledger.recorded(Batch.joined(batches, batches[-1].received_ms), after)
    return True
