"""Whole columns of a point's values as hub and device know them: rounded, rolled over, or bad.

What :mod:`simulators.registers` and a driver do to one value, done to many.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from drivers.profile import MessagePoint, PointSpec, Profile, RegisterPoint
from hub.model import Quality, Reason, flag
from hub.ports import Refused
from simulators.registers import capacity

Column = NDArray[np.float64]
Flags = NDArray[np.uint8]
EXCEPTION = flag(Quality.BAD, Reason.EXCEPTION_ANSWER)
_INVALID = flag(Quality.BAD, Reason.INVALID_MARKER)
_OUT_OF_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_DIGITS = 3  # behind the point, in messages


def seen(profile: Profile, shown: Mapping[str, Column]) -> tuple[Column, Flags]:
    """Return values and flags, a row for each poll and a column for each point of the profile."""
    points: Mapping[str, PointSpec] = profile.points
    rows = len(next(iter(shown.values())))
    values = np.empty((rows, len(points)))
    flags = np.zeros((rows, len(points)), np.uint8)
    for n, (name, point) in enumerate(points.items()):
        invalid = None
        if isinstance(point, RegisterPoint):
            value, invalid = _of_register(point, shown[name])
        elif isinstance(point, MessagePoint):
            value = _of_message(point, shown[name])
        else:
            raise Refused(f"{profile.id}: a month knows registers and messages only")
        values[:, n] = value
        low = -np.inf if point.min is None else point.min
        high = np.inf if point.max is None else point.max
        outside = (value < low) | (value > high)
        if outside.any():
            flags[outside, n] = _OUT_OF_RANGE
            values[outside, n] = np.nan
        if invalid is not None and invalid.any():
            flags[invalid, n] = _INVALID
            values[invalid, n] = np.nan
    return values, flags


def _of_register(point: RegisterPoint, shown: Column) -> tuple[Column, NDArray[np.bool_] | None]:
    """Return what registers make of values, and which of these are fillers."""
    if point.type == "bool":
        return (shown != 0).astype(np.float64), None
    if point.type == "float32":
        return shown.astype(np.float32).astype(np.float64), None
    raw = np.rint((shown - point.offset) / point.scale)
    if point.rollover:
        raw %= round(point.rollover / point.scale)
    else:
        raw = np.clip(raw, *capacity(point))
    invalid = np.isnan(shown)
    for marker in point.invalid:
        invalid |= raw == marker
    inverse = round(1 / point.scale) if point.scale < 1 else 0
    return (raw / inverse if inverse else raw * point.scale) + point.offset, invalid


def _of_message(point: MessagePoint, shown: Column) -> Column:
    """Return what a message says of values."""
    if point.kind == "state":
        return np.rint(shown)
    rolled = shown % point.rollover if point.rollover else shown
    return np.round(rolled, _DIGITS)
