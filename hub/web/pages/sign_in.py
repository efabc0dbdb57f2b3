"""Sign in, change the one-time password, sign out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.ports import Refused
from hub.web.own import home_of
from hub.web.pages.frame import Frame
from hub.web.parts import parts_of
from hub.web.session import check_form_token, drop_token, keep_token, token_of, viewer_or_none

router = APIRouter(include_in_schema=False)
Field = Annotated[str, Form(max_length=300)]
SEE_OTHER = 303


def safe_next(wish: str) -> str:
    """Return the wished address if it lies in this hub, else the overview.

    >>> safe_next("/tickets"), safe_next("//elsewhere"), safe_next("https://elsewhere")
    ('/tickets', '/', '/')
    """
    inside = wish.startswith("/") and not wish.startswith(("//", "/\\")) and wish.isprintable()
    return wish if inside else "/"


@router.get("/login")
async def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address says next
    """Show the sign-in form."""
    return Frame.of(request, None).render("login.html", next=safe_next(next), name="", error="")


@router.post("/login")
async def login(
    request: Request,
    name: Field,
    password: Field,
    next: Field = "/",  # noqa: A002
) -> Response:
    """Begin a session."""
    parts = parts_of(request)
    source = request.client.host if request.client else "unknown"
    try:
        signed_in = await parts.access.sign_in(name.strip(), password, source)
    except Refused:
        return Frame.of(request, None).render(
            "login.html", 401, next=safe_next(next), name=name, error="wrong-password"
        )
    target = safe_next(next)
    if target == "/":
        target = home_of(parts, signed_in.viewer)
    if signed_in.viewer.must_change:
        target = "/password"
    response = RedirectResponse(target, SEE_OTHER)
    keep_token(response, parts, signed_in.token)
    return response


@router.get("/password")
async def password_page(request: Request) -> Response:
    """Show the form for a new password."""
    viewer = await viewer_or_none(request)
    if viewer is None:
        return RedirectResponse("/login?next=/password", SEE_OTHER)
    return Frame.of(request, viewer).render("password.html", error="")


@router.post("/password")
async def change_password(request: Request, old: Field, password: Field, again: Field) -> Response:
    """Change the password; the session goes on under a new token."""
    parts = parts_of(request)
    viewer = await viewer_or_none(request)
    if viewer is None:
        return RedirectResponse("/login?next=/password", SEE_OTHER)
    await check_form_token(request, viewer)
    error = "not-equal" if password != again else ""
    if not error:
        try:
            signed_in = await parts.access.change_password(token_of(request), old, password)
        except Refused:
            error = "password-refused"
        else:
            response = RedirectResponse(home_of(parts, signed_in.viewer), SEE_OTHER)
            keep_token(response, parts, signed_in.token)
            return response
    return Frame.of(request, viewer).render("password.html", 422, error=error)


@router.post("/logout")
async def logout(request: Request) -> Response:
    """End the session."""
    parts = parts_of(request)
    if viewer := await viewer_or_none(request):
        await check_form_token(request, viewer)
        await parts.access.sign_out(token_of(request))
    response = RedirectResponse("/login", SEE_OTHER)
    drop_token(response, parts)
    return response
