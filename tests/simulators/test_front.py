"""Where gateways are met: loopback only, and serial lines that are never put over anything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from drivers import registry
from hub.clock import RealClock
from hub.ports import DeviceError, StartError
from hub.site import Gateway
from hub.site import Line as Settings
from simulators.front import Front
from simulators.modbus_server import ModbusServers
from simulators.virtual import TwinBus


@pytest.fixture
def temporary():
    with tempfile.TemporaryDirectory(prefix="lines-") as folder:
        yield Path(folder)


def serial(path: Path | str, timeout_s: float = 5) -> Gateway:
    line = Settings(baudrate=115_200)
    return Gateway("gw-rooms", f"serial://{path}", timedelta(seconds=timeout_s), line)


async def echo(reader, writer) -> None:
    while heard := await reader.read(100):
        writer.write(heard)


@asynccontextmanager
async def served(gateway: Gateway, fleet):
    servers = ModbusServers(fleet, [gateway])
    await servers.start()
    bus = registry.open_bus(gateway, RealClock(1))
    try:
        yield bus
    finally:
        await bus.close()
        await servers.stop()


async def test_a_serial_line_has_the_registers_of_virtual_time(fleet, temporary):
    behind = [one for one in fleet.devices.values() if one.gateway == "gw-rooms"]
    twins = TwinBus(fleet, behind)
    async with served(serial(temporary / "bus"), fleet) as bus:
        for unit_id in range(1, 7):
            found = await bus.read(unit_id, "input", 0, 14)
            assert list(found) == await twins.read(unit_id, "input", 0, 14)
        await bus.write(2, "holding", 0, [0])
        assert fleet.twin("dorm-07/meter-302").values()["relay"] == 0
    assert not (temporary / "bus").is_symlink()


async def test_half_a_question_does_not_spoil_the_line_for_ever(fleet, temporary):
    """A hub that was ended while it spoke leaves octets behind, and a serial line stays open."""
    async with served(serial(temporary / "bus", timeout_s=0.4), fleet) as bus:
        port = os.open(temporary / "bus", os.O_RDWR | os.O_NOCTTY)
        os.write(port, b"\x01\x04\x00")
        os.close(port)
        found: list[int] = []
        async with asyncio.timeout(15):
            while not found:
                with contextlib.suppress(DeviceError):
                    found = list(await bus.read(1, "input", 0, 2))


async def test_a_serial_line_is_put_over_nothing_and_nowhere_by_surprise(temporary, tmp_path):
    kept = temporary / "kept"
    kept.write_text("mine")
    link = temporary / "link"
    link.symlink_to(kept)
    for path, why in (
        (kept, "is there already"),
        (link, "is there already"),
        ("/dev/ttyUSB99", "a place for real devices"),
        ("/usr/ttyS99", "no temporary place"),
    ):
        with pytest.raises(StartError, match=why):
            await Front(serial(path), echo).start()
    assert kept.read_text() == "mine"
    with pytest.raises(StartError, match="a place for real devices"):
        await Front(serial("/anywhere"), echo, Path("/dev/ttyUSB99")).start()


async def test_a_line_that_was_left_behind_is_replaced(temporary):
    link = temporary / "bus"
    link.symlink_to("/dev/pts/999999")
    front = Front(serial(link), echo)
    await front.start()
    assert link.exists()
    await front.stop()
    assert not link.is_symlink()
    assert not link.exists()


async def test_a_told_place_wins_over_the_url(temporary):
    front = Front(serial("/usr/ttyS99"), echo, temporary / "told")
    await front.start()
    port = os.open(temporary / "told", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(port, b"hello")
    loop, heard = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(port, heard.set)
    await asyncio.wait_for(heard.wait(), 10)
    assert os.read(port, 100) == b"hello"
    loop.remove_reader(port)
    os.close(port)
    await front.stop()


async def test_a_port_elsewhere_is_refused():
    elsewhere = Gateway("gw", "rtu+tcp://10.0.7.10:502", timedelta(seconds=1))
    with pytest.raises(StartError, match=r"10\.0\.7\.10.*not on this machine"):
        await Front(elsewhere, echo).start()
