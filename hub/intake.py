"""Many small batches become one batch per tick, durable before it is acknowledged or acted on."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hub.journal import Journal, pack
from hub.live import Live
from hub.model import Batch, Entry, EntryKind
from hub.ports import Clock, StoreError

log = logging.getLogger(__name__)

TICK_S = 0.2
TICK_ROWS = 50_000
# Under MQTT 3.1.1 Mosquitto sends only 20 messages before it wants the first acknowledged.
TICK_ACKNOWLEDGEMENTS = 16
WAITING_ROWS = 1_000_000
BACK_OFF_S = (1.0, 30.0)

Durable = Callable[[], None]
Consumer = Callable[[Sequence[tuple[int, Entry]]], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    what: Batch | Entry
    rows: int
    durable: Durable | None
    waiting: int


class Intake:
    """Takes readings and entries in the order they come and leads them through the journal.

    Consumers are called in the event loop with ``(sequence, entry)`` once the entries are durable;
    they must not block.
    """

    def __init__(
        self, journal: Journal, live: Live, clock: Clock, consumers: Sequence[Consumer] = ()
    ) -> None:
        self._journal = journal
        self._live = live
        self._clock = clock
        self._consumers = tuple(consumers)
        self._worker = clock.worker("intake")
        self._waiting: deque[_Item] = deque()
        self._rows = 0
        self._acknowledgements = 0
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._hand: tuple[int, list[_Item], list[Entry]] | None = None
        self._failing = False
        self._ending = False
        self._counts = dict.fromkeys(
            ("readings", "entries", "repeats", "dropped", "journal_failures", "consumer_errors"), 0
        )

    @property
    def counts(self) -> dict[str, int]:
        """Return what came in, was dropped or failed so far, and the rows that wait."""
        return {**self._counts, "waiting": self._rows}

    def put(self, batch: Batch, durable: Durable | None = None, waiting: int = 1) -> None:
        """Take readings; ``durable`` is called once they are in the journal.

        ``waiting`` is how many messages wait for that acknowledgement.
        """
        rows = len(batch)
        if not rows == len(batch.at_ms) == len(batch.value) == len(batch.quality):
            raise ValueError("intake: the columns of a batch differ in length")
        self._take_in(_Item(batch, rows, durable, waiting if durable else 0))
        if self._rows > WAITING_ROWS:
            self._drop()

    def enter(self, entry: Entry, durable: Durable | None = None) -> None:
        """Take an action, a tick, a result, a change of health or the configuration."""
        if entry.batch is None:
            pack(entry)  # what cannot be written is refused here, not in the middle of a tick
        self._take_in(_Item(entry, 0, durable, 1 if durable else 0))

    def _take_in(self, item: _Item) -> None:
        self._waiting.append(item)
        self._rows += item.rows
        self._acknowledgements += item.waiting
        self._some.set()
        if self._rows >= TICK_ROWS or self._acknowledgements >= TICK_ACKNOWLEDGEMENTS:
            self._enough.set()

    def _drop(self) -> None:
        """Drop the oldest readings that nobody waits for; a broker still has the others."""
        kept: deque[_Item] = deque()
        in_hand = len(self._hand[1]) if self._hand else 0
        for n, item in enumerate(self._waiting):
            free = n >= in_hand and item.durable is None and isinstance(item.what, Batch)
            if free and self._rows > WAITING_ROWS:
                self._rows -= item.rows
                self._counts["dropped"] += item.rows
            else:
                kept.append(item)
        self._waiting = kept

    async def run(self) -> None:
        """Lead everything that comes through the journal, until cancelled."""
        while True:
            await self._some.wait()
            await self._gather()
            await self._commit()

    async def _gather(self) -> None:
        """Wait for more, for one tick or until there is enough."""
        timer = asyncio.get_running_loop().call_later(TICK_S, self._enough.set)
        await self._enough.wait()
        timer.cancel()

    async def flush(self) -> None:
        """Bring down what still waits, after :meth:`run` has been cancelled."""
        await self._worker.run(_nothing)  # the append that was in hand has ended now
        if self._hand and self._journal.last() > self._hand[0]:
            self._settle()
        self._ending = True
        try:
            while self._waiting:
                await self._commit()
        except StoreError as error:
            log.error("journal lost at the end: %s rows not kept: %s", self._rows, error)  # noqa: TRY400
        self._worker.close()

    async def _commit(self) -> None:
        """Append one tick; what is in hand stays among the waiting until it is durable."""
        items = self._next()
        entries = self._entries(items)
        self._hand = (self._journal.last(), items, entries)
        if entries:
            await self._append(entries)
        self._settle()

    def _next(self) -> list[_Item]:
        items: list[_Item] = []
        rows = 0
        for item in self._waiting:
            if items and rows + item.rows > TICK_ROWS:
                break
            items.append(item)
            rows += item.rows
        return items

    def _entries(self, items: Sequence[_Item]) -> list[Entry]:
        """Join neighbouring batches, without repeats; the order of entries stays as it was."""
        entries: list[Entry] = []
        for of_readings, group in groupby(items, key=lambda item: isinstance(item.what, Batch)):
            if not of_readings:
                entries += [item.what for item in group if isinstance(item.what, Entry)]
                continue
            batch = _joined([item.what for item in group if isinstance(item.what, Batch)])
            repeats = self._live.repeats(batch) | _said_twice(batch)
            if repeats.any():
                self._counts["repeats"] += int(repeats.sum())
                batch = batch.taken(~repeats)
            if len(batch):
                entries.append(Entry(EntryKind.READINGS, batch.received_ms, batch))
        return entries

    async def _append(self, entries: Sequence[Entry]) -> None:
        wait_s = BACK_OFF_S[0]
        while True:
            try:
                await self._worker.run(lambda: self._journal.append(entries))
            except StoreError as error:
                self._counts["journal_failures"] += 1
                if self._ending:
                    raise
                if not self._failing:
                    log.error("journal lost: nothing is acknowledged: %s", error)  # noqa: TRY400
                self._failing = True
                await self._clock.sleep(wait_s)
                wait_s = min(2 * wait_s, BACK_OFF_S[1])
            else:
                if self._failing:
                    log.warning("journal back: %s rows waited", self._rows)
                self._failing = False
                return

    def _settle(self) -> None:
        """Acknowledge what is in hand, which is durable now; then show it and hand it on."""
        if self._hand is None:
            return
        before, items, entries = self._hand
        self._hand = None
        for item in items:
            self._waiting.popleft()
            self._rows -= item.rows
            self._acknowledgements -= item.waiting
            if item.durable:
                self._call(item.durable)
        if not self._waiting:
            self._some.clear()
        if self._rows < TICK_ROWS and self._acknowledgements < TICK_ACKNOWLEDGEMENTS:
            self._enough.clear()
        self._hand_on(list(enumerate(entries, before + 1)))

    def _hand_on(self, numbered: list[tuple[int, Entry]]) -> None:
        self._counts["entries"] += len(numbered)
        for _, entry in numbered:
            if entry.batch is not None:
                self._counts["readings"] += len(entry.batch)
                self._live.update(entry.batch)
        if numbered:
            for consumer in self._consumers:
                self._call(partial(consumer, numbered))

    def _call(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception:  # one consumer's mistake must not stop the readings of all others
            self._counts["consumer_errors"] += 1
            log.exception("consumer failed on durable entries")


def _nothing() -> None:
    """Be a job that only waits for its turn."""


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch.joined(batches, max(batch.received_ms for batch in batches))


def _said_twice(batch: Batch) -> NDArray[np.bool_]:
    """Tell which readings repeat an earlier one of the same batch."""
    repeats = np.zeros(len(batch), np.bool_)
    if (batch.point[1:] > batch.point[:-1]).all():  # one poll of one device: every point once
        return repeats
    order = np.lexsort((batch.at_ms, batch.point))
    point, at_ms, value = batch.point[order], batch.at_ms[order], batch.value[order]
    same = (point[1:] == point[:-1]) & (at_ms[1:] == at_ms[:-1])
    if same.any():
        same &= (value[1:] == value[:-1]) | (np.isnan(value[1:]) & np.isnan(value[:-1]))
        same &= batch.quality[order][1:] == batch.quality[order][:-1]
        repeats[order[1:][same]] = True
    return repeats
