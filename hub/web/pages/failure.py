"""What people see when a page cannot be shown."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from hub.ports import HubError
from hub.web.pages.frame import Frame
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.problem import Problem
from hub.web.session import viewer_or_none
from hub.web.texts import TEXTS

NOBODY, FORBIDDEN = 401, 403


async def problem_page(request: Request, problem: Problem) -> Response:
    """Show a problem, or the way to sign in."""
    if problem.status == NOBODY:
        wish = request.url.path if request.method == "GET" else "/"
        return RedirectResponse("/login?next=" + quote(wish), SEE_OTHER)
    try:
        viewer = await viewer_or_none(request)
    except HubError:  # the database may be the very thing that fails
        viewer = None
    if problem.status == FORBIDDEN and viewer is not None and viewer.must_change:
        return RedirectResponse("/password", SEE_OTHER)
    page = Frame.of(request, viewer)
    key = str(problem.more.get("words", f"problem-{problem.status}"))
    key = key if key in TEXTS else "problem-500"
    return page.render(
        "problem.html",
        problem.status,
        title=page.t(key),
        detail=page.t(key + "-do"),
        reason=problem.title if page.language == "en" else "",
    )
