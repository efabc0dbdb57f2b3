"""What the conformance kits share: a device of a product, what may be written to it, and words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from math import inf, nan

from drivers.profile import PointSpec, Profile, Write
from hub.cli.golden import Found
from hub.model import Point, Quality, Reason, Text, quality_of, reason_of
from hub.ports import PolledDriver, RegisterBus, Table
from hub.site import Device

Check = Callable[[str, bool, str], None]
"""Note one check of a section: did it hold, and what to say when it did not."""

ID = "bench/unit"
TIMEOUT_S = 0.5


class WatchedBus:
    """A register bus that counts what is written."""

    def __init__(self, bus: RegisterBus) -> None:
        self.writes = 0
        self._bus = bus
        self.read = bus.read
        self.close = bus.close

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Count and write."""
        self.writes += 1
        await self._bus.write(unit_id, table, address, values, function)


def bench_device(
    profile: Profile,
    *,
    place: str = "bench",
    topic: str | None = None,
    address: str | None = None,
    password_file: str | None = None,
    only: Collection[str] = (),
) -> Device:
    """Make a device of a product with all its points, or ``only`` some, behind gateway ``gw``."""
    specs: Mapping[str, PointSpec] = profile.points
    polled = profile.protocol != "mqtt"
    return Device(
        ID,
        profile.id,
        profile.kind,
        place,
        timedelta(minutes=1),
        "gw" if polled else None,
        1 if profile.protocol == "modbus" else None,
        tuple(
            Point(n, f"{ID}/{name}", ID, name, spec.unit, spec.kind, Text(name, name))
            for n, (name, spec) in enumerate(specs.items())
            if not only or name in only
        ),
        address=address,
        password_file=password_file,
        topic=topic,
    )


def free_port() -> int:
    """Return a port of loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


async def read_once(driver: PolledDriver, device: Device) -> Found:
    """Poll a device and return what was read by point name."""
    batch = await driver.poll(device.id)
    names = {point.number: point.name for point in device.points}
    rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
    return {names[n]: (value, quality_of(q), reason_of(q)) for n, value, q in rows}


def said(found: tuple[float, Quality, Reason] | None) -> str:
    """Write what was read for people."""
    if found is None:
        return "nothing"
    value, quality, reason = found
    return f"{value:g}" if quality is Quality.GOOD else f"{quality.name} ({reason.name})".lower()


def writable(write: Write | None, step: float) -> list[float]:
    """Return values that may be written: the ends, and one between."""
    if write is None:
        return []
    if write.one_of:
        return list(write.one_of)
    step = write.step or step or (write.max - write.min) / 8 or 1
    steps = int((write.max - write.min) / step + 1e-9)
    return list(dict.fromkeys(write.min + n * step for n in (0, steps // 2, steps)))


def unwritable(write: Write | None, step: float) -> list[float]:
    """Return values that may not be written: beyond the ends, between steps, no numbers."""
    if write is None:
        return []
    step = write.step or step
    wrong = [write.min - step, write.max + step, nan, inf]
    if write.step and write.max > write.min:
        wrong.append(write.min + write.step / 2)
    if len(write.one_of) > 1:
        wrong.append(sum(sorted(write.one_of)[:2]) / 2)
    return wrong
