"""A crew member's own page: their jobs by the time that is left, each with its one next button."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.database import records
from hub.web import crew
from hub.web.own import JOBS, me_of, own_crews, person_of
from hub.web.pages.frame import Frame
from hub.web.pages.ticket import MOST, OPEN
from hub.web.session import Crews

router = APIRouter(include_in_schema=False)
SHOWN = 50  # of each group; what is left has more time


@router.get(JOBS)
async def jobs(request: Request, viewer: Crews) -> Response:
    """Show what is mine, what I can take and what my crew has."""
    page = Frame.of(request, viewer)
    parts, crews = page.parts, own_crews(page.parts, viewer)
    wanted = records.Filter(states=OPEN, values={} if crews is None else {"crew": crews})
    found = await parts.database_worker.run(
        lambda: records.tickets(parts.database, wanted, limit=MOST)
    )
    me = me_of(parts, viewer)
    groups = crew.Jobs(*(group[:SHOWN] for group in crew.jobs(found, me, page.now_ms)))
    with_button = [ticket.id for ticket in (*groups.mine, *groups.free)]
    seen = await parts.database_worker.run(
        lambda: records.count_events(parts.database, with_button)
    )
    return page.render(
        "jobs.html",
        section="jobs",
        groups=groups,
        person=person_of(parts, viewer),
        steps={id_: crew.next_step(one, me) for one in found if (id_ := one.id) in seen},
        seen=seen,
    )
