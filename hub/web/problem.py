"""Errors as RFC 9457 problem details: what is wrong, where, what to do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from hub.ports import DeviceError, Refused, StoreError

log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """A request that ends here: ``title`` says what is wrong, ``do`` what helps."""

    def __init__(self, status: int, title: str, do: str = "", **more: object) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.do = do
        self.more = more


def answer(request: Request, problem: Problem) -> JSONResponse:
    """Write a problem as its JSON document."""
    content = {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.do,
        "instance": request.url.path,
        **problem.more,
    }
    return JSONResponse(content, problem.status, media_type="application/problem+json")


def _where(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location)


MEANINGS: Mapping[type[Exception], tuple[int, str]] = {
    Refused: (409, "Change the request; the hub refused it on purpose."),
    DeviceError: (502, "Check the device and its gateway, then try again."),
    StoreError: (503, "Try again in a minute; campus-hub doctor says more."),
}


def as_problem(error: Exception) -> Problem:
    """Turn an error of the hub or the framework into a problem."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        errors = [{"where": _where(e["loc"]), "what": e["msg"]} for e in error.errors()]
        first = f"{errors[0]['where']}: {errors[0]['what']}" if errors else "invalid request"
        return Problem(422, first, "Correct the named field.", errors=errors)
    if isinstance(error, HTTPException):
        return Problem(error.status_code, str(error.detail), "See /api/openapi.json.")
    for kind, (status, do) in MEANINGS.items():
        if isinstance(error, kind):
            return Problem(status, str(error), do)
    return Problem(500, "The hub made a mistake.", "The hub's log says more.")


Page = Callable[[Request, Problem], Awaitable[Response]]
PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")


def install(app: FastAPI, page: Page) -> None:
    """Answer errors as problem documents to programs and with ``page`` to people."""

    async def told(request: Request, error: Exception) -> Response:
        problem = as_problem(error)
        if request.url.path.startswith(PROGRAMS):
            return answer(request, problem)
        return await page(request, problem)

    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("request failed: %s: %r", request.url.path, error)
        return await told(request, error)

    kinds: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException)
    for kind in (*kinds, *MEANINGS):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(Exception, unforeseen)
