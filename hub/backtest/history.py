"""Where history comes from: the store, a recorded journal, or whoever makes one."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from hub.journal import Journal, open_beside
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from rules.backtest import Span

T = TypeVar("T")

ROWS = 20_000  # of a batch: many enough for columns, few enough for a cache
FETCHED_ROWS = 400_000  # of one question to the store
AHEAD = 32  # batches that wait while the rules go through one: more than one question brings
HOUR_MS = 3_600_000
APART = 400  # the same where they are made in bursts, by another process: some 100 MB
_LOOK_S = 1.0  # how often to look whether that process is still there
_SHORTEST_MS = 1000
_CHUNK = 200
_END = object()


class Raw(Protocol):
    """What readings are asked of: a store, or a running hub that has one."""

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""


@dataclass(frozen=True, slots=True)
class History:
    """Entries in order of time; their batches are in order, too, where ``ordered``.

    The others are as a hub heard them: in the order in which they came.
    """

    source: str
    span: Span
    entries: Iterable[Entry]
    ordered: bool


def of_store(store: Raw, points: Sequence[int], span: Span) -> History:
    """Return the readings of points that a store holds, in flat memory."""
    return History("store", span, Ahead(_stored(store, points, span)), ordered=True)


def of_journal(file: Path, span: Span | None = None) -> History:
    """Return what a journal's file holds, all of it or of a span of time; it is only read."""
    connection = open_beside(file)
    try:
        first, last = connection.execute("SELECT min(at_ms), max(at_ms) FROM journal").fetchone()
    finally:
        connection.close()
    whole = Span(first or 0, (last or 0) + 1)
    wanted = span or whole
    cut = Span(max(wanted.start_ms, whole.start_ms), min(wanted.end_ms, whole.end_ms))
    return History("journal", cut, Ahead(_recorded(file, cut)), ordered=False)


def of_entries(source: str, entries: Sequence[Entry], span: Span) -> History:
    """Return entries that are at hand, as a hub heard them."""
    return History(source, span, entries, ordered=False)


def of_batches(source: str, batches: Iterable[Batch], span: Span) -> History:
    """Return batches that somebody makes, whose rows and whose order are those of time."""
    return History(source, span, (_entry(one) for one in batches if len(one)), ordered=True)


def of_maker(source: str, maker: Apart[Batch], span: Span, others: Sequence[Entry] = ()) -> History:
    """Return batches that are made in a process of their own.

    ``others`` are entries between them, in their order.
    """
    made = (one for one in maker if len(one))
    return History(source, span, _woven(made, others), ordered=True)


def _woven(batches: Iterable[Batch], others: Sequence[Entry]) -> Iterator[Entry]:
    """Put entries between the readings of before and after them, which may be of one batch."""
    waiting = deque(others)
    for batch in batches:
        begin = 0
        while waiting and waiting[0].at_ms <= batch.at_ms[-1]:
            end = int(np.searchsorted(batch.at_ms, waiting[0].at_ms, "right"))
            if end > begin:
                yield _entry(batch.taken(slice(begin, end)))
                begin = end
            yield waiting.popleft()
        if begin < len(batch):
            yield _entry(batch.taken(slice(begin, len(batch))) if begin else batch)
    yield from waiting


def _entry(batch: Batch) -> Entry:
    return Entry(EntryKind.READINGS, int(batch.at_ms[-1]), batch)


class Apart(Generic[T]):
    """Iterates over what a process of its own makes, which gets the function that makes it.

    ``returned`` is what a generator has returned in the end.
    """

    def __init__(self, make: Callable[[], Iterable[T]]) -> None:
        self.returned: Any = None
        self._make = make

    def __iter__(self) -> Iterator[T]:
        """Yield what is made; StoreError when the process fails or ends."""
        processes = multiprocessing.get_context("spawn")
        made: multiprocessing.Queue[_Made[T]] = processes.Queue(APART)
        process = processes.Process(target=_send, args=(self._make, made), daemon=True)
        process.start()
        try:
            while (piece := _received(made, process)).there:
                yield from piece.some
            self.returned = piece.returned
            if piece.error:
                raise StoreError(f"the history could not be made: {piece.error}")
        finally:
            process.kill()
            process.join()


class _Made(NamedTuple, Generic[T]):
    """What a process has made; without ``there`` it is over, by an error where one is told."""

    some: tuple[T, ...] = ()
    there: bool = False
    error: str = ""
    returned: Any = None


def _send(make: Callable[[], Iterable[T]], made: multiprocessing.Queue[_Made[T]]) -> None:
    try:
        some = iter(make())
        while True:
            made.put(_Made((next(some),), there=True))
    except StopIteration as end:
        made.put(_Made(returned=end.value))
    except Exception as failure:  # noqa: BLE001 - it is told in the other process
        made.put(_Made(error=repr(failure)))


def _received(made: multiprocessing.Queue[_Made[T]], process: BaseProcess) -> _Made[T]:
    while True:
        try:
            return made.get(timeout=_LOOK_S)
        except queue.Empty:
            if not process.is_alive() and made.empty():
                return _Made(error=f"its process ended with {process.exitcode}")


class Ahead(Generic[T]):
    """Iterates over something that is fetched in a thread of its own, a few pieces ahead."""

    def __init__(self, source: Iterable[T]) -> None:
        self._source = source

    def __iter__(self) -> Iterator[T]:
        """Yield what the source yields, and raise what it raises."""
        fetched: queue.Queue[object] = queue.Queue(AHEAD)
        left = threading.Event()
        thread = threading.Thread(target=self._fetch, args=(fetched, left), daemon=True)
        thread.start()
        try:
            while (one := fetched.get()) is not _END:
                if isinstance(one, BaseException):
                    raise one
                yield one  # type: ignore[misc]  # what the source yields
        finally:
            left.set()
            while thread.is_alive():  # it may wait for room
                _drain(fetched)
                thread.join(0.01)

    def _fetch(self, fetched: queue.Queue[object], left: threading.Event) -> None:
        end: object = _END
        try:
            for one in self._source:
                fetched.put(one)
                if left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            end = error
        fetched.put(end)


def _drain(fetched: queue.Queue[object]) -> None:
    try:
        while True:
            fetched.get_nowait()
    except queue.Empty:
        return


def _stored(store: Raw, points: Sequence[int], span: Span) -> Iterator[Entry]:
    at_ms, step_ms = span.start_ms, HOUR_MS
    while at_ms < span.end_ms:
        until_ms = min(at_ms + step_ms, span.end_ms)
        batch = store.raw(points, at_ms, until_ms, FETCHED_ROWS + 1)
        if len(batch) > FETCHED_ROWS and step_ms > _SHORTEST_MS:
            step_ms //= 2
            continue
        yield from _in_pieces(batch)
        at_ms = until_ms
        if len(batch) < FETCHED_ROWS // 4:
            step_ms *= 2


def _in_pieces(batch: Batch) -> Iterator[Entry]:
    """Put readings in the order of their instants, and cut them."""
    order = np.argsort(batch.at_ms, kind="stable")
    for begin in range(0, len(order), ROWS):
        piece = batch.taken(order[begin : begin + ROWS])
        yield Entry(EntryKind.READINGS, int(piece.at_ms[-1]), piece)


def _recorded(file: Path, span: Span) -> Iterator[Entry]:
    journal = Journal(open_beside(file))
    after = 0
    try:
        while found := journal.read(after, _CHUNK):
            for _, entry in found:
                if span.start_ms <= entry.at_ms < span.end_ms:
                    yield entry
            after = found[-1][0]
    finally:
        journal.close()
