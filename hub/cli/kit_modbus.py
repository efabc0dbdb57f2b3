"""The conformance kit for Modbus products: driver and twin on real sockets, faults between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from math import inf, isnan, nan

from drivers import registry
from drivers.profile import ModbusProfile, RegisterPoint
from hub.cli.bench import (
    TIMEOUT_S,
    Check,
    WatchedBus,
    bench_device,
    free_port,
    read_once,
    said,
    unwritable,
    writable,
)
from hub.cli.golden import NOTHING, Case, Found, GoldenBus
from hub.model import Point, Quality, Reason
from hub.ports import (
    Clock,
    DeviceError,
    NoAnswerError,
    PolledDriver,
    Refused,
    StartError,
)
from hub.site import Device, Gateway
from simulators.campus import Fleet
from simulators.faults import Kind, Wire, WireFault
from simulators.framing import Mbap
from simulators.generic import GenericTwin
from simulators.modbus_server import ModbusServers
from simulators.registers import Marker, factor_of

RECOVERY_S = 5.0
_ATTEMPTS = 3
_LOOK_S = 0.05
_FOR_EVER_MS = 1 << 60
_MANTISSA = {"float32": 2.0**-23, "float64": 2.0**-52}
_NOTHING = frozenset({Reason.NO_ANSWER})
_REFUSED = frozenset({Reason.EXCEPTION_ANSWER})
_GARBLED = frozenset({Reason.GARBAGE_ANSWER, Reason.NO_ANSWER})
_READ = frozenset({Reason.NONE})


class ShortAnswers(Mbap):
    """Modbus TCP as a proxy reads it; a miscounted answer is whole but has one value too few."""

    def miscounted(self, frame: bytes) -> bytes:
        """Return the answer without its last register, in order with its own counts."""
        pdu = self.pdu(frame)
        short = bytes([pdu[0], max(pdu[1] - 2, 0)]) + pdu[2:-2]
        return self.rebuilt(frame, self.unit_id(frame), short)


@dataclass(frozen=True)
class Trial:
    """A fault of the line, and what may be said of the points while it lasts.

    NONE among the reasons means that they may be read, rightly.
    """

    name: str
    kind: Kind
    reasons: frozenset[Reason]
    code: int = 0
    delay_s: float = 0.0


TRIALS = (
    Trial("silent", "timeout", _NOTHING),
    Trial("delay", "delay", _READ, delay_s=TIMEOUT_S / 5),
    Trial("late", "delay", _NOTHING, delay_s=TIMEOUT_S * 1.3),
    Trial("stale answer", "stale_answer", _GARBLED),
    Trial("exception 4", "exception", _REFUSED, code=4),
    Trial("exception 2", "exception", _REFUSED, code=2),
    Trial("exception 11", "exception", _NOTHING, code=11),
    Trial("gateway busy", "gateway_busy", _REFUSED | _NOTHING),
    Trial("short answer", "crc_error", _GARBLED),
    Trial("wrong unit", "wrong_unit", _GARBLED),
    Trial("wrong function", "wrong_function", _GARBLED),
    Trial("split frame", "split_frame", _READ),
    Trial("dropped connection", "dropped_connection", _GARBLED),
    Trial("own transaction id", "own_transaction_id", _GARBLED),
    Trial("garbage before", "garbage_before", _GARBLED | _READ),
    Trial("garbage inside", "garbage_inside", _GARBLED | _READ),
    Trial("garbage after", "garbage_after", _GARBLED),
)


async def examine(
    profile: ModbusProfile, golden: Sequence[Case], check: Check, clock: Clock
) -> None:
    """Hold a product's twin, its profile and the driver against each other."""
    async with served(profile, clock) as bench:
        await _read(bench, check)
        await _write(bench, check)
        await _markers(bench, check)
        for trial in TRIALS:
            await _fault(bench, trial, check)
    for case in golden:
        await _golden(profile, case, check, clock)


@dataclass
class Bench:
    """A twin behind a real server behind a line that can be spoiled, and a driver."""

    profile: ModbusProfile
    device: Device
    twin: GenericTwin
    wire: Wire
    bus: WatchedBus
    driver: PolledDriver
    clock: Clock

    def point(self, name: str) -> Point:
        """Return a point as the driver knows it."""
        return next(point for point in self.device.points if point.name == name)

    async def poll(self) -> Found:
        """Read all points, by name."""
        return await read_once(self.driver, self.device)

    def spoil(self, trial: Trial | None) -> None:
        """Let a fault befall the line from now on, or none."""
        self.wire.faults = (
            ()
            if trial is None
            else (WireFault(trial.kind, 0, _FOR_EVER_MS, code=trial.code, delay_s=trial.delay_s),)
        )
        self.wire.hits = [0] * len(self.wire.faults)

    def wrong(self, found: Found, but: frozenset[str] = frozenset()) -> list[str]:
        """Say which points are not as the twin shows them, within their resolution."""
        shown = self.twin.values()
        return [
            f"{name}: the twin shows {shown[name]:g}, read was {said(found.get(name))}"
            for name, spec in self.profile.points.items()
            if name not in but and not _same(spec, found.get(name), shown[name], shown)
        ]


@asynccontextmanager
async def served(profile: ModbusProfile, clock: Clock) -> AsyncIterator[Bench]:
    """Serve the product's twin and connect a driver to it."""
    device = bench_device(profile)
    fleet = Fleet([device], {profile.id: profile}, clock, physics=False)
    twin = fleet.twin(device.id)
    if not isinstance(twin, GenericTwin):
        raise TypeError(f"{profile.id}: its twin cannot be told what to show")
    servers, gateway = await _listening(fleet)
    bus = WatchedBus(registry.open_bus(gateway, clock))
    driver = registry.polled(bus, [device], {profile.id: profile}, clock)
    try:
        yield Bench(profile, device, twin, fleet.wires.of(gateway.id), bus, driver, clock)
    finally:
        await driver.close()
        await servers.stop()


async def _listening(fleet: Fleet) -> tuple[ModbusServers, Gateway]:
    """Start the server on a port that nobody took since it was found free."""
    for attempt in range(5):
        url = f"tcp://127.0.0.1:{free_port()}"
        gateway = Gateway("gw", url, timedelta(seconds=TIMEOUT_S))
        servers = ModbusServers(fleet, [gateway], framings={"tcp": ShortAnswers()})
        try:
            await servers.start()
        except StartError:
            if attempt == 4:  # noqa: PLR2004 - the last one
                raise
        else:
            return servers, gateway
    raise StartError("no port of this machine is free")


def resolution(spec: RegisterPoint, shown: Mapping[str, float], value: float) -> float:
    """Return how far the register may be from the value that it stands for."""
    step = abs(spec.scale) * factor_of(spec, shown)
    if spec.type in _MANTISSA:
        return abs(value) * _MANTISSA[spec.type] + 1e-12
    return step / 2 + abs(value) * 1e-9 + 1e-12


def _same(
    spec: RegisterPoint,
    found: tuple[float, Quality, Reason] | None,
    wanted: float,
    shown: Mapping[str, float],
) -> bool:
    if found is None or found[1] is not Quality.GOOD:
        return False
    return abs(found[0] - wanted) <= resolution(spec, shown, wanted)


async def _read(bench: Bench, check: Check) -> None:
    """Read every point back, in both variants of the twin."""
    for variant in (1, 0):
        bench.twin.turn(variant)
        wrong = bench.wrong(await bench.poll())
        for name in bench.profile.points:
            problem = next((one for one in wrong if one.startswith(f"{name}: ")), "")
            check("read", not problem, problem)


async def _write(bench: Bench, check: Check) -> None:
    """Write what may be written and read it back; see everything else refused."""
    for name, spec in bench.profile.points.items():
        if spec.write is None:
            await _refused(bench, name, bench.twin.values()[name], check)
            continue
        for value in writable(spec.write, _step(spec)):
            before = bench.twin.values()
            problem = await _written(bench, name, value)
            after = bench.twin.values()
            moved = [other for other in after if after[other] != before[other] and other != name]
            moved = [other for other in moved if not _shares(bench.profile, name, other)]
            check("write", not problem, f"{name} = {value:g}: {problem}")
            check("write", not moved, f"{name} = {value:g}: this also changed {', '.join(moved)}")
        for value in unwritable(spec.write, _step(spec)):
            await _refused(bench, name, value, check)
        for condition in spec.write.only_while:
            other = max(condition.equals) + 1
            bench.twin.show(condition.point, other)
            await _refused(
                bench,
                name,
                writable(spec.write, _step(spec))[0],
                check,
                f"while {condition.point} is {other:g}",
            )
            bench.twin.show(condition.point, None)
        bench.twin.turn(0)


async def _written(bench: Bench, name: str, value: float) -> str:
    """Write a value; say what is wrong with what came of it."""
    spec = bench.profile.points[name]
    try:
        actual = await bench.driver.write(bench.point(name), value)
    except (DeviceError, Refused) as error:
        return str(error)
    shown = bench.twin.values()
    near = resolution(spec, shown, value)
    if abs(actual - value) > near:
        return f"read back as {actual:g}"
    if abs(shown[name] - value) > near:
        return f"the twin has {shown[name]:g}"
    wrong = bench.wrong(await bench.poll())
    return wrong[0] if wrong else ""


async def _refused(bench: Bench, name: str, value: float, check: Check, when: str = "") -> None:
    """See a write refused, and nothing of it on the line."""
    before, asked = bench.twin.values(), bench.bus.writes
    try:
        actual = await bench.driver.write(bench.point(name), value)
        problem = f"was taken and read back as {actual:g}"
    except Refused:
        problem = ""
    except DeviceError as error:
        problem = f"was sent: {error}"
    if not problem and (bench.bus.writes != asked or bench.twin.values() != before):
        problem = "was refused but sent all the same"
    check("refuse", not problem, f"{name} = {value:g} {when}: {problem}")


def _step(spec: RegisterPoint) -> float:
    return abs(spec.scale)


def _shares(profile: ModbusProfile, name: str, other: str) -> bool:
    """Tell whether two points have registers in common, so that one is seen in the other."""
    one, two = profile.points[name], profile.points[other]
    apart = one.address + one.words <= two.address or two.address + two.words <= one.address
    whole = not (one.partial and two.partial)
    return one.table == two.table and not apart and whole


async def _markers(bench: Bench, check: Check) -> None:
    """Show every filler, and numbers that are none; each must be bad and nothing else."""
    points = bench.profile.points
    for name, spec in points.items():
        for marker in spec.invalid:
            await _bad(bench, {name: Marker(marker)}, Reason.INVALID_MARKER, f"{marker:#x}", check)
    sources = {source for spec in points.values() for source in spec.follows}
    floats = [n for n, spec in points.items() if spec.type in _MANTISSA and n not in sources]
    for value in (nan, inf, -inf) if floats else ():
        shown = dict.fromkeys(floats, value)
        await _bad(bench, shown, Reason.NOT_A_NUMBER, f"{value}", check)


async def _bad(
    bench: Bench, shown: Mapping[str, float], reason: Reason, what: str, check: Check
) -> None:
    for name, value in shown.items():
        bench.twin.show(name, value)
    found = await bench.poll()
    for name in shown:
        value, quality, why = found.get(name, NOTHING)
        right = quality is Quality.BAD and why is reason and isnan(value)
        check("markers", right, f"{name} showing {what}: read as {said(found.get(name))}")
    touched = {
        name
        for name, spec in bench.profile.points.items()
        for other in shown
        if name == other or other in spec.follows or _shares(bench.profile, name, other)
    }
    for name in shown:
        bench.twin.show(name, None)
    spoiled = [] if len(shown) > 1 else bench.wrong(found, frozenset(touched))
    check("markers", not spoiled, f"{', '.join(shown)} showing {what} spoiled others: {spoiled}")


async def _fault(bench: Bench, trial: Trial, check: Check) -> None:
    """Spoil the line; nothing may be taken for a value, and after it all must be right again.

    How it is reported is judged by the best of some attempts: a busy machine may be late.
    """
    left = _ATTEMPTS
    while True:
        bench.twin.turn(0)
        if not await _recovered(bench):
            check("faults", False, f"{trial.name}: the device could not be read before it")
            return
        bench.spoil(trial)
        said, wrong = await _reported(bench)
        struck = bench.wire.hits[0]
        bench.spoil(None)
        bench.twin.turn(1)  # so that a late answer cannot pass for a new one
        left -= 1
        if wrong or said <= trial.reasons or not left:
            break
    named = ", ".join(sorted(reason.name.lower() for reason in said)) or "nothing"
    check("faults", struck > 0, f"{trial.name}: did not happen")
    check("faults", not wrong, f"{trial.name}: taken for values: {wrong}")
    check("faults", said <= trial.reasons, f"{trial.name}: reported as {named}")
    check("faults", await _recovered(bench), f"{trial.name}: not read rightly after it")


async def _reported(bench: Bench) -> tuple[set[Reason], list[str]]:
    """Poll a device behind a spoiled line; return what was said of it, and what is false."""
    try:
        found = await bench.poll()
    except NoAnswerError:
        return {Reason.NO_ANSWER}, []
    except DeviceError as error:
        return set(), [f"an error of another kind: {error}"]
    return {reason for _, _, reason in found.values()}, _false(bench, found)


async def _recovered(bench: Bench) -> bool:
    """Poll until everything is read; False when a false value comes or time runs out."""
    ends_s = bench.clock.monotonic() + RECOVERY_S
    while bench.clock.monotonic() < ends_s:
        try:
            found = await bench.poll()
        except DeviceError:
            found = {}
        if not bench.wrong(found):
            return True
        if _false(bench, found):
            return False
        await bench.clock.sleep(_LOOK_S)
    return False


def _false(bench: Bench, found: Found) -> list[str]:
    """Return what was called good and is not as the twin shows it."""
    good = {name: one for name, one in found.items() if one[1] is Quality.GOOD}
    return bench.wrong(good, frozenset(set(bench.profile.points) - set(good)))


async def _golden(profile: ModbusProfile, case: Case, check: Check, clock: Clock) -> None:
    """Decode bytes that others have written down."""
    device = bench_device(profile)
    driver = registry.polled(GoldenBus(case), [device], {profile.id: profile}, clock)
    found = await read_once(driver, device)
    for problem in case.objections(found):
        check("golden", not problem, problem)
