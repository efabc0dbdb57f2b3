"""A foreign meter is read by our driver, and our twin by a foreign client: the package dlt645."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from dlt645.service.clientsvc.client_service import MeterClientService
from dlt645.service.serversvc.async_server_service import AsyncMeterServerService

from drivers.dlt645.driver import Dlt645Driver
from drivers.octets import LineBus
from hub.clock import RealClock
from hub.model import Reason
from hub.site import Gateway
from simulators.lines import LineServers
from tests.drivers.meters import by_name, dlt645, dlt645_meters, meter
from tests.ports import free_ports

ADDRESS = "202300000161"
PROFILE = dlt645()
"""What the foreign meter is given, by identification; it knows no status word 3 as bits."""
GIVEN = {
    0x00010000: 123456.78,
    0x00010100: 1.11,
    0x00010200: 22.22,
    0x00010300: 333.33,
    0x00010400: 4444.44,
    0x02010100: 220.1,
    0x02020100: 4.567,
    0x02030000: -0.1234,
    0x02060000: 0.987,
    0x02800002: 49.98,
}


async def test_our_driver_reads_a_foreign_meter() -> None:
    (port,) = free_ports(1)
    foreign = AsyncMeterServerService.new_tcp_server("127.0.0.1", port)
    foreign.set_address(bytes.fromhex(ADDRESS)[::-1])
    for di, value in GIVEN.items():
        (foreign.set_00 if di < 0x02000000 else foreign.set_02)(di, value)
    await foreign.start()
    device = meter(PROFILE, ADDRESS)
    gateway = Gateway("gw", f"tcp://127.0.0.1:{port}", timedelta(seconds=0.5))
    driver = Dlt645Driver(
        LineBus(gateway, RealClock()), [(device, PROFILE)], RealClock(), lambda file: None
    )
    try:
        found = by_name(device, await driver.poll(device.id))
    finally:
        await driver.close()
        await foreign.stop()
    for name, spec in PROFILE.points.items():
        if (given := GIVEN.get(int(spec.di, 16))) is not None:
            scale = 1000 if spec.unit == "W" else 1
            assert found[name] == (pytest.approx(given * scale), Reason.NONE), name


async def test_a_foreign_client_reads_our_twin() -> None:
    (port,) = free_ports(1)
    device = meter(PROFILE, ADDRESS)
    line, (twin,) = dlt645_meters([device], PROFILE, RealClock())
    gateway = Gateway("gw", f"tcp://127.0.0.1:{port}", timedelta(seconds=0.5))
    servers = LineServers([(gateway, line)])
    await servers.start()
    client = MeterClientService.new_tcp_client("127.0.0.1", port, timeout=2)
    client.set_address(bytes.fromhex(ADDRESS)[::-1].hex())  # it takes them as they go on the line
    frozen = twin._twin().values()
    twin._twin().values = lambda: frozen
    try:
        for di in GIVEN:
            name = next(name for name, one in PROFILE.points.items() if int(one.di, 16) == di)
            read = client.read_00 if di < 0x02000000 else client.read_02
            item = await asyncio.to_thread(read, di)
            scale = 1000 if PROFILE.points[name].unit == "W" else 1
            shown = frozen.get(name, 0.0)
            step = PROFILE.points[name].scale
            assert item.value * scale == pytest.approx(shown, abs=step / 2 + 1e-9), name
    finally:
        client.disconnect()
        await servers.stop()
