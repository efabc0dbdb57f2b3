"""The JSON API under /api/v1."""

from hub.web.api import (
    alarms,
    backup,
    campus,
    consumption,
    control,
    cost,
    duty,
    expected,
    export,
    history,
    hot_water,
    kpi,
    lines,
    meter_changes,
    outages,
    stream,
    twin,
    why,
    work,
)

ROUTERS = (
    meter_changes.router,  # before the devices, whose ids may hold anything
    campus.router,
    lines.router,
    history.router,
    consumption.router,
    cost.router,
    hot_water.router,
    expected.router,
    export.router,
    work.router,
    kpi.router,
    duty.router,
    alarms.router,
    why.router,
    outages.router,
    control.router,
    stream.router,
    twin.router,
    backup.router,
)

__all__ = ["ROUTERS"]
