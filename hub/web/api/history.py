"""What was: series of points and consumption of places."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request

from hub.ports import Aggregate
from hub.web.api.campus import place_named, point_named
from hub.web.api.paging import Answer
from hub.web.form import iso
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["history"], dependencies=[LOOK])
MOST_NUMBERS = 100_000
MOST_POINTS = 100


class Period(NamedTuple):
    """From when to when, in steps."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def steps(self) -> int:
        """Count the steps."""
        return -(-(self.end_ms - self.start_ms) // self.step_ms)


def period(
    request: Request, start: datetime, end: datetime, step: timedelta = timedelta(hours=1)
) -> Period:
    """Return the period a request names; an instant without an offset is site time."""
    zone = parts_of(request).site.zone
    try:
        first, last = (round(_aware(one, zone).timestamp() * 1000) for one in (start, end))
    except (OverflowError, ValueError):
        raise Problem(422, "start or end lies outside every calendar.", "Name real days.") from None
    step_ms = round(step / timedelta(milliseconds=1))
    if step_ms <= 0 or last <= first or first < 0:
        raise Problem(422, "start must be before end, after 1970, and step above zero.")
    return Period(first, last, step_ms)


def _aware(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


def _check_size(numbers: int) -> None:
    if numbers > MOST_NUMBERS:
        raise Problem(422, f"More than {MOST_NUMBERS} numbers are asked for.", "Use a longer step.")


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
    _check_size(span.steps * len(numbers))
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


@router.get("/consumption")
async def consumption(
    request: Request,
    span: Spanned,
    place: str,
    by: Literal["device", "room", "building"] = "building",
) -> Answer:
    """Return energy per step; null where nothing was measured, coverage beside every number."""
    parts = parts_of(request)
    place_named(parts.site, place)
    _check_size(span.steps)
    use = await parts.store_worker.run(lambda: parts.consumption.use(place, *span, by))
    rows = [*use.rows, use.total, *([use.main] if use.main else [])]
    listed = [
        {"id": row.id, "kwh": row.kwh, "coverage": row.coverage, "total_kwh": row.total}
        for row in rows
    ]
    return {
        "place": place,
        "start": iso(span[0], parts.site.zone),
        "end": iso(span[1], parts.site.zone),
        "step_s": span[2] / 1000,
        "rows": listed[: len(use.rows)],
        "total": listed[len(use.rows)],
        "main": listed[-1] if use.main else None,
    }
