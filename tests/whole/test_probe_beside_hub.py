"""A gateway of one connection is polled, commanded and probed at once, and refuses nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from drivers import registry
from hub.app import Outside, running
from hub.cli.virtual import site_of
from hub.clock import RealClock
from hub.control import commands
from hub.database import audit, users
from hub.model import Command, Outcome
from hub.ports import NoAnswerError, Span
from hub.probe import probe
from hub.settings import load
from hub.whole import Hub
from simulators.campus import Fleet
from simulators.faults import Wire, WireFault
from simulators.front import Front, Sink
from simulators.lines import Line, line_behind
from simulators.modbus_server import ModbusServers
from tests.ports import free_ports
from tests.whole.program import campus_hub
from tests.whole.site import BUILDING, write_site

FOREVER = 1 << 60
PATIENCE_S = 20.0
START_MS = 1_795_226_400_000  # a Saturday, 10:00 at the campus
USER, PASSWORD = "li", "a kettle for the crew"
BOILER, ROOM, PULSE = "dorm-07/boiler-1", "dorm-07/meter-1", "dorm-07/meter-2"
PLACE = {"id": "dorm-07/1", "kind": "floor"}


class FromThen(RealClock):
    """Time that begins at one instant, so that the twins have the same load whenever this runs."""

    def __init__(self) -> None:
        super().__init__(7)
        self._began_s = self.monotonic()

    def now_ms(self) -> int:
        return START_MS + round((self.monotonic() - self._began_s) * 1000)


class OneCaller:
    """A transparent gateway before a line of meters that takes one connection."""

    def __init__(self, line: Line) -> None:
        self.refused = 0
        self._line = line
        self._open = 0

    async def converse(self, reader: asyncio.StreamReader, writer: Sink) -> None:
        if self._open:
            self.refused += 1
            return
        self._open += 1
        try:
            while octets := await reader.read(256):
                writer.write(self._line.hear(octets))
        finally:
            self._open -= 1


@dataclass
class Scene:
    """A running hub and the gateways that it polls."""

    hub: Hub
    folder: Path
    wire: Wire
    meters: OneCaller

    async def probe(self, *arguments: str, password: str = PASSWORD) -> tuple[int, Any]:
        """Run the command beside the hub and return its exit code and what it said."""
        command = ["probe", *arguments, "--config", self.folder, "--json"]
        done = await asyncio.to_thread(campus_hub, *command, CAMPUS_HUB_PASSWORD=password)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def site(folder: Path) -> Path:
    modbus, meters, web = free_ports(3)
    of_bus = {"place": PLACE["id"], "gateway": "gw-1", "interval": "PT2S"}
    gateways = [
        {"id": "gw-1", "url": f"tcp://127.0.0.1:{modbus}", "timeout": "PT10S"},
        {"id": "gw-2", "url": f"tcp://127.0.0.1:{meters}", "timeout": "PT10S"},
    ]
    devices = [
        {"id": BOILER, "profile": "reference-boiler", "unit_id": 1, **of_bus},
        {"id": ROOM, "profile": "reference-room-meter", "unit_id": 2, **of_bus},
        {
            "id": PULSE, "profile": "dlt645-room-meter", "place": PLACE["id"], "gateway": "gw-2",
            "address": "000000000161", "interval": "PT2S",
        },
    ]  # fmt: skip
    places = [BUILDING, PLACE]
    return write_site(
        folder, devices, places=places, gateways=gateways, web={"port": web}, writes=True
    )


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(probe, "BETWEEN_S", 0.2)
    # On a busy machine a poll every two seconds may come late; this is not about interlocks.
    monkeypatch.setattr(commands, "_FRESH_INTERVALS", 30)
    settings = load(site(tmp_path))
    tree = site_of(settings)
    fleet = Fleet(list(tree.devices.values()), settings.profiles, FromThen())
    wire = fleet.wires.of("gw-1")
    wire.begin(WireFault("one_connection_only", 0, FOREVER))
    servers = ModbusServers(fleet, [tree.gateways["gw-1"]])
    line = line_behind(fleet, "gw-2")
    assert line is not None
    meters = OneCaller(line)
    line_front = Front(tree.gateways["gw-2"], meters.converse)
    async with (
        listening(servers),
        listening(line_front),
        running(settings, RealClock(), Outside()) as hub,
    ):
        for name, role in ((USER, "duty"), ("wang", "crew")):
            hash_ = PasswordHasher(1, 8, 1).hash(PASSWORD)
            users.add(hub.kept.database, users.User(name, hash_, role, False, START_MS))
        await heard(hub)
        yield Scene(hub, tmp_path, wire, meters)


async def heard(hub: Hub) -> None:
    """Wait until every device has been read; who was read twice does not stand for another."""
    async with asyncio.timeout(PATIENCE_S):
        while read(hub) != set(hub.kept.site.devices):  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)


def read(hub: Hub) -> set[str]:
    points = hub.live.snapshot().point.tolist()
    return {hub.kept.site.points[number].device for number in points}


async def polled(hub: Hub, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while hub.counters()["polls_done_total"] < count:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)


@asynccontextmanager
async def listening(served: ModbusServers | Front) -> AsyncIterator[None]:
    await served.start()
    try:
        yield
    finally:
        await served.stop()


async def commanding(hub: Hub) -> list[Outcome]:
    """Change the setpoint again and again until cancelled; return what became of each."""
    outcomes: list[Outcome] = []
    clock = RealClock()
    try:
        for n in range(10_000):
            now_ms = clock.now_ms()
            value = 50.0 + n % 2
            wish = Command(
                f"c{n}", f"{BOILER}/setpoint", value, USER, "a test", now_ms, now_ms + 60_000
            )
            outcomes.append((await hub.commands.submit(wish, f"k{n}")).outcome)
            await clock.sleep(0.05)
    except asyncio.CancelledError:
        pass
    return outcomes


async def test_polls_commands_and_a_probe_share_the_one_connection(scene: Scene) -> None:
    before = int(scene.hub.counters()["polls_done_total"])
    orders = asyncio.create_task(commanding(scene.hub))
    code, said = await scene.probe("--user", USER)
    await polled(scene.hub, before + 3)
    orders.cancel()
    outcomes = await orders
    assert code == 0, said
    assert {one["device"]: one["finding"] for one in said["devices"]} == {
        BOILER: "as the profile says",
        ROOM: "as the profile says",
        PULSE: "as the profile says",
    }
    assert (scene.wire.hits, scene.meters.refused) == ([0], 0)
    assert len(outcomes) > 3
    assert set(outcomes) == {Outcome.DONE}
    assert scene.hub.counters()["polls_failed_total"] == 0
    lines = audit.latest(scene.hub.kept.database)
    probed = {(line.actor, line.subject) for line in lines if line.action == "probe"}
    assert probed == {(USER, BOILER), (USER, ROOM), (USER, PULSE)}


async def test_a_connection_of_one_s_own_would_be_refused(scene: Scene) -> None:
    """The control: what the command did before it asked the hub."""
    settings = load(scene.folder)
    tree, clock = site_of(settings), RealClock()
    device, ways = tree.devices[ROOM], registry.Ways(settings.secret)
    driver = registry.behind(tree.gateways["gw-1"], [device], settings.profiles, clock, ways)
    with pytest.raises(NoAnswerError, match="closed the connection"):
        await driver.look(ROOM, Span("input", 0, 2))
    await driver.close()
    assert scene.wire.hits[0] >= 1


async def test_beside_a_hub_somebody_must_ask_who_may(scene: Scene) -> None:
    code, said = await scene.probe(ROOM)
    assert (code, "name who asks it with --user" in said) == (2, True)
    code, said = await scene.probe(ROOM, "--user", USER, password="a guess at it")
    assert (code, "the name or the password is wrong" in said) == (2, True)
    code, said = await scene.probe(ROOM, "--user", "wang")
    assert (code, "The role crew may not do this" in said) == (2, True)
    assert not [line for line in audit.latest(scene.hub.kept.database) if line.action == "probe"]
