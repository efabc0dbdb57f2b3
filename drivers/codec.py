"""Registers and bits <-> numbers; pure."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from drivers.compiled import Part, compiled, swapped
from drivers.profile import Attribute, RegisterPoint, RegisterType, ScaleFrom
from hub.model import Quality, Reason, flag

_FORMATS: dict[RegisterType, str] = {
    "bool": "H",
    "int8": "b",
    "uint8": "B",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "float32": "f",
    "int64": "q",
    "uint64": "Q",
    "float64": "d",
    "bcd16": "2s",
    "bcd32": "4s",
    "bcd64": "8s",
}
_GOOD = flag(Quality.GOOD)
_INVALID = flag(Quality.BAD, Reason.INVALID_MARKER)
_NOT_A_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)
_OUT_OF_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_NO_ANSWER = flag(Quality.BAD, Reason.NO_ANSWER)
_LARGEST = sys.float_info.max
_LARGEST_POWER = 30  # of ten; SunSpec uses -10..10

Value = tuple[float, int]
"""A value (NaN when it is bad) and its packed quality."""


def decode(
    point: RegisterPoint, words: Sequence[int], told: Mapping[str, Value] | None = None
) -> Value:
    """Return value and packed quality of one point from its own registers or bit.

    ``told`` holds the points that its scale or word order depends on.

    >>> decode(RegisterPoint(table="input", address=0, type="float32"), [0x43B1, 0x8000])
    (355.0, 0)
    """
    data = struct.pack(f">{len(words)}H", *words)
    if point.follows:
        return Follower(point, 0).read(data, told or {})
    return _field(point, 0).read(data)


def decode_text(attribute: Attribute, words: Sequence[int]) -> str:
    """Return the text in an attribute's registers, up to its first zero byte."""
    order = ">" if attribute.byte_order == "big" else "<"
    data = struct.pack(f"{order}{len(words)}H", *words)
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()


def encode(point: RegisterPoint, value: float, words: Sequence[int] = ()) -> list[int]:
    """Return the registers (or the bit) that hold ``value``; ValueError when it does not fit.

    A value that is only a part of its register is put into ``words``, the registers as they are.

    >>> encode(RegisterPoint(table="holding", address=4, type="int16", scale=0.1), 50.5)
    [505]
    >>> encode(RegisterPoint(table="holding", address=4, bit=4, bits=2), 2, [0x8001])
    [32801]
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number that can be written")
    factor, divisor = _factors(point.scale)
    raw: float = (value - point.offset) * divisor / factor
    if not point.type.startswith("float"):
        raw = round(raw)
    if point.type == "bool" and raw not in (0, 1):
        raise ValueError(f"{value} is neither 0 nor 1")
    packed, unpacked = _orders(point)
    size = point.words * 2
    now = struct.pack(f"{packed}{point.words}H", *(words or [0] * point.words))
    try:
        if point.bit is not None:
            data = _with_bits(point, now, int(raw), "big" if unpacked == ">" else "little")
        elif point.type.startswith("bcd"):
            data = bytes.fromhex(f"{int(raw):0{size * 2}d}")[:: 1 if unpacked == ">" else -1]
        else:
            start = _start_in_register(point)
            part = struct.pack(unpacked + _FORMATS[point.type], raw)
            data = now[:start] + part + now[start + len(part) :]
        return list(struct.unpack(f"{packed}{point.words}H", data))
    except (struct.error, OverflowError, ValueError) as error:
        raise ValueError(f"{value} does not fit {point.type} with scale {point.scale}") from error


class BlockDecoder:
    """Everything that one answer holds, prepared once: points with their offset in words.

    ``decode(data, values, flags)`` appends value and packed quality of each point, in the order of
    the points. The common case, all values good, is one compiled function; anything else is judged
    point by point.
    """

    def __init__(self, points: Iterable[tuple[RegisterPoint, int]], count: int) -> None:
        self._fields = [_field(point, offset) for point, offset in points]
        self._pack = struct.Struct(f">{count}H").pack
        parts = tuple(field.part for field in self._fields)
        self.decode = compiled(parts, count * 2, self._judge)

    def bytes_of(self, words: Sequence[int]) -> bytes:
        """Return the answer as it came over the wire; struct.error when these are no registers."""
        return self._pack(*words)

    def _judge(self, data: bytes, values: list[float], flags: list[int]) -> None:
        for field in self._fields:
            value, packed = field.read(data)
            values.append(value)
            flags.append(packed)


class Follower:
    """A point whose scale or word order stands in other points; decoded after them."""

    def __init__(self, point: RegisterPoint, offset: int) -> None:
        self._point = point
        self._own = _field(point, offset)
        self._other = self._own
        if point.word_order_from is not None:
            order = point.word_order_from.order
            self._other = _field(point.model_copy(update={"word_order": order}), offset)

    def read(self, data: bytes, told: Mapping[str, Value]) -> Value:
        """Return value and packed quality; bad like the first point it follows that is bad."""
        for name in self._point.follows:
            packed = told.get(name, (math.nan, _NO_ANSWER))[1]
            if packed != _GOOD:
                return math.nan, packed
        field = self._other if ordered(self._point, told) is not self._point else self._own
        factor = divisor = 1.0
        for source in self._point.scale_from:
            times = _multiplier(source, told[source.point][0])
            if times is None:
                return math.nan, _OUT_OF_RANGE
            factor, divisor = factor * times[0], divisor * times[1]
        return field.read(data, factor, divisor)


def ordered(point: RegisterPoint, told: Mapping[str, Value]) -> RegisterPoint:
    """Return the point with the word order that it has on this device."""
    source = point.word_order_from
    if source is None or told[source.point][0] < source.at_least:
        return point
    return point.model_copy(update={"word_order": source.order})


def _multiplier(source: ScaleFrom, value: float) -> tuple[float, float] | None:
    """Return factor and divisor that a point stands for; None when it cannot mean any."""
    if source.kind == "factor":
        return (value, 1.0) if value else None
    if value != round(value):
        return None
    if source.kind == "choice":
        factor = source.factors.get(int(value))
        return None if factor is None else (factor, 1.0)
    if abs(value) > _LARGEST_POWER:
        return None
    power = 10.0 ** abs(int(value))
    return (power, 1.0) if value >= 0 else (1.0, power)


@dataclass(frozen=True, slots=True)
class _Field:
    """One point inside a block of bytes."""

    part: Part
    struct: struct.Struct
    decimal: bool

    def read(self, block: bytes, times: float = 1.0, per: float = 1.0) -> Value:
        """Return value and packed quality; the value is NaN when it is bad."""
        part = self.part
        if part.swapped:
            block = swapped(block)
        raw = self.struct.unpack_from(block, part.start)[0]
        digits = ""
        if self.decimal:
            digits = (raw if part.order == ">" else raw[::-1]).hex()
            raw = int(digits, 16)
        if raw in part.invalid:
            return math.nan, _INVALID
        if digits:
            if not digits.isdecimal():
                return math.nan, _NOT_A_NUMBER
            raw = int(digits)
        if part.mask:
            raw = raw >> part.shift & part.mask
        value = raw * part.factor / part.divisor + part.offset
        value = value * times / per
        if part.low <= value <= part.high:
            return float(value), _GOOD
        return math.nan, _OUT_OF_RANGE if math.isfinite(value) else _NOT_A_NUMBER


def _field(point: RegisterPoint, offset: int) -> _Field:
    packed, unpacked = _orders(point)
    code = _FORMATS[point.type]
    factor, divisor = _factors(point.scale)
    part = Part(
        start=offset * 2 + _start_in_register(point),
        order=unpacked,
        code=code,
        swapped=packed == "<",
        shift=point.bit or 0,
        mask=0 if point.bit is None else (1 << point.bits) - 1,
        invalid=frozenset(_marker(point.type, marker) for marker in point.invalid),
        factor=factor,
        divisor=divisor,
        offset=point.offset,
        low=-_LARGEST if point.min is None else point.min,
        high=_LARGEST if point.max is None else point.max,
    )
    return _Field(part, struct.Struct(unpacked + code), point.type.startswith("bcd"))


def _orders(point: RegisterPoint) -> tuple[str, str]:
    """Return the byte orders for words -> bytes and bytes -> number.

    Little words and little bytes together are simply a little-endian number; only a mixed order
    needs the bytes of each register swapped first.
    """
    if point.byte is not None:
        return ">", ">"
    mixed = point.word_order != point.byte_order
    return "<" if mixed else ">", ">" if point.word_order == "big" else "<"


def _start_in_register(point: RegisterPoint) -> int:
    """Return the byte of the register where a packed byte lies; 0 for whole registers."""
    return int(point.byte is not None and (point.byte == "low") == (point.byte_order == "big"))


def _with_bits(
    point: RegisterPoint, now: bytes, raw: int, order: Literal["big", "little"]
) -> bytes:
    mask = (1 << point.bits) - 1
    if not 0 <= raw <= mask:
        raise ValueError(f"{raw} needs more than {point.bits} bits")
    shift = point.bit or 0
    whole = int.from_bytes(now, order) & ~(mask << shift) | raw << shift
    return whole.to_bytes(len(now), order)


def _factors(scale: float) -> tuple[float, float]:
    """Return factor and divisor: a scale of 0.1 divides by 10, which rounds like a person would."""
    inverse = round(1 / scale) if abs(scale) < 1 else 0
    if inverse and math.isclose(inverse * scale, 1, rel_tol=1e-12):
        return 1, inverse
    return scale, 1


def _marker(type_: RegisterType, marker: int) -> float:
    """Return the number that a register with the marker's bit pattern decodes to."""
    size = struct.calcsize(_FORMATS[type_])
    pattern = (marker & (1 << size * 8) - 1).to_bytes(size, "big")
    if type_.startswith("bcd"):
        return int.from_bytes(pattern, "big")
    number: float = struct.unpack(">" + _FORMATS[type_], pattern)[0]
    return number
