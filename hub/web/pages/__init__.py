"""The pages: server-rendered, complete without JavaScript."""

from hub.web.pages import (
    alarm,
    alarms,
    building,
    energy,
    hot_water,
    jobs,
    lines,
    message_link,
    overview,
    photo,
    progress,
    reporting,
    scan,
    service,
    sign_in,
    simulator,
    ticket,
)
from hub.web.pages.failure import problem_page

ROUTERS = (
    sign_in.router,
    message_link.router,
    overview.router,
    building.router,
    energy.router,
    hot_water.router,
    jobs.router,
    ticket.router,
    service.router,
    photo.router,
    reporting.router,
    progress.router,
    scan.router,
    alarms.router,
    alarm.router,
    lines.router,
    simulator.router,
)

__all__ = ["ROUTERS", "problem_page"]
