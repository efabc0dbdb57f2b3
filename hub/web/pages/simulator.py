"""The simulated devices: press a fault, press a repair. Only where the twins run beside the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hub.model import Json
from hub.ports import Refused, Twins
from hub.web.pages.frame import Frame
from hub.web.pages.sign_in import SEE_OTHER, safe_next
from hub.web.problem import Problem
from hub.web.session import Simulates

router = APIRouter(include_in_schema=False)
Field = Annotated[str, Form(max_length=300)]
MOST_SHOWN = 60
KINDS = ("boiler", "shower", "meter")
Twin = Mapping[str, Json]


def twins_of(page: Frame) -> Twins:
    """Return the twins, or say that there are none here."""
    if page.parts.twins is None:
        raise Problem(404, "There are no simulated devices here.", "They run in campus-hub demo.")
    return page.parts.twins


def _chosen(twins: Sequence[Twin], kind: str, find: str) -> list[Twin]:
    if find:
        return [twin for twin in twins if find in twin["device"]]
    if kind == "broken":
        return [twin for twin in twins if twin["active"]]
    return [twin for twin in twins if twin["kind"] == kind]


def _tabs(page: Frame, twins: Sequence[Twin]) -> list[tuple[str, str, int]]:
    count = Counter(twin["kind"] for twin in twins)
    broken = sum(bool(twin["active"]) for twin in twins)
    tabs = [(kind, page.t(f"kind-{kind}"), count[kind]) for kind in KINDS if count[kind]]
    return [*tabs, ("broken", page.t("broken"), broken)]


async def _render(page: Frame, status: int, kind: str, find: str, **names: str) -> Response:
    twins = await twins_of(page).overview()
    chosen = _chosen(twins, kind, find)
    return page.render(
        "simulators.html",
        status,
        section="simulators",
        twins=chosen[:MOST_SHOWN],
        total=len(chosen),
        tabs=_tabs(page, twins),
        kind="" if find else kind,
        find=find,
        back="/simulators?" + urlencode({"show": kind, "find": find}),
        error=names.get("error", ""),
        done=names.get("done", ""),
    )


@router.get("/simulators")
async def simulators(
    request: Request, viewer: Simulates, show: str = "boiler", find: str = "", done: str = ""
) -> Response:
    """Show the twins of a kind, or those found by id."""
    page = Frame.of(request, viewer)
    told = page.t(f"done-{done}") if done in {"fault", "repair"} else ""
    return await _render(page, 200, show, find.strip().lower(), done=told)


@router.post("/simulators/{device:path}/faults")
async def start_fault(
    request: Request, device: str, viewer: Simulates, fault: Field, back: Field = "/simulators"
) -> Response:
    """Break a twin."""
    page = Frame.of(request, viewer)
    try:
        await twins_of(page).fault(device, fault)
    except Refused as refused:
        return await _render(page, 409, "", device, error=str(refused))
    return RedirectResponse(_with(back, "fault"), SEE_OTHER)


@router.post("/simulators/{device:path}/repairs")
async def repair(
    request: Request, device: str, viewer: Simulates, part: Field, back: Field = "/simulators"
) -> Response:
    """Replace a part of a twin."""
    page = Frame.of(request, viewer)
    try:
        await twins_of(page).repair(device, part)
    except Refused as refused:
        return await _render(page, 409, "", device, error=str(refused))
    return RedirectResponse(_with(back, "repair"), SEE_OTHER)


def _with(back: str, done: str) -> str:
    inside = safe_next(back)
    return f"{inside}{'&' if '?' in inside else '?'}done={done}"
