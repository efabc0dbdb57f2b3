"""Many small batches become one batch per tick, durable before it is acknowledged or acted on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hub.journal import Held, Journal, Pile, Room, Shedding, pack
from hub.live import Live
from hub.model import Batch, Entry, EntryKind
from hub.ports import Clock, StoreError

log = logging.getLogger(__name__)

TICK_S = 0.2
TICK_ROWS = 25_000  # the rules go through one tick in the event loop, in some milliseconds
TICK_ITEMS = 1000  # joining more of them at once would hold up the event loop
# Under MQTT 3.1.1 Mosquitto sends only 20 messages before it wants the first acknowledged.
TICK_ACKNOWLEDGEMENTS = 16
WAITING_ROWS = 1_000_000
RETRY_S = 5.0

Durable = Callable[[], None]
Consumer = Callable[[Sequence[tuple[int, Entry]]], None]
Overhear = Callable[[Sequence[Entry]], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    what: Batch | Entry
    rows: int
    durable: Durable | None
    waiting: int


class Intake:
    """Takes readings and entries in the order they come and leads them through the journal.

    Consumers are called in the event loop with ``(sequence, entry)`` once the entries are durable;
    they must not block. ``overhear`` takes what is not durable and acts on it all the same: the
    readings that ``shedding`` leaves out, and everything that is held while ``room`` is full.
    """

    def __init__(
        self,
        journal: Journal,
        live: Live,
        clock: Clock,
        consumers: Sequence[Consumer] = (),
        *,
        overhear: Overhear | None = None,
        room: Room | None = None,
        shedding: Shedding | None = None,
    ) -> None:
        self._journal = journal
        self._live = live
        self._clock = clock
        self._consumers = tuple(consumers)
        self._overhear = overhear
        self._room = room or Room()
        self._shedding = shedding or Shedding({})
        self._worker = clock.worker("intake")
        self._waiting: deque[_Item] = deque()
        self._rows = 0
        self._acknowledgements = 0
        self._held = Pile()
        self._retry_s = 0.0
        self._barred = False  # not even what is small can be written
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._items_in_hand = 0
        self._hand: tuple[int, Callable[[], None]] | None = None
        self._ending = False
        self._counts = dict.fromkeys(
            ("readings", "entries", "repeats", "dropped", "journal_failures", "consumer_errors"), 0
        )

    @property
    def counts(self) -> dict[str, int]:
        """Return what came in, was dropped, shed or failed so far, and the rows that wait."""
        shed = {f"shed_{kind}": count for kind, count in self._shedding.counts.items()}
        return {**self._counts, **shed, "waiting": self._rows, "held": self._held.rows}

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
        if self._is_enough():
            self._enough.set()

    def _is_enough(self) -> bool:
        return (
            self._rows >= TICK_ROWS
            or self._acknowledgements >= TICK_ACKNOWLEDGEMENTS
            or len(self._waiting) >= TICK_ITEMS
        )

    def _drop(self) -> None:
        """Drop the oldest readings that nobody waits for; a broker still has the others."""
        kept: deque[_Item] = deque()
        for n, item in enumerate(self._waiting):
            in_hand = n < self._items_in_hand
            free = not in_hand and item.durable is None and isinstance(item.what, Batch)
            if free and self._rows > WAITING_ROWS:
                self._rows -= item.rows
                self._counts["dropped"] += item.rows
            else:
                kept.append(item)
        self._waiting = kept

    async def run(self) -> None:
        """Lead everything that comes through the journal, until cancelled."""
        while True:
            await self._something()
            await self._gather()
            if self._room.full:
                await self._turn_while_full()
            if self._waiting:
                await self._commit()

    async def _something(self) -> None:
        """Wait for something to come, or for the next attempt to write what is held."""
        patience_s = RETRY_S if self._room.full else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._some.wait()

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
            if self._held:
                await self._bring_back()
            while self._waiting:
                await self._commit()
        except StoreError as error:
            rows = self._rows + self._held.rows
            log.error("journal lost at the end: %s rows not kept: %s", rows, error)  # noqa: TRY400
        self._worker.close()

    async def _commit(self) -> None:
        """Append one tick; what is in hand stays among the waiting until it is durable."""
        items = self._next()
        entries, shed = self._without_shed(self._entries(items))
        self._items_in_hand, was_full = len(items), self._room.full
        if await self._append(entries, partial(self._taken, items, entries, shed)):
            self._settle()
        else:
            self._barred = was_full
        self._items_in_hand = 0

    def _next(self) -> list[_Item]:
        items: list[_Item] = []
        rows = 0
        for item in self._waiting:
            if items and (rows + item.rows > TICK_ROWS or len(items) >= TICK_ITEMS):
                break
            if self._room.full and isinstance(item.what, Batch):
                break  # came just now, and is held at the next turn
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

    def _without_shed(self, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
        """Part what the journal keeps from the readings it must do without."""
        kept: list[Entry] = []
        shed: list[Entry] = []
        fill = self._journal.fill
        for entry in entries:
            if entry.batch is None:
                kept.append(entry)
                continue
            batch, without = self._shedding.split(entry.batch, fill)
            if without is None:
                kept.append(entry)
                continue
            if len(batch):
                kept.append(Entry(entry.kind, entry.at_ms, batch))
            shed.append(Entry(entry.kind, entry.at_ms, without))
        return kept, shed

    async def _append(self, entries: Sequence[Entry], done: Callable[[int], None]) -> bool:
        """Append in the worker; tell whether that worked, and otherwise begin to hold."""
        before = self._journal.last()
        self._hand = (before, partial(done, before))
        try:
            if entries:
                await self._worker.run(lambda: self._journal.append(entries))
        except StoreError as error:
            self._hand = None
            self._counts["journal_failures"] += 1
            if self._ending:
                raise
            self._retry_s = self._clock.monotonic() + RETRY_S
            await self._worker.run(partial(self._room.give_up, str(error)))
            return False
        return True

    def _settle(self) -> None:
        """Do what was to follow an append, which is durable now."""
        if self._hand is not None:
            (_, done), self._hand = self._hand, None
            done()

    def _taken(
        self, items: Sequence[_Item], entries: Sequence[Entry], shed: Sequence[Entry], before: int
    ) -> None:
        """Acknowledge what is durable; then show it and hand it on."""
        durables = [item.durable for item in items if item.durable]
        for _ in items:  # they are the first ones still
            self._waiting.popleft()
        self._leave(items)
        for durable in durables:
            self._call(durable)
        self._show([*entries, *shed])
        for entry in shed:
            if entry.batch is not None:
                self._shedding.count(entry.batch)
        self._hand_on(list(enumerate(entries, before + 1)))
        self._tell_overhearing(shed)

    def _leave(self, items: Sequence[_Item]) -> None:
        """Note that items, which have been taken out of the waiting, wait no more."""
        for item in items:
            self._rows -= item.rows
            self._acknowledgements -= item.waiting
        if not self._waiting:
            self._some.clear()
        if not self._is_enough():
            self._enough.clear()

    async def _turn_while_full(self) -> None:
        """Hold the readings of this tick, and look from time to time whether there is room."""
        self._hold()
        if self._clock.monotonic() < self._retry_s:
            return
        self._retry_s = self._clock.monotonic() + RETRY_S
        self._barred = False
        if await self._worker.run(self._room.may_try):
            await self._bring_back()

    def _hold(self) -> None:
        """Show what cannot be written now, let the rules hear it, and hold it in memory."""
        items: list[_Item] = []
        others: deque[_Item] = deque()
        for item in self._waiting:
            hold = self._barred or isinstance(item.what, Batch)
            (items if hold else others).append(item)
        self._waiting = others
        for _, group in groupby(items, key=lambda item: item.durable is None):
            some = list(group)
            entries = self._entries(some)
            self._held.put(Held(entries, [item.durable for item in some if item.durable]))
            self._show(entries)
            self._tell_overhearing(entries)
        self._leave(items)
        if self._held.rows > WAITING_ROWS:
            self._counts["dropped"] += self._held.forget(WAITING_ROWS)

    async def _bring_back(self) -> None:
        """Write what was held, in its order; when all of it is kept, the trouble is over."""
        rows = self._held.rows
        while some := self._held.first(TICK_ROWS):
            entries = [entry for held in some for entry in held.entries]
            if not await self._append(entries, partial(self._brought_back, some, entries)):
                return
            self._settle()
        log.warning("journal back: %s readings were held", rows)
        self._room.over()

    def _brought_back(self, some: Sequence[Held], entries: Sequence[Entry], before: int) -> None:
        """Acknowledge what was held and is durable now; it was shown when it came."""
        self._held.take(len(some))
        for held in some:
            for durable in held.durables:
                self._call(durable)
        self._hand_on(list(enumerate(entries, before + 1)))

    def _show(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.batch is not None:
                self._live.update(entry.batch)

    def _hand_on(self, numbered: list[tuple[int, Entry]]) -> None:
        self._counts["entries"] += len(numbered)
        self._counts["readings"] += sum(len(entry.batch or ()) for _, entry in numbered)
        if numbered:
            for consumer in self._consumers:
                self._call(partial(consumer, numbered))

    def _tell_overhearing(self, entries: Sequence[Entry]) -> None:
        if entries and self._overhear is not None:
            self._call(partial(self._overhear, entries))

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
