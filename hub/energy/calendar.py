"""Civil time of a site: where its quarters, hours, days, weeks, months and years begin; pure.

A day begins with the first instant of its date, so that a day of summer time's begin or end has 23
or 25 hours (in some zones other lengths), and every instant lies in exactly one of each.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Step = Literal["quarter", "hour", "day", "week", "month", "year", "total"]
STEPS: tuple[Step, ...] = get_args(Step)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
CLOCK_STEPS: dict[Step, int] = {"quarter": 15 * MINUTE_MS, "hour": HOUR_MS}
LAST_MS = 253_370_000_000_000  # beyond the year 9998 an offset leads out of the years of Python
_PROBE_MS = 6 * HOUR_MS  # no zone changes its offset twice within so short a time
_WEEK = 7


def edges(start_ms: int, end_ms: int, step: Step, zone: ZoneInfo) -> list[int]:
    """Return start, every civil edge of the step between, and end: UTC ms, rising.

    The first and the last step are cut short where start and end lie inside one; ``total`` has no
    edge between. ValueError where end is not after start or lies outside the years.
    """
    if end_ms <= start_ms:
        raise ValueError("the end is not after the start")
    if step == "total":
        return [start_ms, end_ms]
    if unit_ms := CLOCK_STEPS.get(step):
        inside = _clock_edges(start_ms, end_ms, unit_ms, zone)
    else:
        inside = _date_edges(start_ms, end_ms, step, zone)
    return [start_ms, *(edge for edge in inside if start_ms < edge < end_ms), end_ms]


def count_steps(start_ms: int, end_ms: int, step: Step) -> int:
    """Return about how many steps there are, without making them: for limits."""
    lengths = {**CLOCK_STEPS, "day": DAY_MS, "week": WEEK_MS, "month": 30 * DAY_MS}
    lengths["year"] = 365 * DAY_MS
    return 1 if step == "total" else (end_ms - start_ms) // lengths[step] + 1


def local(instant_ms: int, zone: ZoneInfo) -> datetime:
    """Return an instant as an aware datetime of a zone."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant_ms)).astimezone(zone)


def day_of(instant_ms: int, zone: ZoneInfo) -> date:
    """Return the civil date that holds an instant.

    Where clocks go back across midnight, what comes after the first midnight belongs to the new
    date already.
    """
    day = local(instant_ms, zone).date()
    return day + timedelta(1) if day_start(day + timedelta(1), zone) <= instant_ms else day


@lru_cache(maxsize=4096)  # the days of a year are asked for again and again
def day_start(day: date, zone: ZoneInfo) -> int:
    """Return the first instant (UTC ms) of a civil date; of one that was left out, the next."""
    midnight = datetime.combine(day, time())
    first = _instant(midnight.replace(tzinfo=zone))
    if local(first, zone).replace(tzinfo=None) == midnight:
        return first
    # Clocks were put forward across midnight. By the old offset it is too late, by the new one
    # too early: the date begins between them, where the offset changes.
    low, high = _instant(midnight.replace(tzinfo=zone, fold=1)), first
    return _change(low, high, zone)


def month_start(day: date, months: int = 0) -> date:
    """Return the first of a date's month, or of so many months later (before, when negative).

    >>> month_start(date(2026, 11, 21), 2)
    datetime.date(2027, 1, 1)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def earlier_year(day: date) -> date:
    """Return the same date a year before; of the 29th of February the 28th.

    >>> earlier_year(date(2028, 2, 29))
    datetime.date(2027, 2, 28)
    """
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - 1, day=28 if leap else day.day)


def span_of_days(first: date, last: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return start and end (UTC ms) of civil dates, both included."""
    return day_start(first, zone), day_start(last + timedelta(1), zone)


def previous(start_ms: int, end_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Return the period before one, of the same civil length: months, days, else milliseconds.

    A period that is not over is compared with the part of the one before that was over at the same
    point: the first twelve days of a month with the twelve of the last month.
    """
    first, last = day_of(start_ms, zone), day_of(end_ms - 1, zone)
    if day_start(first, zone) != start_ms:
        return start_ms - (end_ms - start_ms), start_ms
    whole = day_start(last + timedelta(1), zone) == end_ms
    months = (last.year - first.year) * 12 + last.month - first.month + 1
    if first.day == 1 and (last - first).days >= _WEEK:
        start = day_start(month_start(first, -months), zone)
        if whole and (last + timedelta(1)).day == 1:
            return start, start_ms
        end_day = month_start(last, -months) + timedelta(last.day - 1)
        return start, min(_same_time(end_ms, last, end_day, zone), start_ms)
    days = timedelta((last - first).days + 1)
    start = day_start(first - days, zone)
    return start, min(_same_time(end_ms, last, last - days, zone), start_ms)


def year_before(start_ms: int, end_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Return the same civil dates and times a year before."""
    ends = []
    for instant in (start_ms, end_ms):
        day = day_of(instant, zone)
        ends.append(_same_time(instant, day, earlier_year(day), zone))
    return ends[0], max(ends[1], ends[0] + 1)


def _same_time(instant_ms: int, day: date, other: date, zone: ZoneInfo) -> int:
    """Return the instant as far into another date as this one is into its own.

    The end of a day stays the end of a day, however many hours it has.
    """
    if instant_ms >= day_start(day + timedelta(1), zone):
        return day_start(other + timedelta(1), zone)
    into = instant_ms - day_start(day, zone)
    return min(day_start(other, zone) + into, day_start(other + timedelta(1), zone))


def _instant(aware: datetime) -> int:
    return round((aware - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def _offset_ms(instant_ms: int, zone: ZoneInfo) -> int:
    offset = local(instant_ms, zone).utcoffset()
    return 0 if offset is None else round(offset / timedelta(milliseconds=1))


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """Return the first instant after ``low`` with another offset; ``high`` has one."""
    before = _offset_ms(low - 1, zone)
    while high - low > 0:
        middle = (low + high) // 2
        if _offset_ms(middle, zone) == before:
            low = middle + 1
        else:
            high = middle
    return high


def _date_edges(start_ms: int, end_ms: int, step: Step, zone: ZoneInfo) -> Iterator[int]:
    before = None
    for day in _dates(day_of(start_ms, zone), day_of(end_ms - 1, zone), step):
        edge = day_start(day, zone)
        if edge != before:  # a date that was left out has no length
            yield edge
        before = edge


def _dates(first: date, last: date, step: Step) -> Iterator[date]:
    if step == "month":
        day = month_start(first)
    elif step == "year":
        day = date(first.year, 1, 1)
    else:
        day = first - timedelta(first.weekday() if step == "week" else 0)
    while day <= last:
        yield day
        if step in ("month", "year"):
            day = month_start(day, 12 if step == "year" else 1)
        else:
            day += timedelta(_WEEK if step == "week" else 1)


def _clock_edges(start_ms: int, end_ms: int, unit_ms: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield where the clock on the wall begins a new unit, and where it jumps into another."""
    changes = [start_ms, *_changes(start_ms, end_ms, zone), end_ms]
    for begin, end in pairwise(changes):
        offset = _offset_ms(begin, zone)
        first = -(-(begin + offset) // unit_ms) * unit_ms - offset
        if begin not in (start_ms, first):
            before = begin - 1 + _offset_ms(begin - 1, zone)
            if before // unit_ms != (begin + offset) // unit_ms:
                yield begin
        yield from range(first, end, unit_ms)


def _changes(start_ms: int, end_ms: int, zone: ZoneInfo) -> list[int]:
    """Return the instants between where the zone changes its offset."""
    probes = [*range(start_ms, end_ms, _PROBE_MS), end_ms]
    offsets = [_offset_ms(probe, zone) for probe in probes]
    pairs = zip(pairwise(probes), pairwise(offsets), strict=True)
    found = [_change(low + 1, high, zone) for (low, high), (a, b) in pairs if a != b]
    return found[bisect_right(found, start_ms) : bisect_left(found, end_ms)]
