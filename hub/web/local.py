"""The hub on a socket file: the same application for commands of the account it runs under.

Whoever may open the file (mode 0600) reads as the role energy does, without a password; nothing can
be changed this way.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.web.problem import Problem, answer
from hub.web.session import LOCAL


class LocalReader:
    """Marks every request as a local reader's and refuses those that would change something."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] not in {"GET", "HEAD"}:
            problem = Problem(405, "The socket is for reading only.", "Sign in over HTTP to act.")
            await answer(Request(scope), problem)(scope, receive, send)
            return
        await self._app({**scope, LOCAL: True}, receive, send)
