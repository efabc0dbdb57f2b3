"""An event loop in virtual time whose connections are in memory.

What a test sends is there at once and nothing else takes time, so a busy machine makes no answer
late that the test did not make late. ``asyncio.start_server`` and whatever connects to its port
need not know of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from hub.clock import VirtualClock, VirtualLoop

START_MS = 1_700_000_000_000
VIRTUAL = pytest.mark.virtual_time

Make = Callable[[], asyncio.BaseProtocol]


class Address(NamedTuple):
    """What is asked of a listening socket."""

    port: int

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


class End(asyncio.Transport):
    """One end of a connection; what is written comes out at the other in the next turn."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._loop, self.protocol, self._closing = loop, protocol, False
        self.other: End

    def write(self, data: bytes) -> None:
        if not self._closing:
            self._loop.call_soon(self.other.hear, bytes(data))

    def hear(self, data: bytes) -> None:
        if not self._closing:
            self.protocol.data_received(data)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self.protocol.connection_lost, None)
            self._loop.call_soon(self.other.close)

    abort = close


class Listener:
    """A port on which connections are taken."""

    def __init__(self, ports: dict[int, Make], port: int) -> None:
        self._ports, self._port = ports, port
        self.sockets = [Address(port)]

    def close(self) -> None:
        self._ports.pop(self._port, None)

    async def wait_closed(self) -> None:
        """Have nothing to wait for."""


class MemoryLoop(VirtualLoop):
    """Virtual time, and connections in memory."""

    def __init__(self) -> None:
        super().__init__()
        self._ports: dict[int, Make] = {}

    async def create_server(self, make: Make, host: str, port: int = 0, **_: Any) -> Listener:
        port = port or 20_000 + len(self._ports)
        self._ports[port] = make
        return Listener(self._ports, port)

    async def create_connection(
        self, make: Make, host: str, port: int, **_: Any
    ) -> tuple[End, asyncio.BaseProtocol]:
        if port not in self._ports:
            raise ConnectionRefusedError(111, "Connection refused")
        ours = self.pair(make(), self._ports[port]())
        return ours, ours.protocol

    def pair(self, ours: asyncio.BaseProtocol, theirs: asyncio.BaseProtocol) -> End:
        """Connect two protocols; return our end."""
        one, other = End(self, ours), End(self, theirs)
        one.other, other.other = other, one
        theirs.connection_made(other)
        ours.connection_made(one)
        return one


def virtual_clock() -> VirtualClock:
    """Return the clock of the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return VirtualClock(loop, START_MS, 7)


def loops(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop that a test has asked for: the real one, or this one by ``VIRTUAL``."""
    if item.get_closest_marker(VIRTUAL.name):
        return {"virtual": MemoryLoop}
    return {"real": asyncio.new_event_loop}
