"""The hours of civil days of a zone; pure."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from hub.energy import calendar
from rules.day_columns import Hours


def hours_of(day: date, zone: ZoneInfo) -> Hours:
    """Return the hours of a civil day of a zone."""
    start_ms, end_ms = calendar.span_of_days(day, day, zone)
    edges = calendar.edges(start_ms, end_ms, "hour", zone)
    column = [calendar.local(edge, zone).hour for edge in edges[:-1]]
    return Hours(day, np.array(edges, np.int64), np.array(column, np.intp))


def hours_at(at_ms: int, zone: ZoneInfo) -> Hours:
    """Return the hours of the civil day in which an instant lies."""
    return hours_of(calendar.day_of(at_ms, zone), zone)
