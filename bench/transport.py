"""CPU of one Modbus TCP read, ours beside pymodbus: `python -m bench.transport`.

Reads blocks of 20 registers from a server in a process of its own and prints the CPU microseconds
of this process per block: flat out over 100 connections, and paced with one block per connection
and second over 1,000 connections. ``bare`` is a protocol that checks nothing: what asyncio costs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import multiprocessing
import statistics
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection

from pymodbus.client import AsyncModbusTcpClient

from drivers.modbus.connection import TcpBus
from hub.clock import RealClock

COUNT = 20
Read = Callable[[], Awaitable[Sequence[int]]]
ASK = struct.Struct(">HHHBBHH")


def new_loop(name: str) -> asyncio.AbstractEventLoop:
    """Make an event loop of the asyncio or uvloop module."""
    return importlib.import_module(name).new_event_loop()


class Server(asyncio.Protocol):
    """Answer every read with as many registers as were asked for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        size = data[11] * 2
        head = data[:4] + (size + 3).to_bytes(2, "big") + data[6:8] + bytes([size])
        self.transport.write(head + data[:1] * size)


class Bare(asyncio.Protocol):
    """Send a question, wait for bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport, self.loop = transport, asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        """End the wait."""
        if not self.answer.done():
            self.answer.set_result(data)

    async def read(self) -> Sequence[int]:
        """Ask and wait."""
        self.answer = self.loop.create_future()
        self.transport.write(ASK.pack(1, 0, 6, 1, 3, 100, COUNT))
        return struct.unpack_from(">20H", await self.answer, 9)


async def ours(port: int) -> Read:
    """Connect the way the hub does."""
    bus = TcpBus(f"tcp://127.0.0.1:{port}", 5, RealClock())
    return lambda: bus.read(1, "holding", 100, COUNT)


async def pymodbus(port: int) -> Read:
    """Connect pymodbus's client."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def read() -> Sequence[int]:
        answer = await client.read_holding_registers(100, count=COUNT, device_id=1)
        return answer.registers

    return read


async def bare(port: int) -> Read:
    """Connect without any care."""
    _, protocol = await asyncio.get_running_loop().create_connection(Bare, "127.0.0.1", port)
    return protocol.read


CLIENTS = {"bare": bare, "ours": ours, "pymodbus": pymodbus}


async def flat_out(reads: Sequence[Read], seconds: float) -> float:
    """Return the CPU seconds per block when every connection asks again at once."""
    blocks, end = 0, time.monotonic() + seconds
    began = time.process_time()

    async def ask(read: Read) -> None:
        nonlocal blocks
        while time.monotonic() < end:
            assert len(await read()) == COUNT  # noqa: S101
            blocks += 1

    await asyncio.gather(*(ask(read) for read in reads))
    return (time.process_time() - began) / blocks


async def paced(reads: Sequence[Read], seconds: float) -> float:
    """Return the CPU seconds per block when every connection is asked once a second."""
    blocks, start = 0, time.monotonic() + 0.5

    async def ask(n: int, read: Read) -> None:
        nonlocal blocks
        due = start + n / len(reads)
        while True:
            await asyncio.sleep(due - time.monotonic())
            await read()
            blocks, due = blocks + 1, due + 1

    tasks = [asyncio.ensure_future(ask(n, read)) for n, read in enumerate(reads)]
    await asyncio.sleep(1.5)
    blocks, began = 0, time.process_time()
    await asyncio.sleep(seconds)
    used = (time.process_time() - began) / blocks
    for task in tasks:
        task.cancel()
    return used


async def measure(name: str, port: int, seconds: float) -> tuple[float, float]:
    """Return CPU microseconds per block, flat out and paced."""
    many = [await CLIENTS[name](port) for _ in range(1000)]
    for read in many:
        await read()
    return await flat_out(many[:100], seconds) * 1e6, await paced(many, seconds) * 1e6


def serve(port: Connection) -> None:
    """Serve until killed."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(
            Server, "127.0.0.1", 0, backlog=2000
        )
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner() as runner:
        runner.run(run())


def child(name: str, port: int, loop: str, seconds: float, out: Connection) -> None:
    """Measure one client in a fresh process."""
    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        out.send(runner.run(measure(name, port, seconds)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    loops = ["asyncio"] + ["uvloop"] * bool(importlib.util.find_spec("uvloop"))
    print(f"CPU us per block, median of {options.rounds}\n| loop | client | flat out | paced |")
    for loop in loops:
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in CLIENTS}
        for _ in range(options.rounds):
            for name, values in found.items():
                arguments = (name, port, loop, options.seconds, there)
                one = multiprocessing.Process(target=child, args=arguments)
                one.start()
                values.append(here.recv())
                one.join()
        for name, values in found.items():
            flat, slow = (statistics.median(column) for column in zip(*values, strict=True))
            print(f"| {loop} | {name} | {flat:.1f} | {slow:.1f} |", flush=True)
    server.kill()


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
