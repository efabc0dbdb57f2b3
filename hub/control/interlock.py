"""Interlocks: what the plant itself says against a command. Pure, and nobody can pass over them.

A safe write goes through at any time: a lower setpoint, heating off. What would heat more needs
good, fresh readings that say the water is not too hot and that it moves; a lost sensor is a no.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drivers.profile import PointSpec

Readings = Mapping[str, float | None]
"""Every point of the device by name: its good and fresh value, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Which points of a kind of device show that heating is dangerous, and from where on.

    A device is judged by those of them that it has, and has at least one temperature.
    """

    hottest: Mapping[str, float]
    pump: str
    flow: str
    least_flow: float


PLANTS: Mapping[str, Plant] = {
    "boiler": Plant(
        # GB 50015 has the water of a tank at most at 70 degC; 85 degC is the end for any heater.
        hottest={"tank_top": 70.0, "tank_temperature": 70.0, "supply_temperature": 85.0},
        pump="pump",
        flow="flow",
        least_flow=0.05,
    )
}


def interlock(kind: str, name: str, spec: PointSpec, value: float, now: Readings) -> str | None:
    """Return why a write of ``value`` to the point ``name`` is dangerous now, or None."""
    plant = PLANTS.get(kind)
    if plant is None:
        return None
    if name == plant.pump:
        problems = _starting(plant, now) if value else _stopping(plant, now)
    elif _heats_more(spec, value, now.get(name)):
        problems = _heating(plant, now)
    else:
        return None
    return next(problems, None)


def _heats_more(spec: PointSpec, value: float, present: float | None) -> bool:
    """Tell whether a write may bring more heat; what cannot be told does.

    A switch is off at its ``safe`` value, 0 where the profile names none.
    """
    if spec.kind == "state":
        return value != ((spec.write and spec.write.safe) or 0)
    return present is None or value > present


def _heating(plant: Plant, now: Readings) -> Iterator[str]:
    yield from _too_hot(plant, now)
    lost = [name for name in plant.hottest if name in now and now[name] is None]
    if lost:
        yield f"sensor lost: {', '.join(lost)} gives no good reading; heating is not raised blind"
    if not any(name in now for name in plant.hottest):
        known = ", ".join(plant.hottest)
        yield f"no sensor: the device has none of {known}; heating is not raised blind"
    yield from _dry(plant, now)


def _starting(plant: Plant, now: Readings) -> Iterator[str]:
    """Say why a pump may not be switched on; starting one that stands is how flow begins."""
    if now.get(plant.pump) != 0:
        yield from _dry(plant, now)


def _stopping(plant: Plant, now: Readings) -> Iterator[str]:
    """Say why a pump may not be switched off: hot water must be able to leave the heater."""
    yield from _too_hot(plant, now)


def _too_hot(plant: Plant, now: Readings) -> Iterator[str]:
    for name, limit in plant.hottest.items():
        value = now.get(name)
        if value is not None and value >= limit:
            yield f"over-temperature: {name} is {value:g} degC, the limit is {limit:g}"


def _dry(plant: Plant, now: Readings) -> Iterator[str]:
    """Say that the pump moves no water, or that nobody can tell while it may be turning."""
    if plant.flow not in now or plant.pump not in now or now[plant.pump] == 0:
        return
    flow = now[plant.flow]
    if flow is None:
        yield f"sensor lost: {plant.flow} gives no good reading while the pump may be running"
    elif now[plant.pump] is None:
        yield f"sensor lost: {plant.pump} gives no good reading"
    elif flow < plant.least_flow:
        yield f"dry run: the pump is on and {plant.flow} is {flow:g}"
