"""From when to when a command asks, as people write it, in the site's civil time."""

from __future__ import annotations

import argparse
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.energy import calendar
from hub.ports import Refused

_MONTH = re.compile(r"\d{4}-\d{2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIRST, _LAST = 1970, 2105


def add_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Give a command its --from and --to."""
    how = "2026-11-20, 2026-11 or an instant such as 2026-11-20T08:00"
    parser.add_argument("--from", dest="start", required=required, metavar="WHEN", help=how)
    parser.add_argument(
        "--to",
        dest="end",
        required=required,
        metavar="WHEN",
        help="the last day, or month, included",
    )


def span(arguments: argparse.Namespace, zone: ZoneInfo) -> tuple[int, int]:
    """Return start and end in UTC ms; Refused when one is no time or they are inverted."""
    start_ms = _instant("--from", arguments.start, zone, last=False)
    end_ms = _instant("--to", arguments.end, zone, last=True)
    if end_ms <= start_ms:
        raise Refused(f"--to {arguments.end} is not after --from {arguments.start}; turn them")
    return start_ms, end_ms


def _instant(name: str, text: str, zone: ZoneInfo, *, last: bool) -> int:
    if text[:4].isdecimal() and not _FIRST <= int(text[:4]) <= _LAST:
        raise Refused(f"{name} {text} is before {_FIRST} or after {_LAST}; name another time")
    try:
        if _MONTH.fullmatch(text):
            day = date.fromisoformat(f"{text}-01")
            return calendar.day_start(calendar.month_start(day, int(last)), zone)
        if _DAY.fullmatch(text):
            return calendar.day_start(date.fromisoformat(text) + timedelta(int(last)), zone)
        instant = datetime.fromisoformat(text)
        aware = instant if instant.tzinfo else instant.replace(tzinfo=zone)
        return round(aware.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{name} {text!r} is no time; write one like 2026-11-20") from error
