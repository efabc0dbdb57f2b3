"""What the protocol faults of a scenario did: which struck, what was stored, what health said.

A stored value is right when the device truly gave it in answer to the very poll that stored it.
The twins keep what they answered; the hub cannot read that.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from drivers.profile import ModbusProfile, Profile
from hub.health import DeviceState
from hub.model import EntryKind, Json, Quality, quality_of, reason_of
from hub.ports import Clock, RegisterBus
from hub.site import Device, Gateway, Site
from hub.whole import Hub
from simulators.campus import Fleet
from simulators.faults import WireFault
from simulators.faulty_bus import FaultyBus, Shown
from simulators.registers import value_of
from simulators.scenario import Scenario

_ONE_POLL_MS = 10_000  # no poll takes longer, and none comes sooner after the last
_MOST_READINGS = 10_000_000
_WORST = (DeviceState.OFFLINE, DeviceState.DEGRADED, DeviceState.NEVER_SEEN, DeviceState.ONLINE)


@dataclass(slots=True)
class _Stored:
    """The readings of some devices and time, by what they are worth."""

    good: int = 0
    wrong: int = 0
    bad: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One stored reading: ``worth`` is ``good``, ``wrong`` or why it is bad."""

    at_ms: int
    device: str
    worth: str


class FaultyLines:
    """The lines of a scenario in virtual time."""

    def __init__(self, scenario: Scenario, fleet: Fleet, clock: Clock) -> None:
        self._clock = clock
        self._profiles: Mapping[str, Profile] = fleet.profiles
        self._wires = fleet.wires.lay(scenario, clock.now_ms())
        self._buses: dict[str, FaultyBus] = {}
        self._stood: dict[tuple[str, int], str] = {}

    def bus(self, gateway: Gateway, bus: RegisterBus) -> RegisterBus:
        """Return the bus as it is behind the line of its gateway."""
        wire = self._wires.get(gateway.id)
        if wire is None:
            return bus
        faulty = FaultyBus(
            bus,
            wire,
            self._clock,
            gateway.timeout.total_seconds(),
            rtu=gateway.transport != "tcp",
            lenient=gateway.line.transaction_ids == "lenient",
        )
        self._buses[gateway.id] = faulty
        return faulty

    async def watch(self, hub: Hub) -> None:
        """Note how whoever is concerned stands in health at the end of each fault."""
        for gateway, n, fault in sorted(self._faults(), key=lambda one: one[2].end_ms):
            await self._clock.sleep((fault.end_ms - 1 - self._clock.now_ms()) / 1000)
            states = {
                hub.health.of(device.id)["state"]
                for device in _concerned(hub.kept.site, gateway, fault)
            }
            self._stood[gateway, n] = next(str(state) for state in _WORST if state in states)

    def _faults(self) -> Iterator[tuple[str, int, WireFault]]:
        for gateway, wire in self._wires.items():
            for n, fault in enumerate(wire.faults):
                yield gateway, n, fault

    def report(self, hub: Hub) -> dict[str, Json]:
        """Return one row per fault, and what is true of all of them."""
        site = hub.kept.site
        judged = [one for gateway in self._buses for one in self._readings(hub, gateway)]
        said = list(_said(hub))
        rows = [
            self._row(site, gateway, n, fault, judged, said)
            for gateway, n, fault in sorted(self._faults(), key=lambda one: one[2].start_ms)
        ]
        devices = [device for device in site.devices.values() if device.gateway in self._wires]
        away = [
            device.id
            for device in devices
            if hub.health.of(device.id)["state"] != DeviceState.ONLINE
        ]
        wrong = sum(one.worth == "wrong" for one in judged)
        return {"faults": rows, "readings": len(judged), "wrong": wrong, "away": away}

    def _row(
        self,
        site: Site,
        gateway: str,
        n: int,
        fault: WireFault,
        judged: Iterable[_Judged],
        said: Iterable[tuple[int, str, str]],
    ) -> dict[str, Json]:
        devices = {device.id: device for device in _concerned(site, gateway, fault)}
        slowest_ms = max(_interval_ms(device) for device in devices.values())
        stored = _Stored()
        for one in judged:
            if one.device not in devices or not fault.start_ms <= one.at_ms < fault.end_ms:
                continue
            if one.worth == "good":
                stored.good += 1
            elif one.worth == "wrong":
                stored.wrong += 1
            else:
                stored.bad[one.worth] += 1
        heard = [
            f"{_clock_time(site, at_ms)} {text}"
            for at_ms, whose, text in said
            if (whose in devices or whose == gateway)
            and fault.start_ms <= at_ms < fault.end_ms + 2 * slowest_ms
        ]
        stood = self._stood.get((gateway, n), "-")
        return {
            "kind": f"{fault.kind} {fault.code}" if fault.code else fault.kind,
            "where": gateway if fault.unit_id is None else next(iter(devices)),
            "from_ms": fault.start_ms,
            "to_ms": fault.end_ms,
            "from": _clock_time(site, fault.start_ms),
            "to": _clock_time(site, fault.end_ms),
            "struck": self._wires[gateway].hits[n],
            "good": stored.good,
            "bad": dict(sorted(stored.bad.items())),
            "wrong": stored.wrong,
            "stood": stood,
            "said": heard,
            "unnoticed": stood == DeviceState.ONLINE and self._shows(devices.values(), fault),
        }

    def _shows(self, devices: Iterable[Device], fault: WireFault) -> bool:
        """Tell whether a frozen device is frozen long enough for its profile to notice."""
        restless = [self._profiles[device.profile].restless for device in devices]
        slowest_ms = max(_interval_ms(device) for device in devices)
        lasts = timedelta(milliseconds=fault.end_ms - fault.start_ms - 2 * slowest_ms)
        return fault.kind == "frozen" and any(one and lasts >= one.for_ for one in restless)

    def _readings(self, hub: Hub, gateway: str) -> Iterator[_Judged]:
        """Judge every reading of the devices behind a gateway."""
        answers: dict[int, list[Shown]] = {}
        for shown in self._buses[gateway].shown:
            answers.setdefault(shown.answer.unit_id, []).append(shown)
        for device in hub.kept.site.devices.values():
            profile = self._profiles[device.profile]
            if device.gateway != gateway or not isinstance(profile, ModbusProfile):
                continue
            numbers = {point.number: point.name for point in device.points}
            batch = hub.kept.store.raw(list(numbers), 0, self._clock.now_ms() + 1, _MOST_READINGS)
            truth = _Truth(profile, answers.get(device.unit_id or 0, []))
            for number, at_ms, value, flag in zip(
                batch.point.tolist(),
                batch.at_ms.tolist(),
                batch.value.tolist(),
                batch.quality.tolist(),
                strict=True,
            ):
                if quality_of(flag) >= Quality.BAD:
                    worth = reason_of(flag).name.lower()
                else:
                    worth = "good" if truth.holds(numbers[number], at_ms, value) else "wrong"
                yield _Judged(at_ms, device.id, worth)


class _Truth:
    """What one device truly answered."""

    def __init__(self, profile: ModbusProfile, answers: Sequence[Shown]) -> None:
        self._profile = profile
        self._answers = answers
        self._instants = [one.at_ms for one in answers]

    def holds(self, name: str, at_ms: int, value: float) -> bool:
        """Tell whether the device gave this value in the poll that ended at ``at_ms``."""
        first = bisect_left(self._instants, at_ms - _ONE_POLL_MS)
        last = bisect_right(self._instants, at_ms)
        answers = self._answers[first:last]
        return any(
            math.isclose(true, value, rel_tol=1e-6, abs_tol=1e-9)
            for true in self._values(name, answers)
        )

    def _values(self, name: str, answers: Sequence[Shown]) -> Iterator[float]:
        point = self._profile.points[name]
        followed = {
            other: value for other in point.follows for value in self._values(other, answers)
        }
        if len(followed) < len(set(point.follows)):
            return
        for shown in answers:
            frame = shown.answer
            start = point.address - frame.address
            if frame.table == point.table and 0 <= start <= frame.count - point.words:
                yield value_of(point, frame.words[start : start + point.words], followed)


def checks(report: Mapping[str, Json]) -> list[dict[str, Json]]:
    """Return what must hold whatever a line does."""
    struck = [row["kind"] for row in report["faults"] if not row["struck"]]
    expected = [row["kind"] for row in report["faults"] if row["kind"] == "one_connection_only"]
    return [
        _check("wrong values stored", 0, report["wrong"]),
        _check("devices that are not back", [], report["away"]),
        _check("faults that never struck", expected, struck),
        _check(
            "frozen devices that health took for well",
            [],
            [row["where"] for row in report["faults"] if row["unnoticed"]],
        ),
    ]


def _check(name: str, expected: Json, found: Json) -> dict[str, Json]:
    return {"name": name, "expected": expected, "found": found, "ok": expected == found}


def readable(report: Mapping[str, Json]) -> Iterator[str]:
    """Lay the rows out for people: the fault, what was stored of those concerned, what was said."""
    yield (
        f"  {'fault':19} {'where':17} {'from':8}-{'to':8} {'struck':>6}"
        f" | {'good':>4} {'bad':>4} {'wrong':>5}  why bad           | health at its end"
    )
    for row in report["faults"]:
        why = ", ".join(one.replace("_", " ") for one in row["bad"])
        if not row["good"] and not row["bad"]:
            why = "nothing stored"
        yield (
            f"  {row['kind']:19} {row['where']:17} {row['from']}-{row['to']} {row['struck']:6}"
            f" | {row['good']:4} {sum(row['bad'].values()):4} {row['wrong']:5}  {why:17} |"
            f" {row['stood']}"
        )
        if row["kind"] == "one_connection_only":
            yield "      never struck: nobody was turned away, the hub opens one connection"
        for line in row["said"]:
            yield f"      {line}"
    silent = sum(not row["said"] for row in report["faults"])
    yield (
        "  struck: questions that the fault touched; good, bad: readings stored of the devices"
        " concerned;"
    )
    yield (
        f"  wrong: stored as good, but not what the device truly said. Of {silent} of"
        f" {len(report['faults'])} faults nothing was said: read through, or over before the third"
        " failure in a row."
    )


def _said(hub: Hub) -> Iterator[tuple[int, str, str]]:
    """Yield what health said: the instant, of whom, and a line."""
    after = 0
    while entries := hub.kept.journal.read(after):
        after = entries[-1][0]
        for _, entry in entries:
            if entry.kind is not EntryKind.HEALTH:
                continue
            content = entry.content
            what = next((key for key in ("device", "bus", "gateway") if key in content), None)
            if what is None:
                continue  # the hub's own disk or journal
            why = f": {content['reason']}" if "reason" in content else ""
            yield entry.at_ms, content[what], f"{what} {content[what]} {content['state']}{why}"


def _concerned(site: Site, gateway: str, fault: WireFault) -> list[Device]:
    return [
        device
        for device in site.devices.values()
        if device.gateway == gateway and fault.unit_id in (None, device.unit_id)
    ]


def _interval_ms(device: Device) -> int:
    return round(device.interval.total_seconds() * 1000)


def _clock_time(site: Site, at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, site.zone):%H:%M:%S}"
