"""Devices and a Modbus server that does what a test tells it, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta

import pytest

from hub.model import Point, Text
from hub.site import Device
from tests.drivers import memory

Answer = Callable[[bytes, int], Awaitable[bytes | None]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return memory.loops(item)


class Server:
    """Answers frames with what ``answer(frame, n)`` returns; None means silence."""

    def __init__(self) -> None:
        self.echo: Answer = echo
        self.answer: Answer = echo
        self.frames: list[bytes] = []
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readexactly(6)
                frame = head + await reader.readexactly(int.from_bytes(head[4:], "big"))
                self.frames.append(frame)
                answer = await self.answer(frame, len(self.frames))
                if answer == b"":
                    return
                if answer is not None:
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()


async def echo(frame: bytes, _n: int) -> bytes:
    """Answer a read with registers that hold their own address, a write with its echo."""
    function, address = frame[7], int.from_bytes(frame[8:10], "big")
    if function in (5, 6, 15, 16):
        return reply(frame, frame[7:12])
    count = int.from_bytes(frame[10:12], "big")
    if function in (3, 4):
        data = b"".join((address + n).to_bytes(2, "big") for n in range(count))
    else:
        data = bytes([0b01010101] * ((count + 7) // 8))
    return reply(frame, bytes([function, len(data)]) + data)


def reply(frame: bytes, pdu: bytes) -> bytes:
    return frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + frame[6:7] + pdu


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def device() -> Callable[..., Device]:
    """Return a function that makes a device with points of the given names."""

    def make(
        id_: str, *names: str, unit_id: int | None = 1, first: int = 1, interval_s: float = 60
    ) -> Device:
        return Device(
            id_,
            "test",
            "meter",
            "dorm-01/101",
            timedelta(seconds=interval_s),
            "gw-1" if unit_id else None,
            unit_id,
            tuple(
                Point(first + n, f"{id_}/{name}", id_, name, "", "gauge", Text(name, name))
                for n, name in enumerate(names)
            ),
        )

    return make
