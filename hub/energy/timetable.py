"""Which rate of a tariff counts at which hours of which days, as a site writes it down; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Rate = Literal["sharp", "peak", "flat", "valley", "deep_valley"]
DayType = Literal["workday", "weekend", "holiday"]
RATES: tuple[Rate, ...] = get_args(Rate)
DAY_TYPES: tuple[DayType, ...] = get_args(DayType)
MONTHS = tuple(range(1, 13))
DAY_MIN = 24 * 60
STEP_MIN = 15  # no tariff changes its price between quarters, and uses are told no finer
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")

Month = Annotated[int, Field(ge=1, le=12)]


def _span(text: str) -> str:
    minutes(text)
    return text


def minutes(text: str) -> tuple[int, int]:
    """Return the minutes of the day between which a span lies; the second may be 1440.

    >>> minutes("23:00-07:00")
    (1380, 420)
    """
    found = _SPAN.fullmatch(text)
    first, last = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if (
        found
    ) else (-1, -1)  # fmt: skip
    fits = 0 <= first < DAY_MIN and 0 <= last <= DAY_MIN and first != last
    if not fits or first % STEP_MIN or last % STEP_MIN:
        raise ValueError(f"{text!r} is no span of a day on quarters of an hour, like 08:00-11:30")
    return first, last


SpanText = Annotated[str, AfterValidator(_span)]


class Spec(BaseModel):
    """A frozen piece of a tariff; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hours(Spec):
    """Which rate counts when, in some months and on some kinds of days; a day without a hole."""

    months: tuple[Month, ...] = Field(MONTHS, min_length=1)
    days: tuple[DayType, ...] = Field(DAY_TYPES, min_length=1)
    rates: dict[Rate, tuple[SpanText, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole_day(self) -> Hours:
        wrong = [*_uncovered(self.by_quarter()), *_claimed_twice(self.rates)]
        if wrong:
            raise ValueError("; ".join(wrong) + "; every time of the day has one rate")
        return self

    def by_quarter(self) -> list[Rate | None]:
        """Return the rate of each quarter of an hour of the day."""
        day: list[Rate | None] = [None] * (DAY_MIN // STEP_MIN)
        for rate, spans in self.rates.items():
            for span in spans:
                for quarter in _quarters(span):
                    day[quarter] = rate
        return day


def _quarters(span: str) -> list[int]:
    first, last = (minute // STEP_MIN for minute in minutes(span))
    whole = DAY_MIN // STEP_MIN
    return list(range(first, last)) if first < last else [*range(first, whole), *range(last)]


def _clock(quarter: int) -> str:
    return f"{quarter * STEP_MIN // 60:02}:{quarter * STEP_MIN % 60:02}"


def _runs(quarters: Sequence[int]) -> Iterator[str]:
    """Say quarters of a day as spans."""
    begin = None
    for n, quarter in enumerate(quarters):
        begin = quarter if begin is None else begin
        if n + 1 == len(quarters) or quarters[n + 1] != quarter + 1:
            yield f"{_clock(begin)} to {_clock(quarter + 1)}"
            begin = None


def _uncovered(day: Sequence[Rate | None]) -> Iterator[str]:
    for run in _runs([n for n, rate in enumerate(day) if rate is None]):
        yield f"no rate from {run}"


def _claimed_twice(rates: Mapping[Rate, Sequence[str]]) -> Iterator[str]:
    claims: dict[int, list[str]] = {}
    for rate, spans in rates.items():
        for span in spans:
            for quarter in _quarters(span):
                claims.setdefault(quarter, []).append(rate)
    pairs: dict[tuple[str, ...], list[int]] = {}
    for quarter, named in sorted(claims.items()):
        if len(named) > 1:
            pairs.setdefault(tuple(named), []).append(quarter)
    for pair, quarters in pairs.items():
        for run in _runs(quarters):
            yield f"{' and '.join(pair)} both from {run}"
