"""What operators' tools ask: is it alive, is it ready, how is it doing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from hub.health import DeviceState
from hub.web.parts import Parts, parts_of

router = APIRouter(tags=["operation"])
_UP = (DeviceState.ONLINE, DeviceState.DEGRADED)


class Figure(NamedTuple):
    """One number of /metrics."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


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
    """Return the hub's figures in the Prometheus text form."""
    parts = parts_of(request)
    plain = (Figure(name, value) for name, value in parts.counters().items())
    figures = [*plain, *_health(parts), *_lines(parts), *_crews(parts)]
    figures.sort(key=lambda one: (one.name, one.labels))
    text = "".join(written(figures))
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _health(parts: Parts) -> Iterator[Figure]:
    """Yield counts by state and reason; never a label per device, of which there are thousands."""
    counts = parts.health.counts
    for what, key in (("devices", "states"), ("buses", "buses"), ("gateways", "gateways")):
        for state, count in counts[key].items():
            yield Figure(what, count, (("state", state),))
    for reason, count in counts["rejected"].items():
        yield Figure("dead_letters_total", count, (("reason", reason),))
    yield Figure("frozen_devices", counts["frozen"])
    yield Figure("clocks_wrong", counts["clocks_wrong"])
    yield Figure("clock_skew_worst_seconds", counts["worst_skew_s"])


def _crews(parts: Parts) -> Iterator[Figure]:
    """Yield what alarms ask of each crew now."""
    for crew, flood in parts.floods().items():
        label = (("crew", crew),)
        yield Figure("crew_alarms_in_ten_minutes", flood.count, label)
        yield Figure("crew_in_flood", flood.since_ms is not None, label)


def _lines(parts: Parts) -> Iterator[Figure]:
    """Yield the figures of each gateway and of its bus."""
    polls = parts.polls()
    for row in parts.health.lines():
        label = (("gateway", row["gateway"]),)
        yield Figure("gateway_up", row["state"] in _UP, label)
        yield Figure("gateway_bus_up", row["bus"]["state"] in _UP, label)
        for name, value in (
            ("latency_seconds", row["bus"]["latency_s"]),
            ("error_share", row["bus"]["error_share"]),
            *polls.get(row["gateway"], {}).items(),
        ):
            if value is not None:
                yield Figure(f"gateway_{name}", value, label)


def written(figures: list[Figure]) -> Iterator[str]:
    """Write figures, of which those of one name stand together, as lines."""
    before = ""
    for figure in figures:
        name = "campus_hub_" + re.sub(r"[^a-zA-Z0-9_]", "_", figure.name)
        if name != before:
            before = name
            yield f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n"
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in figure.labels)
        yield f"{name}{{{labels}}} {figure.value + 0}\n" if labels else f"{name} {figure.value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
