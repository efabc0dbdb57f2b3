"""The calendar of a site: terms, vacations, holidays with make-up workdays, hours by name; pure.

Civil time is that of the zone handed in. Hours are told apart by minutes of the wall clock, so a
window that begins while clocks are put forward begins with the first minute that there is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from rules.form import Id, Spec, When, Words

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Season = Literal["term", "vacation"]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORKED = 5
_LOOK_AHEAD = 400  # days; a calendar that does not change within them is taken to stay as it is


class Dates(Spec):
    """Civil dates, both included."""

    from_: date = Field(alias="from")
    to: date

    @model_validator(mode="after")
    def _in_order(self) -> Dates:
        if self.to < self.from_:
            raise ValueError("to lies before from")
        return self

    def holds(self, day: date) -> bool:
        """Tell whether a date is one of them."""
        return self.from_ <= day <= self.to


class Vacation(Dates):
    """Weeks without teaching."""

    name: Words


class Holiday(Dates):
    """Public holidays; the days off that are worked for them."""

    name: Words
    makeup: tuple[date, ...] = ()


class Window(Spec):
    """Hours of some days; over midnight where ``to`` is not after ``from``.

    A window over midnight belongs to the day that it begins on. ``days`` are weekdays,
    ``workdays`` and ``free`` (days off and holidays); without them every day; ``in`` is a season.
    """

    from_: ClockTime = Field(alias="from")
    to: ClockTime
    days: tuple[Weekday | Literal["workdays", "free"], ...] = ()
    season: Season | None = Field(None, alias="in")


class CalendarFile(Spec):
    """calendar.yaml: what a site's year looks like; of these names the rules speak under when."""

    version: Literal[1]
    vacations: tuple[Vacation, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    hours: Mapping[Id, Annotated[tuple[Window, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _makeup_is_no_holiday(self) -> CalendarFile:
        for holiday in self.holidays:
            for day in holiday.makeup:
                if any(one.holds(day) for one in self.holidays):
                    raise ValueError(f"{day} is worked for a holiday and is one; remove it")
        return self

    def comes_again(self, hours: str) -> bool:
        """Tell whether hours of a name come again whatever the dates: some are in term too."""
        return any(window.season != "vacation" for window in self.hours[hours])


NO_CALENDAR = CalendarFile(version=1)


class Held(NamedTuple):
    """Why a rule is not in force, and until when; None: as long as can be seen."""

    why: str
    until_ms: int | None


class Calendar:
    """A calendar in the civil time of a zone."""

    def __init__(self, file: CalendarFile, zone: ZoneInfo) -> None:
        self._file = file
        self._zone = zone
        self._worked = frozenset(day for one in file.holidays for day in one.makeup)

    def season(self, day: date) -> Season:
        """Return whether a date lies in term or in a vacation."""
        return "vacation" if any(one.holds(day) for one in self._file.vacations) else "term"

    def is_workday(self, day: date) -> bool:
        """Tell whether people work on a date."""
        if day in self._worked:
            return True
        return day.weekday() < _WORKED and not any(one.holds(day) for one in self._file.holidays)

    def opens(self, window: Window, day: date) -> bool:
        """Tell whether a window begins on a date."""
        if window.season not in (None, self.season(day)):
            return False
        kind = "workdays" if self.is_workday(day) else "free"
        return not window.days or kind in window.days or WEEKDAYS[day.weekday()] in window.days

    def within(self, hours: str, at_ms: int) -> bool:
        """Tell whether an instant lies in the hours of a name."""
        now = _wall(at_ms, self._zone)
        return any(start <= now < end for start, end in self._spans(hours, now.date()))

    def spans(self, hours: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        """Return the hours of a name between two instants: spans of instants, joined, in order.

        They are the instants at which the wall clock shows these hours; one that it shows twice
        counts twice, one that it leaves out not at all.
        """
        found: list[tuple[int, int]] = []
        for from_ms, to_ms, ahead in self._pieces(start_ms, end_ms):
            first = _utc(from_ms + ahead).date() - timedelta(1)
            for n in range((_utc(to_ms + ahead).date() - first).days + 1):
                for start, end in self._of_day(hours, first + timedelta(n)):
                    opens, closes = (_since_epoch(wall) - ahead for wall in (start, end))
                    if (opens := max(opens, from_ms)) < (closes := min(closes, to_ms)):
                        found.append((opens, closes))
        return _joined(sorted(found))

    def held(self, when: When, at_ms: int) -> Held | None:
        """Return why a rule with such a condition is not in force at an instant; None when it is.

        Conditions are met together: inside ``hours``, outside ``outside``, in the season. Hours of
        a name that this calendar does not have set no condition.
        """
        when = when.model_copy(update=self._unknown(when))
        why = self._objection(when, at_ms)
        if why is None:
            return None
        for edge_ms in self._edges(when, at_ms):
            if self._objection(when, edge_ms) is None:
                return Held(why, edge_ms)
        return Held(why, None)

    def _objection(self, when: When, at_ms: int) -> str | None:
        if when.hours and not self.within(when.hours, at_ms):
            return f"outside {when.hours}"
        if when.outside and self.within(when.outside, at_ms):
            return when.outside
        season = self.season(_wall(at_ms, self._zone).date())
        return season if when.season not in (None, season) else None

    def _unknown(self, when: When) -> dict[str, None]:
        names = {"hours": when.hours, "outside": when.outside}
        return {key: None for key, name in names.items() if name not in self._file.hours}

    def _edges(self, when: When, at_ms: int) -> Iterator[int]:
        """Yield the instants after one at which the answer may change, in order."""
        first = _wall(at_ms, self._zone).date()
        names = [name for name in (when.hours, when.outside) if name is not None]
        for n in range(_LOOK_AHEAD):
            day = first + timedelta(n)
            walls = [datetime.combine(day, time())] if when.season else []
            for name in names:
                walls += [edge for span in self._of_day(name, day) for edge in span]
            yield from sorted(
                edge_ms for wall in walls if (edge_ms := _instant(wall, self._zone)) > at_ms
            )

    def _pieces(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, int]]:
        """Yield the times in which the zone is as far ahead of UTC, with how far."""
        ahead = self._ahead(start_ms)
        for day_ms in range(start_ms, end_ms, DAY_MS):
            next_ms = min(day_ms + DAY_MS, end_ms)
            if (then := self._ahead(next_ms)) != ahead:
                change_ms = self._change(day_ms, next_ms)
                yield start_ms, change_ms, ahead
                start_ms, ahead = change_ms, then
        yield start_ms, end_ms, ahead

    def _change(self, before_ms: int, after_ms: int) -> int:
        """Return the first instant of two on different sides of a change at which it is there."""
        ahead = self._ahead(before_ms)
        while after_ms - before_ms > 1:
            middle_ms = (before_ms + after_ms) // 2
            if self._ahead(middle_ms) == ahead:
                before_ms = middle_ms
            else:
                after_ms = middle_ms
        return after_ms

    def _ahead(self, at_ms: int) -> int:
        return _since_epoch(_wall(at_ms, self._zone)) - at_ms

    def _spans(self, hours: str, day: date) -> Iterator[tuple[datetime, datetime]]:
        yield from self._of_day(hours, day - timedelta(1))
        yield from self._of_day(hours, day)

    def _of_day(self, hours: str, day: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the windows that begin on a date, on the wall clock."""
        for window in self._file.hours[hours]:
            if self.opens(window, day):
                start = datetime.combine(day, time.fromisoformat(window.from_))
                end = datetime.combine(day, time.fromisoformat(window.to))
                yield start, end if end > start else end + timedelta(1)


def _utc(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)


def _wall(at_ms: int, zone: ZoneInfo) -> datetime:
    return _utc(at_ms).astimezone(zone).replace(tzinfo=None)


def _instant(wall: datetime, zone: tzinfo) -> int:
    return (wall.replace(tzinfo=zone) - _EPOCH) // timedelta(milliseconds=1)


def _since_epoch(wall: datetime) -> int:
    """Return what a wall clock shows as if it were one of UTC."""
    return _instant(wall, UTC)


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans in order of their start that touch or lie over each other."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def first_instant(wall: datetime, zone: ZoneInfo) -> int:
    """Return when the wall clock first shows a time, or first passes it, in UTC ms.

    >>> put_forward = datetime(2026, 3, 29, 2, 30)  # there is no such time in Berlin
    >>> first_instant(put_forward, ZoneInfo("Europe/Berlin")) == _instant(
    ...     datetime(2026, 3, 29, 3, 0), ZoneInfo("Europe/Berlin"))
    True
    """
    at_ms = _instant(wall, zone)
    shown = _wall(at_ms, zone)
    if shown == wall:
        return at_ms
    # Put forward over it: the reading of before and of after enclose the instant of the change.
    early_ms = _instant(wall.replace(fold=1), zone)
    while at_ms - early_ms > 1:
        middle_ms = (early_ms + at_ms) // 2
        if _wall(middle_ms, zone) < wall:
            early_ms = middle_ms
        else:
            at_ms = middle_ms
    return at_ms
