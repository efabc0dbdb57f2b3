"""The JSON API under /api/v1."""

from hub.web.api import campus, control, history, lines, stream, twin, work

ROUTERS = (
    campus.router,
    lines.router,
    history.router,
    work.router,
    control.router,
    stream.router,
    twin.router,
)

__all__ = ["ROUTERS"]
