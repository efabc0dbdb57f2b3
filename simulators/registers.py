"""The registers of a twin, encoded with pymodbus: the driver's own codec has no part in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal, Self

from pymodbus.client.mixin import ModbusClientMixin

from drivers.profile import ModbusProfile, RegisterPoint
from hub.ports import ExceptionAnswerError, NoAnswerError, Refused, Table
from simulators.twin import ILLEGAL_VALUE, Twin

ILLEGAL_ADDRESS = 2
_TYPES = ModbusClientMixin.DATATYPE
_DATATYPES = {
    "int16": _TYPES.INT16,
    "uint16": _TYPES.UINT16,
    "int32": _TYPES.INT32,
    "uint32": _TYPES.UINT32,
    "int64": _TYPES.INT64,
    "uint64": _TYPES.UINT64,
    "float32": _TYPES.FLOAT32,
    "float64": _TYPES.FLOAT64,
}
_PATTERNS = {1: _TYPES.UINT16, 2: _TYPES.UINT32, 4: _TYPES.UINT64}
_ALMOST = 1e-6
WordOrder = Literal["big", "little"]


class Marker(float):
    """A value that a device shows as one of its fillers: not a number, but a bit pattern."""

    pattern: int

    def __new__(cls, pattern: int) -> Self:
        """Make the NaN that stands for ``pattern``."""
        made = super().__new__(cls, nan)
        made.pattern = pattern
        return made


def words_of(
    point: RegisterPoint, value: float, shown: Mapping[str, float] | None = None
) -> list[int]:
    """Encode a value as a device with this map would; ``shown`` are the values of all its points.

    >>> words_of(RegisterPoint(table="holding", address=0, type="uint8", byte="high"), 12)
    [3072]
    """
    shown = shown or {}
    if point.type == "bool":
        return [int(bool(value)) << (point.bit or 0)]
    order = _word_order(point, shown)
    if isinstance(value, Marker):
        return _filler(point, value.pattern, order)
    factor = factor_of(point, shown)
    raw = (value / factor - point.offset) / point.scale
    if point.type.startswith("float"):
        return _registers(point, raw, _DATATYPES[point.type], order)
    if not isfinite(raw):
        return _filler(point, point.invalid[0] if point.invalid else 0, order)
    whole = _whole(point, raw, factor)
    if point.partial or point.type.startswith("bcd"):
        return _pattern(point, whole, order)
    return _registers(point, whole, _DATATYPES[point.type], order)


def value_of(
    point: RegisterPoint, words: Sequence[int], shown: Mapping[str, float] | None = None
) -> float:
    """Decode registers as a device with this map would understand them."""
    shown = shown or {}
    if point.type == "bool":
        return float(words[0] >> (point.bit or 0) & 1)
    bare = point.partial or point.type.startswith("bcd")
    raw = ModbusClientMixin.convert_from_registers(
        _in_byte_order(point, list(words)),
        _PATTERNS[point.words] if bare else _DATATYPES[point.type],
        word_order=_word_order(point, shown),
    )
    if not isinstance(raw, (int, float)):
        raise TypeError(f"{point.type} is no number")
    if bare:
        raw = _part(point, int(raw))
    return (raw * point.scale + point.offset) * factor_of(point, shown)


def _part(point: RegisterPoint, pattern: int) -> int:
    """Take a byte, a field of bits or decimal digits out of a pattern."""
    if point.byte:
        raw = pattern >> 8 & 0xFF if point.byte == "high" else pattern & 0xFF
        return raw - 0x100 if point.type == "int8" and raw & 0x80 else raw
    if point.bit is not None:
        return pattern >> point.bit & (1 << point.bits) - 1
    return int(f"{pattern:x}")


def _filler(point: RegisterPoint, pattern: int, order: WordOrder) -> list[int]:
    """Fill the registers of a point, or its byte of one, with a pattern of bits."""
    if point.byte:
        pattern = (pattern & 0xFF) << (8 if point.byte == "high" else 0)
    whole = pattern & (1 << 16 * point.words) - 1
    return _registers(point, whole, _PATTERNS[point.words], order)


def _pattern(point: RegisterPoint, raw: int, order: WordOrder) -> list[int]:
    """Lay an integer where the point lies in its registers."""
    if point.type.startswith("bcd"):
        raw = int(str(raw), 16)
    return _filler(point, raw << (point.bit or 0), order)


def _registers(
    point: RegisterPoint, raw: float, datatype: ModbusClientMixin.DATATYPE, order: WordOrder
) -> list[int]:
    words = ModbusClientMixin.convert_to_registers(raw, datatype, word_order=order)
    return _in_byte_order(point, words)


def _whole(point: RegisterPoint, value: float, factor: float) -> int:
    """Round to an integer that the registers can hold: a counter rolls over, others stop."""
    raw = round(value)
    if point.rollover:
        return raw % round(point.rollover / factor / point.scale)
    smallest, largest = capacity(point)
    return min(max(raw, smallest), largest)


def capacity(point: RegisterPoint) -> tuple[int, int]:
    """Return the smallest and largest integer that a point without a float can hold.

    >>> capacity(RegisterPoint(table="holding", address=0, type="int8", byte="high"))
    (-128, 127)
    """
    if point.bit is not None or point.type == "bool":
        return 0, (1 << point.bits) - 1
    if point.type.startswith("bcd"):
        return 0, int(10 ** (4 * point.words)) - 1
    bits = 8 if point.byte else 16 * point.words
    if point.type.startswith("u"):
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


def factor_of(point: RegisterPoint, shown: Mapping[str, float]) -> float:
    """Return what the device's own scale registers make of one unit of this point."""
    factor = 1.0
    for source in point.scale_from:
        held = shown[source.point]
        if source.kind == "power_of_ten":
            factor *= 10.0**held
        else:
            factor *= source.factors[round(held)] if source.kind == "choice" else held
    return factor


def _word_order(point: RegisterPoint, shown: Mapping[str, float]) -> WordOrder:
    """Return the word order that the firmware shown makes of it."""
    other = point.word_order_from
    return other.order if other and shown[other.point] >= other.at_least else point.word_order


def _in_byte_order(point: RegisterPoint, words: list[int]) -> list[int]:
    if point.byte_order == "big":
        return words
    return [word >> 8 | (word & 0xFF) << 8 for word in words]


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where a point lies in its table."""

    name: str
    point: RegisterPoint
    start: int
    end: int


class Unit:
    """One unit behind a gateway: a twin seen through the map of its profile.

    Registers between two points of a table read as 0; outside of the map is exception 2.
    """

    def __init__(self, twin: Twin, profile: ModbusProfile, advance: Callable[[], None]) -> None:
        self.twin = twin
        self._limits = profile.limits
        self._advance = advance
        self._tables: dict[str, list[_Slot]] = {}
        for name, point in profile.points.items():
            slot = _Slot(name, point, point.address, point.address + point.words)
            self._tables.setdefault(point.table, []).append(slot)
        self.ranges: Mapping[str, tuple[int, int]] = {
            table: (min(slot.start for slot in slots), max(slot.end for slot in slots))
            for table, slots in self._tables.items()
        }

    def accepts(self, function: int) -> bool:
        """Tell whether the device knows a Modbus function."""
        return function < 5 or function in self._limits.write_functions  # noqa: PLR2004

    def read(self, table: Table, address: int, count: int) -> list[int]:
        """Answer a read of registers or bits as the device would, now."""
        self._answerable()
        start, end = self.ranges.get(table, (0, 0))
        if address < start or address + count > end:
            raise self._refusal(ILLEGAL_ADDRESS)
        bits = table in ("coil", "discrete")
        if count > (self._limits.bits if bits else self._limits.words):
            raise self._refusal(ILLEGAL_VALUE)
        if not bits and (address % self._limits.align or count % self._limits.align):
            raise self._refusal(ILLEGAL_ADDRESS)
        self._advance()
        values = self.twin.values()
        image = [0] * count
        for slot in self._tables[table]:
            if slot.end > address and slot.start < address + count:
                words = words_of(slot.point, values[slot.name], values)
                for at, word in enumerate(words, slot.start - address):
                    if 0 <= at < count:
                        image[at] |= word
        return image

    def write(self, table: Table, address: int, words: Sequence[int]) -> None:
        """Take a write of whole registers as the device would: all of it or nothing."""
        self._answerable()
        self._advance()
        end = address + len(words)
        slots = [
            slot
            for slot in self._tables.get(table, [])
            if slot.start >= address and slot.end <= end
        ]
        writable = [slot for slot in slots if slot.point.write]
        covered = {at for slot in writable for at in range(slot.start, slot.end)}
        if len(covered) != len(words):
            raise self._refusal(ILLEGAL_ADDRESS)
        shown = self.twin.values()
        wishes = [
            (slot, value_of(slot.point, words[slot.start - address : slot.end - address], shown))
            for slot in slots
        ]
        changed = [(slot, value) for slot, value in wishes if value != shown[slot.name]]
        for slot, value in changed:
            self._check(slot.point, value)
        for slot, value in changed:
            self._set(slot.name, value)

    def _check(self, point: RegisterPoint, value: float) -> None:
        """Refuse what the device would not take: beside a wished bit others must stay as they are.

        A device knows its range with the precision of its registers.
        """
        limits = point.write
        if limits is None:
            raise self._refusal(ILLEGAL_ADDRESS)
        slack = abs(point.scale) / 2 + _ALMOST
        if not limits.min - slack <= value <= limits.max + slack:
            raise self._refusal(ILLEGAL_VALUE)

    def _set(self, name: str, value: float) -> None:
        try:
            self.twin.write(name, value)
        except Refused:
            raise self._refusal(ILLEGAL_VALUE) from None

    def _answerable(self) -> None:
        if self.twin.silent:
            raise NoAnswerError("no answer")
        if self.twin.exception is not None:
            raise self._refusal(self.twin.exception)

    def _refusal(self, code: int) -> ExceptionAnswerError:
        return ExceptionAnswerError(f"{self.twin.device.id}: exception {code}", code)
