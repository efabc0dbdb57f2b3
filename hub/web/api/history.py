"""What was: series of points."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request

from hub.ports import Aggregate
from hub.store.rollup import base_step
from hub.web.api.campus import point_named
from hub.web.api.paging import Answer
from hub.web.form import DAY_MS, iso
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["history"], dependencies=[LOOK])
MOST_NUMBERS = 100_000
MOST_POINTS = 100
MOST_DAYS_READ = 4000  # of points, a day each, whose readings are looked at one by one


class Period(NamedTuple):
    """From when to when, in steps."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def steps(self) -> int:
        """Count the steps."""
        return -(-(self.end_ms - self.start_ms) // self.step_ms)


def between(request: Request, start: datetime, end: datetime) -> tuple[int, int]:
    """Return start and end in UTC ms; an instant without an offset is site time."""
    zone = parts_of(request).site.zone
    try:
        first, last = (instant_ms(one, zone) for one in (start, end))
    except (OverflowError, ValueError):
        raise Problem(422, "start or end lies outside every calendar.", "Name real days.") from None
    if last <= first or first < 0:
        raise Problem(422, "start must be before end, and after 1970.", "Name another period.")
    return first, last


def step_of(step: timedelta) -> int:
    """Return a step in ms."""
    step_ms = round(step / timedelta(milliseconds=1))
    if step_ms <= 0:
        raise Problem(422, "The step must be above zero.", "Ask for one like PT15M or PT1H.")
    return step_ms


def period(
    request: Request, start: datetime, end: datetime, step: timedelta = timedelta(hours=1)
) -> Period:
    """Return the period a request names."""
    return Period(*between(request, start, end), step_of(step))


def instant_ms(one: datetime, zone: ZoneInfo) -> int:
    """Return an instant as UTC ms; without an offset it is site time."""
    return round((one if one.tzinfo else one.replace(tzinfo=zone)).timestamp() * 1000)


def _check_size(span: Period, points: int, base_ms: int) -> None:
    if span.steps * points > MOST_NUMBERS:
        raise Problem(422, f"More than {MOST_NUMBERS} numbers are asked for.", "Use a longer step.")
    from_rollups = span.step_ms % base_ms == 0 and span.start_ms % base_ms == 0
    if not from_rollups and (span.end_ms - span.start_ms) * points > MOST_DAYS_READ * DAY_MS:
        raise Problem(
            422,
            f"More than {MOST_DAYS_READ} days of points would be read, reading by reading.",
            f"Let start and step be a multiple of {base_ms // 60_000} minutes, or ask for less.",
        )


Spanned = Annotated[Period, Depends(period)]


@router.get("/series")
async def series(
    request: Request,
    span: Spanned,
    point: Annotated[list[str], Query(min_length=1, max_length=MOST_POINTS)],
    aggregate: Annotated[list[Aggregate] | None, Query(max_length=6)] = None,
) -> Answer:
    """Return one number per step and aggregate; null where there was no good reading."""
    parts = parts_of(request)
    numbers = [point_named(parts.site, one).number for one in point]
    _check_size(span, len(numbers), base_step(parts.site.zone))
    found = await parts.store_worker.run(
        lambda: parts.store.series(numbers, *span, aggregate or ["mean"])
    )
    return {
        "start": iso(span[0], parts.site.zone),
        "end": iso(span[1], parts.site.zone),
        "step_s": span[2] / 1000,
        "series": [
            {"point": id_, "unit": parts.site.points[number].unit, **found.get(number, {})}
            for id_, number in zip(point, numbers, strict=True)
        ],
    }
