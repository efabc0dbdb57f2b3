"""The simulated devices, where they run beside the hub."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.ports import Twins
from hub.web.api.paging import Answer, Paged
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import SIMULATE

router = APIRouter(prefix="/api/v1", tags=["simulators"], dependencies=[SIMULATE])


class Fault(BaseModel):
    """A fault to start."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=100)


class Repair(BaseModel):
    """A part to replace."""

    model_config = ConfigDict(extra="forbid")

    part: str = Field(max_length=100)


def _twins(request: Request) -> Twins:
    twins = parts_of(request).twins
    if twins is None:
        raise Problem(404, "There are no simulated devices here.", "They run in campus-hub demo.")
    return twins


@router.get("/simulators")
async def simulators(request: Request, part: Paged) -> Answer:
    """List the twins with their faults and parts."""
    return part.of(await _twins(request).overview(), dict)


@router.post("/simulators/{device:path}/faults")
async def start_fault(request: Request, device: str, fault: Fault) -> Answer:
    """Break a twin."""
    await _twins(request).fault(device, fault.kind)
    return {"device": device, "fault": fault.kind}


@router.post("/simulators/{device:path}/repairs")
async def repair(request: Request, device: str, repair: Repair) -> Answer:
    """Replace a part of a twin; the hub learns of it only by telemetry."""
    await _twins(request).repair(device, repair.part)
    return {"device": device, "part": repair.part}
