"""A month of meters whose data are dirty: the hub's energy held against the twins' truth."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np

from hub.app import Outside, running
from hub.cli.virtual import Played, site_of
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.energy.consumption import Consumption
from hub.energy.counter import Finding
from hub.energy.meter_changes import Change
from hub.energy.question import By, Figure, Query
from hub.kept import meters_of
from hub.model import Json
from hub.ports import Clock
from hub.settings import Settings, load
from hub.site import Site
from hub.whole import Hub
from simulators.campus import Fleet, Label
from simulators.concentrator import Concentrators, Tally, shares
from simulators.dials import Swap
from simulators.metering import Planned, planned, write_site
from simulators.scenario import Scenario

TOLERANCE = 0.001  # of the energy of a building
QUARTER_S = 900.0
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DIGITS = 2  # that a meter's display has behind the point
LEAST = {"lost": 0.05, "late": 0.01, "repeated": 0.01, "mistimed": 0.001}


@dataclass
class Month:
    """What came of the month: the hub's figures and, which it cannot read, the truth."""

    site: Site
    played: Played = field(default_factory=Played)
    meters: dict[str, Figure] = field(default_factory=dict)
    buildings: dict[str, Figure] = field(default_factory=dict)
    true_kwh: dict[str, float] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    entered: set[str] = field(default_factory=set)
    findings: list[tuple[str, Finding]] = field(default_factory=list)
    afresh: dict[str, Figure] = field(default_factory=dict)

    @property
    def log_hash(self) -> str:
        """Return the SHA-256 of the alarm and ticket log and of the hub's figures."""
        told = {meter: [one.value, one.least, one.most] for meter, one in self.meters.items()}
        text = json.dumps([self.played.log_hash, told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def play_month(scenario: Scenario, seed: int, config: Path | None) -> Month:
    """Play in virtual time, on a site of its own or one that is given; the same seed, the same."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, scenario.start_ms, seed)
    with tempfile.TemporaryDirectory(prefix="campus-hub-") as made:
        folder = config or Path(made)
        if config is None and scenario.metering is not None:
            write_site(folder, scenario.metering)
        settings = load(folder)
    return run_virtual(loop, _play(settings, scenario, clock))


async def _play(settings: Settings, scenario: Scenario, clock: Clock) -> Month:
    month = Month(site_of(settings))
    fleet = Fleet(list(month.site.devices.values()), settings.profiles, clock)
    plans = planned(scenario, list(fleet.devices.values()), clock)
    path = Concentrators(fleet, scenario, plans)
    outside = Outside(memory=True, web=False, messages=path, heard=month.played.hear)
    start_ms, end_ms = window(scenario, month.site)
    async with running(settings, clock, outside) as hub:
        doing = asyncio.create_task(_Meters(fleet, hub, scenario, month).carry_out(plans))
        before = await _truth_at(start_ms, fleet, clock)
        after = await _truth_at(end_ms, fleet, clock)
        await clock.sleep((scenario.end_ms - clock.now_ms()) / 1000 + 1)
        await doing
        await hub.recorder.flush()
        month.meters = _asked(hub.consumption, start_ms, end_ms, "device")
        month.buildings = _asked(hub.consumption, start_ms, end_ms, "building")
        _look_again(month, hub, start_ms, end_ms)
        month.played.readings = hub.intake.counts["readings"]
    month.true_kwh = {meter: after[meter] - before[meter] for meter in before}
    month.played.labels = list(fleet.labels)
    month.tally = path.tally
    return month


def window(scenario: Scenario, site: Site) -> tuple[int, int]:
    """Return the civil days of the site that lie in the script as a whole."""
    begin = datetime.fromtimestamp(scenario.start_ms / 1000, site.zone)
    end = datetime.fromtimestamp(scenario.end_ms / 1000, site.zone)
    first = datetime.combine(begin.date() + timedelta(days=1), time(), site.zone)
    last = datetime.combine(end.date(), time(), site.zone)
    return round(first.timestamp() * 1000), round(last.timestamp() * 1000)


async def _truth_at(at_ms: int, fleet: Fleet, clock: Clock) -> dict[str, float]:
    """Return what each meter had truly counted at an instant."""
    await clock.sleep((at_ms - clock.now_ms()) / 1000)
    return {meter: float(one["energy_kwh"]) for meter, one in fleet.truth().items()}


class _Meters:
    """What happens to the meters, and the person who enters exchanges at the hub."""

    def __init__(self, fleet: Fleet, hub: Hub, scenario: Scenario, month: Month) -> None:
        self._fleet = fleet
        self._hub = hub
        self._end_ms = scenario.end_ms
        self._month = month

    async def carry_out(self, plans: Sequence[Planned]) -> None:
        """Let everything happen at its time."""
        await asyncio.gather(*(self._happen(plan) for plan in plans))

    async def _happen(self, plan: Planned) -> None:
        clock, fleet = self._fleet.clock, self._fleet
        await clock.sleep((plan.at_ms - clock.now_ms()) / 1000)
        if plan.left_kwh is not None:
            fleet.wind(plan.device, plan.left_kwh)
            await self._roll_over(plan.device, plan.left_kwh)
            return
        await fleet.fault(plan.device, plan.kind)
        if plan.entered_ms is not None:
            swap = fleet.twin(plan.device).dials.swaps[-1]
            await clock.sleep((plan.entered_ms - clock.now_ms()) / 1000)
            self._enter(plan.device, swap)

    async def _roll_over(self, device: str, left_kwh: float) -> None:
        """Label the roll-over, to the quarter of an hour, once the load has brought it about."""
        clock, began = self._fleet.clock, self._used(device)
        while self._used(device) < began + left_kwh:
            if clock.now_ms() >= self._end_ms:
                return
            await clock.sleep(QUARTER_S)
        now_ms = clock.now_ms()
        self._fleet.labels.append(Label(device, "counter_rollover", now_ms, now_ms))

    def _used(self, device: str) -> float:
        twin = self._fleet.twin_at(device, self._fleet.clock.now_ms())
        return float(twin.truth()["energy_kwh"])

    def _enter(self, device: str, swap: Swap) -> None:
        """Enter an exchange as a person would: to the minute, and with the digits of the dials."""
        hub, counter = self._hub, "energy"
        (point,) = (one for one in hub.kept.site.devices[device].points if one.name == counter)
        closing = swap.closing[counter] % (point.rollover or math.inf)
        change = Change(
            at_ms=swap.at_ms - swap.at_ms % MINUTE_MS,
            closing=round(closing, DIGITS),
            opening=round(swap.opening[counter], DIGITS),
            reason="the old meter was taken to be calibrated",
        )
        hub.meter_changes.enter(device, change, "crew", self._fleet.clock.now_ms())
        self._month.entered.add(device)


def _asked(source: Consumption, start_ms: int, end_ms: int, by: By) -> dict[str, Figure]:
    table = source.use(Query(start_ms=start_ms, end_ms=end_ms, by=by))
    return {row.id: row.total for row in table.rows}


def _look_again(month: Month, hub: Hub, start_ms: int, end_ms: int) -> None:
    """Ask a ledger that has seen nothing of the month as it came, and hear what it found."""
    ledger = meters_of(hub.kept).ledger
    site = hub.kept.site
    month.afresh = _asked(Consumption(site, ledger), start_ms, end_ms, "device")
    counters = [point for point in site.points.values() if point.kind == "counter"]
    uses = ledger.uses(counters, np.array([start_ms, end_ms], np.int64))
    month.findings = [(site.points[one.point].device, one.finding) for one in uses.findings]


def judged(scenario: Scenario, seed: int, month: Month) -> dict[str, Json]:
    """Hold the hub's figures against the truth, and the path against what it was to be."""
    buildings = [_building(month, place.id) for place in month.site.buildings()]
    meters = [_meter(month, meter) for meter in month.true_kwh]
    outside = [meter["meter"] for meter in meters if not meter["inside"]]
    checks = [
        _check(f"{one['building']}: error within {TOLERANCE:.1%}", one["error"], one["ok"])
        for one in buildings
    ]
    checks.append(
        _check("meters whose truth is outside their bounds and their ends", outside, not outside)
    )
    changed = [meter for meter, one in month.meters.items() if one != month.afresh[meter]]
    checks.append(
        _check("meters whose figure depends on the order of arrival", changed, not changed)
    )
    checks += _finding_checks(month)
    checks += _path_checks(scenario, month)
    labels = Counter(label.kind for label in month.played.labels)
    counts = {
        "meters": len(meters),
        "readings made": month.tally.made,
        "readings kept": month.played.readings,
        "exchanges entered": len(month.entered),
        "tickets": len(month.played.tickets),
        **labels,
    }
    return {
        "scenario": scenario.id,
        "seed": seed,
        "verdict": "held" if all(check["ok"] for check in checks) else "failed",
        "counts": counts,
        "checks": checks,
        "measured": {
            "buildings": buildings,
            "meters": meters,
            "path": {**shares(month.tally), **_longest(month.tally)},
            "found": [[device, one.kind, one.start_ms] for device, one in month.findings],
            "faults": [[label.device, label.kind, label.start_ms] for label in month.played.labels],
        },
        "log_hash": month.log_hash,
    }


def _check(name: str, found: Json, ok: bool) -> dict[str, Json]:
    return {"name": name, "found": found, "ok": ok}


def _building(month: Month, building: str) -> dict[str, Json]:
    figure = month.buildings[building]
    true = sum(kwh for meter, kwh in month.true_kwh.items() if meter.startswith(f"{building}/"))
    found = figure.value or 0.0
    error = found / true - 1
    return {
        "building": building,
        "true_kwh": round(true, 3),
        "hub_kwh": round(found, 3),
        "low": figure.least,
        "high": figure.most,
        "error": error,
        "estimated": figure.estimated,
        "missing": figure.missing,
        "ok": abs(error) <= TOLERANCE,
    }


def _meter(month: Month, meter: str) -> dict[str, Json]:
    figure, true = month.meters[meter], month.true_kwh[meter]
    least, most = figure.least, figure.most
    inside = least is not None and most is not None and least <= true <= most
    return {
        "meter": meter,
        "true_kwh": round(true, 3),
        "hub_kwh": figure.value,
        "low": figure.least,
        "high": figure.most,
        "estimated": figure.estimated,
        "missing": figure.missing,
        "inside": inside,
    }


def _finding_checks(month: Month) -> list[dict[str, Json]]:
    """Check that the hub says what happened to which meter, and says it of no other."""
    happened: dict[str, set[str]] = {}
    for label in month.played.labels:
        happened.setdefault(label.kind, set()).add(label.device)
    found: dict[str, set[str]] = {}
    for device, finding in month.findings:
        found.setdefault(finding.kind, set()).add(device)
    lasting = happened.get("counter_reset", set()) | happened.get("meter_swapped", set())
    alone = happened.get("meter_swapped", set()) - month.entered
    jumped = found.get("reset", set()) | found.get("swap", set())
    wrong = {
        "meters that went back or on by a jump, and nothing is said": (
            happened.get("counter_reset", set()) | alone
        )
        - jumped,
        "meters with a jump to which nothing happened": jumped - lasting,
        "meters with more jumps than happened to them": _too_often(month),
        "meters with a glitch of which nothing is said": month.tally.lying
        - found.get("glitch", set()),
        "exchanges that were entered and are denied": found.get("record", set()),
    }
    return [_check(name, sorted(meters), not meters) for name, meters in wrong.items()]


def _too_often(month: Month) -> set[str]:
    """Return the meters of which the hub tells more resets and exchanges than nobody entered."""
    happened = Counter(
        label.device
        for label in month.played.labels
        if label.kind == "counter_reset"
        or (label.kind == "meter_swapped" and label.device not in month.entered)
    )
    found = Counter(
        device for device, finding in month.findings if finding.kind in ("reset", "swap")
    )
    return {device for device, count in found.items() if count > happened[device]}


def _path_checks(scenario: Scenario, month: Month) -> list[dict[str, Json]]:
    """Check that the data were as dirty as they were to be: else nothing is proven."""
    metering = scenario.metering
    if metering is None:
        return []
    found = shares(month.tally)
    checks = [
        _check(f"share of readings {name}, at least {least:g}", found[name], found[name] >= least)
        for name, least in LEAST.items()
    ]
    asked_h = metering.delivery.longest_gap.total_seconds() * 1000 / HOUR_MS
    longest_h = month.tally.longest_gap_ms / HOUR_MS
    ok = asked_h / 2 <= longest_h
    checks.append(_check(f"longest gap in h, of up to {asked_h:g}", longest_h, ok))
    faulty = len(month.true_kwh) // metering.faulty
    labels = Counter(label.kind for label in month.played.labels)
    checks += [
        _check(f"{kind} on {faulty} meters", labels[kind], labels[kind] == faulty)
        for kind in metering.faults
    ]
    return checks


def _longest(tally: Tally) -> dict[str, float]:
    return {
        "longest_gap_h": tally.longest_gap_ms / HOUR_MS,
        "longest_wait_h": tally.longest_wait_ms / HOUR_MS,
    }


def readable(report: Mapping[str, Json]) -> str:
    """Lay a report out for people."""
    lines = [f"{report['scenario']} (seed {report['seed']}): {report['verdict']}"]
    lines += [f"  {name}: {value}" for name, value in report["counts"].items()]
    path = report["measured"]["path"]
    lines.append("  " + ", ".join(f"{name} {value:.3g}" for name, value in path.items()))
    for one in report["measured"]["buildings"]:
        lines.append(
            f"  {one['building']}: hub {one['hub_kwh']:,.3f} kWh, truth {one['true_kwh']:,.3f},"
            f" error {one['error']:+.4%}, estimated {one['estimated']:.1%},"
            f" missing {one['missing']:.2%}"
        )
    for check in report["checks"]:
        mark = "ok   " if check["ok"] else "WRONG"
        lines.append(f"  {mark} {check['name']}: {check['found']}")
    return "\n".join([*lines, f"  log_hash {report['log_hash']}"])
