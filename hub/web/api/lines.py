"""The lines: gateways and the buses behind them, how they stand and how their days went."""

from __future__ import annotations

from fastapi import APIRouter, Request

from hub.health import DeviceState
from hub.web.api import written
from hub.web.api.paging import Answer, Paged
from hub.web.days import days_of
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK

router = APIRouter(prefix="/api/v1", tags=["lines"], dependencies=[LOOK])


@router.get("/gateways")
async def gateways(request: Request, part: Paged, health: DeviceState | None = None) -> Answer:
    """List the gateways with their buses; ``health`` chooses those where either stands so."""
    parts = parts_of(request)
    rows = [
        row
        for row in parts.health.lines()
        if health is None or health in (row["state"], row["bus"]["state"])
    ]
    site = parts.site
    return part.of(rows, lambda row: written.gateway(site.gateways[row["gateway"]], row, site.zone))


@router.get("/gateways/{id_}")
async def gateway(request: Request, id_: str) -> Answer:
    """Return one gateway, its devices, and how its days and those of its bus went."""
    parts = parts_of(request)
    site = parts.site
    devices = [one for one in site.devices.values() if one.gateway == id_]
    if not devices:
        raise Problem(404, f"There is no gateway {id_}.", "GET /api/v1/gateways lists them.")
    own, bus = [await days_of(parts, what, id_) for what in ("gateway", "bus")]
    return written.gateway(site.gateways[id_], parts.health.line(id_), site.zone) | {
        "availability": [*map(written.day, own)],
        "bus_availability": [*map(written.day, bus)],
        "device_list": [written.device(one, parts.health.of(one.id), site.zone) for one in devices],
    }
