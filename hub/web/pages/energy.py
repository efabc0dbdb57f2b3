"""What was used: the course, the ranking and the losses of a place and time that are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.energy import calendar, told, told_findings
from hub.energy.calendar import Step
from hub.energy.explained import TO_DO
from hub.energy.metering import UTILITIES, Utility
from hub.energy.question import PERS, By, Per, Row, Table
from hub.energy.question import Query as Question
from hub.ports import Refused
from hub.sheet import FORMATS
from hub.web import form
from hub.web.pages.cost import cost_section
from hub.web.pages.frame import Frame
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import Looks
from hub.web.use_chart import UseChart, use_bars

router = APIRouter(include_in_schema=False)
Span = Literal["today", "yesterday", "week", "month", "last-month", "year", "own"]
SPANS: tuple[Span, ...] = get_args(Span)
PAGE_STEPS: tuple[Step, ...] = ("quarter", "hour", "day", "week", "month")
PAGE_BYS: tuple[By, ...] = ("building", "floor", "room", "kind", "device")
INNER: Mapping[str, By] = {"campus": "building", "building": "floor", "floor": "room"}
MOST_ROWS = 30
MOST_FINDINGS = 10
_HOURLY, _DAILY = timedelta(days=2), timedelta(days=62)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the form says; an empty word leaves the choice to the page."""

    place: str
    span: Span
    first: date | None
    last: date | None
    step: Step | None
    by: By | None
    utility: Utility
    per: Per | None


def span_of(wish: Wish, parts: Parts) -> tuple[int, int]:
    """Return the start and end (UTC ms) of a wish; what still runs ends now."""
    now_ms, zone = parts.clock.now_ms(), parts.site.zone
    today = calendar.day_of(now_ms, zone)
    month = calendar.month_start(today)
    firsts: Mapping[Span, date] = {
        "today": today,
        "yesterday": today - timedelta(1),
        "week": today - timedelta(6),
        "month": month,
        "last-month": calendar.month_start(today, -1),
        "year": date(today.year, 1, 1),
        "own": wish.first or today,
    }
    lasts: Mapping[Span, date] = {
        "yesterday": today - timedelta(1),
        "last-month": month - timedelta(1),
        "own": wish.last or wish.first or today,
    }
    try:
        span = calendar.span_of_days(firsts[wish.span], lasts.get(wish.span, today), zone)
    except OverflowError as error:
        raise Problem(422, "The dates lie outside every calendar.", "Name real days.") from error
    start_ms, end_ms = span
    return start_ms, min(end_ms, now_ms) if start_ms < now_ms else end_ms


def fitting_step(start_ms: int, end_ms: int) -> Step:
    """Return the step in which a time is drawn unless another is chosen."""
    length = timedelta(milliseconds=end_ms - start_ms)
    return "hour" if length <= _HOURLY else "day" if length <= _DAILY else "month"


def questions(wish: Wish, parts: Parts) -> tuple[Question, Question]:
    """Return the question behind the chart, and that behind the ranking."""
    start_ms, end_ms = span_of(wish, parts)
    known = parts.site.places.get(wish.place)
    kind = known.kind if known else "campus"
    course = Question(
        start_ms=start_ms,
        end_ms=end_ms,
        places=(wish.place,),
        step=wish.step or fitting_step(start_ms, end_ms),
        utility=wish.utility,
        per=wish.per,
    )
    ranking = replace(
        course,
        step="total",
        by=wish.by or INNER.get(kind, "device"),
        compare=("previous", "year"),
        balance=True,
    )
    try:
        for one in (course, ranking):
            parts.consumption.check(one)
    except Refused as error:
        raise Problem(422, str(error), "Choose a longer step or a shorter time.") from error
    return course, ranking


def link(question: Question, parts: Parts, form_: str, language: str, part: str = "use") -> str:
    """Return the address in the API that answers a question with a file."""
    zone = parts.site.zone
    given = [
        ("start", told.at(question.start_ms, zone)),
        ("end", told.at(question.end_ms, zone)),
        *(("place", one) for one in question.places),
        ("step", question.step),
        ("by", question.by),
        ("utility", question.utility),
        *((("per", question.per),) if question.per else ()),
        *(("compare", one) for one in question.compare),
        ("part", part),
        ("format", form_),
        ("lang", language),
    ]
    return "/api/v1/consumption?" + urlencode(given)


@dataclass(frozen=True, slots=True)
class Choice:
    """One field of the form: its name, its text, what may be chosen, and what is."""

    name: str
    title: str
    options: Sequence[tuple[str, str]]
    chosen: str


def _choices(page: Frame, wish: Wish, course: Question, ranking: Question) -> list[Choice]:
    site = page.parts.site
    places = [(site.id, page.t("whole-campus"))]
    places += [(one.id, page.words(one.name)) for one in site.buildings()]
    if wish.place not in dict(places):
        places.append((wish.place, page.where(wish.place)))
    return [
        Choice("place", page.t("place"), places, wish.place),
        Choice("span", page.t("span"), [(one, page.t(f"span-{one}")) for one in SPANS], wish.span),
        Choice("step", page.t("step"), [(s, page.t(f"step-{s}")) for s in PAGE_STEPS], course.step),
        Choice(
            "utility",
            page.t("utility"),
            [(one, page.t(f"utility-{one}")) for one in UTILITIES],
            wish.utility,
        ),
        Choice("by", page.t("rows"), [(b, page.t(f"by-{b}")) for b in PAGE_BYS], ranking.by),
        Choice(
            "per",
            page.t("per"),
            [("", page.t("per-none")), *((one, page.t(f"per-{one}")) for one in PERS)],
            wish.per or "",
        ),
    ]


def unit_words(page: Frame, table: Table) -> str:
    """Write the unit of a table for people."""
    unit = page.unit(table.unit)
    per = table.query.per
    return f"{unit}/{told.PER_NAMES[per].in_language(page.language)}" if per else unit


def _wish_words(wish: Wish) -> dict[str, str]:
    """Return the form's fields as they stand in an address."""
    words: dict[str, str] = {"span": wish.span, "utility": wish.utility, "per": wish.per or ""}
    if wish.span == "own":
        words |= {"from": str(wish.first or ""), "to": str(wish.last or "")}
    return {name: word for name, word in words.items() if word}


def wished(  # noqa: PLR0913 - one parameter of the address each
    request: Request,
    place: str = "",
    span: Span = "today",
    first: Annotated[date | Literal[""], Query(alias="from")] = "",
    last: Annotated[date | Literal[""], Query(alias="to")] = "",
    *,
    step: Step | Literal[""] = "",
    by: By | Literal[""] = "",
    utility: Utility = "electricity",
    per: Per | Literal[""] = "",
    was: str = "",
) -> Wish:
    """Return what the form says; a field left empty is no choice.

    ``was`` is the span that the form was shown with: dates count where that was left as it was.
    """
    site = parts_of(request).site
    if place not in site.places and place not in ("", site.id):
        raise Problem(404, f"There is no place {place}.", "Choose one of the list.")
    return Wish(
        place or site.id,
        "own" if (first or last) and span == was else span,
        first or None,
        last or None,
        step or None,
        by or None,
        utility,
        per or None,
    )


@router.get("/energy")
async def energy(
    request: Request, viewer: Looks, wish: Annotated[Wish, Depends(wished)]
) -> Response:
    """Show what a place used, and what of it is measured."""
    page = Frame.of(request, viewer)
    parts = page.parts
    course, ranking = questions(wish, parts)
    drawn, table = await parts.store_worker.run(
        lambda: (parts.consumption.use(course), parts.consumption.use(ranking))
    )
    unit = unit_words(page, table)
    chart = _chart(page, drawn, unit)
    return page.render(
        "energy.html",
        section="energy",
        wish=wish,
        choices=_choices(page, wish, course, ranking),
        name=page.t("whole-campus") if wish.place == parts.site.id else page.where(wish.place),
        known=bool(table.total.meters),
        unit=unit,
        drawing=use_bars(chart),
        chart=chart,
        course=list(enumerate(drawn.total.steps)),
        doubtful=[one for one in drawn.total.steps if one.estimated or one.value is None],
        table=table,
        rows=table.ranked(),
        most=MOST_ROWS,
        cost=await cost_section(page, course) if table.total.meters else None,
        into=lambda row: _into(page, wish, row),
        files=_files(page, course, ranking),
        findings=table.findings,
        most_findings=MOST_FINDINGS,
        told=told_findings,
        to_do=TO_DO,
        figure=lambda value: form.number(told.rounded(value), told.PLACES),
        span_words=span_words(page, course),
    )


def _files(
    page: Frame, course: Question, ranking: Question
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what of the page may be had as a file: its name, and the address of each form."""
    offered = (
        ("download-ranking", ranking, "use"),
        ("download-course", course, "use"),
        ("findings", ranking, "findings"),
    )
    return [
        (
            page.t(name),
            [(one, link(asked, page.parts, one, page.language, part)) for one in FORMATS],
        )
        for name, asked, part in offered
    ]


def _chart(page: Frame, drawn: Table, unit: str) -> UseChart:
    query = drawn.query
    return UseChart(
        title=f"{page.t('used')}, {page.t('utility-' + query.utility)}",
        unit=unit,
        step=query.step,
        edges=drawn.edges,
        figures=drawn.total.steps,
        zone=page.parts.site.zone,
        language=page.language,
        words=(page.t("legend-measured"), page.t("legend-estimated"), page.t("legend-missing")),
    )


def _into(page: Frame, wish: Wish, row: Row) -> str | None:
    """Return the address of a row's own place, None for what is no place."""
    if row.kind == "device" or row.id not in page.parts.site.places:
        return None
    return "/energy?" + urlencode({"place": row.id, **_wish_words(wish)})


def span_words(page: Frame, question: Question) -> str:
    """Write the time of a question as people read it."""
    zone, language = page.parts.site.zone, page.language
    first = form.day(question.start_ms, zone, language)
    last = form.day(question.end_ms - 1, zone, language)
    if question.end_ms < page.now_ms:
        return first if first == last else f"{first} - {last}"
    until = form.clock_time(question.end_ms, zone)
    return f"{first} 00:00-{until}" if first == last else f"{first} - {last} {until}"
