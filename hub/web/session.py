"""Who is asking: the session cookie, the form token, and what the role may do."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response

from hub.access import Right, Viewer, may
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SIGN_IN = "Sign in on /login first."
LOCAL = "campus_hub.local"
"""The mark in the scope of a request that came over the hub's socket file."""
LOCAL_READER = Viewer("local reader", "energy", csrf="", must_change=False)


def cookie_name(parts: Parts) -> str:
    """Return the cookie's name; over TLS the prefix ties it to this host and path."""
    return "__Host-campus_hub" if parts.secure_cookies else "campus_hub"


def keep_token(response: Response, parts: Parts, token: str) -> None:
    """Hand the session to the browser; it ends with the browser or on the server."""
    response.set_cookie(
        cookie_name(parts),
        token,
        httponly=True,
        samesite="lax",
        secure=parts.secure_cookies,
    )


def drop_token(response: Response, parts: Parts) -> None:
    """Take the session from the browser."""
    response.delete_cookie(cookie_name(parts), secure=parts.secure_cookies)


def token_of(request: Request) -> str:
    """Return the session token that came with a request, empty when none did."""
    return request.cookies.get(cookie_name(parts_of(request)), "")


async def viewer_or_none(request: Request) -> Viewer | None:
    """Return who is signed in, if anybody."""
    if request.scope.get(LOCAL) is True:
        return LOCAL_READER
    token = token_of(request)
    return await parts_of(request).access.viewer(token) if token else None


async def viewer(request: Request) -> Viewer:
    """Return who is signed in; a one-time password opens nothing but its change."""
    found = await viewer_or_none(request)
    if found is None:
        raise Problem(401, "Nobody is signed in.", SIGN_IN)
    if found.must_change:
        raise Problem(403, "The one-time password must be changed first.", "Open /password.")
    return found


async def check_form_token(request: Request, found: Viewer) -> None:
    """Refuse a request that does not carry the token of its session."""
    token = request.headers.get(CSRF_HEADER, "")
    kind = request.headers.get("content-type", "")
    if not token and kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        token = str((await request.form()).get(CSRF_FIELD, ""))
    if not hmac.compare_digest(token.encode(), found.csrf.encode()):
        raise Problem(
            403,
            "The request does not carry the token of its session.",
            f"Send {CSRF_HEADER}, or reload the page and try again.",
        )


Signed = Annotated[Viewer, Depends(viewer)]


def needs(*rights: Right) -> Callable[[Request, Viewer], Awaitable[Viewer]]:
    """Return the dependency of a route that asks for one of some rights, and a token to act."""

    async def allowed(request: Request, found: Signed) -> Viewer:
        if request.method not in {"GET", "HEAD"}:
            await check_form_token(request, found)
        if not any(may(found.role, right) for right in rights):
            raise Problem(403, f"The role {found.role} may not do this.", "Ask an administrator.")
        return found

    return allowed


LOOK = Depends(needs("look"))
SIMULATE = Depends(needs("simulate"))
SEE = Depends(needs("look", "own"))
Looks = Annotated[Viewer, LOOK]
Sees = Annotated[Viewer, SEE]
Holds = Annotated[Viewer, Depends(needs("shelve"))]
Works = Annotated[Viewer, Depends(needs("work"))]
Crews = Annotated[Viewer, Depends(needs("work", "own"))]
Rosters = Annotated[Viewer, Depends(needs("roster"))]
Orders = Annotated[Viewer, Depends(needs("command"))]
Meters = Annotated[Viewer, Depends(needs("meters"))]
Simulates = Annotated[Viewer, SIMULATE]
