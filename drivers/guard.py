"""The last look at a value before it leaves for a device."""

from __future__ import annotations

import math

from drivers.profile import PointSpec
from hub.ports import Refused

_ROUNDING = 1e-6  # what binary fractions leave over


def check(point: str, spec: PointSpec, value: float) -> None:
    """Refuse what the profile does not declare: not writable, out of range, off the step."""
    write = spec.write
    if write is None:
        raise Refused(f"{point} cannot be written: its profile declares no write")
    if not math.isfinite(value) or not write.min <= value <= write.max:
        raise Refused(f"{point}: {value:g} is outside {write.min:g}..{write.max:g}")
    if write.one_of and all(abs(value - one) > _ROUNDING for one in write.one_of):
        allowed = ", ".join(f"{one:g}" for one in write.one_of)
        raise Refused(f"{point}: {value:g} is none of {allowed}")
    if write.step is not None:
        steps = (value - write.min) / write.step
        if abs(steps - round(steps)) > _ROUNDING:
            raise Refused(f"{point}: {value:g} is not on a step of {write.step:g}")
