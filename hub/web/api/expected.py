"""What use was to be expected: by the hour of the week, and by a temperature the hub knows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request

from hub.energy import baseline, calendar
from hub.energy.baseline import Weather
from hub.energy.expected import Model, NotEnough, Observed, fit
from hub.energy.metering import UTILITIES, Utility
from hub.energy.question import Query as Question
from hub.energy.told import at, rounded
from hub.model import Point
from hub.ports import Refused
from hub.web.api.campus import place_named, point_named
from hub.web.api.history import between
from hub.web.api.paging import Answer
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["expected"], dependencies=[LOOK])
MOST_HOURS = 366 * 24


@router.get("/expected")
async def expected(  # noqa: PLR0913 - one parameter of the address each
    request: Request,
    start: datetime,
    end: datetime,
    place: str | None = None,
    point: str | None = None,
    weather: str | None = None,
    *,
    baseline_start: datetime | None = None,
    baseline_end: datetime | None = None,
    utility: Utility = "electricity",
    spreads: Annotated[float, Query(ge=1, le=10)] = 3.0,
) -> Answer:
    """Return the use to expect in each hour, beside what was measured, and how well that fits.

    Learnt from the year before ``start``, unless another baseline is named. ``weather`` is a point
    of outdoor temperature. ``enough`` is false, with reasons, where there is too little to learn
    from. ``usual``, ``low`` and ``high`` are the median and its band of so many robust spreads.
    """
    parts = parts_of(request)
    span = between(request, start, end)
    learnt = _baseline(request, span[0], baseline_start, baseline_end)
    if max(span[1] - span[0], learnt[1] - learnt[0]) > MOST_HOURS * calendar.HOUR_MS:
        raise Problem(422, f"More than {MOST_HOURS} hours are asked for.", "Ask for a year.")
    who = _who(parts, place, point, utility)
    sensor = point_named(parts.site, weather) if weather else None
    try:
        return await parts.store_worker.run(
            lambda: _answer(parts, who, learnt, span, sensor, spreads)
        )
    except Refused as error:
        raise Problem(422, str(error), "Ask for less at once; the limit is named.") from error


def _baseline(
    request: Request, start_ms: int, first: datetime | None, last: datetime | None
) -> tuple[int, int]:
    if (first is None) != (last is None):
        raise Problem(422, "baseline_start and baseline_end belong together.", "Name both.")
    if first is not None and last is not None:
        return between(request, first, last)
    zone = parts_of(request).site.zone
    return calendar.year_before(start_ms, start_ms + 1, zone)[0], start_ms


def _who(parts: Parts, place: str | None, point: str | None, utility: Utility) -> Question:
    """Return a question, yet without its time, about one place or one counter."""
    if (place is None) == (point is None):
        raise Problem(422, "Name one of place and point.", "A place is summed over its meters.")
    if place is not None:
        named = place_named(parts.site, place)
        return Question(start_ms=0, end_ms=1, places=(named,), step="hour", utility=utility)
    number = point_named(parts.site, point or "").number
    for one in UTILITIES:
        for counter in parts.consumption.metering(one).counters:
            if counter.point.number == number:
                device = counter.device.id
                return Question(start_ms=0, end_ms=1, devices=(device,), step="hour", utility=one)
    raise Problem(422, f"{point} is no counter of use.", "Name a counter, like …/energy.")


def _answer(
    parts: Parts,
    who: Question,
    learnt: tuple[int, int],
    span: tuple[int, int],
    sensor: Point | None,
    spreads: float,
) -> dict[str, object]:
    zone = parts.site.zone
    before, now = (_observed(parts, who, sensor, period) for period in (learnt, span))
    head = {
        "place": who.places[0] if who.places else None,
        "device": who.devices[0] if who.devices else None,
        "utility": who.utility,
        "start": at(span[0], zone),
        "end": at(span[1], zone),
        "baseline": {"start": at(learnt[0], zone), "end": at(learnt[1], zone)},
    }
    model = fit(before)
    if isinstance(model, NotEnough):
        return {**head, "enough": False, "reasons": list(model.reasons)}
    return {
        **head,
        "enough": True,
        **baseline.told_model(model),
        "hours": [at(start, zone) for start in now.start_ms.tolist()],
        **_columns(model, now, spreads),
    }


def _observed(
    parts: Parts, who: Question, sensor: Point | None, period: tuple[int, int]
) -> Observed:
    """Return what was used in each hour of a time, with its weather where a sensor is named."""
    edges, figures = baseline.asked(parts.consumption, who, period)
    weather = _weather(parts, sensor, period) if sensor else None
    return baseline.observed(edges, figures, parts.site.zone, weather)


def _columns(model: Model, now: Observed, spreads: float) -> dict[str, list[float | None]]:
    """Return one figure per hour: measured, expected, usual and its band; None where unknown."""
    usual, low, high = model.band(now.hour, now.temperature_c, spreads)
    columns = {
        "measured": now.used,
        "expected": model.expected(now.hour, now.temperature_c),
        "usual": usual,
        "low": low,
        "high": high,
    }
    return {
        name: [None if np.isnan(one) else rounded(one) for one in column.tolist()]
        for name, column in columns.items()
    }


def _weather(parts: Parts, sensor: Point, span: tuple[int, int]) -> Weather:
    """Return hourly means of a temperature that the hub reads itself."""
    hour = calendar.HOUR_MS
    starts = np.arange(span[0] // hour * hour, span[1], hour, dtype=np.int64)
    end_ms = int(starts[-1]) + hour
    found = parts.store.series([sensor.number], int(starts[0]), end_ms, hour, ["mean"])
    means = found.get(sensor.number, {}).get("mean", [None] * len(starts))
    return starts, np.asarray([np.nan if one is None else one for one in means], np.float64)
