"""A site of room meters that publish, as a config folder, and what will happen to each meter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.ports import Clock
from hub.site import Device
from simulators.scenario import MeterFault, Metering, Scenario

PROFILE = "publishing-room-meter"
ROOMS_PER_FLOOR = 10
ROOMS_PER_CONCENTRATOR = 10
DAY_MS = 86_400_000
# While a meter is exchanged it is off the line; nobody knows the minute better than this.
WORK_MS = 15 * 60_000
_ENTERED_AFTER_H = (1.0, 60.0)
_WOUND_KWH = (8.0, 25.0)

_CAMPUS = """\
version: 1
site: {{id: metering, name: {{zh: 计量校园, en: Metered campus}}, timezone: Asia/Shanghai}}
data: var
mqtt: {{embedded: true}}
places:
{places}devices:
{devices}"""

_PROFILE = f"""\
version: 1
id: {PROFILE}
maker: Campus Hub
model: Room meter behind a concentrator
kind: meter
protocol: mqtt
dialect: own
verified: simulated
verified_on: 2026-11-21
source: own reference of a room meter whose concentrator keeps and forwards; not a vendor's
points:
  energy:   # its breaker lets no more pass than 12 kW
    {{unit: kWh, kind: counter, rollover: 100000, most_per_h: 12,
     label: {{zh: 总电量, en: Energy}}}}
"""

# Gaps are what this is about: a meter counts as silent only after the longest of them.
_PACK = """\
version: 1
pack: meter
applies_to: {kind: meter}
rules:
  - id: meter-silent
    kind: stale
    point: energy
    on_delay: PT50H
    off_delay: PT3M
    severity: small
    title: {zh: 电表无数据, en: Meter is silent}
    guidance: {zh: 先查集中器, en: See to the concentrator first.}
    parts: [comms-module, meter]
"""


def write_site(folder: Path, metering: Metering) -> None:
    """Write campus.yaml, the profile of its meters and their rule into a folder."""
    places, devices = [], []
    for number in range(1, metering.buildings + 1):
        building = f"dorm-{number:02}"
        places.append(f"{building}, kind: building, students: {4 * metering.rooms}")
        for room in _rooms(metering.rooms):
            place = f"{building}/{room // 100}/{room}"
            places.append(f"{place}, kind: room, students: 4")
            devices.append(f"{building}/meter-{room}, profile: {PROFILE}, place: {place}")
    every = f"interval: PT{metering.interval.total_seconds():.0f}S"
    text = _CAMPUS.format(
        places="".join(f"  - {{id: {place}}}\n" for place in places),
        devices="".join(f"  - {{id: {device}, {every}}}\n" for device in devices),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "campus.yaml").write_text(text, "utf-8")
    for kind, name, content in (("profiles", PROFILE, _PROFILE), ("rules", "meter", _PACK)):
        (folder / kind).mkdir(exist_ok=True)
        (folder / kind / f"{name}.yaml").write_text(content, "utf-8")


def _rooms(count: int) -> Iterator[int]:
    for n in range(count):
        floor, room = divmod(n, ROOMS_PER_FLOOR)
        yield 100 * (floor + 1) + room + 1


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that will happen to a meter.

    ``left_kwh`` is how far a counter that will roll over stands before that at the start;
    ``entered_ms`` is when a person tells the hub of an exchange, None when nobody does.
    """

    at_ms: int
    device: str
    kind: MeterFault
    left_kwh: float | None = None
    entered_ms: int | None = None


def planned(scenario: Scenario, devices: Sequence[Device], clock: Clock) -> list[Planned]:
    """Draw what happens to every `faulty`-th meter, in order of time.

    A counter that rolls over does so first: after a reset it would not come that far.
    """
    metering = scenario.metering
    if metering is None:
        return []
    plans: list[Planned] = []
    exchanges = 0
    for device in devices[metering.faulty - 1 :: metering.faulty]:
        draw = clock.random(f"meter-faults/{device.id}")
        kinds = sorted(metering.faults, key=lambda _: draw.random())
        kinds.sort(key=lambda kind: kind != "counter_rollover")
        part_ms = (scenario.end_ms - scenario.start_ms) / len(kinds)
        for n, kind in enumerate(kinds):
            at_ms = scenario.start_ms + round(part_ms * (n + draw.uniform(0.15, 0.85)))
            if kind == "counter_rollover":
                left = draw.uniform(*_WOUND_KWH) * part_ms / (7.5 * DAY_MS)
                plans.append(Planned(scenario.start_ms, device.id, kind, left_kwh=left))
                continue
            entered_ms = None
            if kind == "meter_swapped":
                exchanges += 1
                told = int(exchanges * metering.recorded) > int((exchanges - 1) * metering.recorded)
                after_ms = round(draw.uniform(*_ENTERED_AFTER_H) * 3_600_000)
                entered_ms = min(at_ms + after_ms, scenario.end_ms - 1) if told else None
            plans.append(Planned(at_ms, device.id, kind, entered_ms=entered_ms))
    return sorted(plans, key=lambda plan: (plan.at_ms, plan.device))
