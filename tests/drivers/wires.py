"""Modbus devices that do what a test tells them, byte by byte: TCP, RTU over TCP and serial.

Their frames are checked and summed up by pymodbus, so that ours are held against another's. In a
loop of ``tests.drivers.memory`` connections and serial lines are in memory.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import tty
from collections.abc import Awaitable, Callable

from pymodbus.framer import FramerRTU

from drivers.modbus.connection import Bus, RtuTcpBus, SerialBus, TcpBus
from drivers.modbus.link import Link
from hub.clock import RealClock
from hub.site import Line
from tests.drivers.memory import MemoryLoop, virtual_clock

Send = Callable[[bytes], None]
Answer = Callable[[bytes, Send, int], Awaitable[None]]
SINGLE, READ = (5, 6), (1, 2, 3, 4)
FAST = Line(baudrate=115_200)  # so that the time of the bytes themselves does not matter
KINDS = {"serial": SerialBus, "rtu+tcp": RtuTcpBus, "tcp": TcpBus}


def rtu(adu: bytes) -> bytes:
    """Return an RTU frame, summed up by pymodbus."""
    return adu + FramerRTU.compute_CRC(adu).to_bytes(2, "big")


def honest(adu: bytes) -> bytes:
    """Answer a read with registers that hold unit id * 1000 + address, a write with its echo."""
    unit_id, function, address = adu[0], adu[1], int.from_bytes(adu[2:4], "big")
    if function not in READ:
        return adu[:6]
    count = int.from_bytes(adu[4:6], "big")
    if function in (1, 2):
        data = bytes([0b01010101] * ((count + 7) // 8))
    else:
        data = b"".join(value(unit_id, address + n).to_bytes(2, "big") for n in range(count))
    return bytes([unit_id, function, len(data)]) + data


def value(unit_id: int, address: int) -> int:
    return (unit_id * 1000 + address) & 0xFFFF


class Port(asyncio.Protocol):
    """The far end of a serial line in memory; what is said comes to whoever has it open."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.heard = wire, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire.port = transport

    def data_received(self, data: bytes) -> None:
        self.heard.extend(data)
        self.wire._hear(self.heard, self.wire.say)


class Wire:
    """One end of a line: hears questions and lets ``answer(adu, send, n)`` say what comes back.

    ``framed`` is True for Modbus TCP; ``send`` then takes an answer without its header.
    """

    def __init__(self, *, framed: bool = False) -> None:
        self.framed = framed
        self.questions: list[bytes] = []
        self.times: list[float] = []
        self.connections = self.refused = self.open = 0
        self.most = 1000
        self.slow_s = 0.0  # until a connection that ended is noticed
        self.answer: Answer = self.honestly
        self.hang_up: Callable[[], None] = lambda: None
        self.port: asyncio.Transport
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._master = self._slave = -1
        self._port = 0
        self.url = ""

    async def honestly(self, adu: bytes, send: Send, n: int) -> None:
        send(honest(adu))

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'tcp' if self.framed else 'rtu+tcp'}://127.0.0.1:{port}"

    async def refuse(self) -> None:
        """End the connection and take no other until ``listen``; a serial line stays as it is."""
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()

    def bus(self, timeout_s: float, line: Line = FAST) -> Bus:
        """Return what the hub talks to this wire with, in the time of the running loop."""
        virtual = isinstance(asyncio.get_running_loop(), MemoryLoop)
        clock = virtual_clock() if virtual else RealClock()
        bus = KINDS[self.url.partition("://")[0]](self.url, timeout_s, clock, line)
        if virtual and self.url.startswith("serial"):
            bus._way = dataclasses.replace(bus._way, open=self._open)
        return bus

    def say(self, data: bytes) -> None:
        """Speak on a serial line in memory, to whoever has it open now."""
        self.port.write(data)

    async def _open(self, make: Callable[[], Link]) -> Link:
        """Open the line in memory, in place of a port."""
        link = make()
        asyncio.get_running_loop().pair(link, Port(self))
        return link

    def plug(self) -> None:
        """Be a serial line: one end of a pseudo-terminal, or in memory."""
        if isinstance(asyncio.get_running_loop(), MemoryLoop):
            self.url = "serial:///dev/memory"
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.url = f"serial://{os.ttyname(self._slave)}"
        heard = bytearray()

        def read() -> None:
            heard.extend(os.read(self._master, 4096))
            self._hear(heard, lambda data: os.write(self._master, data) and None)

        asyncio.get_running_loop().add_reader(self._master, read)

    def unplug(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.unplug()
        if self._server is not None:
            self._server.close()
            self.hang_up()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.open >= self.most:
            self.refused += 1
            writer.transport.abort()
            return
        self.connections += 1
        self.open += 1
        self.hang_up = writer.close
        heard = bytearray()
        try:
            while data := await reader.read(4096):
                heard.extend(data)
                self._hear(heard, lambda data: writer.is_closing() or writer.write(data))
        except (asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()
            await asyncio.sleep(self.slow_s)
            self.open -= 1

    def _hear(self, heard: bytearray, write: Send) -> None:
        while size := self._size(bytes(heard)):
            frame = bytes(heard[:size])
            del heard[:size]
            adu = frame[6:] if self.framed else frame[:-2]
            if not self.framed:
                assert frame == rtu(adu)
            self.questions.append(adu)
            self.times.append(asyncio.get_running_loop().time())

            def framed(data: bytes, frame: bytes = frame) -> bytes:
                head = frame[:4] + len(data).to_bytes(2, "big")
                return head + data if self.framed else rtu(data)

            def send(data: bytes, framed: Callable[[bytes], bytes] = framed) -> None:
                write(framed(data))

            send.framed, send.raw = framed, write
            task = asyncio.ensure_future(self.answer(adu, send, len(self.questions)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _size(self, heard: bytes) -> int:
        """Return the length of the first whole frame, 0 when there is none."""
        if self.framed:
            size = 6 + int.from_bytes(heard[4:6], "big") if len(heard) >= 6 else 0
        elif len(heard) < 8:
            size = 0
        else:
            size = 8 if heard[1] in (*READ, *SINGLE) else 9 + heard[6]
        return size if len(heard) >= size else 0
