"""How well the service promise was kept in a month, and the tickets behind the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.database import records
from hub.energy import calendar
from hub.energy.told import at
from hub.kpi import BYS, By, Figures, Period, told
from hub.kpi.service import Asked, service_figures
from hub.web.pages.frame import Frame
from hub.web.parts import Parts, parts_of
from hub.web.session import Looks

router = APIRouter(include_in_schema=False)
PAGE = 50
FORMS = ("xlsx", "csv")


@dataclass(frozen=True, slots=True)
class Wish:
    """The month, by its first day, and what the groups are."""

    month: date
    by: By | None

    def link(self, path: str = "/service", *, months: int = 0, **more: str | int) -> str:
        """Return an address that asks for the same, or for another month."""
        month = calendar.month_start(self.month, months)
        given = {"month": f"{month:%Y-%m}", "by": self.by or "", **more}
        return f"{path}?{urlencode({name: one for name, one in given.items() if one != ''})}"

    def period(self, parts: Parts) -> Period:
        """Return the month in the site's civil time."""
        ends = (self.month, calendar.month_start(self.month, 1))
        start_ms, end_ms = (calendar.day_start(one, parts.site.zone) for one in ends)
        return Period(start_ms, end_ms, parts.clock.now_ms())


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its name, its tickets' address (None where no list shows just these), figures."""

    name: str
    tickets: str | None
    opened: int
    lines: Sequence[Sequence[object]]


def _wished(
    request: Request,
    month: Annotated[str, Query(pattern=r"^(20\d\d-(0[1-9]|1[0-2]))?$")] = "",
    by: By | Literal[""] = "",
) -> Wish:
    parts = parts_of(request)
    today = calendar.day_of(parts.clock.now_ms(), parts.site.zone)
    first = date.fromisoformat(f"{month}-01") if month else calendar.month_start(today)
    return Wish(first, by or None)


Wished = Annotated[Wish, Depends(_wished)]


def _contractors(parts: Parts) -> frozenset[str]:
    roster = parts.roster()
    crews = roster.crews.values() if roster else ()
    return frozenset(crew.id for crew in crews if crew.contractor)


@router.get("/service")
async def service(request: Request, viewer: Looks, wish: Wished) -> Response:
    """Show the figures of a month."""
    page = Frame.of(request, viewer)
    parts = page.parts
    asked = Asked(wish.period(parts), wish.by, _contractors(parts))
    found = await parts.database_worker.run(lambda: service_figures(parts.database, asked))
    total = [("", found.total)] if found.total else []
    groups = [_group(page, wish, name, one) for name, one in found.rows.items()]
    groups += [_group(page, Wish(wish.month, None), name, one) for name, one in total]
    span = {"from": at(asked.period.start_ms, parts.site.zone)}
    span["to"] = at(asked.period.end_ms, parts.site.zone)
    span |= {"by": wish.by, "lang": page.language} if wish.by else {"lang": page.language}
    files = [(one, "/api/v1/kpi/service?" + urlencode(span | {"format": one})) for one in FORMS]
    bys = [("", Wish(wish.month, None)), *((by, Wish(wish.month, by)) for by in BYS)]
    return page.render(
        "service.html", section="tickets", wish=wish, groups=groups, files=files, bys=bys
    )


def _group(page: Frame, wish: Wish, name: str, figures: Figures) -> Group:
    lists = bool(name) or wish.by is None
    link = wish.link("/service/tickets", group=name) if lists else None
    return Group(
        _name(page, wish, name),
        link,
        figures.opened + figures.refused,
        list(told.lines(figures, page.language)),
    )


def _name(page: Frame, wish: Wish, name: str) -> str:
    if wish.by is None:
        return page.t("service-all")
    if not name:
        return page.words(told.NOBODY)
    if wish.by == "place":
        return page.where(name)
    return page.t(name) if wish.by == "severity" else name


@router.get("/service/tickets")
async def service_tickets(
    request: Request,
    viewer: Looks,
    wish: Wished,
    group: Annotated[str, Query(max_length=200)] = "",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """List the tickets that a group of a month is made of."""
    page = Frame.of(request, viewer)
    parts, wanted = page.parts, _filter(wish, wish.period(page.parts), group)
    shown = await parts.database_worker.run(
        lambda: records.tickets(parts.database, wanted, limit=PAGE + 1, offset=offset)
    )
    more = wish.link("/service/tickets", group=group, offset=offset + PAGE)
    return page.render(
        "service_tickets.html",
        section="tickets",
        wish=wish,
        name=_name(page, wish, group),
        tickets=shown[:PAGE],
        next_page=more if len(shown) > PAGE else "",
    )


def _filter(wish: Wish, period: Period, group: str) -> records.Filter:
    """Return what the tickets of a group are, of those that were opened in a time."""
    column = "crew" if wish.by == "contractor" else wish.by
    own = column in ("severity", "crew", "source")
    return records.Filter(
        places=(group,) if column == "place" else None,
        since_ms=period.start_ms,
        until_ms=period.end_ms,
        values={str(column): (group,)} if own else {},
    )
