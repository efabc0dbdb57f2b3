"""The wire guard: the last look at a write before the socket, compiled from the profiles alone.

It decodes what goes out (unit, function, address, values) with arithmetic of its own and asks one
question: does a profile declare exactly this? It shares no code with the service guard, the
driver's check or the codec, so a mistake in one of them does not reach a device.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.profile import ModbusProfile, Profile, RegisterPoint, RegisterType
from hub.ports import Refused, RegisterBus, Table
from hub.site import Device

log = logging.getLogger(__name__)

READS = frozenset({1, 2, 3, 4})
_COIL, _REGISTER, _COILS, _REGISTERS = 5, 6, 15, 16
_TABLES: Mapping[int, Table] = {
    _COIL: "coil", _REGISTER: "holding", _COILS: "coil", _REGISTERS: "holding",
}  # fmt: skip
_SINGLE = frozenset({_COIL, _REGISTER})
_SHORTEST = 5  # function, address and one value
_UNITS = range(1, 248)  # 0 is broadcast: everybody would obey and nobody would answer
_ON, _OFF = 0xFF00, 0x0000
_FORMATS: Mapping[RegisterType, str] = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f",
    "int64": ">q", "uint64": ">Q", "float64": ">d", "int8": ">b", "uint8": ">B",
}  # fmt: skip
_FLOAT_DIGITS = {"float32": 2.0**-23, "float64": 2.0**-50}


class StrayWriteError(Refused):
    """A write that no profile declares came as far as the wire; it was not sent."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """One point that may be written, as it looks on the wire."""

    name: str
    spec: RegisterPoint
    functions: frozenset[int]

    def objection(self, function: int, words: Sequence[int], before: Sequence[int] | None) -> str:
        """Say why these words may not be written here; empty when they may."""
        if function not in self.functions:
            return f"{self.name} is not written with function {function}"
        if len(words) != self.spec.words or (function in _SINGLE and len(words) != 1):
            return f"{len(words)} values where {self.name} has {self.spec.words}"
        if self.spec.partial and (problem := self._outside(words, before)):
            return problem
        orders = {self.spec.word_order}
        if self.spec.word_order_from is not None:
            orders.add(self.spec.word_order_from.order)
        problems = [self._out_of_range(words, order) for order in sorted(orders)]
        return "" if "" in problems else problems[0]

    def _out_of_range(self, words: Sequence[int], order: str) -> str:
        write, spec = self.spec.write, self.spec
        value = _value(spec, words, order)
        if write is None or value is None:
            return f"{list(words)} is no value of {self.name}"
        # Half of the last digit: a limit that the register cannot hold exactly is rounded to it.
        slack = abs(spec.scale) / 2 - 1e-9 * abs(spec.scale)
        if spec.type in _FLOAT_DIGITS:
            slack = _FLOAT_DIGITS[spec.type] * max(abs(write.min), abs(write.max))
        if not write.min - slack <= value <= write.max + slack:
            return f"{self.name}: {value:g} is outside {write.min:g}..{write.max:g}"
        if write.one_of and all(abs(value - one) > slack for one in write.one_of):
            return f"{self.name}: {value:g} is none of its values"
        if write.step:
            nearest = write.min + round((value - write.min) / write.step) * write.step
            if abs(value - nearest) > slack + 1e-6 * write.step:
                return f"{self.name}: {value:g} is not on a step of {write.step:g}"
        return ""

    def _outside(self, words: Sequence[int], before: Sequence[int] | None) -> str:
        """Say which bits of the register belong to somebody else and would change."""
        if before is None:
            return f"{self.name} is a part of a register that was not read before the write"
        changed = _raw(self.spec, words) ^ _raw(self.spec, before)
        if changed & ~_mask(self.spec):
            return f"{self.name}: the write changes other bits of its register"
        return ""


class WireGuard:
    """What may be written on one bus: (unit, table, address) and what a value there may be."""

    def __init__(self, devices: Iterable[Device], profiles: Mapping[str, Profile]) -> None:
        self._declared: dict[tuple[int, Table, int], list[_Declared]] = {}
        self._before: dict[tuple[int, int], int | None] = {}
        for device in devices:
            profile = profiles[device.profile]
            if isinstance(profile, ModbusProfile) and device.unit_id is not None:
                self._declare(device.unit_id, profile)

    def _declare(self, unit_id: int, profile: ModbusProfile) -> None:
        functions = frozenset(profile.limits.write_functions)
        for name, spec in profile.points.items():
            if spec.write is None:
                continue
            known = frozenset(code for code in functions if _TABLES[code] == spec.table)
            declared = _Declared(name, spec, known)
            self._declared.setdefault((unit_id, spec.table, spec.address), []).append(declared)
            if spec.partial:
                addresses = range(spec.address, spec.address + spec.words)
                self._before.update({(unit_id, address): None for address in addresses})

    @property
    def compares(self) -> bool:
        """Tell whether some write is compared with what was read of its register."""
        return bool(self._before)

    def objection(
        self, unit_id: int, function: int, address: int, values: Sequence[int]
    ) -> str | None:
        """Return why a write may not go out, or None."""
        where = f"unit {unit_id} function {function} address {address}"
        if unit_id not in _UNITS:
            return f"{where}: unit ids are 1 to 247; a broadcast is never sent"
        table = _TABLES.get(function)
        if table is None:
            return f"{where}: this function is never sent"
        declared = self._declared.get((unit_id, table, address), [])
        before = self._known(unit_id, address, len(values))
        problems = [one.objection(function, values, before) for one in declared]
        if "" in problems:
            return None
        return f"{where}: {problems[0] if problems else 'no profile declares a write there'}"

    def frame_objection(self, unit_id: int, pdu: bytes) -> str | None:
        """Return why a request (function code and what follows) may not go out, or None.

        >>> WireGuard([], {}).frame_objection(1, bytes.fromhex("0300000002"))
        >>> WireGuard([], {}).frame_objection(1, bytes.fromhex("0600040001"))
        'unit 1 function 6 address 4: no profile declares a write there'
        """
        if pdu and pdu[0] in READS:
            return None
        try:
            function, address, values = decoded(pdu)
        except ValueError as error:
            return f"unit {unit_id}: {error}"
        return self.objection(unit_id, function, address, values)

    def note(self, unit_id: int, table: Table, address: int, words: Sequence[int]) -> None:
        """Remember what was read of registers that are written only in part."""
        if table != "holding":
            return
        for at, word in enumerate(words, address):
            if (unit_id, at) in self._before:
                self._before[unit_id, at] = word

    def _known(self, unit_id: int, address: int, count: int) -> list[int] | None:
        words = [self._before.get((unit_id, at)) for at in range(address, address + count)]
        known = [word for word in words if word is not None]
        return known if len(known) == count else None


@runtime_checkable
class SendsFrames(Protocol):
    """A bus that asks for an objection with the bytes of each write in hand, then sends them."""

    objection: Callable[[int, bytes], str | None] | None


class GuardedBus:
    """A bus that lets only declared writes through; a stray one is not sent and ends the link."""

    def __init__(self, bus: RegisterBus, guard: WireGuard) -> None:
        self._bus = bus
        self._guard = guard
        if isinstance(bus, SendsFrames):
            bus.objection = guard.frame_objection
        if not guard.compares:
            self.read = bus.read  # type: ignore[method-assign] # a read costs nothing more then

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read; what is not written is not guarded, only remembered where it matters."""
        words = await self._bus.read(unit_id, table, address, count)
        self._guard.note(unit_id, table, address, words)
        return words

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Write what a profile declares; StrayWriteError for anything else."""
        problem = self._problem(unit_id, table, address, values, function)
        if problem is not None:
            log.critical("stray write stopped on the wire, link closed: %s", problem)
            await self._bus.close()
            raise StrayWriteError(f"stopped on the wire: {problem}")
        await self._bus.write(unit_id, table, address, values, function)

    async def close(self) -> None:
        """Close the connection."""
        await self._bus.close()

    def _problem(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None,
    ) -> str | None:
        if function is None:  # what the port says a bus does then
            bits = _COIL if len(values) == 1 else _COILS
            function = bits if table == "coil" else _REGISTERS
        if _TABLES.get(function) != table:
            return f"unit {unit_id} address {address}: function {function} writes no {table}"
        return self._guard.objection(unit_id, function, address, values)


def decoded(pdu: bytes) -> tuple[int, int, list[int]]:
    """Take a write request apart into function, address and values; ValueError when it is none.

    >>> decoded(bytes.fromhex("1000040001020208"))
    (16, 4, [520])
    >>> decoded(bytes.fromhex("050002FF00"))
    (5, 2, [1])
    """
    if len(pdu) < _SHORTEST or pdu[0] not in _TABLES:
        raise ValueError(f"{pdu[:8].hex()} is neither a read nor a write that the hub sends")
    function, address, word = struct.unpack_from(">BHH", pdu)
    if function in _SINGLE:
        return function, address, [_single(pdu, function, word)]
    data = pdu[6:]
    size = word * 2 if function == _REGISTERS else (word + 7) // 8
    if not data or len(data) != size or pdu[5] != size:
        raise ValueError(f"{pdu[:8].hex()} says {word} values and holds {len(data)} bytes")
    if function == _REGISTERS:
        return function, address, list(struct.unpack(f">{word}H", data))
    return function, address, [data[n // 8] >> n % 8 & 1 for n in range(word)]


def _single(pdu: bytes, function: int, word: int) -> int:
    if len(pdu) != _SHORTEST:
        raise ValueError(f"{pdu[:8].hex()} is longer than a write of one value")
    if function == _REGISTER:
        return word
    if word not in (_ON, _OFF):
        raise ValueError(f"a coil is written with 0000 or FF00, not {word:04X}")
    return int(word == _ON)


def _value(spec: RegisterPoint, words: Sequence[int], order: str) -> float | None:
    """Return what the words mean in the unit of the point; None when they mean nothing."""
    if spec.bit is not None:
        raw: float = (_raw(spec, words) & _mask(spec)) >> spec.bit
    elif spec.type == "bool":
        if words[0] not in (0, 1):
            return None
        raw = words[0]
    else:
        number = _number(spec, words, order)
        if number is None or not math.isfinite(number):
            return None
        raw = number
    return raw * spec.scale + spec.offset


def _number(spec: RegisterPoint, words: Sequence[int], order: str) -> float | None:
    if not all(0 <= word <= 0xFFFF for word in words):  # noqa: PLR2004 - a register
        return None
    ordered = words if order == "big" else list(reversed(words))
    data = b"".join(word.to_bytes(2, spec.byte_order) for word in ordered)
    if spec.type.startswith("bcd"):
        return int(data.hex()) if data.hex().isdecimal() else None
    if spec.byte is not None:
        data = data[:1] if spec.byte == "high" else data[1:]
    number: float = struct.unpack(_FORMATS[spec.type], data)[0]
    return number


def _raw(spec: RegisterPoint, words: Sequence[int]) -> int:
    """Return the registers as one unsigned number, for looking at bits."""
    ordered = words if spec.word_order == "big" else list(reversed(words))
    return int.from_bytes(b"".join(word.to_bytes(2, spec.byte_order) for word in ordered), "big")


def _mask(spec: RegisterPoint) -> int:
    """Return the bits of the registers that belong to the point."""
    if spec.bit is not None:
        return ((1 << spec.bits) - 1) << spec.bit
    return {"high": 0xFF00, "low": 0x00FF}.get(spec.byte or "", (1 << 16 * spec.words) - 1)
