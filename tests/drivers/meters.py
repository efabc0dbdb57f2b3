"""Meters of DL/T 645 and CJ/T 188 for the tests: twins on a line, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter

from drivers.profile import Cjt188Profile, Dlt645Profile, Profile
from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Point, Reason, Text, reason_of
from hub.ports import Clock
from hub.site import Device
from simulators.campus import Fleet
from simulators.cjt188_meter import Cjt188Line, cjt188_line
from simulators.dlt645_meter import Dlt645Line, Dlt645Meter, dlt645_line

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
SHARED = [folder / "shared" / "data" / "frames" for folder in (ROOT.parent, ROOT.parent.parent)]
PASSWORD_FILE = "password"
START_MS = 1_795_219_200_000  # 2026-11-21 08:00 in China


def shipped(id_: str) -> Profile:
    text = (ROOT / "config" / "profiles" / f"{id_}.yaml").read_text("utf-8")
    return TypeAdapter(Profile).validate_python(yaml.safe_load(text))


def dlt645() -> Dlt645Profile:
    found = shipped("dlt645-room-meter")
    assert isinstance(found, Dlt645Profile)
    return found


def cjt188(**changed: object) -> Cjt188Profile:
    found = shipped("cjt188-water-meter")
    assert isinstance(found, Cjt188Profile)
    return found.model_copy(update=changed)


def meter(
    profile: Dlt645Profile | Cjt188Profile,
    address: str,
    *,
    id_: str = "dorm-01/m-1",
    first: int = 1,
    password_file: str | None = PASSWORD_FILE,
) -> Device:
    points = tuple(
        Point(n, f"{id_}/{name}", id_, name, spec.unit, spec.kind, Text(name, name))
        for n, (name, spec) in enumerate(profile.points.items(), first)
    )
    return Device(
        id_,
        profile.id,
        "meter",
        "dorm-01/1/101",
        timedelta(minutes=1),
        "gw",
        None,
        points,
        address=address,
        password_file=password_file,
    )


def dlt645_meters(
    devices: list[Device], profile: Dlt645Profile, clock: Clock
) -> tuple[Dlt645Line, list[Dlt645Meter]]:
    line = dlt645_line(Fleet(devices, {profile.id: profile}, clock), "gw")
    return line, list(line.meters.values())


def cjt188_meters(devices: list[Device], profile: Cjt188Profile, clock: Clock) -> Cjt188Line:
    return cjt188_line(Fleet(devices, {profile.id: profile}, clock), "gw")


@dataclass
class Recorded:
    """An octet bus that keeps what is said on it."""

    bus: object
    said: list[bytes]

    async def ask(
        self, question: bytes, answer: Callable[[bytes], T | None], *, repeatable: bool = True
    ) -> T:
        self.said.append(question)
        return await self.bus.ask(question, answer, repeatable=repeatable)

    async def tell(self, octets: bytes) -> None:
        self.said.append(octets)
        await self.bus.tell(octets)

    async def close(self) -> None:
        await self.bus.close()


def by_name(device: Device, batch: Batch) -> dict[str, tuple[float, Reason]]:
    """Return value and reason of each point."""
    names = {point.number: point.name for point in device.points}
    rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
    return {names[number]: (value, reason_of(packed)) for number, value, packed in rows}


def virtual(story: Callable[[VirtualClock], Awaitable[T]], start_ms: int = START_MS) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story(VirtualClock(loop, start_ms, 7)))
    finally:
        loop.close()
