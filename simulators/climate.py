"""The weather and the hours of the campus (Wuhan): functions of the instant alone."""

from __future__ import annotations

from math import cos, pi

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_YEAR_MS = 365.2425 * DAY_MS
_ZONE_MS = 8 * HOUR_MS  # China has one zone and no summer time


def local_hour(at_ms: int) -> float:
    """Return the hour of the campus day, 0 <= h < 24."""
    return (at_ms + _ZONE_MS) % DAY_MS / HOUR_MS


def weekend(at_ms: int) -> bool:
    """Tell whether the campus day is a Saturday or Sunday."""
    return ((at_ms + _ZONE_MS) // DAY_MS + 3) % 7 >= 5  # noqa: PLR2004 - 1970-01-01 was a Thursday


def _season(at_ms: int, coldest_ms: int) -> float:
    """Return -1 in the coldest and +1 in the warmest days of the year."""
    return -cos(2 * pi * ((at_ms - coldest_ms) % _YEAR_MS) / _YEAR_MS)


def outdoor_temperature(at_ms: int) -> float:
    """Return the air temperature in degC: 4 in a January mean, 29 in a July mean."""
    day = -cos(2 * pi * (local_hour(at_ms) - 3) / 24)
    return 16.5 + 12.5 * _season(at_ms, 18 * DAY_MS) + 4.0 * day


def cold_water(at_ms: int) -> float:
    """Return the temperature of the mains in degC: the ground lags a month behind the air."""
    return 17.0 + 8.0 * _season(at_ms, 45 * DAY_MS)


class Climate:
    """The weather of a usual year; a :class:`simulators.weather.Weather` has days of its own."""

    def outdoor(self, at_ms: int) -> float:
        """Return the air temperature in degC."""
        return outdoor_temperature(at_ms)

    def cold_water(self, at_ms: int) -> float:
        """Return the temperature of the mains in degC."""
        return cold_water(at_ms)


USUAL = Climate()
