"""Questions and answers of Modbus as bytes, whatever carries them; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from hub.ports import Table

READS: Final[Mapping[Table, int]] = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
REFUSAL = 0x80  # added to the function of an exception answer
_NAMES: Final[Mapping[int, str]] = {
    **{function: table for table, function in READS.items()},
    5: "write coil", 6: "write holding", 15: "write coil", 16: "write holding",
}  # fmt: skip
_REFUSED = 3  # unit id, function and code
_ON = 0xFF00
_ASK = Struct(">BBHH")
_ASK_MORE = Struct(">BBHHB")


class Question(NamedTuple):
    """What is sent, and how a good answer begins and how long it is; all from the unit id on."""

    sent: bytes
    head: bytes
    size: int

    def __str__(self) -> str:
        """Say it the way people do.

        >>> str(reading(12, "holding", 100, 2))
        'unit 12 holding 100'
        """
        unit_id, function, address = self.sent[0], self.sent[1], self.sent[2:4]
        return f"unit {unit_id} {_NAMES[function]} {int.from_bytes(address, 'big')}"


@lru_cache(4096)  # the same few questions are asked for ever
def reading(unit_id: int, table: Table, address: int, count: int) -> Question:
    """Ask for ``count`` registers or bits.

    >>> reading(12, "holding", 16, 2).sent.hex()
    '0c0300100002'
    """
    function = READS[table]
    size = count * 2 if function > READS["discrete"] else (count + 7) // 8
    sent = _ASK.pack(unit_id, function, address, count)
    return Question(sent, bytes((unit_id, function, size)), 3 + size)


def writing(unit_id: int, function: int, address: int, values: Sequence[int]) -> Question:
    """Ask to write one value (5, 6) or several (15, 16)."""
    if function in (5, 6):
        value = values[0] if function == 6 else _ON * bool(values[0])  # noqa: PLR2004
        sent = _ASK.pack(unit_id, function, address, value)
    else:
        data = _registers(values) if function == 16 else _bits(values)  # noqa: PLR2004
        sent = _ASK_MORE.pack(unit_id, function, address, len(values), len(data)) + data
    return Question(sent, sent[:4], _ASK.size)


def _registers(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _bits(values: Sequence[int]) -> bytes:
    packed = sum(1 << n for n, value in enumerate(values) if value)
    return packed.to_bytes((len(values) + 7) // 8, "little")


def fault_of(question: Question, answer: bytes) -> str | None:
    """Say why this is no answer to that question; None when it is one, be it an exception.

    >>> fault_of(reading(12, "holding", 16, 1), bytes.fromhex("0c03020007"))
    >>> fault_of(reading(12, "holding", 16, 1), bytes.fromhex("0d03020007"))
    'unit id 13 answered for 12'
    """
    if len(answer) == question.size and answer.startswith(question.head):
        return None
    unit_id, function = question.sent[0], question.sent[1]
    if answer[0] != unit_id:
        return f"unit id {answer[0]} answered for {unit_id}"
    if answer[1] == function | REFUSAL:
        return None if len(answer) == _REFUSED else f"an exception of {len(answer)} bytes"
    if answer[1] != function:
        return f"function {answer[1]} answered for {function}"
    if function not in READS.values():
        return "the echo of a write names another address or has another size"
    size = len(answer) - 3
    return f"byte count {answer[2]} and {size} bytes where {question.size - 3} were asked"


def words_of(answer: bytes, count: int) -> tuple[int, ...]:
    """Return the registers of an answer."""
    return Struct(f">{count}H").unpack_from(answer, 3)


def bits_of(answer: bytes, count: int) -> list[int]:
    """Return the bits of an answer."""
    return [answer[3 + n // 8] >> n % 8 & 1 for n in range(count)]
