"""The look at a day that is over, in the night after it: the edge to store, worker and journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from itertools import islice

from hub.judge.look import Look, entry_of
from hub.judge.reader import Reader
from hub.model import Entry
from hub.ports import Clock, Worker

ENTRIES_AT_ONCE = 200
MADE_UP = 14  # days that a hub slept through and judges when it is awake again


class DailyLook:
    """Judges a civil day and enters what it finds: one journal entry for every cause, every day.

    Every judgement is entered, changed or not: so nothing must be remembered here, nights in a row
    are counted where they count, and a look that is repeated after a crash changes nothing.
    """

    def __init__(
        self,
        look: Look,
        reader: Reader,
        clock: Clock,
        worker: Worker,
        enter: Callable[[Entry], None],
    ) -> None:
        self._look = look
        self._reader = reader
        self._clock = clock
        self._worker = worker
        self._enter = enter

    async def judge(self, day: date) -> None:
        """Judge a day, slice by slice: the worker is others' too, and the event loop goes on."""
        if not len(self._look):
            return
        steps = self._steps(day, self._clock.now_ms())
        while (entries := await self._worker.run(lambda: next(steps, None))) is not None:
            for entry in entries:
                self._enter(entry)
            await self._clock.sleep(0)

    def _steps(self, day: date, at_ms: int) -> Iterator[Sequence[Entry]]:
        """Yield entries, first none while the days are read."""
        for _ in self._reader.read(self._look.lacking(day)):
            yield ()
        judged = self._look.judge(day)
        while some := list(islice(judged, ENTRIES_AT_ONCE)):
            yield [entry_of(at_ms, day, cause, judgement) for cause, judgement in some]
