"""The registers of a twin, encoded with pymodbus: the driver's own codec has no part in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from pymodbus.client.mixin import ModbusClientMixin

from drivers.profile import WORDS, ModbusProfile, RegisterPoint
from hub.ports import ExceptionAnswerError, NoAnswerError, Refused, Table
from simulators.twin import ILLEGAL_VALUE, Twin

ILLEGAL_ADDRESS = 2
_TYPES = ModbusClientMixin.DATATYPE
_DATATYPES = {
    "bool": _TYPES.UINT16,
    "int16": _TYPES.INT16,
    "uint16": _TYPES.UINT16,
    "int32": _TYPES.INT32,
    "uint32": _TYPES.UINT32,
    "int64": _TYPES.INT64,
    "uint64": _TYPES.UINT64,
    "float32": _TYPES.FLOAT32,
    "float64": _TYPES.FLOAT64,
}


def words_of(point: RegisterPoint, value: float) -> list[int]:
    """Encode a value as a device with this map would."""
    if point.type == "bool" or point.bit is not None:
        return [int(bool(value)) << (point.bit or 0)]
    raw: float = (value - point.offset) / point.scale
    if not point.type.startswith("float"):
        raw = _whole(point, raw)
    words = ModbusClientMixin.convert_to_registers(
        raw, _DATATYPES[point.type], word_order=point.word_order
    )
    return _in_byte_order(point, words)


def _whole(point: RegisterPoint, raw: float) -> int:
    """Round to an integer within the register's range; what cannot be told is the marker."""
    if not isfinite(raw):
        return point.invalid[0] if point.invalid else 0
    if point.rollover:
        return round(raw) % round(point.rollover / point.scale)
    bits = 16 * WORDS[point.type]
    if point.type.startswith("u"):
        return min(max(round(raw), 0), (1 << bits) - 1)
    return min(max(round(raw), -(1 << bits - 1)), (1 << bits - 1) - 1)


def _value_of(point: RegisterPoint, words: Sequence[int]) -> float:
    """Decode written registers with pymodbus."""
    raw = ModbusClientMixin.convert_from_registers(
        _in_byte_order(point, list(words)), _DATATYPES[point.type], word_order=point.word_order
    )
    if not isinstance(raw, (int, float)):
        raise TypeError(f"{point.type} is no number")
    return raw * point.scale + point.offset


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
            slot = _Slot(name, point, point.address, point.address + WORDS[point.type])
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
                words = words_of(slot.point, values[slot.name])
                for at, word in enumerate(words, slot.start - address):
                    if 0 <= at < count:
                        image[at] |= word
        return image

    def write(self, table: Table, address: int, words: Sequence[int]) -> None:
        """Take a write of whole points as the device would."""
        self._answerable()
        self._advance()
        end = address + len(words)
        slots = [
            slot
            for slot in self._tables.get(table, [])
            if slot.point.write and slot.start >= address and slot.end <= end
        ]
        if sum(slot.end - slot.start for slot in slots) != len(words):
            raise self._refusal(ILLEGAL_ADDRESS)
        wishes = [
            (slot, _value_of(slot.point, words[slot.start - address : slot.end - address]))
            for slot in slots
        ]
        for slot, value in wishes:
            limits = slot.point.write
            if limits and not limits.min - 1e-6 <= value <= limits.max + 1e-6:
                raise self._refusal(ILLEGAL_VALUE)
        for slot, value in wishes:
            self._set(slot.name, value)

    def _set(self, name: str, value: float) -> None:
        try:
            self.twin.write(name, value)
        except Refused:
            raise self._refusal(ILLEGAL_VALUE) from None

    def _answerable(self) -> None:
        if self.twin.silent:
            raise NoAnswerError(f"{self.twin.device.id}: no answer")
        if self.twin.exception is not None:
            raise self._refusal(self.twin.exception)

    def _refusal(self, code: int) -> ExceptionAnswerError:
        return ExceptionAnswerError(f"{self.twin.device.id}: exception {code}", code)
