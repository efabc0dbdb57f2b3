"""Which language a page speaks: asked for in the address, else remembered, else the site's."""

from __future__ import annotations

from typing import Literal

from fastapi import Request

from hub.web.parts import parts_of

COOKIE = "campus_hub_language"
YEAR_S = 365 * 24 * 3600
Language = Literal["zh", "en"]


def _known(wish: str | None) -> Language | None:
    if wish == "en":
        return "en"
    return "zh" if wish == "zh" else None


def asked_language(request: Request) -> Language | None:
    """Return the language that the address asks for, if any."""
    return _known(request.query_params.get("lang"))


def language_of(request: Request) -> Language:
    """Return the language of the answer."""
    remembered = _known(request.cookies.get(COOKIE))
    site: Language = "en" if parts_of(request).locale.startswith("en") else "zh"
    return asked_language(request) or remembered or site
