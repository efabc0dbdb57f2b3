"""From the octets of an answer to the value of a point, pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from drivers.dlt645.frame import number_in
from drivers.profile import Dlt645Point, PointSpec
from hub.model import Quality, Reason, flag

GOOD = flag(Quality.GOOD)
GARBAGE = flag(Quality.BAD, Reason.GARBAGE_ANSWER)
_MARKER = flag(Quality.BAD, Reason.INVALID_MARKER)
_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)
_CLOCK_STEP_S = 5  # an answer takes up to a second, so finer steps would tell nothing


def value_of(point: Dlt645Point, data: bytes) -> tuple[float, int]:
    """Return the value and the packed quality of a number or a bit."""
    part = data[point.at : point.at + point.octets]
    if len(part) < point.octets:
        return math.nan, GARBAGE
    if set(part) == {0xFF} and point.bit is None:
        return math.nan, _MARKER  # how a meter says that it has no such value
    if point.type == "word":
        word = int.from_bytes(part, "little")
        raw: int | None = word if point.bit is None else (word >> point.bit & 1) ^ point.invert
    else:
        raw = number_in(part, signed=point.signed)
    return within(point, None if raw is None else raw * point.scale)


def within(point: PointSpec, value: float | None) -> tuple[float, int]:
    """Return a value with its quality; NaN where it is none or outside of the point's range."""
    if value is None:
        return math.nan, _NUMBER
    if (point.min is not None and value < point.min) or (
        point.max is not None and value > point.max
    ):
        return math.nan, _RANGE
    return value, GOOD


def clock_value(point: Dlt645Point, date: bytes, time: bytes, local: datetime) -> tuple[float, int]:
    """Return how far a meter's clock is ahead of ``local``, in whole steps towards zero.

    ``date`` is weekday, day, month, year and ``time`` second, minute, hour, two digits an octet.
    """
    digits = (time + date[1:]).hex()
    try:
        shown = datetime.strptime(digits, "%S%M%H%d%m%y").replace(tzinfo=local.tzinfo)
    except ValueError:
        return math.nan, _NUMBER
    ahead_s = (shown - local) / timedelta(seconds=1)
    return within(point, math.trunc(ahead_s / _CLOCK_STEP_S) * float(_CLOCK_STEP_S))
