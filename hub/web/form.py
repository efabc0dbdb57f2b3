"""How numbers, instants and spans are written for people; pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DECIMALS: Mapping[str, int] = {
    "kWh": 1,
    "W": 0,
    "kW": 2,
    "VA": 0,
    "var": 0,
    "V": 1,
    "A": 2,
    "Hz": 2,
    "degC": 1,
    "m3": 2,
    "m3/h": 2,
    "L": 1,
    "L/min": 1,
    "bar": 2,
    "%": 0,
}
NOTHING = "-"
_LEAST_SHARE = 0.001
SYMBOLS: Mapping[str, str] = {"degC": "°C", "m3": "m³", "m3/h": "m³/h", "m2": "m²"}
SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
JUST_NOW_MS = 5 * SECOND_MS


def symbol(unit: str) -> str:
    """Return the unit as it is printed.

    >>> symbol("degC")
    '°C'
    """
    return SYMBOLS.get(unit, unit)


def decimals(unit: str) -> int:
    """Return how many decimals a value in this unit is shown with."""
    return DECIMALS.get(unit, 0 if unit == "" else 2)


def number(value: float | None, places: int = 1) -> str:
    """Write a number, or a dash where there is none.

    >>> number(1234.56)
    '1,234.6'
    >>> number(None)
    '-'
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{places}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text


def percent(share: float | None) -> str:
    """Write a share; only a whole one is 100 %, and only nothing is 0 %.

    >>> percent(1.0), percent(0.99996), percent(0.875), percent(0.0004), percent(None)
    ('100%', '99.9%', '87.5%', '<0.1%', '-')
    """
    if share is None:
        return NOTHING
    if 0 < share < _LEAST_SHARE:
        return f"<{_LEAST_SHARE:.1%}"
    return f"{math.floor(share * 1000) / 10:.1f}%" if 0 < share < 1 else f"{share:.0%}"


def short_day(day: str) -> str:
    """Write a civil day in a narrow column: the month and the day.

    >>> short_day("2026-11-03")
    '11-03'
    """
    return day[5:]


def at(instant_ms: int, zone: ZoneInfo) -> datetime:
    """Return an instant as an aware datetime in the site's zone."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(zone)


def iso(instant_ms: int | None, zone: ZoneInfo) -> str | None:
    """Write an instant for programs: ISO 8601 with the site's offset, to the millisecond."""
    return None if instant_ms is None else at(instant_ms, zone).isoformat(timespec="milliseconds")


def day_start_ms(instant_ms: int, zone: ZoneInfo) -> int:
    """Return the beginning of the site's civil day that holds an instant."""
    local = at(instant_ms, zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    return round(midnight.timestamp() * 1000)


def hour_start_ms(instant_ms: int, zone: ZoneInfo) -> int:
    """Return the beginning of the site's clock hour that holds an instant."""
    local = at(instant_ms, zone)
    into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return instant_ms - round(into.total_seconds() * 1000)


def clock_time(instant_ms: int, zone: ZoneInfo) -> str:
    """Write the time of day on a 24 h clock.

    >>> clock_time(0, ZoneInfo("Asia/Shanghai"))
    '08:00'
    """
    return f"{at(instant_ms, zone):%H:%M}"


def day(instant_ms: int, zone: ZoneInfo, language: str) -> str:
    """Write the civil day.

    >>> day(0, ZoneInfo("Asia/Shanghai"), "zh"), day(0, ZoneInfo("Asia/Shanghai"), "en")
    ('1月1日', '1 Jan')
    """
    local = at(instant_ms, zone)
    return f"{local.day} {local:%b}" if language == "en" else f"{local.month}月{local.day}日"


def month(instant_ms: int, zone: ZoneInfo, language: str) -> str:
    """Write the civil month.

    >>> month(0, ZoneInfo("Asia/Shanghai"), "zh"), month(0, ZoneInfo("Asia/Shanghai"), "en")
    ('1970年1月', 'Jan 1970')
    """
    local = at(instant_ms, zone)
    return f"{local:%b %Y}" if language == "en" else f"{local.year}年{local.month}月"


def change(share: float | None) -> str:
    """Write by what share more or less there is.

    >>> change(0.123), change(-0.05), change(0.0), change(None)
    ('+12.3%', '-5.0%', '0.0%', '-')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    text = f"{share:+.1%}"
    return text[1:] if not text.strip("+-0.%") else text


def moment(instant_ms: int, now_ms: int, zone: ZoneInfo, language: str) -> str:
    """Write an instant as shortly as it stays clear: the day only when it is another one."""
    time = clock_time(instant_ms, zone)
    if day_start_ms(instant_ms, zone) == day_start_ms(now_ms, zone):
        return time
    return f"{day(instant_ms, zone, language)} {time}"


def span(length_ms: int, language: str) -> str:
    """Write a length of time in its two largest parts.

    >>> span(3 * MINUTE_MS + 5 * SECOND_MS, "en"), span(26 * HOUR_MS, "zh")
    ('3 min 5 s', '1 天 2 小时')
    """
    words = ("d", "h", "min", "s") if language == "en" else ("天", "小时", "分", "秒")
    left = max(length_ms, 0)
    parts = []
    for size, word in zip((DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS), words, strict=True):
        count, left = divmod(left, size)
        parts.append((count, word))
    first = next((i for i, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {word}" for count, word in parts[first : first + 2] if count) or (
        f"0 {words[-1]}"
    )


def ago(age_ms: int, language: str) -> str:
    """Write how old something is, in its largest part.

    >>> ago(90 * SECOND_MS, "en"), ago(90 * SECOND_MS, "zh"), ago(2 * SECOND_MS, "en")
    ('1 min ago', '1 分钟前', 'just now')
    """
    if age_ms < JUST_NOW_MS:
        return "just now" if language == "en" else "刚刚"
    sizes = ((DAY_MS, "d", "天"), (HOUR_MS, "h", "小时"), (MINUTE_MS, "min", "分钟"))
    size, en, zh = next((s for s in sizes if age_ms >= s[0]), (SECOND_MS, "s", "秒"))
    count = max(age_ms, 0) // size
    return f"{count} {en} ago" if language == "en" else f"{count} {zh}前"
