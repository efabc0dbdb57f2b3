"""Modbus frames as the proxy reads them off a stream: MBAP (Modbus TCP) and RTU.

The drivers have their own reading of both; the two sides check each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader
from typing import Protocol

_HEADER = 7  # of MBAP: transaction id, protocol id, length, unit id
_REFUSAL = 0x80
_WITH_DATA = (15, 16)
_SINGLES = (5, 6, 15, 16)
_POLYNOMIAL = 0xA001
_GAP_S = 0.02


class Framing(Protocol):
    """How unit id and PDU lie in a frame."""

    async def question(self, reader: StreamReader) -> bytes:
        """Read one whole question."""

    async def answer(self, reader: StreamReader) -> bytes:
        """Read one whole answer."""

    def number(self, frame: bytes) -> int:
        """Return what question and answer have in common."""

    def unit_id(self, frame: bytes) -> int:
        """Return whom a frame concerns."""

    def pdu(self, frame: bytes) -> bytes:
        """Return function and data."""

    def rebuilt(self, frame: bytes, unit_id: int, pdu: bytes) -> bytes:
        """Return a right frame of another content, numbered like this one."""

    def renumbered(self, frame: bytes, number: int) -> bytes:
        """Return the frame under another transaction id, where there is one."""

    def miscounted(self, frame: bytes) -> bytes:
        """Return what is left of a frame with a wrong checksum."""


class Mbap:
    """Modbus TCP: the length stands in the header, and TCP has checked the sum."""

    async def question(self, reader: StreamReader) -> bytes:
        """Read one whole question."""
        head = await reader.readexactly(_HEADER - 1)
        return head + await reader.readexactly(int.from_bytes(head[4:], "big"))

    answer = question

    def number(self, frame: bytes) -> int:
        """Return the transaction id."""
        return int.from_bytes(frame[:2], "big")

    def unit_id(self, frame: bytes) -> int:
        """Return whom a frame concerns."""
        return frame[_HEADER - 1]

    def pdu(self, frame: bytes) -> bytes:
        """Return function and data."""
        return frame[_HEADER:]

    def rebuilt(self, frame: bytes, unit_id: int, pdu: bytes) -> bytes:
        """Return a right frame of another content, numbered like this one."""
        return frame[:4] + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit_id]) + pdu

    def renumbered(self, frame: bytes, number: int) -> bytes:
        """Return the frame under another transaction id."""
        return number.to_bytes(2, "big") + frame[2:]

    def miscounted(self, frame: bytes) -> bytes:
        """Return nothing: the gateway has checked what came off its serial line."""
        del frame
        return b""


class Rtu:
    """Modbus RTU, on a serial line or through TCP: the function tells the length."""

    async def question(self, reader: StreamReader) -> bytes:
        """Read one whole question; what has a wrong checksum is dropped up to a quiet gap."""
        while crc((frame := await self._frame(reader))[:-2]) != frame[-2:]:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GAP_S):
                    while await reader.read(256):
                        pass
                raise ConnectionResetError
        return frame

    async def _frame(self, reader: StreamReader) -> bytes:
        head = await reader.readexactly(2)
        if head[1] not in _WITH_DATA:
            return head + await reader.readexactly(6)
        more = await reader.readexactly(5)
        return head + more + await reader.readexactly(more[-1] + 2)

    async def answer(self, reader: StreamReader) -> bytes:
        """Read one whole answer."""
        head = await reader.readexactly(3)
        rest = 2 if head[1] & _REFUSAL else 5 if head[1] in _SINGLES else head[2] + 2
        return head + await reader.readexactly(rest)

    def number(self, frame: bytes) -> int:
        """Return the unit id: there is nothing else."""
        return frame[0]

    def unit_id(self, frame: bytes) -> int:
        """Return whom a frame concerns."""
        return frame[0]

    def pdu(self, frame: bytes) -> bytes:
        """Return function and data."""
        return frame[1:-2]

    def rebuilt(self, frame: bytes, unit_id: int, pdu: bytes) -> bytes:
        """Return a right frame of another content."""
        del frame
        body = bytes([unit_id]) + pdu
        return body + crc(body)

    def renumbered(self, frame: bytes, number: int) -> bytes:
        """Return the frame as it is: it has no number."""
        del number
        return frame

    def miscounted(self, frame: bytes) -> bytes:
        """Return the frame with a checksum that is not its own."""
        return frame[:-2] + bytes(byte ^ 0xFF for byte in frame[-2:])


def crc(data: bytes) -> bytes:
    """Return the checksum of Modbus RTU, low byte first.

    >>> crc(bytes.fromhex("010300000001")).hex()
    '840a'
    """
    total = 0xFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ _POLYNOMIAL if total & 1 else total >> 1
    return total.to_bytes(2, "little")
