"""What guards every answer and every request: headers, size, origin."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.web.problem import Problem, answer

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
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuse requests that are too large or come from another origin; add the headers to all."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(MutableHeaders(scope=message), scope["path"])
            await send(message)

        if problem := objection(scope["method"], Headers(scope=scope)):
            response = answer(Request(scope), problem)
            await response(scope, receive, send_guarded)
            return
        await self._app(scope, _limited(receive), send_guarded)

    def _add(self, headers: MutableHeaders, path: str) -> None:
        for name, value in HEADERS.items():
            headers[name] = value
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if not path.startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")


def objection(method: str, headers: Headers) -> Problem | None:
    """Return why a request is refused by its head alone, or None."""
    if method in READING_METHODS:
        return None
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > LONGEST_BODY:
        return Problem(413, "The request is too large.", f"Send at most {LONGEST_BODY} bytes.")
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign or headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return Problem(403, "The request comes from another site.", "Open the hub's own page.")
    return None


def _limited(receive: Receive) -> Receive:
    """Count the body as it comes: a chunked request declares no length."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > LONGEST_BODY:
            raise HTTPException(413, f"The request is larger than {LONGEST_BODY} bytes.")
        return message

    return receive_limited
