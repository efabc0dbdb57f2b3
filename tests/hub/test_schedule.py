"""The schedule: each day once, also when the hub slept through its time."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.schedule import Schedule

ZONE = ZoneInfo("Asia/Shanghai")


class Runs:
    """The runs table."""

    def __init__(self) -> None:
        self.done: dict[tuple[str, str], int] = {}

    def last(self, job: str) -> str | None:
        return max((period for name, period in self.done if name == job), default=None)

    def mark(self, job: str, period: str, at_ms: int) -> None:
        assert (job, period) not in self.done
        self.done[job, period] = at_ms


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def live_through(
    runs: Runs, start: str, hours: float, failures: int = 0, days: int = 1
) -> list[date]:
    """Run a hub's schedule from ``start``; return the days it worked for."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, round(at(start).timestamp() * 1000), 1)
    worked: list[date] = []
    left = failures

    async def work(day: date) -> None:
        nonlocal left
        if left:
            left -= 1
            raise RuntimeError("the database is away")
        worked.append(day)

    async def live() -> None:
        schedule = Schedule(ZONE, clock, runs.last, runs.mark)
        schedule.daily("close", "00:10", work, days)
        task = asyncio.create_task(schedule.run())
        await clock.sleep(hours * 3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop.run_until_complete(live())
    loop.close()
    return worked


def test_closes_each_day_once_at_its_time() -> None:
    runs = Runs()
    assert live_through(runs, "2026-11-20 12:00", 72) == [
        date(2026, 11, 19),  # nobody closed it before
        date(2026, 11, 20),
        date(2026, 11, 21),
        date(2026, 11, 22),
    ]
    instants = [
        datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZONE) for ms in runs.done.values()
    ]
    assert instants[1:] == [at(f"2026-11-{day} 00:10") for day in (21, 22, 23)]


def test_a_missed_run_is_made_up_exactly_once_after_a_restart() -> None:
    runs = Runs()
    live_through(runs, "2026-11-20 12:00", 6)
    assert live_through(runs, "2026-11-21 09:00", 1) == [date(2026, 11, 20)]
    assert live_through(runs, "2026-11-21 10:30", 1) == []
    assert live_through(runs, "2026-11-21 23:00", 1) == []


def test_days_slept_through_are_made_up_in_their_order_and_not_without_end() -> None:
    runs = Runs()
    days = [date(2026, 11, n) for n in range(1, 30)]
    assert live_through(runs, "2026-11-02 12:00", 1, days=3) == days[:1]  # none was ever done
    assert live_through(runs, "2026-11-05 12:00", 1, days=3) == days[1:4]
    assert live_through(runs, "2026-11-12 12:00", 1, days=3) == days[8:11]
    assert live_through(runs, "2026-11-12 14:00", 1, days=3) == []


def test_of_days_slept_through_one_that_fails_is_tried_again_before_the_next() -> None:
    runs = Runs()
    runs.mark("close", "2026-11-01", 0)
    worked = live_through(runs, "2026-11-05 12:00", 1, failures=2, days=14)
    assert worked == [date(2026, 11, n) for n in (2, 3, 4)]


def test_before_its_time_the_day_before_is_not_closed() -> None:
    runs = Runs()
    runs.mark("close", "2026-11-19", 0)
    assert live_through(runs, "2026-11-21 00:05", 0.05) == []
    assert live_through(runs, "2026-11-21 00:05", 0.1) == [date(2026, 11, 20)]


def test_work_that_fails_is_tried_again_and_marked_when_it_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = Runs()
    assert live_through(runs, "2026-11-20 12:00", 1, failures=3) == [date(2026, 11, 19)]
    assert list(runs.done) == [("close", "2026-11-19")]
    assert caplog.text.count("job failed, tried again later: close: 2026-11-19") == 3


async def test_in_real_time_the_scheduler_pulls_the_trigger() -> None:
    clock = RealClock()
    runs = Runs()
    worked = asyncio.Event()

    async def work(day: date) -> None:
        worked.set()

    soon = datetime.fromtimestamp(clock.now_ms() / 1000, ZONE) + timedelta(seconds=1)
    for days in (1, 2):  # both sides of midnight
        runs.mark("close", (soon.date() - timedelta(days=days + 1)).isoformat(), 0)
    schedule = Schedule(ZONE, clock, runs.last, runs.mark)
    schedule.daily("close", soon.strftime("%H:%M:%S"), work)
    task = asyncio.create_task(schedule.run())
    async with asyncio.timeout(10):
        await worked.wait()
    while len(runs.done) < 3:
        await asyncio.to_thread(int)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(runs.done) == 3
