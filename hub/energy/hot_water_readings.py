"""What the readings of a boiler or shower terminal tell when they are looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from hub.energy import calendar, hot_water
from hub.energy.hot_water import (
    NO_LOSS,
    NO_SESSIONS,
    NO_TIME,
    Delivery,
    Loss,
    Sessions,
    Share,
    Span,
    Trace,
)
from hub.model import Batch, Quality
from hub.ports import TimeSeriesStore
from hub.site import Device

GAP_INTERVALS = 3
LEAST_REACH_MS = 5 * 60_000  # the water of a tank is no other after so short a time
# A session, a pause or a pair of readings at the ends of a period is looked for so far outside.
REACH_MS = 2 * calendar.HOUR_MS
MOST_DEVICE_DAYS = 1000
_DEVICE_DAYS_AT_ONCE = 50
_MOST_READINGS = 20_000_000
_BOILER = (
    "supply_temperature", "tank_temperature", "return_temperature", "flow", "tank_top",
    "tank_bottom", "heat", "hot_water",
)  # fmt: skip
_SHOWER = ("session_litres", "total_litres", "flow", "outlet_temperature")
Traces = Mapping[str, Trace]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one device tells; what does not belong to its kind is empty."""

    supply: Share = NO_TIME
    compliance: Share = NO_TIME
    outlet: Share = NO_TIME
    standing: Loss = NO_LOSS
    loop: Loss = NO_LOSS
    sessions: Sessions = NO_SESSIONS


def too_many(devices: int, start_ms: int, end_ms: int) -> bool:
    """Tell whether the readings of so many devices are more than are looked at one by one."""
    return devices * (end_ms - start_ms) / calendar.DAY_MS > MOST_DEVICE_DAYS


def look(
    store: TimeSeriesStore,
    devices: Sequence[Device],
    span: Span,
    delivery: Delivery,
    zone: ZoneInfo,
) -> dict[str, Seen]:
    """Return what boilers and shower terminals tell of a time, by device id; blocks."""
    spans = delivery.open(*span, zone)
    seen: dict[str, Seen] = {}
    for device, traces in _traces(store, devices, span):
        if device.kind == "boiler":
            seen[device.id] = _boiler(traces, spans, span, delivery)
        else:
            seen[device.id] = _shower(traces, span, delivery)
    return seen


def _boiler(traces: Traces, spans: Sequence[Span], span: Span, delivery: Delivery) -> Seen:
    supply = traces.get("supply_temperature") or traces.get("tank_temperature")
    rest = hot_water.quiet(traces.get("hot_water"), *span)
    layers = [traces[name] for name in ("tank_top", "tank_bottom") if name in traces]
    if not layers and "tank_temperature" in traces:
        layers = [traces["tank_temperature"]]
    back, flow = traces.get("return_temperature"), traces.get("flow")
    return Seen(
        supply=hot_water.mean(supply, spans),
        compliance=hot_water.compliance(supply, spans, delivery.supply),
        standing=hot_water.standing_loss(traces.get("heat"), layers, rest),
        loop=hot_water.loop_loss(flow, traces.get("supply_temperature"), back, rest),
    )


def _shower(traces: Traces, span: Span, delivery: Delivery) -> Seen:
    session, total = traces.get("session_litres"), traces.get("total_litres")
    return Seen(
        outlet=hot_water.running(
            traces.get("outlet_temperature"), traces.get("flow"), span, delivery.outlet
        ),
        sessions=hot_water.sessions(session, total, *span),
    )


def _traces(
    store: TimeSeriesStore, devices: Sequence[Device], span: Span
) -> Iterator[tuple[Device, Traces]]:
    """Yield the usable readings of each device by the names of its points, some at a time."""
    days = max((span[1] - span[0]) / calendar.DAY_MS, 0.1)
    some = max(int(_DEVICE_DAYS_AT_ONCE / days), 1)
    for first in range(0, len(devices), some):
        chosen = devices[first : first + some]
        numbers = [number for device in chosen for number in _points(device).values()]
        found = store.raw(numbers, span[0] - REACH_MS, span[1] + REACH_MS, _MOST_READINGS)
        usable = found.taken(found.quality & 3 <= int(Quality.UNCERTAIN))
        for device in chosen:
            yield device, _by_name(device, usable)


def _points(device: Device) -> dict[str, int]:
    wanted = _BOILER if device.kind == "boiler" else _SHOWER
    return {point.name: point.number for point in device.points if point.name in wanted}


def _by_name(device: Device, found: Batch) -> Traces:
    """Cut what was found, which is in order of (point, at), into the points of a device."""
    interval_ms = round(device.interval.total_seconds() * 1000)
    reach_ms = GAP_INTERVALS * interval_ms
    if device.kind == "boiler":
        reach_ms = max(reach_ms, LEAST_REACH_MS)
    traces = {}
    for name, number in _points(device).items():
        first, last = np.searchsorted(found.point, [number, number + 1])
        if last > first:
            at, value = found.at_ms[first:last], found.value[first:last]
            latest = np.append(at[1:] != at[:-1], True)  # of one instant the last said
            traces[name] = Trace(at[latest], value[latest], reach_ms)
    return traces
