"""Commands: a wish to write a point, and what became of it; and the probe of a device."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.database import audit
from hub.database import commands as table
from hub.model import Command
from hub.web.api import written
from hub.web.api.campus import device_named, point_named
from hub.web.api.paging import Answer
from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, Orders

router = APIRouter(prefix="/api/v1", tags=["control"], dependencies=[LOOK])


class Wish(BaseModel):
    """What is to be written, why, and for how long the wish stands."""

    model_config = ConfigDict(extra="forbid")

    point: str = Field(max_length=200)
    value: float = Field(allow_inf_nan=False)
    reason: str = Field(min_length=1, max_length=500)
    valid: timedelta = Field(timedelta(seconds=30), gt=timedelta(0), le=timedelta(minutes=15))


@router.post("/commands")
async def submit(
    request: Request,
    viewer: Orders,
    wish: Wish,
    key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=100)],
) -> Answer:
    """Carry out a command once per Idempotency-Key; every outcome, also a refusal, is an answer."""
    parts = parts_of(request)
    if parts.commands is None:
        raise Problem(409, "This hub writes nothing.", "Set writes: true in campus.yaml.")
    point_named(parts.site, wish.point)
    now_ms = parts.clock.now_ms()
    command = Command(
        id=hashlib.sha256(f"{viewer.name}/{key}".encode()).hexdigest()[:20],
        point=wish.point,
        value=wish.value,
        actor=viewer.name,
        reason=wish.reason,
        asked_ms=now_ms,
        expires_ms=now_ms + round(wish.valid / timedelta(milliseconds=1)),
    )
    result = await parts.commands.submit(command, key)
    return written.command(command, result, parts.site.zone)


@router.get("/commands/{id_}")
async def command(request: Request, id_: str) -> Answer:
    """Return a command with what became of it."""
    parts = parts_of(request)
    found = await parts.database_worker.run(lambda: table.get(parts.database, id_))
    if found is None:
        raise Problem(404, f"There is no command {id_}.", "POST /api/v1/commands makes one.")
    return written.command(*found, parts.site.zone)


@router.post("/devices/{id_:path}/probe")
async def probe(request: Request, viewer: Orders, id_: str) -> Answer:
    """Look at a device between the polls of its gateway, and say whether it fits its profile.

    It only reads, but it takes turns of a bus, so it asks for the right to command.
    """
    parts = parts_of(request)
    device = device_named(parts.site, id_)
    now_ms = parts.clock.now_ms()
    await parts.database_worker.run(
        lambda: audit.add(parts.database, now_ms, viewer.name, "probe", device.id)
    )
    return (await parts.probe.examine(device)).row()
