"""The service guard: why a command may not go out, decided before anything is sent."""

from __future__ import annotations

import math

from drivers.profile import PointSpec, RegisterPoint
from hub.model import Command

_ROUNDING = 1e-6


def objection(command: Command, spec: PointSpec) -> str | None:
    """Return why a value may not be written to a point, or None."""
    write = spec.write
    if write is None:
        return "its profile does not declare it writable"
    if write.class_ == "dangerous":
        return "it is dangerous and needs a second person, which this version cannot ask for"
    value = command.value
    if not math.isfinite(value) or not write.min <= value <= write.max:
        return f"{value:g} is outside {write.min:g} to {write.max:g} {spec.unit}".rstrip()
    if write.one_of and all(abs(value - one) > _ROUNDING for one in write.one_of):
        allowed = ", ".join(f"{one:g}" for one in write.one_of)
        return f"{value:g} is not one of {allowed}"
    if write.step:
        steps = (value - write.min) / write.step
        if abs(steps - round(steps)) > _ROUNDING:
            return f"{value:g} is not on a step of {write.step:g} from {write.min:g}"
    return None


def tolerance(value: float, spec: PointSpec) -> float:
    """Return how far the value read back may lie from the value asked for."""
    resolution = abs(value) * _ROUNDING
    if isinstance(spec, RegisterPoint) and not spec.type.startswith("float"):
        resolution = max(resolution, abs(spec.scale) / 2)
    return resolution + _ROUNDING
