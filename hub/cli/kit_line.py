"""The conformance kit for meters on a line, DL/T 645 and CJ/T 188: real sockets, spoiled octets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from drivers import registry
from drivers.profile import Cjt188Profile, Dlt645Profile, PointSpec
from hub.cli.bench import (
    TIMEOUT_S,
    Check,
    bench_device,
    free_port,
    read_once,
    said,
    unwritable,
    writable,
)
from hub.cli.golden import NOTHING, Case, Found, GoldenLine
from hub.model import Quality, Reason
from hub.ports import Clock, DeviceError, GarbageAnswerError, NoAnswerError, PolledDriver, Refused
from hub.site import Device, Gateway
from simulators.campus import Fleet
from simulators.cjt188_meter import Cjt188Line
from simulators.dlt645_meter import PASSWORD, Dlt645Line
from simulators.lines import Line, LineServers, line_behind

LineProfile = Dlt645Profile | Cjt188Profile
_ADDRESS = {"dlt645": "202611210012", "cjt188": "20261121000012"}
_NAMED = "password"  # a file that the kit does not need
_PLACE = "dorm-01/1/101"  # a room: its twin has a relay
_RECOVERY_S = 5.0
_LOOK_S = 0.05
_BROKEN = frozenset({Reason.NO_ANSWER, Reason.GARBAGE_ANSWER, Reason.EXCEPTION_ANSWER})


def _start(octets: bytes) -> int:
    return max(octets.find(b"\x68"), 0)


def _flipped(octets: bytes) -> bytes:
    """Change the last octet of the data, not the checksum."""
    return octets[:-3] + bytes([octets[-3] ^ 0x01]) + octets[-2:] if octets else octets


def _of_another(octets: bytes) -> bytes:
    """Answer in the name of another meter, with a right checksum."""
    at = _start(octets)
    body = bytearray(octets[at:-2])
    body[2] = (body[2] + 1) % 256 if body else 0
    return octets[:at] + bytes(body) + bytes([sum(body) % 256]) + octets[-1:]


SPOILS: Mapping[str, Callable[[bytes], bytes]] = {
    "silent": lambda _: b"",
    "garbage": lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "wrong checksum": _flipped,
    "cut answer": lambda octets: octets[: len(octets) // 2],
    "another meter's answer": _of_another,
}
HARMLESS: Mapping[str, Callable[[bytes], bytes]] = {
    "garbage before": lambda octets: b"\x00\xff\x10" + octets,
    "more wake-up octets": lambda octets: b"\xfe" * 8 + octets,
}


class SpoiledLine:
    """A line whose answers pass through ``spoil``."""

    def __init__(self, line: Line) -> None:
        self.spoil: Callable[[bytes], bytes] = bytes
        self._line = line

    def hear(self, octets: bytes) -> bytes:
        """Return what comes over the line when a frame is whole."""
        answer = self._line.hear(octets)
        return self.spoil(answer) if answer else answer


@dataclass
class Bench:
    """A meter's twin on a line that can be spoiled, and a driver."""

    profile: LineProfile
    device: Device
    line: SpoiledLine
    driver: PolledDriver
    clock: Clock
    shown: Callable[[], Mapping[str, float]]

    async def poll(self) -> Found:
        """Read all points, by name."""
        return await read_once(self.driver, self.device)

    def wrong(self, found: Found, *, only_good: bool = False) -> list[str]:
        """Say which points are not as the meter shows them; False values only, if so wished."""
        shown = self.shown()
        points: Mapping[str, PointSpec] = self.profile.points
        problems = []
        for name, spec in points.items():
            value, quality, _ = found.get(name, NOTHING)
            good = quality is Quality.GOOD
            near = 1.01 * getattr(spec, "scale", 0.01)
            if (good and abs(value - shown.get(name, value)) > near) or not (good or only_good):
                expected = shown.get(name)
                problems.append(f"{name}: the meter shows {expected}, {said(found.get(name))}")
        return problems


async def examine(profile: LineProfile, golden: Sequence[Case], check: Check, clock: Clock) -> None:
    """Hold a meter's twin, its profile and the driver against each other."""
    async with served(profile, clock) as bench:
        found = await bench.poll()
        wrong = bench.wrong(found)
        for name in bench.profile.points:
            problem = next((one for one in wrong if one.startswith(f"{name}: ")), "")
            check("read", not problem, problem)
        await _write(bench, check)
        for name, spoil in {**HARMLESS, **SPOILS}.items():
            await _fault(bench, name, spoil, check)
    for case in golden:
        await _golden(profile, case, check, clock)


@asynccontextmanager
async def served(profile: LineProfile, clock: Clock) -> AsyncIterator[Bench]:
    """Serve the meter's twin behind a transparent gateway and connect a driver to it."""
    device = bench_device(
        profile, place=_PLACE, address=_ADDRESS[profile.protocol], password_file=_NAMED
    )
    fleet = Fleet([device], {profile.id: profile}, clock)
    whole = line_behind(fleet, "gw")
    if whole is None:
        raise Refused(f"{profile.id}: there is no twin that speaks {profile.protocol}")
    line = SpoiledLine(whole)
    gateway = Gateway("gw", f"tcp://127.0.0.1:{free_port()}", timedelta(seconds=TIMEOUT_S))
    servers = LineServers([(gateway, line)])
    await servers.start()
    ways = registry.Ways(secret=lambda _: PASSWORD)
    driver = registry.behind(gateway, [device], {profile.id: profile}, clock, ways)

    def shown() -> Mapping[str, float]:
        if isinstance(whole, Cjt188Line):
            meter = whole.meters[device.id]
            return {"total": meter.total_m3, "settled": meter.total_m3, "status": meter.status}
        values = dict(fleet.twin_at(device.id, clock.now_ms()).values())
        values.pop("status", None)  # a word of its own in this protocol
        if isinstance(whole, Dlt645Line):
            values["keep_power"] = float(whole.meters[device.id].keeps_power)
        return values

    try:
        yield Bench(profile, device, line, driver, clock, shown)
    finally:
        await driver.close()
        await servers.stop()


async def _write(bench: Bench, check: Check) -> None:
    """Write what may be written and read it back; see everything else refused."""
    points: Mapping[str, PointSpec] = bench.profile.points
    for point in bench.device.points:
        write = points[point.name].write
        for value in writable(write, 1.0):
            problem = ""
            try:
                actual = await bench.driver.write(point, value)
                problem = "" if actual == value else f"read back as {actual:g}"
            except (DeviceError, Refused) as error:
                problem = str(error)
            check("write", not problem, f"{point.name} = {value:g}: {problem}")
        for value in unwritable(write, 1.0) if write else [1.0]:
            problem = "was not refused"
            try:
                await bench.driver.write(point, value)
            except Refused:
                problem = ""
            except DeviceError as error:
                problem = f"was sent: {error}"
            check("refuse", not problem, f"{point.name} = {value:g}: {problem}")


async def _fault(bench: Bench, name: str, spoil: Callable[[bytes], bytes], check: Check) -> None:
    """Spoil the line; nothing may be taken for a value, and after it all must be right again."""
    bench.line.spoil = spoil
    try:
        found = await bench.poll()
    except (NoAnswerError, GarbageAnswerError):
        found = {}
    wrong = bench.wrong(found, only_good=name not in HARMLESS)
    reasons = {reason for _, quality, reason in found.values() if quality is not Quality.GOOD}
    taken = [one for one, (_, quality, _) in found.items() if quality is Quality.GOOD]
    check("faults", not wrong, f"{name}: {wrong}")
    check("faults", reasons <= _BROKEN, f"{name}: reported as {sorted(reasons)}")
    check("faults", name in HARMLESS or not taken, f"{name}: taken for values: {taken}")
    bench.line.spoil = bytes
    check("faults", await _recovered(bench), f"{name}: not read rightly after it")


async def _recovered(bench: Bench) -> bool:
    ends_s = bench.clock.monotonic() + _RECOVERY_S
    while bench.clock.monotonic() < ends_s:
        try:
            if not bench.wrong(await bench.poll()):
                return True
        except DeviceError:
            pass
        await bench.clock.sleep(_LOOK_S)
    return False


async def _golden(profile: LineProfile, case: Case, check: Check, clock: Clock) -> None:
    """Hear frames that others have written down."""
    known = (*case.values, *case.bad)
    device = bench_device(profile, place=_PLACE, address=case.address, only=known)
    ways = registry.Ways(secret=lambda _: None, line_of=lambda _g, _c: GoldenLine(case))
    gateway = Gateway("gw", "tcp://127.0.0.1:1", timedelta(seconds=TIMEOUT_S))
    driver = registry.behind(gateway, [device], {profile.id: profile}, clock, ways)
    try:
        found = await read_once(driver, device)
    except DeviceError as error:
        check("golden", False, f"{case.source}: {error}")
        return
    for problem in case.objections(found):
        check("golden", not problem, problem)
