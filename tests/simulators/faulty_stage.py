"""A real server behind a faulty line, the bus that asks it, and a bus in place beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from pymodbus.framer import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers import registry
from hub.clock import RealClock
from hub.site import Gateway, Line
from simulators.faults import Wire
from simulators.framing import Mbap, Rtu
from simulators.front import Front
from simulators.modbus_server import conversation_with
from simulators.proxy import Proxy

TIMEOUT_S = 0.08
SCHEMES = ("tcp", "rtu+tcp")
TABLES = {"holding": 1000, "input": 2000}


class Registers:
    """A bus in place whose registers hold their own address, and 1000 or 2000 by table."""

    def __init__(self) -> None:
        self.written: list[tuple[int, ...]] = []

    async def read(self, unit_id: int, table: str, address: int, count: int) -> Sequence[int]:
        return [TABLES[table] + address + n for n in range(count)]

    async def write(self, unit_id, table, address, values, function=None) -> None:
        self.written.append(tuple(values))

    async def close(self) -> None:
        """Have nothing to close."""


def device(unit_id: int) -> SimDevice:
    blocks = [
        [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
        [SimData(0, values=[False] * 16, datatype=DataType.BITS)],
        [SimData(0, values=[1000 + n for n in range(64)], datatype=DataType.REGISTERS)],
        [SimData(0, values=[2000 + n for n in range(64)], datatype=DataType.REGISTERS)],
    ]
    return SimDevice(unit_id, tuple(blocks))


@asynccontextmanager
async def served(scheme: str, wire: Wire, clock: Any = None) -> AsyncIterator[Front]:
    """Run pymodbus's server and a proxy before it."""
    framer = FramerType.SOCKET if scheme == "tcp" else FramerType.RTU
    server = ModbusTcpServer([device(1), device(2)], framer=framer)
    framing = Mbap() if scheme == "tcp" else Rtu()
    proxy = Proxy(wire, framing, clock or RealClock(1), conversation_with(server))
    gateway = Gateway("gw", f"{scheme}://127.0.0.1:0", timedelta(seconds=TIMEOUT_S))
    front = Front(gateway, proxy.converse)
    try:
        await front.start()
        yield front
    finally:
        await front.stop()


@asynccontextmanager
async def real_bus(
    scheme: str, port: int, timeout_s: float = TIMEOUT_S, **line: Any
) -> AsyncIterator[Any]:
    url = f"{scheme}://127.0.0.1:{port}"
    gateway = Gateway("gw", url, timedelta(seconds=timeout_s), Line(**line))
    bus = registry.open_bus(gateway, RealClock(1))
    try:
        yield bus
    finally:
        await bus.close()
