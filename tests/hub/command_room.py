"""A boiler that commands are sent to, with a real database and a live table, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from drivers.profile import Profile
from hub.clock import VirtualClock, VirtualLoop
from hub.control import Commands
from hub.database import commands as table
from hub.database.connection import Database, open_database
from hub.live import Live
from hub.model import Batch, Command, Entry, Point, Quality, Result, Text, flag
from hub.ports import Leave
from hub.site import Device, Place, Site

START_MS = 1_795_000_000_000
PROFILE: Profile = TypeAdapter(Profile).validate_python(
    {
        "version": 1, "id": "try-boiler", "maker": "Try", "model": "B", "kind": "boiler",
        "protocol": "modbus", "source": "this test",
        "points": {
            "tank_temperature": {"table": "input", "address": 0},
            "setpoint": {
                "table": "holding", "address": 4, "type": "int16", "scale": 0.1, "unit": "degC",
                "write": {"min": 40, "max": 60, "step": 0.5},
            },
            "mode": {
                "table": "holding", "address": 7,
                "write": {"min": 0, "max": 200, "one_of": [85, 170]},
            },
            "limit": {"table": "holding", "address": 6, "write": {"min": 20, "max": 60}},
            "element": {
                "table": "holding", "address": 5,
                "write": {"min": 0, "max": 1, "step": 1, "class": "dangerous"},
            },
        },
    }
)  # fmt: skip
BOILER = "dorm-07/boiler-1"
NAMES = ("tank_temperature", "setpoint", "element", "limit", "mode")


def site() -> Site:
    points = tuple(
        Point(n, f"{BOILER}/{name}", BOILER, name, "", "gauge", Text(name, name))
        for n, name in enumerate(NAMES, 1)
    )
    interval = timedelta(seconds=60)
    device = Device(BOILER, "try-boiler", "boiler", "dorm-07", interval, "gw", 1, points)
    place = Place("dorm-07", "building", Text("7", "7"))
    return Site("try", Text("试", "Try"), ZoneInfo("Asia/Shanghai"), [place], [], [device])


class Boiler:
    """The device end: keeps what is written; something can happen before, at and after its turn."""

    def __init__(self) -> None:
        self.value = 50.0
        self.writes: list[tuple[str, float]] = []
        self.queue: Callable[[], Awaitable[None]] | Exception | None = None
        self.before: Callable[[], Awaitable[None]] | Exception | None = None
        self.after: Exception | None = None

    async def write(self, point: Point, value: float, leave: Leave) -> float:
        await _happen(self.queue)
        leave()
        await _happen(self.before)
        self.writes.append((point.id, value))
        self.value = round(value, 1)
        if self.after is not None:
            raise self.after
        return self.value


async def _happen(what: Callable[[], Awaitable[None]] | Exception | None) -> None:
    if isinstance(what, Exception):
        raise what
    if what is not None:
        await what()


class Room:
    """Commands with a real database and a live table, in virtual time."""

    def __init__(self, loop: VirtualLoop, database: Database) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop, START_MS, seed=1)
        self.database = database
        self.boiler = Boiler()
        self.live = Live(len(NAMES))
        self.entries: list[Entry] = []
        self.commands = self.started()
        self.measure(50.0)

    def started(self, *, allowed: bool = True) -> Commands:
        return Commands(
            site=site(),
            profiles={"try-boiler": PROFILE},
            writes={"gw": self.boiler.write},
            live=self.live,
            database=self.database,
            worker=self.clock.worker("commands"),
            enter=self.entries.append,
            clock=self.clock,
            allowed=allowed,
        )

    def run(self, job: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(job)

    def wait(self, seconds: float) -> None:
        self.run(self.clock.sleep(seconds))

    def measure(self, tank: float, quality: Quality = Quality.GOOD) -> None:
        now_ms = self.clock.now_ms()
        self.live.update(Batch.of([1], [now_ms], [tank], [flag(quality)], now_ms))

    def ask(self, value: float = 55.0, key: str = "k1", **changes: Any) -> Result:
        return self.run(self.commands.submit(self.command(value, key, **changes), key))

    def command(self, value: float, key: str, **changes: Any) -> Command:
        now_ms = self.clock.now_ms()
        command = Command(
            f"c-{key}", f"{BOILER}/setpoint", value, "li", "cold", now_ms, now_ms + 60_000
        )
        return replace(command, **changes)

    def kept(self, key: str = "k1") -> Result:
        found = table.get(self.database, f"c-{key}")
        assert found is not None
        assert found[1] is not None
        return found[1]

    def read(self, value: float, quality: Quality = Quality.GOOD) -> None:
        now_ms = self.clock.now_ms()
        self.live.update(Batch.of([2], [now_ms], [value], [flag(quality)], now_ms))


def opened_room() -> Iterator[Room]:
    """Open a room for one test."""
    loop = VirtualLoop()
    database = open_database(":memory:")
    yield Room(loop, database)
    database.close()
    loop.close()
