"""CJ/T 188 frames and what a water meter answers to 901F, pure: octets in, values out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from drivers.profile import Cjt188Point
from hub.model import Quality, Reason, flag

READ, ANSWER, ERROR = 0x01, 0x80, 0x40
GOOD = flag(Quality.GOOD)
GARBAGE = flag(Quality.BAD, Reason.GARBAGE_ANSWER)
_MARKER = flag(Quality.BAD, Reason.INVALID_MARKER)
_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)

_START, _END = 0x68, 0x16
_PREAMBLE = b"\xfe" * 4
_HEADER = 11  # start, type, address, control, length
_TAIL = 2  # checksum, end
_LONGEST = 100
_DI = 2
_ANSWERED = 22  # identification and number, two totals with their units, time, status
_ERROR_OCTETS = 3  # number and status
_PARTS: Mapping[str, tuple[int, int]] = {"total": (0, 5), "settled": (5, 10)}
_STATUS = slice(17, 19)
_LOWEST = 0.01  # the totals are XXXXXX.XX
_M3: Mapping[int, float] = {0x29: 0.001, 0x2C: 1.0}  # unit octet -> m3 in one of it
_VALVE, _BATTERY = 0b11, 0b100


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; ``address`` stands as on the meter's plate, 14 digits, AA for two of any."""

    meter_type: int
    address: str
    control: int
    data: bytes


def octets_of(frame: Frame) -> bytes:
    """Return what goes over the line.

    >>> octets_of(question_about(0x10, "78330011223344", "1F90", 0)).hex(" ")
    'fe fe fe fe 68 10 44 33 22 11 00 33 78 01 03 1f 90 00 80 16'
    """
    address = bytes.fromhex(frame.address)[::-1]
    head = bytes([_START, frame.meter_type, *address, frame.control, len(frame.data)])
    body = head + frame.data
    return _PREAMBLE + body + bytes([sum(body) & 0xFF, _END])


def question_about(meter_type: int, address: str, di: str, number: int) -> Frame:
    """Return the question for the metered values; the answer repeats ``number``."""
    return Frame(meter_type, address, READ, bytes.fromhex(di) + bytes([number]))


def frames_in(heard: bytes) -> list[Frame]:
    """Return every sound frame, whatever stands before, between and after them."""
    found = []
    at = heard.find(_START)
    while at >= 0:
        end = _end(heard, at)
        if end:
            address = heard[at + 2 : at + 9][::-1].hex().upper()
            data = heard[at + _HEADER : end - _TAIL]
            found.append(Frame(heard[at + 1], address, heard[at + 9], data))
        at = heard.find(_START, end or at + 1)
    return found


def _end(heard: bytes, at: int) -> int:
    """Return where the frame that begins at ``at`` ends, 0 when it is broken or not yet whole."""
    if len(heard) < at + _HEADER + _TAIL:
        return 0
    length = heard[at + 10]
    end = at + _HEADER + length + _TAIL
    if length > _LONGEST or len(heard) < end or heard[end - 1] != _END:
        return 0
    return end if sum(heard[at : end - _TAIL]) & 0xFF == heard[end - _TAIL] else 0


def answer_to(question: Frame, heard: bytes) -> Frame | None:
    """Return the frame that answers a question, None when it has not (yet) come.

    The identification may come back in either order, the number must be the one asked with.
    """
    di, number = question.data[:_DI], question.data[_DI:]
    for frame in frames_in(heard):
        if frame.meter_type != question.meter_type or not _is_from(question, frame):
            continue
        if frame.control == question.control | ANSWER | ERROR:
            if len(frame.data) == _ERROR_OCTETS and frame.data[:1] == number:
                return frame
        elif frame.control == question.control | ANSWER:
            same = frame.data[:_DI] in (di, di[::-1])
            if same and frame.data[_DI : _DI + 1] == number and len(frame.data) == _ANSWERED:
                return frame
    return None


def _is_from(question: Frame, frame: Frame) -> bool:
    pairs = zip(bytes.fromhex(question.address), bytes.fromhex(frame.address), strict=True)
    return frame.address.isdecimal() and all(one in (0xAA, other) for one, other in pairs)


def value_of(point: Cjt188Point, answer: Frame) -> tuple[float, int]:
    """Return the value of a point and its packed quality."""
    data = answer.data[_DI + 1 :]
    if point.part in _PARTS:
        value, packed = _total(data[slice(*_PARTS[point.part])])
    else:
        word = int.from_bytes(data[_STATUS], "little")
        valve, battery = word & _VALVE, word & _BATTERY
        values = {"status": word, "valve": valve, "battery_low": int(bool(battery))}
        value, packed = float(values[point.part]), GOOD
    below = point.min is not None and value < point.min
    if packed == GOOD and (below or (point.max is not None and value > point.max)):
        return math.nan, _RANGE
    return value, packed


def _total(octets: bytes) -> tuple[float, int]:
    """Return m3 from four octets of digits, low one first, and the octet of their unit."""
    digits = octets[3::-1].hex()
    if digits == "ffffffff":
        return math.nan, _MARKER
    if not digits.isdecimal():
        return math.nan, _NUMBER
    if octets[4] not in _M3:
        return math.nan, GARBAGE
    return int(digits) * _LOWEST * _M3[octets[4]], GOOD
