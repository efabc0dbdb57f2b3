"""Our connections read servers of others, and clients of others read our twins; values equal.

Servers: pymodbus (TCP, RTU over TCP, serial), pyModbusTCP, libmodbus (TCP, serial). Clients: mbpoll
(TCP, serial), pyModbusTCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pyModbusTCP.client import ModbusClient
from pyModbusTCP.server import ModbusServer

from drivers.modbus.connection import Bus, RtuTcpBus, SerialBus, TcpBus
from hub.clock import RealClock
from hub.ports import ExceptionAnswerError, NoAnswerError
from hub.site import Device, Gateway, Line
from simulators.campus import Fleet
from simulators.modbus_server import ModbusServers
from simulators.virtual import TwinBus
from tests.drivers.foreign_server import compiled
from tests.drivers.meters import shipped
from tests.ports import free_ports

REGISTERS = [(n * 7919) & 0xFFFF for n in range(200)]
BITS = [n % 3 == 0 for n in range(64)]


def devices() -> list[SimDevice]:
    blocks = (
        [SimData(0, values=BITS, datatype=DataType.BITS)],
        [SimData(0, values=BITS, datatype=DataType.BITS)],
        [SimData(0, values=REGISTERS, datatype=DataType.REGISTERS)],
        [SimData(0, values=REGISTERS[::-1], datatype=DataType.REGISTERS)],
    )
    return [SimDevice(unit_id, blocks) for unit_id in (1, 7)]


@pytest.fixture(params=["tcp", "rtu+tcp", "serial"])
async def bus(request) -> AsyncIterator[Bus]:
    if request.param == "serial":
        async for made in serial_bus():
            yield made
        return
    framer = FramerType.SOCKET if request.param == "tcp" else FramerType.RTU
    server = ModbusTcpServer(devices(), address=("127.0.0.1", 0), framer=framer)
    await server.serve_forever(background=True)
    port = server.transport.sockets[0].getsockname()[1]
    kind = TcpBus if request.param == "tcp" else RtuTcpBus
    made = kind(f"{request.param}://127.0.0.1:{port}", 2, RealClock())
    yield made
    await made.close()
    await server.shutdown()


async def serial_bus() -> AsyncIterator[Bus]:
    with joined() as (our_end, their_end):
        server = ModbusSerialServer(
            devices(), framer=FramerType.RTU, port=their_end, baudrate=115_200
        )
        await server.serve_forever(background=True)
        made = SerialBus(f"serial://{our_end}", 2, RealClock(), Line(baudrate=115_200))
        yield made
        await made.close()
        await server.shutdown()


@contextlib.contextmanager
def joined() -> Iterator[tuple[str, str]]:
    """Join two pseudo-terminals back to back: one for the server, one for us."""
    loop = asyncio.get_running_loop()
    (ours, our_end), (theirs, their_end) = os.openpty(), os.openpty()
    for end in (our_end, their_end):
        tty.setraw(end)
    loop.add_reader(ours, lambda: os.write(theirs, os.read(ours, 4096)))
    loop.add_reader(theirs, lambda: os.write(ours, os.read(theirs, 4096)))
    try:
        yield os.ttyname(our_end), os.ttyname(their_end)
    finally:
        for fd in (ours, theirs):
            loop.remove_reader(fd)
        for fd in (ours, our_end, theirs, their_end):
            os.close(fd)


async def test_all_tables_are_read_as_the_server_holds_them(bus) -> None:
    for address, count in ((0, 1), (3, 125), (75, 125)):
        wanted = REGISTERS[address : address + count]
        assert list(await bus.read(1, "holding", address, count)) == wanted
        wanted = REGISTERS[::-1][address : address + count]
        assert list(await bus.read(7, "input", address, count)) == wanted
    for address, count in ((0, 1), (5, 11), (0, 64)):
        wanted = [int(bit) for bit in BITS[address : address + count]]
        assert list(await bus.read(1, "coil", address, count)) == wanted
        assert list(await bus.read(1, "discrete", address, count)) == wanted


async def test_what_is_written_is_read_back(bus) -> None:
    await bus.write(1, "holding", 10, [1, 0xFFFF, 3])
    await bus.write(1, "holding", 13, [44], 6)
    assert list(await bus.read(1, "holding", 10, 4)) == [1, 0xFFFF, 3, 44]
    await bus.write(1, "coil", 4, [1])
    await bus.write(1, "coil", 5, [0, 1, 1, 0, 1, 0, 0, 1, 1])
    assert list(await bus.read(1, "coil", 4, 10)) == [1, 0, 1, 1, 0, 1, 0, 0, 1, 1]


async def test_a_register_that_is_not_there_is_exception_2(bus) -> None:
    with pytest.raises(ExceptionAnswerError) as caught:
        await bus.read(1, "holding", 190, 20)
    assert caught.value.code == 2


async def test_many_questions_in_a_row_are_answered(bus) -> None:
    for n in range(100):
        assert list(await bus.read(1, "holding", n, 3)) == REGISTERS[n : n + 3]


async def test_a_unit_that_is_not_there_does_not_stop_the_others(bus) -> None:
    bus._timeout_s = 0.1
    with pytest.raises((NoAnswerError, ExceptionAnswerError)):
        await bus.read(99, "holding", 0, 1)
    assert list(await bus.read(1, "holding", 0, 2)) == REGISTERS[:2]


async def holds_what_it_should(bus: Bus) -> None:
    """Read and write registers and bits of a foreign server."""
    assert list(await bus.read(1, "holding", 3, 125)) == REGISTERS[3:128]
    assert list(await bus.read(1, "input", 75, 125)) == REGISTERS[::-1][75:]
    wanted = [int(bit) for bit in BITS[5:16]]
    assert list(await bus.read(1, "coil", 5, 11)) == wanted
    assert list(await bus.read(1, "discrete", 5, 11)) == wanted
    await bus.write(1, "holding", 10, [1, 0xFFFF, 3])
    await bus.write(1, "holding", 13, [44], 6)
    assert list(await bus.read(1, "holding", 10, 4)) == [1, 0xFFFF, 3, 44]
    await bus.write(1, "coil", 5, [0, 1, 1])
    assert list(await bus.read(1, "coil", 5, 3)) == [0, 1, 1]


async def test_we_read_the_server_of_pymodbustcp() -> None:
    (port,) = free_ports(1)
    server = ModbusServer("127.0.0.1", port, no_block=True)
    for table, values in (("holding", REGISTERS), ("input", REGISTERS[::-1])):
        getattr(server.data_bank, f"set_{table}_registers")(0, values)
    server.data_bank.set_coils(0, BITS)
    server.data_bank.set_discrete_inputs(0, BITS)
    server.start()
    bus = TcpBus(f"tcp://127.0.0.1:{port}", 5, RealClock())
    try:
        await holds_what_it_should(bus)
    finally:
        await bus.close()
        server.stop()


@asynccontextmanager
async def started(program: Path, *arguments: str) -> AsyncIterator[None]:
    """Run a server of libmodbus."""
    server = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        assert await asyncio.wait_for(server.stdout.readline(), 10) == b"ready\n"
        yield
    finally:
        if server.returncode is None:
            server.kill()
        await server.communicate()


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
async def test_we_read_the_server_of_libmodbus(kind: str, tmp_path: Path) -> None:
    program = compiled(tmp_path)
    if kind == "tcp":
        (port,) = free_ports(1)
        async with started(program, "tcp", str(port)):
            bus: Bus = TcpBus(f"tcp://127.0.0.1:{port}", 5, RealClock())
            try:
                await holds_what_it_should(bus)
                with pytest.raises(ExceptionAnswerError, match="2"):
                    await bus.read(1, "holding", 190, 20)
            finally:
                await bus.close()
        return
    with joined() as (our_end, their_end):
        async with started(program, "rtu", their_end):
            bus = SerialBus(f"serial://{our_end}", 5, RealClock(), Line(baudrate=115_200))
            try:
                await holds_what_it_should(bus)
            finally:
                await bus.close()


METERS = ("eastron-sdm630", "reference-room-meter", "chint-dtsu666")


@asynccontextmanager
async def twins(url: str) -> AsyncIterator[TwinBus]:
    """Serve three meters whose time stands still; give their registers without a socket."""
    profiles = {name: shipped(name) for name in METERS}
    devices = [
        Device(f"d/{name}", name, "meter", f"d/1/{unit_id}", timedelta(0), "gw", unit_id, ())
        for unit_id, name in enumerate(METERS, 1)
    ]
    fleet = Fleet(devices, profiles, RealClock(7), pace=0.0)
    servers = ModbusServers(fleet, [Gateway("gw", url, timedelta(seconds=5))])
    await servers.start()
    try:
        yield TwinBus(fleet, devices)
    finally:
        await servers.stop()


READS = ((1, "input", 0, 60), (2, "input", 0, 14), (2, "holding", 0, 2), (3, "holding", 0x2000, 70))


async def agree(bus: TwinBus, read: Callable[[int, str, int, int], Sequence[int] | None]) -> None:
    for unit_id, table, address, count in READS:
        wanted = list(await bus.read(unit_id, table, address, count))
        found = await asyncio.to_thread(read, unit_id, table, address, count)
        assert found is not None
        assert list(found) == wanted
        assert any(wanted)


async def test_pymodbustcp_reads_our_twins() -> None:
    (port,) = free_ports(1)

    def read(unit_id: int, table: str, address: int, count: int) -> Sequence[int] | None:
        client = ModbusClient("127.0.0.1", port, unit_id=unit_id, timeout=10)
        try:
            return getattr(client, f"read_{table}_registers")(address, count)
        finally:
            client.close()

    async with twins(f"tcp://127.0.0.1:{port}") as bus:
        await agree(bus, read)


@pytest.mark.parametrize("kind", ["tcp", "rtu"])
async def test_mbpoll_reads_our_twins(kind: str, binary: Callable[..., str]) -> None:
    program = binary("mbpoll")
    with tempfile.TemporaryDirectory(prefix="lines-") as folder:
        if kind == "tcp":
            (port,) = free_ports(1)
            url = f"tcp://127.0.0.1:{port}"
            way = ["-m", "tcp", "-p", str(port), "127.0.0.1"]
        else:
            url = f"serial://{folder}/line"
            way = ["-m", "rtu", "-b", "115200", "-P", "none", f"{folder}/line"]

        async with twins(url) as bus:
            for unit_id, table, address, count in READS:
                kind_of = {"input": "3:hex", "holding": "4:hex"}[table]
                command = [program, "-0", "-1", "-q", "-o", "5", "-t", kind_of, "-a", str(unit_id)]
                process = await asyncio.create_subprocess_exec(
                    *command,
                    *("-r", str(address), "-c", str(count), *way),
                    stdout=asyncio.subprocess.PIPE,
                )
                printed, _ = await process.communicate()
                found = re.findall(r"^\[\d+\]:\s+0x([0-9A-F]{4})", printed.decode(), re.MULTILINE)
                wanted = list(await bus.read(unit_id, table, address, count))
                assert [int(word, 16) for word in found] == wanted, printed.decode()
