"""Work once a day: APScheduler only pulls the trigger, the runs table decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from hub.ports import Clock

log = logging.getLogger(__name__)

BACK_OFF_S = (60.0, 3600.0)

Last = Callable[[str], str | None]
Mark = Callable[[str, str, int], None]
Work = Callable[[date], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    """Work that closes a civil day, at a time of the day after; so many days may be made up."""

    name: str
    at: time
    work: Work
    days: int


class Schedule:
    """Daily jobs, each done once for each day, also when the hub slept through its time.

    ``last(job)`` tells which day was done last and ``mark(job, period, at_ms)`` notes that one has
    been done; both may block and run in a worker.
    """

    def __init__(self, zone: ZoneInfo, clock: Clock, last: Last, mark: Mark) -> None:
        self._zone = zone
        self._clock = clock
        self._last = last
        self._mark = mark
        self._jobs: list[Job] = []
        self._worker = clock.worker("schedule")
        self._turn = asyncio.Lock()
        self.failures = 0

    def daily(self, name: str, at: str, work: Work, days: int = 1) -> None:
        """Do ``work`` for the day before, every day at ``HH:MM`` or ``HH:MM:SS`` of the site.

        Of days that the hub slept through the newest ``days`` are made up, in their order; where
        nothing was ever done, the newest alone.
        """
        self._jobs.append(Job(name, time.fromisoformat(at), work, days))

    async def run(self) -> None:
        """Make up what was missed, then do each job at its time; until cancelled."""
        trigger = self._by_clock if self._clock.virtual else self._by_scheduler
        try:
            async with asyncio.TaskGroup() as group:
                for job in self._jobs:
                    group.create_task(self._occur(job))
                group.create_task(trigger())
        finally:
            self._worker.close()  # after the mark in hand: the database closes next

    async def _by_scheduler(self) -> None:
        scheduler = AsyncIOScheduler(
            timezone=self._zone,
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 2},
        )
        for job in self._jobs:
            when = CronTrigger(
                hour=job.at.hour, minute=job.at.minute, second=job.at.second, timezone=self._zone
            )
            scheduler.add_job(self._occur, when, [job], name=job.name)
        scheduler.start()
        try:
            await asyncio.Event().wait()
        finally:
            scheduler.shutdown(wait=False)

    async def _by_clock(self) -> None:
        """Pull the triggers in virtual time, which APScheduler cannot read."""
        while self._jobs:
            now = self._now()
            due, job = min(((_next(job, now), job) for job in self._jobs), key=lambda pair: pair[0])
            await self._clock.sleep((due - now).total_seconds())
            await self._occur(job)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).astimezone(self._zone)

    async def _occur(self, job: Job) -> None:
        """Do a job for the days whose time has come and that are not done."""
        wait_s = BACK_OFF_S[0]
        while True:
            async with self._turn:
                if await self._done(job):
                    return
            await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, BACK_OFF_S[1])

    async def _done(self, job: Job) -> bool:
        newest = _closed_day(job, self._now())
        period = newest.isoformat()
        try:
            last = await self._worker.run(lambda: self._last(job.name))
            for day in _open_days(job, newest, last):
                period = day.isoformat()
                await job.work(day)
                await self._note(job, period)
        except Exception:  # a report that fails must not take the next day's with it
            self.failures += 1
            log.exception("job failed, tried again later: %s: %s", job.name, period)
            return False
        return True

    async def _note(self, job: Job, period: str) -> None:
        at_ms = self._clock.now_ms()
        await self._worker.run(lambda: self._mark(job.name, period, at_ms))
        log.info("job done: %s: %s", job.name, period)


def _next(job: Job, now: datetime) -> datetime:
    """Return the next instant of a job after ``now``."""
    due = datetime.combine(now.date(), job.at, now.tzinfo)
    return due if due > now else datetime.combine(now.date() + timedelta(1), job.at, now.tzinfo)


def _closed_day(job: Job, now: datetime) -> date:
    """Return the day that the latest occurrence of a job closes."""
    reached = now.timetz().replace(tzinfo=None) >= job.at
    return now.date() - timedelta(1 if reached else 2)


def _open_days(job: Job, newest: date, last: str | None) -> list[date]:
    """Return the days that are to be done, in their order."""
    days = job.days if last is not None else 1
    some = [newest - timedelta(n) for n in reversed(range(days))]
    return [day for day in some if last is None or day.isoformat() > last]
