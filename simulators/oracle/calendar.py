"""What the wall clock shows in each minute of a time, and which minutes are in the hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SATURDAY = 5


class Minutes:
    """The minutes from one instant to another, each with the date and time that walls show."""

    def __init__(self, calendar: Mapping[str, Any], zone: str, start_ms: int, end_ms: int) -> None:
        self.first = start_ms // MINUTE_MS
        self._calendar = calendar
        self._days, self.of_day = _shown(ZoneInfo(zone), self.first, end_ms // MINUTE_MS)
        self._from_day = int(self._days.min()) - 1
        self._dates = [
            date.fromordinal(day) for day in range(self._from_day, int(self._days.max()) + 1)
        ]
        self._open: dict[str | None, NDArray[np.int64]] = {
            None: np.full(len(self.of_day), MINUTE_MS)
        }

    def running_ms(self, hours: str | None) -> NDArray[np.int64]:
        """Return for each minute how much of it lies in the hours of a name: all or nothing."""
        if hours not in self._open:
            windows = self._calendar["hours"][hours]
            shown = np.zeros(len(self.of_day), bool)
            for window in windows:
                shown |= self._within(window)
            self._open[hours] = shown.astype(np.int64) * MINUTE_MS
        return self._open[hours]

    def shown(self, minute: int) -> tuple[int, int]:
        """Return the date (as ordinal) and the minute of the day that walls show in a minute."""
        n = minute - self.first
        return int(self._days[n]), int(self.of_day[n])

    def _within(self, window: Mapping[str, Any]) -> NDArray[np.bool_]:
        start, end = minute_of(window["from"]), minute_of(window["to"])
        opens = np.array([self._opens(window, day) for day in self._dates])
        today = opens[self._days - self._from_day]
        if start < end:
            return today & (self.of_day >= start) & (self.of_day < end)
        yesterday = opens[self._days - self._from_day - 1]
        return (today & (self.of_day >= start)) | (yesterday & (self.of_day < end))

    def _opens(self, window: Mapping[str, Any], day: date) -> bool:
        text = day.isoformat()
        vacation = _in_any(self._calendar.get("vacations", ()), text)
        if window.get("in", "") == ("term" if vacation else "vacation"):
            return False
        wanted: Sequence[str] = window.get("days", ())
        holidays = self._calendar.get("holidays", ())
        worked = any(text in map(str, one.get("makeup", ())) for one in holidays)
        free = not worked and (day.weekday() >= _SATURDAY or _in_any(holidays, text))
        names = {_DAYS[day.weekday()], "free" if free else "workdays"}
        return not wanted or not names.isdisjoint(wanted)


def _shown(zone: ZoneInfo, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return date (as ordinal) and minute of the day that the wall shows, minute by minute."""
    days = np.empty(last - first, np.int64)
    of_day = np.empty(last - first, np.int64)
    for n in range(last - first):
        now = datetime.fromtimestamp((first + n) * 60, zone)
        days[n] = now.toordinal()
        of_day[n] = now.hour * 60 + now.minute
    return days, of_day


def minute_of(text: str) -> int:
    """Return the minute of the day that a time like 06:30 is."""
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def _in_any(spans: Sequence[Mapping[str, Any]], day: str) -> bool:
    """Tell whether a date lies in one of some spans; ISO dates sort as texts."""
    return any(str(one["from"]) <= day <= str(one["to"]) for one in spans)
