"""What the shipped profiles let people write, written down by hand: a new one is looked at here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import pytest

from drivers.profile import Profile, Write
from hub.control.guard import objection
from hub.control.interlock import PLANTS
from hub.model import Command
from hub.settings import load, shipped

PROFILES: Mapping[str, Profile] = load(shipped()).profiles
LEASE = timedelta(minutes=15)


class May(NamedTuple):
    """What may be written to a point; ``step`` may be the list of the only values."""

    low: float
    high: float
    step: float | tuple[float, ...] | None
    safe: float | None = None
    lease: timedelta | None = None
    dangerous: bool = False


WRITABLE: Mapping[str, Mapping[str, May]] = {
    "reference-boiler": {"setpoint": May(40, 60, 0.5, 50, LEASE)},
    "reference-room-meter": {
        "relay_command": May(0, 1, 1, dangerous=True),
        "load_limit": May(100, 8000, 10),
    },
    "reference-shower-terminal": {"valve": May(0, 1, 1, 0, LEASE)},
    "ectocontrol-gas-boiler": {
        "setpoint": May(20, 80, 0.5, 40, LEASE),
        "hot_water_setpoint": May(40, 60, 1, 50, LEASE),
        "heating_enabled": May(0, 1, 1, 0, dangerous=True),
        "hot_water_enabled": May(0, 1, 1, 0, dangerous=True),
    },
    "gree-versati-iii": {
        "mode": May(1, 5, 1),
        "disinfection_setpoint": May(40, 70, 1, 70, LEASE),
        "heating_setpoint": May(20, 60, 1, 35, LEASE),
        "setpoint": May(40, 70, 1, 50, LEASE),
        "heat_pump_maximum": May(40, 55, 1),
        "hot_water_difference": May(2, 8, 1),
        "power_switch": May(0x55, 0xAA, (0x55, 0xAA), 0x55, dangerous=True),
    },
    "dlt645-room-meter": {
        "relay_command": May(0, 1, 1, dangerous=True),
        "reclose_permitted": May(1, 1, None, dangerous=True),
        "keep_power": May(0, 1, 1, dangerous=True),
        "clock_ahead": May(0, 0, None),
    },
    "tasmota-plug": {"relay": May(0, 1, 1, dangerous=True)},
    "zigbee2mqtt-plug": {"relay": May(0, 1, 1, dangerous=True)},
}


def may(write: Write) -> May:
    return May(
        write.min,
        write.max,
        write.one_of or write.step,
        write.safe,
        write.lease,
        write.class_ == "dangerous",
    )


def test_the_shipped_profiles_declare_these_writes_and_no_others() -> None:
    declared = {
        id_: {name: may(spec.write) for name, spec in profile.points.items() if spec.write}
        for id_, profile in PROFILES.items()
    }
    assert len(PROFILES) == 22
    assert {id_: points for id_, points in declared.items() if points} == WRITABLE


def test_a_setpoint_of_a_plant_has_a_value_to_fall_back_to_and_a_time_after_which() -> None:
    for id_, points in WRITABLE.items():
        if PROFILES[id_].kind in PLANTS:
            for name in points:
                if name.endswith("setpoint"):
                    one = points[name]
                    assert one.safe is not None, (id_, name)
                    assert one.lease == LEASE, (id_, name)


def test_nothing_asks_a_tank_for_more_than_the_interlock_lets_it_have() -> None:
    limit = PLANTS["boiler"].hottest["tank_temperature"]
    for id_, points in WRITABLE.items():
        if PROFILES[id_].kind in PLANTS and id_ != "ectocontrol-gas-boiler":  # it heats radiators
            assert all(may.high <= limit for name, may in points.items() if "setpoint" in name)


@pytest.mark.parametrize(
    ("id_", "name"),
    [(id_, name) for id_, points in WRITABLE.items() for name in points if points[name].dangerous],
)
def test_what_is_dangerous_says_that_it_needs_a_second_person(id_: str, name: str) -> None:
    command = Command("c", f"d/1/{name}", WRITABLE[id_][name].low, "li", "", 0, 1)
    assert objection(command, PROFILES[id_].points[name]) == (
        "it is dangerous and needs a second person, which this version cannot ask for"
    )
