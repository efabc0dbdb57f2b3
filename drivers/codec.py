"""Registers and bits <-> numbers; pure."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drivers.profile import WORDS, RegisterPoint, RegisterType
from hub.model import Quality, Reason, flag

_FORMATS: dict[RegisterType, str] = {
    "bool": "H",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "float32": "f",
    "int64": "q",
    "uint64": "Q",
    "float64": "d",
}
_GOOD = flag(Quality.GOOD)
_INVALID = flag(Quality.BAD, Reason.INVALID_MARKER)
_NOT_A_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)
_OUT_OF_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_LARGEST = sys.float_info.max


def decode(point: RegisterPoint, words: Sequence[int]) -> tuple[float, int]:
    """Return value and packed quality of one point from its own registers or bit.

    >>> decode(RegisterPoint(table="input", address=0, type="float32"), [0x43B1, 0x8000])
    (355.0, 0)
    """
    values: list[float] = []
    flags: list[int] = []
    BlockDecoder([(point, 0)], WORDS[point.type]).decode(words, values, flags)
    return values[0], flags[0]


def encode(point: RegisterPoint, value: float) -> list[int]:
    """Return the registers (or the bit) that hold ``value``; ValueError when it does not fit.

    >>> encode(RegisterPoint(table="holding", address=4, type="int16", scale=0.1), 50.5)
    [505]
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number that can be written")
    factor, divisor = _factors(point.scale)
    raw: float = (value - point.offset) * divisor / factor
    if point.type not in ("float32", "float64"):
        raw = round(raw)
    if point.type == "bool" and raw not in (0, 1):
        raise ValueError(f"{value} is neither 0 nor 1")
    packed, unpacked = _orders(point)
    try:
        data = struct.pack(unpacked + _FORMATS[point.type], raw)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value} does not fit {point.type} with scale {point.scale}") from error
    return list(struct.unpack(f"{packed}{len(data) // 2}H", data))


class BlockDecoder:
    """Everything that one answer holds, prepared once: points with their offset in words."""

    def __init__(self, points: Iterable[tuple[RegisterPoint, int]], count: int) -> None:
        self._fields = [_field(point, offset) for point, offset in points]
        self._straight = struct.Struct(f">{count}H")
        self._swapped = struct.Struct(f"<{count}H")
        self._swaps = any(field.swapped for field in self._fields)

    def decode(self, words: Sequence[int], values: list[float], flags: list[int]) -> None:
        """Append value and packed quality of each point, in the order of the points."""
        straight = self._straight.pack(*words)
        swapped = self._swapped.pack(*words) if self._swaps else straight
        for field in self._fields:
            value, packed = field.read(swapped if field.swapped else straight)
            values.append(value)
            flags.append(packed)


@dataclass(frozen=True, slots=True)
class _Field:
    """One point inside a block of bytes."""

    struct: struct.Struct
    start: int
    swapped: bool
    bit: int | None
    invalid: frozenset[float]
    factor: float
    divisor: float
    offset: float
    low: float
    high: float

    def read(self, block: bytes) -> tuple[float, int]:
        """Return value and packed quality; the value is NaN when it is bad."""
        raw = self.struct.unpack_from(block, self.start)[0]
        if raw in self.invalid:
            return math.nan, _INVALID
        if self.bit is not None:
            return float(raw >> self.bit & 1), _GOOD
        value = raw * self.factor / self.divisor + self.offset
        if self.low <= value <= self.high:
            return value, _GOOD
        return math.nan, _OUT_OF_RANGE if math.isfinite(value) else _NOT_A_NUMBER


def _field(point: RegisterPoint, offset: int) -> _Field:
    packed, unpacked = _orders(point)
    layout = struct.Struct(unpacked + _FORMATS[point.type])
    factor, divisor = _factors(point.scale)
    return _Field(
        layout,
        offset * 2,
        packed == "<",
        point.bit,
        frozenset(_marker(point.type, marker) for marker in point.invalid),
        factor,
        divisor,
        point.offset,
        -_LARGEST if point.min is None else point.min,
        _LARGEST if point.max is None else point.max,
    )


def _orders(point: RegisterPoint) -> tuple[str, str]:
    """Return the byte orders for words -> bytes and bytes -> number.

    Little words and little bytes together are simply a little-endian number; only a mixed order
    needs the bytes of each register swapped first.
    """
    mixed = point.word_order != point.byte_order
    return "<" if mixed else ">", ">" if point.word_order == "big" else "<"


def _factors(scale: float) -> tuple[float, float]:
    """Return factor and divisor: a scale of 0.1 divides by 10, which rounds like a person would."""
    inverse = round(1 / scale) if abs(scale) < 1 else 0
    if inverse and math.isclose(inverse * scale, 1, rel_tol=1e-12):
        return 1, inverse
    return scale, 1


def _marker(type_: RegisterType, marker: int) -> float:
    """Return the number that a register with the marker's bit pattern decodes to."""
    size = WORDS[type_] * 2
    pattern = (marker & (1 << size * 8) - 1).to_bytes(size, "big")
    number: float = struct.unpack(">" + _FORMATS[type_], pattern)[0]
    return number
