"""A Modbus gateway in memory, at the level of bytes: what the hub sends is what a socket would."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import NamedTuple

from drivers.modbus.connection import Bus, Way
from drivers.modbus.link import Framing, Link
from drivers.modbus.rtu import RtuFraming, checksum
from drivers.modbus.tcp import TcpFraming
from hub.ports import Clock, Table
from hub.site import Line

READS: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
WRITES: dict[int, Table] = {5: "coil", 6: "holding", 15: "coil", 16: "holding"}
ON = 0xFF00
HEADER = 6  # of Modbus TCP, up to the unit id


class Frame(NamedTuple):
    """One write as it stood on the wire, and what its first register was before."""

    unit_id: int
    function: int
    address: int
    values: tuple[int, ...]
    before: int


class Wire:
    """Keeps registers, carries out whatever it is told, and notes every write.

    ``mute``: it obeys and says nothing. ``cuts``: it obeys and ends the connection. ``hides``:
    addresses of holding registers that it takes but does not let be read.
    """

    def __init__(self, clock: Clock, *, rtu: bool = False) -> None:
        self.frames: list[Frame] = []
        self.strange: list[bytes] = []
        self.image: dict[tuple[int, Table, int], int] = {}
        self.hides: set[int] = set()
        self.mute = self.cuts = False
        self.takes_s = self.connects_s = 0.0
        self._links: list[Link] = []
        self._clock = clock
        self._rtu = rtu

    def bus(self, timeout_s: float = 1.0) -> Bus:
        """Return a bus of the hub whose connection leads here."""

        def framing() -> Framing:
            return RtuFraming() if self._rtu else TcpFraming(lenient=False)

        async def open_(make: Callable[[], Link]) -> Link:
            await self._clock.sleep(self.connects_s)
            link = make()
            link.connection_made(_Transport(self, link))
            self._links.append(link)
            return link

        way = Way(framing, open_)
        return Bus("memory://wire", timeout_s, self._clock, Line(), way)

    @property
    def connections(self) -> int:
        """Count the connections that were made."""
        return len(self._links)

    def hang_up(self) -> None:
        """End every connection."""
        for link in self._links:
            link.connection_lost(None)

    def hear(self, data: bytes, link: Link) -> None:
        """Carry out a request and answer it."""
        asked = data[:-2] if self._rtu else data[HEADER:]
        answer = bytes([asked[0]]) + self._answer(asked[0], asked[1:])
        if self.cuts:
            asyncio.get_running_loop().call_soon(link.connection_lost, None)
        elif not self.mute:
            whole = answer + checksum(answer) if self._rtu else _under(data, answer)
            asyncio.get_running_loop().call_later(self.takes_s, link.data_received, whole)

    def _answer(self, unit_id: int, pdu: bytes) -> bytes:
        function, address, count = struct.unpack_from(">BHH", pdu)
        if table := READS.get(function):
            return self._read(unit_id, table, pdu, range(address, address + count))
        if function not in WRITES:
            self.strange.append(pdu)
            return bytes([function | 0x80, 1])
        values = _values(function, count, pdu)
        before = self.image.get((unit_id, WRITES[function], address), 0)
        self.frames.append(Frame(unit_id, function, address, values, before))
        for at, value in enumerate(values, address):
            self.image[unit_id, WRITES[function], at] = value
        return pdu[:5]

    def _read(self, unit_id: int, table: Table, pdu: bytes, addresses: range) -> bytes:
        if table == "holding" and self.hides & set(addresses):
            return bytes([pdu[0] | 0x80, 2])
        values = [self.image.get((unit_id, table, at), 0) for at in addresses]
        if table in ("holding", "input"):
            return struct.pack(f">BB{len(values)}H", pdu[0], 2 * len(values), *values)
        packed = sum(bit << n for n, bit in enumerate(values))
        size = (len(values) + 7) // 8
        return bytes([pdu[0], size]) + packed.to_bytes(size, "little")


class _Transport(asyncio.Transport):
    """One connection to the wire."""

    def __init__(self, wire: Wire, link: Link) -> None:
        super().__init__()
        self._wire, self._link = wire, link

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._wire.hear(bytes(data), self._link)

    def abort(self) -> None:
        pass


def _under(data: bytes, answer: bytes) -> bytes:
    return data[:4] + len(answer).to_bytes(2, "big") + answer


def _values(function: int, count: int, pdu: bytes) -> tuple[int, ...]:
    if function in (5, 6):
        return (count if function == 6 else int(count == ON),)
    data = pdu[6:]
    if function == 16:
        return struct.unpack(f">{count}H", data)
    return tuple(data[n // 8] >> n % 8 & 1 for n in range(count))
