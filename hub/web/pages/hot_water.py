"""Hot water: tonnes, what a tonne takes, whether it was as warm as promised, what is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from hub.energy.hot_water_row import Answer, By, Row
from hub.energy.question import Figure
from hub.energy.told import at
from hub.energy.told_hot_water import BY_KEY, FIGURES, Told
from hub.ports import Refused
from hub.sheet import FORMATS
from hub.web import form
from hub.web.pages.frame import Frame
from hub.web.problem import Problem
from hub.web.session import Looks

router = APIRouter(include_in_schema=False)
Span = Literal["last-day", "last-week", "last-month"]
DAYS: Mapping[Span, int] = {"last-day": 1, "last-week": 7, "last-month": 30}
PAGE_BYS: tuple[By, ...] = ("plant", "building", "terminal")
CHIEF = ("per_day", "per_tonne", "expected_per_tonne", "cop", "compliance", "standing", "loop")
OF_TERMINALS = ("per_terminal", "outlet", "sessions", "session_median", "session_high")
MOST_ROWS = 40
_PLACES: Mapping[str, int] = {"t/d": 2, "t": 2, "kWh": 0, "kWh/t": 1, "degC": 1, "kW": 2, "L": 0}


@router.get("/hot-water")
async def hot_water(
    request: Request,
    viewer: Looks,
    place: str = "",
    span: Span = "last-day",
    by: Annotated[By, Query()] = "plant",
) -> Response:
    """Show the hot water of a place."""
    page = Frame.of(request, viewer)
    parts = page.parts
    where = place or parts.site.id
    end_ms = page.now_ms // form.MINUTE_MS * form.MINUTE_MS
    start_ms = end_ms - DAYS[span] * form.DAY_MS
    try:
        found = await parts.store_worker.run(
            lambda: parts.hot_water.ask(where, start_ms, end_ms, "total", by)
        )
    except Refused as error:
        raise Problem(404, str(error), "Choose one of the list.") from error
    keys = OF_TERMINALS if by == "terminal" else CHIEF
    return page.render(
        "hot_water.html",
        section="energy",
        found=found,
        choices=_choices(page, where, span, by),
        name=page.t("whole-campus") if where == parts.site.id else page.where(where),
        chief=[BY_KEY[key] for key in keys],
        figures=FIGURES,
        most=MOST_ROWS,
        written=lambda told, row: written(page, told, told.of(row)),
        one=lambda key: BY_KEY[key],
        into=lambda row: _into(page, row, span),
        trend=_trend(page, found),
        hours=_hours(page, found),
        span_words=f"{_day_and_time(page, start_ms)} - {_day_and_time(page, end_ms)}",
        files=[(each, _link(page, where, start_ms, end_ms, by, each)) for each in FORMATS],
    )


def written(page: Frame, told: Told, figure: Figure) -> str:
    """Write a figure with its unit, or that there is not enough data."""
    if figure.value is None:
        return page.t("not-enough-data")
    if told.unit == "share":
        return form.percent(figure.value)
    places = 0 if told.key == "sessions" else _PLACES.get(told.unit, 2)
    return f"{form.number(figure.value, places)} {page.unit(told.unit)}".rstrip()


def _day_and_time(page: Frame, instant_ms: int) -> str:
    """Write both: the ends of a last day have the same time."""
    zone = page.parts.site.zone
    return f"{form.day(instant_ms, zone, page.language)} {form.clock_time(instant_ms, zone)}"


def _choices(page: Frame, place: str, span: Span, by: By) -> list[tuple[str, str, object, str]]:
    site = page.parts.site
    places = [(site.id, page.t("whole-campus"))]
    places += [(one.id, page.words(one.name)) for one in site.buildings()]
    if place not in dict(places):
        places.append((place, page.where(place)))
    return [
        ("place", page.t("place"), places, place),
        ("span", page.t("span"), [(one, page.t(one)) for one in get_args(Span)], span),
        ("by", page.t("rows-of"), [(one, page.t(f"by-{one}")) for one in PAGE_BYS], by),
    ]


def _into(page: Frame, row: Row, span: Span) -> str | None:
    """Return the address of the building of a row: its terminals."""
    if row.kind not in ("plant", "building"):
        return None
    place = page.parts.site.building_of(row.id)
    return "/hot-water?" + urlencode({"place": place, "span": span, "by": "terminal"})


def _trend(page: Frame, found: Answer) -> str:
    trend = found.trend
    if trend.slope is None:
        return page.t("trend-none", days=trend.days)
    slope = f"{trend.slope:+.1f}"
    if trend.full_in_days is None:
        return page.t("trend-stays", slope=slope)
    return page.t("trend-grows", slope=slope, days=form.number(trend.full_in_days, 0))


def _hours(page: Frame, found: Answer) -> str:
    spans = [f"{one.start:%H:%M}-{one.end:%H:%M}" for one in found.delivery.opening]
    return ", ".join(spans) or page.t("all-day")


def _link(page: Frame, place: str, start_ms: int, end_ms: int, by: By, form_: str) -> str:
    zone = page.parts.site.zone
    given = {"place": place, "start": at(start_ms, zone), "end": at(end_ms, zone), "by": by}
    return "/api/v1/hot-water?" + urlencode(given | {"format": form_, "lang": page.language})
