"""Packet captures as streams of bytes; only what the captures beside the checkout need."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CAPTURES = Path(__file__).parents[3] / "shared" / "data" / "pcap"
_TCP = 6
_FILE_HEAD, _RECORD, _ETHERNET = 24, struct.Struct("<IIII"), 14


class Segment(NamedTuple):
    """What one TCP segment carried, and the ports it went from and to."""

    source: int
    target: int
    data: bytes


def segments(file: Path) -> Iterator[Segment]:
    """Read the TCP segments that carry something, in the order they were captured."""
    content = file.read_bytes()
    assert content[:4] == bytes.fromhex("d4c3b2a1"), "a little-endian pcap of microseconds"
    at = _FILE_HEAD
    while at < len(content):
        length = _RECORD.unpack_from(content, at)[2]
        at += _RECORD.size
        packet = content[at + _ETHERNET : at + length]
        at += length
        if (tcp := _tcp(packet)) is not None:
            source, target = struct.unpack_from(">HH", tcp)
            if data := tcp[(tcp[12] >> 4) * 4 :]:
                yield Segment(source, target, data)


def _tcp(packet: bytes) -> bytes | None:
    """Return the TCP part of an IPv4 or IPv6 packet, without the padding of its frame."""
    if packet[0] >> 4 == 4:
        head, size = (packet[0] & 15) * 4, struct.unpack_from(">H", packet, 2)[0]
        return packet[head:size] if packet[9] == _TCP else None
    size = struct.unpack_from(">H", packet, 4)[0]
    return packet[40 : 40 + size] if packet[6] == _TCP else None
