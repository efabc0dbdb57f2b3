"""Which points of a product the physics of a twin can tell; the rest is plausible and still."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from drivers.profile import (
    Cjt188Profile,
    Dlt645Profile,
    ModbusProfile,
    PointSpec,
    Profile,
    RegisterPoint,
)
from hub.site import DeviceKind
from simulators.generic import inside

_PHASE = re.compile(r"_l[123]$")
_UNITS: Mapping[DeviceKind, Mapping[str, str]] = {
    "meter": {
        "voltage": "V", "current": "A", "power": "W", "apparent_power": "VA",
        "reactive_power": "var", "power_factor": "", "frequency": "Hz", "load_limit": "W",
        "energy": "kWh", "import_energy": "kWh", "energy_peak": "kWh", "energy_flat": "kWh",
        "energy_valley": "kWh", "relay": "", "relay_command": "",
    },
    "boiler": {
        "tank_top": "degC", "tank_bottom": "degC", "tank_temperature": "degC",
        "supply_temperature": "degC", "return_temperature": "degC", "outdoor_temperature": "degC",
        "setpoint": "degC", "flow": "m3/h", "power": "W", "energy": "kWh", "heat": "kWh",
        "make_up_water": "m3", "hot_water": "m3",
    },
    "shower": {
        "flow": "L/min", "outlet_temperature": "degC", "session_litres": "L", "total_litres": "L",
    },
}  # fmt: skip
"""What the physics mean by a name; bits, codes and states mean something else in each product."""
_ESSENTIAL: Mapping[DeviceKind, frozenset[str]] = {
    "meter": frozenset({"energy"}),
    "boiler": frozenset({"tank_temperature"}),
    "shower": frozenset({"total_litres"}),
}

_MADE_BY_METER = frozenset(
    {
        "clock_ahead", "energy_sharp", "keep_power", "reclose_permitted", "remaining_energy",
        "status",
    }
)  # fmt: skip


def told(profile: Profile, names: Iterable[str]) -> frozenset[str] | None:
    """Return which of the physics' ``names`` this product shows; None where they do not fit it."""
    known = frozenset(names)
    if isinstance(profile, Dlt645Profile):
        return known
    if isinstance(profile, Cjt188Profile):
        return None
    points: Mapping[str, PointSpec] = profile.points
    units = _UNITS[profile.kind]
    named = {name: spec for name, spec in points.items() if _PHASE.sub("", name) in units}
    alike = {name for name, spec in named.items() if _alike(spec, units[_PHASE.sub("", name)])}
    if known >= set(points) and len(alike) == len(named):
        return frozenset(points)
    found = known & alike
    if isinstance(profile, ModbusProfile):
        found -= {name for whole, parts in inside(profile).items() for name in (whole, *parts)}
    return found if found >= _ESSENTIAL[profile.kind] else None


def missing(profile: Profile, told: frozenset[str]) -> frozenset[str]:
    """Return the points that neither the physics tell nor a DL/T 645 meter makes of itself."""
    made = _MADE_BY_METER if isinstance(profile, Dlt645Profile) else frozenset()
    return frozenset(profile.points) - told - made


def three_phase(profile: Profile) -> bool:
    """Tell whether a meter shows each of three phases."""
    points: Mapping[str, PointSpec] = profile.points
    return "voltage_l1" in points or "power_l1" in points


def _alike(spec: PointSpec, unit: str) -> bool:
    """Tell whether a point has the unit of the physics, and a register that can hold their values.

    A scale that the device chooses itself hardly ever suits what the physics come to.
    """
    exponent = isinstance(spec, RegisterPoint) and any(
        source.kind == "power_of_ten" for source in spec.scale_from
    )
    return spec.unit == unit and not exponent
