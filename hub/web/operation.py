"""What operators' tools ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from hub.web.parts import parts_of

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> JSONResponse:
    """Say whether the hub works, or what keeps it from working."""
    problems = list(parts_of(request).ready())
    return JSONResponse(
        {"status": "unready" if problems else "ready", "problems": problems},
        503 if problems else 200,
    )


@router.get("/metrics")
async def metrics(request: Request) -> PlainTextResponse:
    """Return the hub's counters in the Prometheus text form."""
    lines = []
    for name, value in sorted(parts_of(request).counters().items()):
        safe = re.sub(r"[^a-zA-Z0-9_]", "_", name)
        lines += [f"# TYPE campus_hub_{safe} gauge", f"campus_hub_{safe} {value}"]
    return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")
