"""Modbus RTU frames: nothing but a checksum says where an answer begins and ends."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.modbus.frame import REFUSAL, Question

_KEPT = 512  # two of the longest frames
_POLYNOMIAL = 0xA001
_CHECKSUM = 2


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL * (byte & 1)
    return byte


_REMAINDERS = tuple(_remainder(byte) for byte in range(256))


def checksum(data: bytes) -> bytes:
    """Return the CRC-16 of Modbus, low byte first.

    >>> checksum(bytes.fromhex("010300000001")).hex()
    '840a'
    """
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _REMAINDERS[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


class RtuFraming:
    """Frames of Modbus RTU. They carry no number, so a late answer looks like the next one."""

    knows_late = False

    def __init__(self) -> None:
        self.doubt = ""
        self._kept = b""

    def frame(self, _number: int, question: Question) -> bytes:
        """Return the bytes that ask; what was heard before them answers something else."""
        self._kept, self.doubt = b"", ""
        return question.sent + checksum(question.sent)

    def owe(self, number: int) -> None:
        """Have nothing to note: the bus lets the line fall quiet instead."""

    def take(self, data: bytes, waiting: Mapping[int, Question]) -> list[tuple[int, bytes]]:
        """Find the answer among the bytes heard, whatever noise stands before and after it."""
        for number, question in waiting.items():
            heard = (self._kept + data)[-_KEPT:]
            if answer := find(question, heard):
                return [(number, answer)]
            self._kept = heard
            self.doubt = f"{len(heard)} bytes, but no whole answer with a right checksum"
        return []


def find(question: Question, heard: bytes) -> bytes | None:
    """Return the first run of bytes that begins, ends and sums up like an answer to the question.

    >>> from drivers.modbus.frame import reading
    >>> find(reading(1, "holding", 0, 1), bytes.fromhex("ffff 0103020007f986 00")).hex()
    '0103020007'
    """
    unit_id, function = question.sent[0], question.sent[1]
    refusal = bytes((unit_id, function | REFUSAL))
    found = [_first(question.head, question.size, heard), _first(refusal, 3, heard)]
    starts = [at for at in found if at is not None]
    if not starts:
        return None
    at = min(starts)
    return heard[at : at + (3 if heard[at + 1] & REFUSAL else question.size)]


def _first(head: bytes, size: int, heard: bytes) -> int | None:
    """Return where the first whole answer of this beginning and size stands."""
    at = heard.find(head)
    while 0 <= at <= len(heard) - size - _CHECKSUM:
        end = at + size
        if heard[end : end + _CHECKSUM] == checksum(heard[at:end]):
            return at
        at = heard.find(head, at + 1)
    return None
