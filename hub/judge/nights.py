"""The daily looks along a history: what a hub would have entered, night after night; pure."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import partial
from zoneinfo import ZoneInfo

from hub.energy import calendar
from hub.judge.hours import hours_at
from hub.judge.look import DAY, Look, entry_of
from hub.model import Batch, Entry

JUDGE_AT = "02:30"  # of the night after: late readings have come, and little else is to be done


class Nights:
    """Takes readings in order of time and tells the judgements of each day at their instant."""

    def __init__(self, look: Look, zone: ZoneInfo) -> None:
        self._look = look
        self._zone = zone
        self._builder = look.builder(partial(hours_at, zone=zone))
        self._day: date | None = None  # to be judged next

    @property
    def due_ms(self) -> int | None:
        """Return when the next look is due; None before the first reading."""
        if self._day is None:
            return None
        at = datetime.combine(self._day + DAY, time.fromisoformat(JUDGE_AT), self._zone)
        return round(at.timestamp() * 1000)

    def read(self, batch: Batch) -> None:
        """Take readings, once :meth:`until` has told what was due before them."""
        if self._day is None and len(batch):
            self._day = calendar.day_of(int(batch.at_ms.min()), self._zone)
        self._builder.read(batch)

    def until(self, at_ms: int) -> list[Entry]:
        """Return the entries of the looks that are due up to an instant, in their order."""
        entries: list[Entry] = []
        while self._day is not None and (due_ms := self.due_ms or 0) <= at_ms:
            for columns in self._builder.close(due_ms):
                self._look.add(columns)
            judged = self._look.judge(self._day)
            entries += [entry_of(due_ms, self._day, *one) for one in judged]
            self._day += DAY
        return entries
