"""Look at a device with registers: all word orders and offsets, ranked by physics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from drivers.profile import ModbusProfile, RegisterPoint
from hub.model import Json
from hub.ports import (
    Clock,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    Look,
    NoAnswerError,
    Span,
    Table,
)
from hub.probe.examined import Examined
from hub.probe.wiring import WIRINGS, Wiring, rank, values_of, verdict, words_at
from hub.site import Device

_PATIENCE = 3  # questions without an answer before the rest is let be: the bus has other devices


async def examine(
    look: Look,
    device: Device,
    profile: ModbusProfile,
    where: str,
    clock: Clock,
    between_s: float,
) -> Examined:
    """Read a device with one register to either side of each point, and rank what may be wrong.

    After ``between_s`` all is read again: counters have counted, and the load is another one.
    """
    reader = Reader(look, device.id, profile)
    began_ms = clock.now_ms()
    try:
        await reader.read(profile.points.values())
    except DeviceError as error:
        return Examined(device.id, profile.id, where, fits=False, finding=str(error))
    later = Reader(look, device.id, profile)
    await clock.sleep(between_s)
    seconds = (clock.now_ms() - began_ms) / 1000
    with contextlib.suppress(DeviceError):  # the first look stands without the second
        await later.read(profile.points.values())
    ranked = rank(profile, reader.image, later.image or None, seconds)
    fits, finding = verdict(profile, reader.image, ranked)
    points = list(_points(profile, reader))
    return Examined(device.id, profile.id, where, fits, finding, points, ranked)


class Reader:
    """Reads a device once: as few requests as give every point and its neighbours."""

    def __init__(self, look: Look, device: str, profile: ModbusProfile) -> None:
        self.image: dict[tuple[Table, int], int] = {}
        self.errors: dict[tuple[Table, int], str] = {}
        self._look = look
        self._device = device
        self._align = profile.limits.align
        self._misses = 0

    async def read(self, points: Iterable[RegisterPoint]) -> None:
        """Read points; DeviceError when the device says nothing at all."""
        for point in points:
            first, end = point.address, point.address + point.words
            align = self._align if point.table in ("holding", "input") else 1
            if await self._run(point.table, first - 1, end + 1, align):
                continue
            # Near the end of a map. One that is off by one begins its pairs at odd addresses too.
            await self._run(point.table, first, end, align)
            await self._run(point.table, first - 1, end - 1)
            await self._run(point.table, first + 1, end + 1)

    async def _run(self, table: Table, first: int, end: int, align: int = 1) -> bool:
        """Read a run of registers unless they are known; False when they cannot be had."""
        low, high = max(first - first % align, 0), min(end + -end % align, 0x10000)
        if all((table, address) in self.image for address in range(low, high)):
            return True
        if self._misses >= _PATIENCE:
            self.errors[table, first] = "not asked: the device has fallen silent"
            return False
        try:
            words = (await self._look(self._device, Span(table, low, high - low))).raw
        except ExceptionAnswerError as error:
            self._misses = 0
            self.errors[table, first] = f"exception {error.code}"
            return False
        except (NoAnswerError, GarbageAnswerError) as error:
            if not self.image and not self.errors:
                raise
            self._misses += 1
            self.errors[table, first] = str(error)
            return False
        self._misses = 0
        self.image.update({(table, low + n): word for n, word in enumerate(words)})
        return True


def _points(profile: ModbusProfile, reader: Reader) -> Iterator[dict[str, Json]]:
    """Yield each point with its raw words and its value as the profile says and otherwise."""
    values = {wiring: values_of(profile, reader.image, wiring) for wiring in WIRINGS}
    for name, point in profile.points.items():
        value = values[Wiring()].get(name)
        yield {
            "point": name,
            "table": point.table,
            "address": point.address,
            "words": words_at(point, reader.image),
            "value": value,
            "unit": point.unit,
            "quality": "good" if value is not None else "bad",
            "error": reader.errors.get((point.table, point.address), ""),
            "otherwise": {
                str(wiring): found[name]
                for wiring, found in values.items()
                if wiring.differences and name in found
            },
        }
