"""One place: its use in 24 hours, its plant, and the last value of everything in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.database import records
from hub.model import Text, TicketState
from hub.site import Device, DeviceKind, Place
from hub.web import form, promise
from hub.web.charts import Chart
from hub.web.pages.frame import Frame
from hub.web.problem import Problem
from hub.web.session import Looks
from hub.web.use import HourlyUse
from hub.web.value import Shown, shown_by_name

router = APIRouter(include_in_schema=False)
MOST_ROWS = 40
OPEN = tuple(state for state in TicketState if state is not TicketState.CLOSED)
SUMMARY = {
    "meter": ("power", "energy", "relay"),
    "shower": ("outlet_temperature", "flow", "valve"),
}
PLANT_FIRST = (
    "tank_temperature", "tank_top", "tank_bottom", "setpoint", "supply_temperature",
    "return_temperature", "power", "energy", "flow", "fault_code", "total_power", "total_energy",
    "voltage", "frequency",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device with its chosen values; ``rest`` holds those that wait behind a click."""

    device: Device
    state: str
    values: Sequence[Shown | None]
    rest: Sequence[Shown] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class DeviceTable:
    """Devices of one kind, with the same columns."""

    title: str
    name: str
    labels: Sequence[Text]
    rows: Sequence[DeviceRow]

    @property
    def long(self) -> bool:
        """Tell whether there are too many rows to show all at once."""
        return len(self.rows) > MOST_ROWS

    @property
    def weak(self) -> Sequence[DeviceRow]:
        """Return the devices that need a look."""
        return [row for row in self.rows if row.state != "online"]


def _state(page: Frame, device: Device) -> str:
    return str(page.parts.health.of(device.id)["state"])


def _plant_row(page: Frame, device: Device) -> DeviceRow:
    values = shown_by_name(page.parts, device)
    first = [values[name] for name in PLANT_FIRST if name in values] or list(values.values())[:8]
    chosen = {one.point.name for one in first}
    rest = [one for one in values.values() if one.point.name not in chosen]
    title = page.t("main-meter" if device.kind == "meter" else f"one-{device.kind}")
    return DeviceRow(device, _state(page, device), first, rest, title)


def _table(page: Frame, kind: DeviceKind, devices: Sequence[Device]) -> DeviceTable:
    names = SUMMARY[kind]
    rows = []
    labels: dict[str, Text] = {}
    for device in devices:
        values = shown_by_name(page.parts, device, names)
        labels |= {name: one.point.label for name, one in values.items()}
        rows.append(DeviceRow(device, _state(page, device), [values.get(name) for name in names]))
    title, name = ("rooms", "room") if kind == "meter" else ("showers", "terminal")
    return DeviceTable(title, name, [labels.get(one, Text(one, one)) for one in names], rows)


def _devices(page: Frame, place: Place) -> tuple[list[DeviceRow], list[DeviceTable]]:
    below = page.parts.site.below(place.id)
    whole = [d for d in below if d.kind == "boiler" or (d.kind == "meter" and d.place == place.id)]
    plant = [_plant_row(page, device) for device in sorted(whole, key=lambda d: d.kind)]
    tables = []
    for kind in ("meter", "shower"):
        devices = [device for device in below if device.kind == kind and device not in whole]
        if devices:
            tables.append(_table(page, kind, devices))
    return plant, tables


def _chart(page: Frame, use: HourlyUse) -> Chart:
    return Chart(
        title=page.t("use-chart"),
        unit="kWh",
        start_ms=use.start_ms,
        step_ms=form.HOUR_MS,
        values=use.values,
        zone=page.parts.site.zone,
        language=page.language,
        gap_word=page.t("no-data"),
        estimated=use.estimated,
        estimated_word=page.t("estimated"),
    )


@router.get("/places/{place:path}")
async def building(request: Request, place: str, viewer: Looks) -> Response:
    """Show a building, or any place in it."""
    page = Frame.of(request, viewer)
    parts = page.parts
    found = parts.site.places.get(place)
    if found is None:
        raise Problem(404, f"There is no place {place}.", "Start again from the overview.")
    wanted = records.Filter(states=OPEN, places=(place,))
    tickets = await parts.database_worker.run(lambda: records.tickets(parts.database, wanted))
    tickets.sort(key=lambda ticket: promise.urgency(ticket, page.now_ms))
    use = (await request.app.state.uses.of(place)).total
    plant, tables = _devices(page, found)
    starts = [use.start_ms + i * form.HOUR_MS for i in range(len(use.values))]
    return page.render(
        "building.html",
        section="overview",
        stream="/api/v1/stream?" + urlencode({"place": place}),
        place=found,
        tickets=tickets,
        use=use,
        chart=_chart(page, use),
        hours=list(zip(starts, use.values, use.estimated, strict=True)),
        plant=plant,
        tables=tables,
    )
