"""What is done with a day when it is over: its use is closed, and a report is written."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time, timedelta
from pathlib import Path

from hub.database import daily_use, records
from hub.database.connection import Database
from hub.database.daily_use import DailyUse
from hub.energy.consumption import Consumption
from hub.ports import Worker
from hub.site import Site

HOUR_MS = 3_600_000
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
        zone = self._site.zone
        start = datetime.combine(day, time(), zone)
        end = datetime.combine(day + timedelta(1), time(), zone)
        return round(start.timestamp() * 1000), round(end.timestamp() * 1000)

    def _uses(self, day: date) -> list[DailyUse]:
        start_ms, end_ms = self._span(day)
        rows = []
        for place in self._site.buildings():
            total = self._consumption.use(place.id, start_ms, end_ms, HOUR_MS).total
            coverage = sum(total.coverage) / len(total.coverage)
            rows.append(DailyUse(day.isoformat(), place.id, total.total, coverage))
        return rows

    def _write(self, day: date) -> None:
        text = io.StringIO(newline="")
        table = csv.writer(text)
        table.writerow(COLUMNS)
        for row in self._uses(day):
            name = self._site.places[row.place].name
            kwh = "" if row.kwh is None else f"{row.kwh:.3f}"
            opened = self._opened(row.place, day)
            table.writerow(
                (row.day, row.place, name.zh, name.en, kwh, f"{row.coverage:.3f}", opened)
            )
        folder = self._folder
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that nobody ever reads half a report. The mark at the
        # beginning lets Excel read the Chinese names.
        whole = folder / f"{day.isoformat()}.csv"
        part = whole.with_suffix(".part")
        part.write_text("\ufeff" + text.getvalue(), "utf-8", newline="")
        part.replace(whole)

    def _opened(self, place: str, day: date) -> int:
        start_ms, end_ms = self._span(day)
        wanted = records.Filter(places=(place,), since_ms=start_ms, until_ms=end_ms)
        return records.count_tickets(self._database, wanted)
