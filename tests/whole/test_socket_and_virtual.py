"""Ten minutes of the small campus by real sockets and without any give the same readings.

Both runs live in virtual time. In one the hub's Modbus client talks TCP to pymodbus' server, which
encodes the twins; in the other the bus is the twin's register image in place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from hub.app import Outside, running
from hub.cli.virtual import site_of
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.model import Batch
from hub.ports import Clock, RegisterBus
from hub.settings import Settings, load
from hub.site import Gateway
from simulators.campus import Fleet
from simulators.modbus_server import ModbusServers
from simulators.virtual import TwinBus, TwinMessages
from tests.ports import free_ports
from tests.whole.site import small_campus, write_site

START_MS = round(datetime.fromisoformat("2026-11-21T18:30:00+08:00").timestamp() * 1000)
LENGTH_S = 600
SEED = 7
PATIENCE_S = 0.003  # an answer from a socket of this process is there long before
FAR_MS = 1 << 60

BusOf = Callable[[Gateway, Clock], RegisterBus]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    campus = small_campus()
    for gateway, port in zip(campus["gateways"], free_ports(3), strict=True):
        gateway["url"] = f"tcp://127.0.0.1:{port}"
    return load(write_site(tmp_path / "site", **campus))


def test_ten_minutes_by_socket_and_in_virtual_time_are_equal(settings: Settings) -> None:
    by_socket = _lived(settings, sockets=True)
    in_place = _lived(settings, sockets=False)

    assert len(in_place) > 3900
    assert by_socket.readings() == in_place.readings()
    assert by_socket.quality.tolist() == in_place.quality.tolist()


def test_the_comparison_notices_another_seed(settings: Settings) -> None:
    one = _lived(settings, sockets=False)
    other = _lived(settings, sockets=False, seed=SEED + 1)

    assert one.readings() != other.readings()


def _lived(settings: Settings, *, sockets: bool, seed: int = SEED) -> Batch:
    """Let a hub read the campus for ten minutes; return what its Modbus devices said."""
    loop = VirtualLoop(PATIENCE_S if sockets else 0)
    return run_virtual(loop, _live(settings, VirtualClock(loop, START_MS, seed), sockets=sockets))


async def _live(settings: Settings, clock: VirtualClock, *, sockets: bool) -> Batch:
    site = site_of(settings)
    devices = [one for one in site.devices.values() if one.gateway is not None]
    fleet = Fleet(list(site.devices.values()), settings.profiles, clock)
    messages = TwinMessages(fleet, clock)
    servers = ModbusServers(fleet, list(site.gateways.values()) if sockets else [])

    def in_place(gateway: Gateway, _: Clock) -> RegisterBus:
        behind = [one for one in devices if one.gateway == gateway.id]
        return TwinBus(fleet, behind, gateway.timeout.total_seconds())

    outside = Outside(memory=True, web=False, messages=messages)
    if not sockets:
        outside = Outside(memory=True, web=False, messages=messages, bus_of=in_place)
    await servers.start()
    try:
        async with running(settings, clock, outside) as hub:
            await clock.sleep(LENGTH_S)
            await hub.recorder.flush()
            numbers = [
                point.number for one in devices for point in hub.kept.site.devices[one.id].points
            ]
            return hub.kept.store.raw(sorted(numbers), START_MS, FAR_MS)
    finally:
        await servers.stop()
