"""What is done with a day when it is over: its use is closed, and a report is written."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from hub.database import chain, daily_use, records
from hub.database.connection import Database
from hub.database.daily_use import DailyUse
from hub.energy import calendar
from hub.energy.consumption import Consumption
from hub.energy.question import Query
from hub.model import Text
from hub.ports import Worker
from hub.sheet import Cell, Column, Sheet, write
from hub.site import Site

log = logging.getLogger(__name__)

COLUMNS = ("day", "place", "name_zh", "name_en", "kwh", "coverage", "tickets_opened")


class Daily:
    """Closes civil days of the site; both works may be done again and give the same."""

    def __init__(
        self,
        site: Site,
        consumption: Consumption,
        database: Database,
        folder: Path | None,
        worker: Worker,
    ) -> None:
        self._site = site
        self._consumption = consumption
        self._database = database
        self._folder = folder
        self._worker = worker

    async def close(self, day: date) -> None:
        """Keep the use of every building on ``day``; None where nothing was measured."""
        await self._worker.run(lambda: daily_use.put(self._database, self._uses(day)))

    async def report(self, day: date) -> None:
        """Write ``<day>.csv`` into the reports folder: use, coverage and tickets by building."""
        if self._folder is not None:
            await self._worker.run(lambda: self._write(day))

    def _span(self, day: date) -> tuple[int, int]:
        """Return the instants of a civil day of the site; it may have 23 or 25 hours."""
        return calendar.span_of_days(day, day, self._site.zone)

    def _uses(self, day: date) -> list[DailyUse]:
        start_ms, end_ms = self._span(day)
        places = tuple(place.id for place in self._site.buildings())
        if not places:
            return []
        table = self._consumption.use(Query(start_ms=start_ms, end_ms=end_ms, places=places))
        return [
            DailyUse(day.isoformat(), row.id, row.total.value, row.total.coverage)
            for row in table.rows
        ]

    def _write(self, day: date) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that nobody ever reads half a report.
        whole = self._folder / f"{day.isoformat()}.csv"
        part = whole.with_suffix(".part")
        columns = tuple(Column(name, Text(name, name)) for name in COLUMNS)
        write(Sheet("day", columns, self._lines(day)), "csv", part, "en")
        part.replace(whole)
        head = chain.head(self._database)
        chain.tell(self._folder / chain.FILE, day.isoformat(), head)
        log.info("ticket chain: %s: %s %s", day, head.seq, head.hash)

    def _lines(self, day: date) -> Iterator[Sequence[Cell]]:
        for row in self._uses(day):
            name = self._site.places[row.place].name
            kwh = None if row.kwh is None else f"{row.kwh:.3f}"
            opened = self._opened(row.place, day)
            yield row.day, row.place, name.zh, name.en, kwh, f"{row.coverage:.3f}", opened

    def _opened(self, place: str, day: date) -> int:
        start_ms, end_ms = self._span(day)
        wanted = records.Filter(places=(place,), since_ms=start_ms, until_ms=end_ms)
        return records.count_tickets(self._database, wanted)
