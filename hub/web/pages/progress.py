"""The page of one report: how it goes, and what its reporter says of the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from hub.model import Ticket, TicketState
from hub.ports import Refused
from hub.reports.desk import Answer, Progress
from hub.reports.said import LONGEST_WORDS, TooLongError, cleaned
from hub.web.pages import photo
from hub.web.pages.frame import Frame
from hub.web.pages.reporting import HOME
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.problem import Problem

router = APIRouter(include_in_schema=False)
What = Literal["rate", "complain", "close", "reopen"]
NEEDS_WORDS = ("complain", "reopen")
STARS = (5, 4, 3, 2, 1)


class Step(NamedTuple):
    """One step of the work: what it is called, and when it was done."""

    key: str
    done_ms: int | None


class Said(BaseModel):
    """The fields of an answer; ``seen`` counts the events that the page showed."""

    seen: int = Field(ge=0)
    words: str = Field("", max_length=20_000)
    stars: int | None = Field(None, ge=1, le=5)


def steps(progress: Progress) -> Sequence[Step]:
    """Return the steps of a report; one that was left out is not there once a later one is done."""
    ticket = progress.ticket
    done = [
        Step("reported", progress.report.at_ms),
        Step("responded", ticket.responded_ms),
        Step("on_site", ticket.on_site_ms),
        Step("fixed", ticket.fixed_ms),
        Step("closed", ticket.closed_ms),
    ]
    last = max(n for n, step in enumerate(done) if step.done_ms is not None)
    return [step for n, step in enumerate(done) if n >= last or step.done_ms is not None]


def stands(ticket: Ticket) -> str:
    """Return the key of the words that say how a ticket stands, for who waits for it."""
    if ticket.state is TicketState.CLOSED:
        return "stands-refused" if ticket.closing == "refused" else "stands-closed"
    if ticket.paused_ms is not None:
        return "stands-paused"
    return f"stands-{ticket.state}"


def answers(progress: Progress) -> Mapping[str, bool]:
    """Return what the reporter can say now."""
    ticket = progress.ticket
    closed, fixed = ticket.state is TicketState.CLOSED, ticket.state is TicketState.FIXED
    theirs = ticket.source == "report"
    return {
        "rate": closed and ticket.closing != "refused",
        "close": fixed and theirs,
        "reopen": closed or (fixed and theirs),
        "complain": True,
    }


async def _progress(page: Frame, token: str) -> Progress:
    progress = await page.parts.reports.progress(token)
    if progress is None:
        raise Problem(404, "There is no such page.", "Look at the link again.")
    return progress


def _render(page: Frame, token: str, progress: Progress, error: str = "") -> Response:
    ratings = [one for one in progress.said if one.kind == "rated"]
    return page.render(
        "progress.html",
        422 if error else 200,
        home=HOME,
        address=f"{HOME}/{token}",
        link=f"{page.parts.public_url}{HOME}/{token}",
        report=progress.report,
        ticket=progress.ticket,
        kind=_kind_words(page, progress),
        stands=stands(progress.ticket),
        steps=steps(progress),
        can=answers(progress),
        seen=len(progress.said),
        usual_ms=progress.usual_ms,
        measured=progress.measured,
        rating=ratings[-1] if ratings else None,
        complaints=[one for one in progress.said if one.kind == "complained"],
        stars=STARS,
        longest=LONGEST_WORDS,
        error=error,
    )


def _kind_words(page: Frame, progress: Progress) -> str:
    kind = page.parts.kinds.kind(progress.report.kind)
    return page.words(kind.name.text() if kind else progress.ticket.title)


@router.get(HOME + "/{token}")
async def progress_page(request: Request, token: str) -> Response:
    """Show how a report goes to whoever has its link."""
    page = Frame.of(request, None)
    return _render(page, token, await _progress(page, token))


@router.get(HOME + "/{token}/photos/{id_}")
async def own_photo(request: Request, token: str, id_: str) -> Response:
    """Show a photo to who sent it."""
    page = Frame.of(request, None)
    progress = await _progress(page, token)
    return await photo.shown(page.parts, id_, progress.report.photos)


@router.post(HOME + "/{token}/{what}")
async def answer(
    request: Request, token: str, what: What, said: Annotated[Said, Form()]
) -> Response:
    """Take what the reporter says and show the page again."""
    page = Frame.of(request, None)
    progress = await _progress(page, token)
    try:
        words = cleaned(said.words, LONGEST_WORDS)
        if what in NEEDS_WORDS and not words:
            return _render(page, token, progress, page.t("report-no-words"))
        if what == "rate" and said.stars is None:
            return _render(page, token, progress, page.t("report-no-stars"))
        if not answers(progress)[what]:
            return _render(page, token, progress, page.t("report-not-now"))
        stars = said.stars if what == "rate" else None
        await page.parts.reports.answer(token, Answer(what, words, stars), said.seen)
    except TooLongError as refused:
        error = page.t("report-too-long", length=refused.length, most=refused.most)
        return _render(page, token, progress, error)
    except Refused as refused:
        return _render(page, token, progress, page.t("report-refused", reason=str(refused)))
    return RedirectResponse(f"{HOME}/{token}", SEE_OTHER)
