"""Read and write the devices behind one gateway."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drivers.codec import Value, decode, encode, ordered
from drivers.guard import check
from drivers.modbus.layout import Block, Drawer, Layout
from drivers.plan import halves, plan
from drivers.profile import ModbusProfile, RegisterPoint, write_function
from hub.model import Batch, Point, Quality, Reason, flag, quality_of, reason_of
from hub.ports import (
    Clock,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    Hole,
    Holes,
    NoAnswerError,
    Refused,
    RegisterBus,
    Seen,
    Span,
    UnreadableError,
)
from hub.site import Device

_GOOD = flag(Quality.GOOD)
_NONE = np.empty(0, np.int32)
_EXCEPTION = flag(Quality.BAD, Reason.EXCEPTION_ANSWER)
_GARBAGE = flag(Quality.BAD, Reason.GARBAGE_ANSWER)
_NO_ANSWER = flag(Quality.BAD, Reason.NO_ANSWER)
_NOT_THERE = (2, 3)  # illegal address, illegal value: a register inside the block is missing
_PROBE_AGAIN_S = 86_400.0
_SPLIT_AGAIN_S = 3_600.0
_ROUNDING = 1e-6
_Found = list[tuple[Hole, Block]]  # a hole, and the question that was refused because of it


@dataclass(slots=True)
class _Unit:
    """One device with what was learned about it."""

    id: str
    unit_id: int
    profile: ModbusProfile
    numbers: dict[str, int]
    pause_s: float
    layout: Layout
    holes: tuple[Hole, ...] = ()
    doubts: Mapping[Hole, Block] = field(default_factory=dict)
    probe_at: float = math.inf
    split_at: float = 0.0
    usual: tuple[list[int], NDArray[np.int32]] = field(default_factory=lambda: ([], _NONE))


@dataclass(slots=True)
class _Columns:
    """What a poll has read so far; ``waiting`` are answers with points that follow others."""

    numbers: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    waiting: list[tuple[Block, bytes]] = field(default_factory=list)
    heard: bool = False
    read: bool = False
    failed: int = 0

    def bad(self, numbers: Sequence[int], packed: int) -> None:
        """Note points that gave no value."""
        self.failed += 1
        self.numbers.extend(numbers)
        self.values.extend([math.nan] * len(numbers))
        self.flags.extend([packed] * len(numbers))

    def put(self, block: Block, data: bytes) -> None:
        """Decode an answer."""
        block.content.decoder.decode(data, self.values, self.flags)
        self.numbers.extend(block.numbers)
        if block.following:
            self.waiting.append((block, data))

    def follow(self, numbers: Mapping[str, int]) -> None:
        """Decode the points that waited for others; all that could be read has been read."""
        if not self.waiting:
            return
        rows = dict(zip(self.numbers, zip(self.values, self.flags, strict=True), strict=True))
        told = {name: rows[number] for name, number in numbers.items() if number in rows}
        for block, data in self.waiting:
            for number, (_, follower) in zip(block.following, block.content.followers, strict=True):
                value, packed = follower.read(data, told)
                self.numbers.append(number)
                self.values.append(value)
                self.flags.append(packed)


class ModbusDriver:
    """The devices of one bus; the poller asks for one after the other.

    ``holes`` remembers what devices do not have; without it that is found anew at each start.
    ``at_once`` is how many blocks of a device may be asked for together.
    """

    def __init__(
        self,
        bus: RegisterBus,
        devices: Sequence[tuple[Device, ModbusProfile]],
        clock: Clock,
        holes: Holes | None = None,
        at_once: int = 1,
    ) -> None:
        self._bus = bus
        self._at_once = at_once
        self._clock = clock
        self._holes = holes
        self._drawer = Drawer()
        self._units = {device.id: self._unit(device, profile) for device, profile in devices}

    async def poll(self, device: str) -> Batch:
        """Read all points of a device; NoAnswerError when it says nothing at all."""
        unit = self._units[device]
        probing = self._clock.monotonic() >= unit.probe_at
        layout = self._drawer.layout(unit.profile, unit.numbers) if probing else unit.layout
        columns = _Columns()
        found = await self._sweep(unit, layout.blocks, columns)
        doubts = {} if probing else unit.doubts
        still = {hole: await self._again(unit, hole, doubts[hole], columns) for hole in doubts}
        read = {*columns.numbers} if still else ()
        columns.bad([number for number in layout.missing if number not in read], _EXCEPTION)
        columns.follow(unit.numbers)
        if found or still or probing:
            self._learn(unit, found, still, columns, probing=probing)
        return _batch(unit, columns, self._clock.now_ms())

    async def look(self, device: str, what: Span | str) -> Seen:
        """Read a span of a device as it is; ExceptionAnswerError when there is no such span."""
        unit = self._units.get(device)
        if unit is None or not isinstance(what, Span):
            raise Refused(f"{what} of {device} is nothing that this bus can be asked for")
        await self._pause(unit)
        return Seen(await self._bus.read(unit.unit_id, what.table, what.address, what.count))

    async def write(self, point: Point, value: float) -> float:
        """Write a declared point, read it back and return what the device says it is now."""
        unit = self._units.get(point.device)
        spec = unit.profile.points.get(point.name) if unit else None
        if unit is None or spec is None:
            raise Refused(f"{point.id} is no point of this bus")
        check(point.id, spec, value)
        function = write_function(spec, unit.profile.limits)
        try:
            words = await self._prepared(unit, spec, value)
        except (DeviceError, Refused, ValueError) as error:
            raise Refused(f"{point.id}: nothing was written: {error}") from error
        await self._bus.write(unit.unit_id, spec.table, spec.address, words, function)
        await self._pause(unit)
        try:
            actual, packed = await self._value(unit, spec)
        except ExceptionAnswerError as error:  # no refusal of the write: that was taken
            raise UnreadableError(f"{point.id}: {error}") from error
        if quality_of(packed) is not Quality.GOOD:
            raise DeviceError(f"{point.id}: written, but reads back as {_why(packed)}")
        return actual

    async def _prepared(self, unit: _Unit, spec: RegisterPoint, value: float) -> list[int]:
        """Return what to write, once what it depends on has been read and allows it."""
        points = unit.profile.points
        for condition in spec.write.only_while if spec.write else ():
            actual = await self._good(unit, condition.point, points[condition.point])
            if all(abs(actual - wanted) > _ROUNDING for wanted in condition.equals):
                wanted = " or ".join(f"{one:g}" for one in condition.equals)
                raise Refused(f"only while {condition.point} is {wanted}; it is {actual:g}")
        told: dict[str, Value] = {}
        for name in spec.follows:
            told[name] = await self._good(unit, name, points[name]), _GOOD
        now = await self._registers(unit, spec) if spec.partial else ()
        return encode(ordered(spec, told), value, now)

    async def close(self) -> None:
        """Let the connection go."""
        await self._bus.close()

    async def _sweep(self, unit: _Unit, blocks: Sequence[Block], columns: _Columns) -> _Found:
        """Read the blocks: the first alone, to see that the unit is there, the others together."""
        found: _Found = []
        together = 1 if unit.pause_s else self._at_once
        if together == 1 or len(blocks) < 3:  # noqa: PLR2004 - the first and one more
            for block in blocks:
                found += await self._read(unit, block, columns)
            return found
        found += await self._read(unit, blocks[0], columns)
        for at in range(1, len(blocks), together):
            asked = blocks[at : at + together]
            answers = await asyncio.gather(*(self._asked(unit, block) for block in asked))
            for block, answer in zip(asked, answers, strict=True):
                found += await self._taken(unit, block, answer, columns)
        return found

    async def _read(self, unit: _Unit, block: Block, columns: _Columns) -> _Found:
        """Read one block into the columns; return the holes that it turned out to have."""
        if columns.heard:
            await self._pause(unit)
        return await self._taken(unit, block, await self._asked(unit, block), columns)

    async def _asked(self, unit: _Unit, block: Block) -> Sequence[int] | DeviceError:
        """Return what the device has to say to a block, be it an error."""
        request = block.request
        try:
            return await self._bus.read(unit.unit_id, request.table, request.address, request.count)
        except DeviceError as error:
            return error

    async def _taken(
        self, unit: _Unit, block: Block, answer: Sequence[int] | DeviceError, columns: _Columns
    ) -> _Found:
        """Put an answer into the columns; a refused block is split to find what is not there."""
        points = (*block.numbers, *block.following)
        if isinstance(answer, NoAnswerError):
            if not columns.heard:
                raise answer  # one deadline spent on a dead unit is enough: the bus has others
            columns.bad(points, _NO_ANSWER)
            return []
        columns.heard = True
        if isinstance(answer, ExceptionAnswerError):
            if answer.code in _NOT_THERE and self._clock.monotonic() >= unit.split_at:
                return await self._split(unit, block, columns)
            columns.bad(points, _EXCEPTION)
        elif isinstance(answer, GarbageAnswerError):
            columns.bad(points, _GARBAGE)
        elif isinstance(answer, DeviceError):
            raise answer
        else:
            try:
                columns.put(block, block.content.decoder.bytes_of(answer))
                columns.read = True
            except struct.error:
                columns.bad(points, _GARBAGE)
        return []

    async def _split(self, unit: _Unit, block: Block, columns: _Columns) -> _Found:
        """Read the halves of a refused block, down to the registers that are not there."""
        request, points = block.request, unit.profile.points
        parts = halves(request, points)
        if parts is None:
            columns.bad((*block.numbers, *block.following), _EXCEPTION)
            point = points[request.points[0]]
            return [(Hole(point.table, point.address, point.words), block)]
        failed, found = columns.failed, []
        for names in parts:
            for half in self._drawer.blocks(unit.profile, unit.numbers, names):
                found += await self._read(unit, half, columns)
        if found or columns.failed != failed:
            return found
        # Each half is there: what is not lies between them, or they are too much for one request.
        return [(Hole(request.table, points[parts[1][0]].address, 0), block)]

    async def _again(self, unit: _Unit, hole: Hole, block: Block, columns: _Columns) -> bool | None:
        """Put a question again that was refused once; tell whether it is, None: nothing is known.

        Registers that are there after all are taken.
        """
        await self._pause(unit)
        answer = await self._asked(unit, block)
        if isinstance(answer, ExceptionAnswerError):
            return answer.code in _NOT_THERE
        if isinstance(answer, DeviceError):
            return None
        if hole.words:
            await self._taken(unit, block, answer, columns)
        return False

    def _learn(
        self,
        unit: _Unit,
        found: _Found,
        still: Mapping[Hole, bool | None],
        columns: _Columns,
        *,
        probing: bool,
    ) -> None:
        """Remember the holes, unless the whole device refused to be read.

        A device may refuse once what it has, so a hole counts when it was found in two polls.
        """
        now = self._clock.monotonic()
        if not columns.read:
            unit.split_at = now + _SPLIT_AGAIN_S
            return
        kept = [hole for hole, _ in found if hole in unit.holes] if probing else [*unit.holes]
        kept += [hole for hole, refused in still.items() if refused]
        doubts = {hole: unit.doubts[hole] for hole, refused in still.items() if refused is None}
        unit.doubts = doubts | {hole: block for hole, block in found if hole not in kept}
        holes = tuple(dict.fromkeys(kept))
        if probing or not unit.holes:
            unit.probe_at = now + _PROBE_AGAIN_S if holes else math.inf
        if self._holes is not None and (probing or holes != unit.holes):
            self._holes.keep(unit.id, unit.profile.id, self._clock.now_ms(), holes)
        unit.holes = holes
        known = (*holes, *unit.doubts)
        unit.layout = self._drawer.layout(unit.profile, unit.numbers, known)

    async def _good(self, unit: _Unit, name: str, spec: RegisterPoint) -> float:
        value, packed = await self._value(unit, spec)
        if quality_of(packed) is not Quality.GOOD:
            raise DeviceError(f"it depends on {name}, which reads as {_why(packed)}")
        return value

    async def _value(self, unit: _Unit, spec: RegisterPoint) -> Value:
        """Read one point, after those that it follows."""
        told = {name: await self._value(unit, unit.profile.points[name]) for name in spec.follows}
        return decode(spec, await self._registers(unit, spec), told)

    async def _registers(self, unit: _Unit, spec: RegisterPoint) -> Sequence[int]:
        """Read the registers of one point."""
        (request,) = plan({"": spec}, unit.profile.limits)
        words = await self._bus.read(unit.unit_id, request.table, request.address, request.count)
        await self._pause(unit)
        start = spec.address - request.address
        return words[start : start + spec.words]

    async def _pause(self, unit: _Unit) -> None:
        if unit.pause_s:
            await self._clock.sleep(unit.pause_s)

    def _unit(self, device: Device, profile: ModbusProfile) -> _Unit:
        if device.unit_id is None:
            raise Refused(f"{device.id} has no unit id and cannot be polled over Modbus")
        points = [point for point in device.points if point.name in profile.points]
        numbers = {point.name: point.number for point in points}
        found_ms, holes = self._holes.known(device.id, profile.id) if self._holes else (0, ())
        age_s = max((self._clock.now_ms() - found_ms) / 1000, 0)
        return _Unit(
            device.id,
            device.unit_id,
            profile,
            numbers,
            profile.limits.pause.total_seconds(),
            self._drawer.layout(profile, numbers, holes),
            tuple(holes),
            {},
            self._clock.monotonic() + max(_PROBE_AGAIN_S - age_s, 0) if holes else math.inf,
        )


def _batch(unit: _Unit, columns: _Columns, at_ms: int) -> Batch:
    """Make a batch of what was read; the points of a device are mostly those of its last poll."""
    known, points = unit.usual
    if columns.numbers != known:
        points = np.asarray(columns.numbers, np.int32)
        points.flags.writeable = False  # batches share it
        unit.usual = columns.numbers, points
    count = len(points)
    flags = np.asarray(columns.flags, np.uint8) if any(columns.flags) else np.zeros(count, np.uint8)
    values = np.asarray(columns.values, np.float64)
    return Batch(points, np.full(count, at_ms, np.int64), values, flags, at_ms)


def _why(packed: int) -> str:
    return reason_of(packed).name.lower().replace("_", " ")
