"""The lines: which gateway, bus or device does not answer, since when, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.health import DeviceState
from hub.model import Json
from hub.site import Device, Gateway
from hub.web.days import WEEK, days_of, last_days, week_of_lines
from hub.web.pages.frame import Frame
from hub.web.problem import Problem
from hub.web.session import Looks

router = APIRouter(include_in_schema=False)
MOST_ROWS = 40
MOST_NAMED = 6
MANY_ERRORS = 0.05
Row = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Member:
    """A device on a line; ``advice`` is what to do about it, empty when it is well."""

    device: Device
    row: Row
    advice: Sequence[str]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A gateway with its bus; ``advice`` is about the whole, ``weak`` are single devices."""

    gateway: Gateway
    row: Row
    advice: str
    members: Sequence[Member]

    @property
    def bus(self) -> Row:
        """Return how the bus stands."""
        bus: Row = self.row["bus"]
        return bus

    @property
    def weak(self) -> Sequence[Member]:
        """Return the devices that need a look."""
        return [one for one in self.members if one.advice]

    @property
    def well(self) -> bool:
        """Tell whether there is nothing to do."""
        return not (self.advice or self.weak)

    @property
    def lost(self) -> bool:
        """Tell whether nothing on it answers: then there is nothing to say of single devices."""
        return DeviceState.OFFLINE in (self.row["state"], self.bus["state"])

    @property
    def lost_ms(self) -> int:
        """Return since when nothing on it answers."""
        gone = self.row if self.row["state"] == DeviceState.OFFLINE else self.bus
        since_ms: int = gone["since_ms"]
        return since_ms


def _device_advice(page: Frame, device: Device, row: Row) -> list[str]:
    """Say what to do about one device, by how far a question came."""
    unit = device.unit_id if device.unit_id is not None else device.address
    found = []
    if row["reach"] == "nothing":
        found.append(page.t("advice-not-reached"))
    elif row["reach"] == "device":
        found.append(page.t("advice-useless", profile=device.profile))
    elif row["reach"] is not None or row["state"] == DeviceState.OFFLINE:
        if device.gateway is None:
            found.append(page.t("advice-no-message"))
        else:
            found.append(page.t("advice-silent", unit=unit))
    if row["frozen"] is not None:
        found.append(_frozen_words(page, device, row))
    if row["ahead_ms"]:
        key = "advice-clock-ahead" if row["ahead_ms"] > 0 else "advice-clock-behind"
        found.append(page.t(key, span=page.span(abs(row["ahead_ms"]))))
    return found


def _frozen_words(page: Frame, device: Device, row: Row) -> str:
    labels = {point.name: page.words(point.label) for point in device.points}
    joint = ", " if page.language == "en" else "、"
    points = joint.join(labels[name] for name in row["frozen"].points)
    return page.t("advice-frozen", points=points, span=page.span(row["frozen"].for_ms))


def _line_advice(page: Frame, gateway: Gateway, row: Row) -> str:
    """Say what to do about a whole line; empty when its devices speak for themselves."""
    bus = row["bus"]
    if row["state"] == DeviceState.OFFLINE:
        return page.t("advice-gateway", url=gateway.url)
    if bus["state"] == DeviceState.OFFLINE:
        return page.t("advice-bus")
    if not bus["devices_lost"] and (bus["error_share"] or 0) > MANY_ERRORS:
        return page.t("advice-errors", share=round(100 * bus["error_share"]))
    return ""


def _member(page: Frame, device: Device) -> Member:
    row = page.parts.health.of(device.id)
    return Member(device, row, _device_advice(page, device, row))


def _stretch(page: Frame, gateway: Gateway, devices: Sequence[Device]) -> Stretch:
    row = page.parts.health.line(gateway.id)
    advice = _line_advice(page, gateway, row)
    members = [_member(page, device) for device in devices]
    return Stretch(gateway, row, advice, members)


def _behind(page: Frame) -> Mapping[str | None, list[Device]]:
    """Return the devices by gateway; those that publish have none."""
    devices = sorted(page.parts.site.devices.values(), key=lambda one: one.gateway or "")
    return {key: list(some) for key, some in groupby(devices, lambda one: one.gateway)}


@router.get("/lines")
async def lines(request: Request, viewer: Looks) -> Response:
    """Show every line, those that need a look first."""
    page = Frame.of(request, viewer)
    site = page.parts.site
    behind = _behind(page)
    all_ = [
        _stretch(page, gateway, behind[gateway.id])
        for gateway in site.gateways.values()
        if gateway.id in behind
    ]
    all_.sort(key=lambda one: (not one.lost, one.well, one.gateway.id))
    publishing = [_member(page, device) for device in behind.get(None, [])]
    return page.render(
        "lines.html",
        section="lines",
        lines=all_,
        weak=[one for one in all_ if not one.well],
        long=len(all_) > MOST_ROWS,
        most=MOST_NAMED,
        publishing=publishing,
        silent=[one for one in publishing if one.advice],
        days=last_days(page.parts, WEEK),
        week=await week_of_lines(page.parts),
    )


@router.get("/lines/{gateway}")
async def line(request: Request, gateway: str, viewer: Looks) -> Response:
    """Show one line with all its devices."""
    page = Frame.of(request, viewer)
    parts = page.parts
    devices = _behind(page).get(gateway)
    if not devices or gateway not in parts.site.gateways:
        raise Problem(404, f"There is no line {gateway}.", "Start again from the lines.")
    shares = {
        what: {row.day: row.share for row in await days_of(parts, what, gateway, WEEK)}
        for what in ("gateway", "bus")
    }
    return page.render(
        "line.html",
        section="lines",
        line=_stretch(page, parts.site.gateways[gateway], devices),
        polls=parts.polls().get(gateway, {}),
        days=last_days(parts, WEEK),
        shares=shares,
    )
