"""Live values as server-sent events, at most one event a second per page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from hub.model import Point
from hub.web.api.campus import Chosen
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, token_of
from hub.web.value import shown

router = APIRouter(prefix="/api/v1", tags=["stream"], dependencies=[LOOK])
PACE_S = 1.0
HEARTBEAT_S = 15.0  # also how soon the end of a session ends its streams
LONGEST_S = 3600.0  # then the browser connects again
MOST_VIEWERS = 500
RETRY_MS = 3000


def event(parts: Parts, points: Sequence[Point]) -> bytes:
    """Write one event: the hub's instant and, per point, id, instant, value and quality."""
    rows = [
        (one.point.id, one.at_ms, one.value, one.quality)
        for one in (shown(parts, point) for point in points)
        if one.at_ms is not None
    ]
    content = {"now_ms": parts.clock.now_ms(), "readings": rows}
    return b"event: readings\ndata: " + orjson.dumps(content) + b"\n\n"


async def events(parts: Parts, points: Sequence[Point], token: str) -> AsyncIterator[bytes]:
    """Yield what changed of some points until the session or the time is over."""
    wanted = {point.number: point for point in points}
    began = beat = parts.clock.monotonic()
    version = parts.live.version
    yield f"retry: {RETRY_MS}\n\n".encode() + event(parts, points)
    while parts.clock.monotonic() - began < LONGEST_S:
        await parts.clock.sleep(PACE_S)
        seen, version = version, parts.live.version
        changed = parts.live.changed_since(seen) if version != seen else []
        found = [wanted[number] for number in changed if number in wanted]
        quiet = parts.clock.monotonic() - beat >= HEARTBEAT_S
        if quiet and await parts.access.viewer(token) is None:
            return
        if found or quiet:
            beat = parts.clock.monotonic() if quiet else beat
            yield event(parts, found)


@router.get("/stream", response_class=StreamingResponse)
async def stream(request: Request, points: Chosen) -> StreamingResponse:
    """Follow the values of places, devices and points."""
    parts = parts_of(request)
    if request.app.state.viewers >= MOST_VIEWERS:
        raise Problem(503, "Too many pages follow live values.", "Close some, or try again later.")

    async def counted() -> AsyncIterator[bytes]:
        request.app.state.viewers += 1
        try:
            async for one in events(parts, points, token_of(request)):
                yield one
        finally:
            request.app.state.viewers -= 1

    return StreamingResponse(counted(), media_type="text/event-stream")
