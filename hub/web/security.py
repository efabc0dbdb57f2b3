"""What guards every answer and every request: headers, size, origin."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.problem import Page, Problem, answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
LONGEST_BODY = 64 * 1024
LONGEST_WITH_PHOTOS = 25_000_000  # three photos of 8 MB
PHOTO_PATHS = re.compile(r"/report|/tickets/[^/]+/(arrive|fix|note)")
"""The addresses that photos are sent to; every other takes no more than a form's worth."""
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuse requests that are too large or come from another origin; add the headers to all.

    Who sends photos is a person, and is told so on a ``page``.
    """

    def __init__(self, app: ASGIApp, *, secure: bool, page: Page) -> None:
        self._app = app
        self._secure = secure
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message), scope["path"])
            await send(message)

        longest = longest_body(scope["path"])
        if problem := objection(scope["method"], Headers(scope=scope), longest):
            asked = Request(scope)
            person = longest != LONGEST_BODY
            response = await self._page(asked, problem) if person else answer(asked, problem)
            await response(scope, receive, send_guarded)
            return
        await self._app(scope, _limited(receive, longest), send_guarded)

    def _add(self, headers: MutableHeaders, path: str) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)  # a photo is guarded more strictly still
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if not path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")


def longest_body(path: str) -> int:
    """Return how many bytes an address takes at most."""
    return LONGEST_WITH_PHOTOS if PHOTO_PATHS.fullmatch(path) else LONGEST_BODY


def objection(method: str, headers: Headers, longest: int) -> Problem | None:
    """Return why a request is refused by its head alone, or None."""
    if method in READING_METHODS:
        return None
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > longest:
        return Problem(413, "The request is too large.", f"Send at most {longest} bytes.")
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign or headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return Problem(403, "The request comes from another site.", "Open the hub's own page.")
    return None


def _limited(receive: Receive, longest: int) -> Receive:
    """Count the body as it comes: a chunked request declares no length."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > longest:
            raise HTTPException(413, f"The request is larger than {longest} bytes.")
        return message

    return receive_limited
