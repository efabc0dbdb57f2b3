"""The energy use that the pages show: the last 24 hours by clock hour, remembered for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.energy.question import Query, Row, Table
from hub.ports import StoreError
from hub.web import form
from hub.web.parts import Parts

log = logging.getLogger(__name__)
HOURS = 24
KEEP_S = 60.0
PATIENCE_S = 1.5
MOST_ESTIMATED = 0.5  # of what is known of an hour; with more its energy is an estimate
KEEP_TIMES_COST = 20  # a page never takes more than a twentieth of the store's time


@dataclass(frozen=True, slots=True)
class HourlyUse:
    """Energy per clock hour; ``coverage`` is the share of the time passed that was measured."""

    start_ms: int
    values: Sequence[float | None]
    kwh: float | None
    coverage: float
    estimated: Sequence[bool] = ()

    @property
    def past(self) -> Sequence[float | None]:
        """Return the hours that are over; the last one still runs."""
        return self.values[:-1]


@dataclass(frozen=True, slots=True)
class DayUse:
    """What the 24 hours of a place come to: its own, each building's, and today so far."""

    total: HourlyUse
    today: HourlyUse
    buildings: Mapping[str, HourlyUse]


UNREAD = HourlyUse(0, (), None, 0.0)
NO_USE = DayUse(UNREAD, UNREAD, {})


class _Kept(NamedTuple):
    """An answer, until when (in the clock's seconds) it is fair, and its hour."""

    until: float
    hour_ms: int
    use: DayUse


class DailyUses:
    """Reads the last 24 hours of places; a page never waits long for a large campus."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._kept: dict[str, _Kept] = {}
        self._reading: dict[str, asyncio.Task[DayUse]] = {}

    async def of(self, place: str) -> DayUse:
        """Return the use of a place (or the whole site, by its id) up to now.

        What takes longer than a person waits goes on behind; until then the last answer counts.
        """
        clock = self._parts.clock
        hour_ms = form.hour_start_ms(clock.now_ms(), self._parts.site.zone)
        kept = self._kept.get(place)
        if kept and clock.monotonic() < kept.until and kept.hour_ms == hour_ms:
            return kept.use
        if place not in self._reading:
            self._reading[place] = asyncio.create_task(self._refresh(place, hour_ms))
        reading = self._reading[place]
        await asyncio.wait({reading}, timeout=PATIENCE_S)
        if reading.done():
            return reading.result()
        return kept.use if kept else NO_USE

    async def _refresh(self, place: str, hour_ms: int) -> DayUse:
        clock = self._parts.clock
        began = clock.monotonic()
        try:
            use = await self._read(place, hour_ms)
        except StoreError as error:  # tickets and live values need no store
            log.warning("use not shown: %s: %s", place, error)
            return NO_USE
        finally:
            self._reading.pop(place, None)
        cost_s = clock.monotonic() - began
        until = clock.monotonic() + max(KEEP_S, KEEP_TIMES_COST * cost_s)
        self._kept[place] = _Kept(until, hour_ms, use)
        return use

    async def _read(self, place: str, hour_ms: int) -> DayUse:
        end_ms = hour_ms + form.HOUR_MS
        start_ms = end_ms - HOURS * form.HOUR_MS
        read = self._parts.consumption.use
        query = Query(start_ms=start_ms, end_ms=end_ms, places=(place,), step="hour", by="building")
        use = await self._parts.store_worker.run(lambda: read(query))
        return self._answer(use)

    def _answer(self, use: Table) -> DayUse:
        now_ms = self._parts.clock.now_ms()
        start_ms = use.edges[0]
        midnight_ms = form.day_start_ms(now_ms, self._parts.site.zone)
        return DayUse(
            hourly(use.total, start_ms, start_ms, now_ms),
            hourly(use.total, start_ms, max(midnight_ms, start_ms), now_ms),
            {row.id: hourly(row, start_ms, start_ms, now_ms) for row in use.rows},
        )


def hourly(row: Row, start_ms: int, from_ms: int, now_ms: int) -> HourlyUse:
    """Return the hours of a row from an instant on; the coverage counts only time that passed."""
    skipped = (from_ms - start_ms) // form.HOUR_MS
    steps = row.steps[skipped:]
    known = [one.value for one in steps if one.value is not None]
    measured_ms = sum(one.coverage for one in steps) * form.HOUR_MS
    return HourlyUse(
        start_ms + skipped * form.HOUR_MS,
        [one.value for one in steps],
        sum(known) if known else None,
        min(measured_ms / max(now_ms - from_ms, 1), 1.0),
        [one.estimated > MOST_ESTIMATED * (1 - one.missing) for one in steps],
    )
