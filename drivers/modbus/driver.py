"""Read and write the devices behind one gateway."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.codec import decode, encode
from drivers.guard import check
from drivers.modbus.layout import Block, Layout, halves, layout
from drivers.profile import WORDS, ModbusProfile
from hub.model import Batch, Point, Quality, Reason, flag, quality_of, reason_of
from hub.ports import (
    Clock,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    Refused,
    RegisterBus,
)
from hub.site import Device

_EXCEPTION = flag(Quality.BAD, Reason.EXCEPTION_ANSWER)
_GARBAGE = flag(Quality.BAD, Reason.GARBAGE_ANSWER)
_NO_ANSWER = flag(Quality.BAD, Reason.NO_ANSWER)
_NOT_THERE = (2, 3)  # illegal address, illegal value: a register inside the block is missing
_PROBE_AGAIN_S = 86_400.0
_SPLIT_AGAIN_S = 3_600.0


@dataclass(slots=True)
class _Unit:
    """One device with what was learned about it."""

    id: str
    unit_id: int
    profile: ModbusProfile
    numbers: dict[str, int]
    pause_s: float
    layout: Layout
    probe_at: float = math.inf
    split_at: float = 0.0


@dataclass(slots=True)
class _Columns:
    """What a poll has read so far."""

    numbers: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    heard: bool = False
    read: bool = False

    def bad(self, numbers: Sequence[int], packed: int) -> None:
        """Note points that gave no value."""
        self.numbers.extend(numbers)
        self.values.extend([math.nan] * len(numbers))
        self.flags.extend([packed] * len(numbers))


class ModbusDriver:
    """The devices of one bus; the poller asks for one after the other."""

    def __init__(
        self,
        bus: RegisterBus,
        devices: Sequence[tuple[Device, ModbusProfile]],
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._units = {device.id: _unit(device, profile) for device, profile in devices}

    async def poll(self, device: str) -> Batch:
        """Read all points of a device; NoAnswerError when it says nothing at all."""
        unit = self._units[device]
        now = self._clock.monotonic()
        if now >= unit.probe_at:
            unit.layout, unit.probe_at = layout(unit.profile, unit.numbers), math.inf
        columns = _Columns()
        columns.bad(unit.layout.holes, _EXCEPTION)
        kept = [
            part for block in unit.layout.blocks for part in await self._read(unit, block, columns)
        ]
        if len(kept) != len(unit.layout.blocks):
            self._learn(unit, kept, columns)
        at_ms = self._clock.now_ms()
        times = [at_ms] * len(columns.numbers)
        return Batch.of(columns.numbers, times, columns.values, columns.flags, at_ms)

    async def write(self, point: Point, value: float) -> float:
        """Write a declared point, read it back and return what the device says it is now."""
        unit = self._units.get(point.device)
        spec = unit.profile.points.get(point.name) if unit else None
        if unit is None or spec is None:
            raise Refused(f"{point.id} is no point of this bus")
        check(point.id, spec, value)
        try:
            words = encode(spec, value)
        except ValueError as error:
            raise Refused(f"{point.id}: {error}") from error
        await self._bus.write(unit.unit_id, spec.table, spec.address, words)
        await self._clock.sleep(unit.pause_s)
        words = list(await self._bus.read(unit.unit_id, spec.table, spec.address, WORDS[spec.type]))
        actual, packed = decode(spec, words)
        if quality_of(packed) is not Quality.GOOD:
            reason = reason_of(packed).name.lower().replace("_", " ")
            raise DeviceError(f"{point.id}: written, but reading it back gave {words}: {reason}")
        return actual

    async def close(self) -> None:
        """Let the connection go."""
        await self._bus.close()

    async def _read(self, unit: _Unit, block: Block, columns: _Columns) -> list[Block]:
        """Read one block into the columns; return the blocks to read in its place next time."""
        if columns.numbers and unit.pause_s:
            await self._clock.sleep(unit.pause_s)
        request = block.request
        try:
            words = await self._bus.read(
                unit.unit_id, request.table, request.address, request.count
            )
            block.decoder.decode(words, columns.values, columns.flags)
        except NoAnswerError:
            if not columns.heard:
                raise  # one deadline spent on a dead unit is enough: the bus has others
            columns.bad(block.numbers, _NO_ANSWER)
        except (GarbageAnswerError, struct.error):
            columns.heard = True
            columns.bad(block.numbers, _GARBAGE)
        except ExceptionAnswerError as error:
            columns.heard = True
            if error.code in _NOT_THERE and self._may_split(unit, block):
                return [
                    part
                    for half in halves(block, unit.profile, unit.numbers)
                    for part in await self._read(unit, half, columns)
                ]
            columns.bad(block.numbers, _EXCEPTION)
            if error.code in _NOT_THERE and len(request.points) == 1:
                return []
        else:
            columns.numbers.extend(block.numbers)
            columns.heard = columns.read = True
        return [block]

    def _may_split(self, unit: _Unit, block: Block) -> bool:
        return len(block.request.points) > 1 and self._clock.monotonic() >= unit.split_at

    def _learn(self, unit: _Unit, kept: Sequence[Block], columns: _Columns) -> None:
        """Remember the holes that splitting found, unless the whole device refused to be read."""
        now = self._clock.monotonic()
        if not columns.read:
            unit.split_at = now + _SPLIT_AGAIN_S
            return
        there = {number for block in kept for number in block.numbers}
        holes = tuple(number for number in unit.numbers.values() if number not in there)
        unit.layout = Layout(tuple(kept), holes)
        unit.probe_at = now + _PROBE_AGAIN_S


def _unit(device: Device, profile: ModbusProfile) -> _Unit:
    if device.unit_id is None:
        raise Refused(f"{device.id} has no unit id and cannot be polled over Modbus")
    numbers = {point.name: point.number for point in device.points if point.name in profile.points}
    return _Unit(
        device.id,
        device.unit_id,
        profile,
        numbers,
        profile.limits.pause.total_seconds(),
        layout(profile, numbers),
    )
