"""Why an alarm rose, and why a rule did or did not rise on a subject."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from hub.database import records
from hub.web import reasons
from hub.web.api.paging import Answer
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.reasons import Case
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["alarms"], dependencies=[LOOK])


async def case(parts: Parts, subject: str, rule: str, alarm: str = "") -> Case:
    """Gather what explains a rule on a subject: the engine's word now, and what was kept."""
    now = parts.why(subject, rule)
    return await parts.database_worker.run(
        lambda: reasons.case_of(parts.database, subject, rule, now, alarm)
    )


@router.get("/alarms/{id_}/why")
async def why_alarm(request: Request, id_: str) -> Answer:
    """Say why an alarm rose, from what was kept at that instant, and how its rule stands now."""
    parts = parts_of(request)
    alarm = await parts.database_worker.run(lambda: records.alarm(parts.database, id_))
    if alarm is None:
        raise Problem(404, f"There is no alarm {id_}.", "GET /api/v1/alarms lists them.")
    return _written(parts, await case(parts, alarm.device, alarm.rule, id_))


@router.get("/rules/{rule}/why")
async def why_rule(
    request: Request, rule: str, subject: Annotated[str, Query(max_length=200)]
) -> Answer:
    """Say why a rule has or has not risen on a device, a gateway or a place."""
    parts = parts_of(request)
    found = await case(parts, subject, rule)
    if found.now is None:
        raise Problem(
            404, f"There is no rule {rule} on {subject}.", "The rules stand in config/rules."
        )
    return _written(parts, found)


def _written(parts: Parts, found: Case) -> Answer:
    return reasons.written(found, parts.site, parts.profiles, parts.clock.now_ms())
