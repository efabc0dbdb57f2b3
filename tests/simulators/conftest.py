from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from drivers.profile import Profile
from hub.clock import VirtualClock, VirtualLoop
from hub.site import Device
from simulators.campus import Fleet

CONFIG = Path(__file__).parents[2] / "config"
MIDNIGHT_MS = round(datetime.fromisoformat("2026-11-21T00:00:00+08:00").timestamp() * 1000)
KINDS = {
    "reference-room-meter": "meter",
    "eastron-sdm630": "meter",
    "reference-boiler": "boiler",
    "reference-shower-terminal": "shower",
}


@dataclass
class Still:
    """A clock that stands until it is set."""

    now: int = MIDNIGHT_MS
    seed: int = 1
    virtual: bool = True

    def now_ms(self) -> int:
        return self.now

    def random(self, name: str):
        return VirtualClock(None, 0, self.seed).random(name)

    def token(self, name: str) -> str:
        return VirtualClock(None, 0, self.seed).token(name)

    async def sleep(self, seconds: float) -> None:
        self.now += round(max(seconds, 0) * 1000)


def device(id_: str, profile: str, place: str, gateway=None, unit_id=None, *, seconds=60) -> Device:
    interval = timedelta(seconds=seconds)
    return Device(id_, profile, KINDS[profile], place, interval, gateway, unit_id, ())


def small_site() -> list[Device]:
    """Return a plant with a main meter, six rooms and four terminals."""
    rooms = [
        device(
            f"dorm-07/meter-{300 + n}",
            "reference-room-meter",
            f"dorm-07/3/{300 + n}",
            "gw-rooms",
            n,
        )
        for n in range(1, 7)
    ]
    showers = [
        device(f"dorm-07/shower-1-0{n}", "reference-shower-terminal", "dorm-07/1/shower-1")
        for n in range(1, 5)
    ]
    plant = [
        device("dorm-07/boiler-1", "reference-boiler", "dorm-07/plant", "gw-plant", 1, seconds=15),
        device("dorm-07/main", "eastron-sdm630", "dorm-07", "gw-plant", 2),
    ]
    return [*plant, *rooms, *showers]


@pytest.fixture(scope="session")
def profiles() -> dict[str, Profile]:
    adapter = TypeAdapter(Profile)
    return {
        path.stem: adapter.validate_python(yaml.safe_load(path.read_text("utf-8")))
        for path in sorted((CONFIG / "profiles").glob("*.yaml"))
    }


@pytest.fixture
def make_fleet(profiles) -> Callable[..., Fleet]:
    def make(seed: int = 1, now_ms: int = MIDNIGHT_MS, pace: float = 1.0, clock=None) -> Fleet:
        return Fleet(small_site(), profiles, clock or Still(now_ms, seed), pace)

    return make


@pytest.fixture
def fleet(make_fleet) -> Fleet:
    return make_fleet()


@pytest.fixture
def midnight_ms() -> int:
    return MIDNIGHT_MS


@pytest.fixture
def make_device() -> Callable[..., Device]:
    return device


@pytest.fixture
def still() -> type[Still]:
    return Still


@pytest.fixture
def virtual_loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()
