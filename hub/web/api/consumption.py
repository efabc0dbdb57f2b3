"""What was used: one question, answered as JSON or as a file with the same digits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from hub.energy import told_findings
from hub.energy.calendar import Step
from hub.energy.metering import Utility
from hub.energy.question import By, Compare, Per
from hub.energy.question import Query as Question
from hub.ports import Refused
from hub.sheet import Format
from hub.web.api.campus import device_named, place_named
from hub.web.api.files import file_answer
from hub.web.api.history import between
from hub.web.language import language_of
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["consumption"], dependencies=[LOOK])
MOST_NAMED = 200
Names = Annotated[list[str] | None, Query(max_length=MOST_NAMED)]


def asked(  # noqa: PLR0913 - one parameter of the address each
    request: Request,
    start: datetime,
    end: datetime,
    place: Names = None,
    device: Names = None,
    *,
    step: Step = "day",
    by: By = "place",
    utility: Utility = "electricity",
    per: Per | None = None,
    compare: Annotated[list[Compare] | None, Query(max_length=2)] = None,
    balance: bool = False,
) -> Question:
    """Return the question of a request; an instant without an offset is site time."""
    parts = parts_of(request)
    start_ms, end_ms = between(request, start, end)
    question = Question(
        start_ms=start_ms,
        end_ms=end_ms,
        places=tuple(place_named(parts.site, one) for one in place or ()),
        devices=tuple(device_named(parts.site, one).id for one in device or ()),
        step=step,
        by=by,
        utility=utility,
        per=per,
        compare=tuple(dict.fromkeys(compare or ())),
        balance=balance,
    )
    try:
        parts.consumption.check(question)
    except Refused as error:
        raise Problem(422, str(error), "Ask for less at once; the limit is named.") from error
    return question


@router.get("/consumption")
async def consumption(
    request: Request,
    question: Annotated[Question, Depends(asked)],
    form: Annotated[Literal["json"] | Format, Query(alias="format")] = "json",
    part: Literal["use", "findings"] = "use",
) -> Response:
    """Return what was used per step; null where nothing is known, with its shares and bounds.

    A file holds the figures, or with ``part=findings`` what was found about the meters behind them;
    JSON and XLSX hold both.
    """
    parts = parts_of(request)
    table = await parts.store_worker.run(lambda: parts.consumption.use(question))
    zone, language = parts.site.zone, language_of(request)
    if form == "json":
        return JSONResponse(told_findings.answer(table, zone))
    made = told_findings.sheet if part == "findings" else told_findings.sheet_with_findings
    name = f"{part}-{question.utility}"
    return await file_answer(parts, made(table, zone, language), form, name, language)
