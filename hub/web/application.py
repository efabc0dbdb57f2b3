"""The web application: routers, protection and errors put together."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

import hub
from hub.access import Tries
from hub.web import api, operation, pages, problem
from hub.web.parts import Parts
from hub.web.security import Guard
from hub.web.use import DailyUses


def build(parts: Parts) -> FastAPI:
    """Return the application that serves the running hub."""
    app = FastAPI(
        title="Campus Hub",
        version=hub.__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.state.uses = DailyUses(parts)
    app.state.viewers = 0
    app.state.forged = Tries()
    app.add_middleware(Guard, secure=parts.secure_cookies, page=pages.problem_page)
    problem.install(app, pages.problem_page)
    for router in (operation.router, *api.ROUTERS, *pages.ROUTERS):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    return app
