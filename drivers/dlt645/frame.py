"""DL/T 645-2007 frames, pure: octets in, octets out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from drivers.profile import MeterCommand

READ, READ_MORE, COMMAND, TIME = 0x11, 0x12, 0x1C, 0x08
ANSWER, ERROR, MORE = 0x80, 0x40, 0x20
NO_SUCH_DATA = 0x02  # bit of an error answer
EVERYBODY = "999999999999"
COMMANDS: Mapping[MeterCommand, int] = {
    "trip": 0x1A, "permit_reclose": 0x1B, "close": 0x1C, "keep_power": 0x3A, "keep_power_off": 0x3B,
}  # fmt: skip

_START, _END = 0x68, 0x16
_PREAMBLE = b"\xfe" * 4  # wakes the meter's receiver
_HEADER = 10  # start, address, start, control, length
_TAIL = 2  # checksum, end
_SHIFT = 0x33
_LONGEST = 200
_DI = 4
_COMMAND_OCTETS = 16  # level and password, operator, command, 00, valid until
_TIME_OCTETS = 6
_SIGN = 0x80
_ERRORS = (
    "other error", "no such data", "wrong password or not allowed", "speed cannot change",
    "too many seasons", "too many day periods", "too many tariffs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    ``address`` stands as on the meter's plate, 12 digits, with AA for two that may be any; ``data``
    is what is meant, without the 33H that each octet has more on the line.
    """

    address: str
    control: int
    data: bytes = b""


def octets_of(frame: Frame) -> bytes:
    """Return what goes over the line.

    >>> octets_of(Frame("000000000161", READ, bytes.fromhex("00000100"))).hex(" ")
    'fe fe fe fe 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16'
    """
    address = bytes.fromhex(frame.address)[::-1]
    data = bytes(octet + _SHIFT & 0xFF for octet in frame.data)
    body = bytes([_START, *address, _START, frame.control, len(data), *data])
    return _PREAMBLE + body + bytes([sum(body) & 0xFF, _END])


def frames_in(heard: bytes) -> list[Frame]:
    r"""Return every sound frame, whatever stands before, between and after them.

    >>> frames_in(bytes.fromhex("00 68 fe 68 61 01 00 00 00 00 68 d1 01 35 39 16 68"))
    [Frame(address='000000000161', control=209, data=b'\x02')]
    """
    found = []
    at = heard.find(_START)
    while at >= 0:
        end = _end(heard, at)
        if end:
            address = heard[at + 1 : at + 7][::-1].hex().upper()
            data = bytes(octet - _SHIFT & 0xFF for octet in heard[at + _HEADER : end - _TAIL])
            found.append(Frame(address, heard[at + 8], data))
        at = heard.find(_START, end or at + 1)
    return found


def _end(heard: bytes, at: int) -> int:
    """Return where the frame that begins at ``at`` ends, 0 when it is broken or not yet whole."""
    if len(heard) < at + _HEADER + _TAIL or heard[at + 7] != _START:
        return 0
    length = heard[at + 9]
    end = at + _HEADER + length + _TAIL
    if length > _LONGEST or len(heard) < end or heard[end - 1] != _END:
        return 0
    return end if sum(heard[at : end - _TAIL]) & 0xFF == heard[end - _TAIL] else 0


def answer_to(question: Frame, heard: bytes) -> Frame | None:
    """Return the frame that answers a question, None when it has not (yet) come.

    Frames of other meters and answers to other questions are passed over: they may be late.
    """
    for frame in frames_in(heard):
        if _is_from(question.address, frame.address) and _fits(question, frame):
            return frame
    return None


def _is_from(asked: str, address: str) -> bool:
    pairs = zip(bytes.fromhex(asked), bytes.fromhex(address), strict=True)
    return address.isdecimal() and all(one in (0xAA, other) for one, other in pairs)


def _fits(question: Frame, frame: Frame) -> bool:
    """Tell whether a frame is what this question is answered with, whoever sent it."""
    if frame.control == question.control | ANSWER | ERROR:
        return 1 <= len(frame.data) <= 2  # noqa: PLR2004 - meters with security tell two octets
    if frame.control & ~MORE != question.control | ANSWER:
        return False
    if question.control == COMMAND:
        return frame.control & MORE == 0 and not frame.data
    same = frame.data[:_DI] == question.data[:_DI]
    if question.control == READ_MORE:
        return same and len(frame.data) > _DI and frame.data[-1] == question.data[_DI]
    return same


def question_about(address: str, di: str, number: int = 0) -> Frame:
    """Return the question for a data identification; ``number`` 1.. asks for what follows."""
    data = bytes.fromhex(di)[::-1]
    return (
        Frame(address, READ_MORE, data + bytes([number])) if number else Frame(address, READ, data)
    )


def command(address: str, name: MeterCommand, password: str, until: datetime) -> Frame:
    """Return a relay command; ``password`` is the level and six digits, like 02123456.

    The meter obeys until its own clock passes ``until``.
    """
    key = bytes.fromhex(password)
    data = key[:1] + key[:0:-1] + bytes(4) + bytes([COMMANDS[name], 0]) + _written(until)
    return Frame(address, COMMAND, data)


def time_for_everybody(local: datetime) -> Frame:
    """Return the frame that sets the clock of every meter on the line; nobody answers it."""
    return Frame(EVERYBODY, TIME, _written(local))


def _written(local: datetime) -> bytes:
    """Write an instant as all numbers go: two digits an octet, the seconds first."""
    return bytes.fromhex(local.strftime("%S%M%H%d%m%y"))


def objection(frame: Frame) -> str | None:
    """Say why a frame may not go out, or None: the last look before the line.

    Only questions, the five relay commands to one meter, and the time to everybody are ever sent:
    no clearing (19H, 1AH, 1BH), no writing (14H), no change of address, speed or password.
    """
    match frame.control:
        case 0x11 | 0x12:
            return "a question to everybody" if frame.address == EVERYBODY else None
        case 0x08:
            right = frame.address == EVERYBODY and len(frame.data) == _TIME_OCTETS
            return None if right else "the time goes to everybody in 6 octets"
        case 0x1C:
            return _unclear(frame)
        case _:
            return f"control code {frame.control:02X}H is never sent"


def _unclear(frame: Frame) -> str | None:
    if not frame.address.isdecimal() or frame.address == EVERYBODY:
        return f"a command goes to one meter with all its 12 digits, not to {frame.address}"
    if len(frame.data) != _COMMAND_OCTETS or frame.data[8] not in COMMANDS.values():
        return "no relay command that the hub knows"
    return None


def error_text(frame: Frame) -> str:
    r"""Say what an error answer means.

    >>> error_text(Frame("000000000161", 0xDC, b"\x04"))
    'error 04: wrong password or not allowed'
    """
    said = [text for bit, text in enumerate(_ERRORS) if frame.data[0] >> bit & 1]
    return f"error {frame.data.hex().upper()}: {', '.join(said) or 'unknown'}"


def number_in(data: bytes, *, signed: bool = False) -> int | None:
    """Return the decimal number that these octets hold, low one first; None when it is none.

    >>> number_in(bytes.fromhex("341280"), signed=True)
    -1234
    >>> number_in(bytes.fromhex("FFFF"))
    """
    octets = bytearray(reversed(data))
    negative = signed and octets[0] & _SIGN
    if negative:
        octets[0] &= ~_SIGN
    digits = octets.hex()
    if not digits.isdecimal():
        return None
    return -int(digits) if negative else int(digits)
