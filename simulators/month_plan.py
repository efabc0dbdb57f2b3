"""What is to happen in a labelled month: how often, how long, when, and to what.

Times are long enough for the rule that shall find them (the longest hold counts twice over) and
lie where they can show: a valve that does not open is found by people who shower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DAYS = 30
HOLIDAY = (8, 11)  # the first days of January, as the month begins on 24 December
LAST_TERM_DAY = 25  # of the month; then the vacation begins


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of episode.

    ``of`` says which subjects it can befall, ``hours`` how long it lasts, ``from_h`` and ``to_h``
    the hours of day at which it begins, ``first`` and ``last`` the days of the month in which it
    lies. For ``rest_h`` before and after it nothing else happens to its subject.
    """

    kind: str
    of: str
    count: int
    hours: tuple[float, float]
    from_h: float = 0.0
    to_h: float = 24.0
    first: float = 0.3
    last: float = 29.8
    rest_h: float = 3.0


_MOMENT = (0.1, 0.1)  # hours: it happens and is over, what it leaves behind can be found
_TERM = LAST_TERM_DAY - 0.4
_HOME = HOLIDAY[1]  # before it a room may stand empty, and ten times nothing is nothing

LONG = (
    Row("fouled", "boiler", 5, (150, 200), first=8, last=29.8, rest_h=12),
    Row("night_load", "room", 6, (80, 120), 10, 18, first=8, last=_TERM, rest_h=12),
    Row("scale_wrong", "room", 6, (60, 90), first=_HOME, last=_TERM, rest_h=12),
    Row("scale_wrong", "main", 7, (30, 36), 19, 23.5, first=1, last=29.8, rest_h=24),
    Row("pipe_leak", "water", 5, (76, 104), 8, 20, first=7, last=29.8, rest_h=8),
)
"""Episodes of days: what strikes a whole place does not wait for their end."""

UNDISTURBED = (Row("sensor_stuck", "terminal", 6, (26, 50), last=_TERM),)
"""Episodes of a day and more that show only while nothing else happens: they are laid first."""

OF_PLACES = (
    Row("supply_cut", "large_building", 9, (1, 4), rest_h=4),
    Row("supply_cut", "small_building", 2, (1, 4), rest_h=4),
    Row("bus_cut", "room_bus", 9, (0.4, 4)),
    Row("gateway_cut", "gateway", 10, (0.4, 4)),
    Row("broker_down", "hub", 22, (0.3, 2), rest_h=1),
)
"""What strikes whole places: as often as a verdict on the rules of buildings and lines wants."""

OF_DEVICES = (
    Row("leak", "boiler", 5, (10, 26), rest_h=6),
    Row("thermostat_stuck", "boiler", 5, (9, 14), 17, 22, last=_TERM, rest_h=9),
    Row("short_cycling", "boiler", 5, (9, 14), 14, 18, last=_TERM, rest_h=9),
    Row("compressor_failed", "boiler", 5, (6, 12), 14, 18, last=_TERM, rest_h=9),
    Row("element_failed", "boiler", 5, (6, 10), 16, 20, last=_TERM, rest_h=9),
    Row("lock_out", "boiler", 5, (5, 10), 15, 20, last=_TERM, rest_h=9),
    Row("sensor_stuck", "boiler", 5, (5, 12), last=_TERM),
    Row("pump_failed", "boiler", 5, (2, 9)),
    Row("low_pressure", "boiler", 5, (1, 4)),
    Row("silent", "boiler", 5, (1, 6)),
    Row("exception_answer", "boiler", 5, (1, 6)),
    Row("counter_reset", "boiler", 5, _MOMENT),
    Row("unbalance", "main", 5, (3, 8), 8, 18, last=_TERM),
    Row("sensor_stuck", "main", 5, (4, 9), last=_TERM),
    Row("lost_phase", "main", 5, (1, 5)),
    Row("silent", "main", 5, (1, 5)),
    Row("exception_answer", "main", 5, (1, 5)),
    Row("counter_reset", "main", 5, _MOMENT),
    Row("counter_glitch", "main", 5, _MOMENT),
    Row("meter_swapped", "main", 5, _MOMENT),
    Row("sensor_stuck", "room", 6, (14, 30), last=_TERM),
    Row("relay_stuck", "room", 6, (1, 10), last=_TERM),
    Row("silent", "room", 6, (1, 8)),
    Row("exception_answer", "room", 6, (1, 8)),
    Row("invalid_marker", "room", 6, (1, 8)),
    Row("over_voltage", "room", 6, (0.5, 4)),
    Row("under_voltage", "room", 6, (0.5, 4)),
    Row("overload", "room", 6, (0.5, 3)),
    Row("malignant_load", "room", 6, (0.5, 3)),
    Row("counter_reset", "room", 6, _MOMENT),
    Row("counter_glitch", "room", 6, _MOMENT),
    Row("meter_swapped", "room", 6, _MOMENT),
    Row("leak", "terminal", 6, (2, 12)),
    Row("valve_no_open", "terminal", 6, (3, 5), 18, 20.5, last=_TERM),
    Row("mixing_valve_failed", "terminal", 6, (3, 5), 18, 20.5, last=_TERM),
    Row("silent", "terminal", 6, (1, 8)),
    Row("counter_reset", "terminal", 6, _MOMENT),
)

ALIKE_PLACES = (
    Row("planned_outage", "building", 4, (1, 4), rest_h=6),
    Row("planned_outage", "gateway", 8, (0.5, 3)),
    Row("door_open", "plant", 16, (1, 8)),
    Row("door_open", "shower_room", 60, (1, 8)),
)

ALIKE_LIFE = (
    Row("heavy_use", "shower_room", 60, (2, 5), 16, 21, last=_TERM, rest_h=1),
    Row("heavy_use", "room_place", 300, (5, 30), 12, 19, last=_TERM),
    Row("visitors", "room_place", 200, (20, 46), 10, 20, last=_TERM),
    Row("air_conditioner", "room_place", 260, (3, 10), last=_TERM),
)

BROUGHT_ABOUT: Mapping[str, tuple[str, ...]] = {"pump_failed": ("freezing",)}
"""What comes of a fault in some weather, and wants people at once: by how cold it is, not drawn."""

CODED: Mapping[str, frozenset[str]] = {
    "room": frozenset(
        {
            "overload", "relay_stuck", "over_voltage", "under_voltage", "malignant_load",
            "sensor_stuck", "invalid_marker",
        }
    ),
    "boiler": frozenset(
        {
            "lock_out", "low_pressure", "pump_failed", "element_failed", "compressor_failed",
            "short_cycling", "thermostat_stuck",
        }
    ),
    "terminal": frozenset({"valve_no_open", "leak", "sensor_stuck", "mixing_valve_failed"}),
}  # fmt: skip
"""What a device can notice itself, by what it is; it does so in every second episode."""
