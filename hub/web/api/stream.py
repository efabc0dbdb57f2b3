"""Live values as server-sent events, at most one event a second per page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray

from hub.model import Point, Quality
from hub.web.api.campus import Chosen
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import LOOK, token_of

router = APIRouter(prefix="/api/v1", tags=["stream"], dependencies=[LOOK])
PACE_S = 1.0
HEARTBEAT_S = 15.0  # also how soon the end of a session ends its streams
LONGEST_S = 3600.0  # then the browser connects again
MOST_VIEWERS = 500
RETRY_MS = 3000
MOST_READINGS = 2000  # in one event
QUALITY_BITS = 3
WORDS = tuple(quality.name.lower() for quality in Quality)


def event(parts: Parts, numbers: NDArray[np.int32]) -> bytes:
    """Write one event: the hub's instant and, per point, id, instant, value and quality."""
    now, points = parts.live.snapshot(numbers), parts.site.points
    quality = now.quality & QUALITY_BITS
    value = np.where(quality <= Quality.UNCERTAIN, now.value, np.nan)  # what is no number is null
    rows = [
        (points[number].id, at_ms, one, WORDS[packed])
        for number, at_ms, one, packed in zip(
            now.point.tolist(), now.at_ms.tolist(), value.tolist(), quality.tolist(), strict=True
        )
    ]
    content = {"now_ms": parts.clock.now_ms(), "readings": rows}
    return b"event: readings\ndata: " + orjson.dumps(content) + b"\n\n"


async def events(parts: Parts, points: Sequence[Point], token: str) -> AsyncIterator[bytes]:
    """Yield what changed of some points until the session or the time is over."""
    wanted = np.array([point.number for point in points], np.int32)
    began = beat = parts.clock.monotonic()
    version = parts.live.version
    yield f"retry: {RETRY_MS}\n\n".encode()
    async for one in _in_pieces(parts, wanted):
        yield one
    while parts.clock.monotonic() - began < LONGEST_S:
        await parts.clock.sleep(PACE_S)
        seen, version = version, parts.live.version
        changed = parts.live.changed_since(seen, wanted)
        quiet = parts.clock.monotonic() - beat >= HEARTBEAT_S
        if quiet and await parts.access.viewer(token) is None:
            return
        if len(changed) or quiet:
            beat = parts.clock.monotonic() if quiet else beat
            async for one in _in_pieces(parts, changed):
                yield one


async def _in_pieces(parts: Parts, numbers: NDArray[np.int32]) -> AsyncIterator[bytes]:
    """Yield one event, or several: to write the whole campus at once would hold up everybody."""
    yield event(parts, numbers[:MOST_READINGS])
    for begin in range(MOST_READINGS, len(numbers), MOST_READINGS):
        await parts.clock.sleep(0)
        yield event(parts, numbers[begin : begin + MOST_READINGS])


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
