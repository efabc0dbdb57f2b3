"""A labelled month through the hub: its readings as columns, its truth, its figures held to it."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.app import Outside, running
from hub.cli.virtual import Played
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.energy.question import Query
from hub.model import Batch, Json
from hub.ports import Refused
from hub.settings import Settings, load, shipped
from hub.site import Site
from simulators.agenda import drawn
from simulators.month import Month
from simulators.month_plan import BROUGHT_ABOUT, DAYS
from simulators.month_site import write_site
from simulators.scenario import Scenario

TRUTH = "truth.jsonl"
LEAST_EPISODES, LEAST_ALIKE = 5, 3
_DAY_S = 86_400.0


@dataclass
class Lived:
    """What came of a month: the hub's figures and the twins' truth beside them."""

    month: Month
    played: Played = field(default_factory=Played)
    columns: str = ""
    truth: Path | None = None

    @property
    def log_hash(self) -> str:
        """Return the SHA-256 of the readings, the alarm and ticket log and the truth."""
        told = [one.told() for one in self.month.truth]
        text = json.dumps([self.columns, self.played.log_hash, told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def settings_of(folder: Path | None) -> Settings:
    """Write the month's site into an empty folder, or one that is soon gone, and load it."""
    if folder is not None and (folder / "campus.yaml").exists():
        raise Refused(f"{folder} holds a site already; name a folder of its own with --data")
    with tempfile.TemporaryDirectory(prefix="campus-hub-") as made:
        where = folder or Path(made)
        write_site(where, shipped())
        return load(where)


def month_of(
    scenario: Scenario, seed: int, settings: Settings, site: Site, days: int | None = None
) -> Month:
    """Draw the month of a site; nothing is played yet. ``days``: only the first of them."""
    clock = VirtualClock(None, scenario.start_ms, seed)
    agenda = drawn(seed, scenario.start_ms, list(site.devices.values()))
    wanted = days or round(scenario.length.total_seconds() / _DAY_S)
    return Month(site, settings.profiles, clock, agenda, wanted)


def play_month(
    scenario: Scenario, seed: int, days: int | None = None, data: Path | None = None
) -> Lived:
    """Feed a month to a hub in virtual time, kept in memory or in a folder with its truth."""
    settings = settings_of(data)
    loop = VirtualLoop()
    clock = VirtualClock(loop, scenario.start_ms, seed)
    lived = run_virtual(loop, _play(settings, scenario, clock, seed, days, memory=data is None))
    if data is not None:
        lived.truth = data / TRUTH
        lived.month.write_truth(lived.truth, scenario.id)
    return lived


async def _play(
    settings: Settings,
    scenario: Scenario,
    clock: VirtualClock,
    seed: int,
    days: int | None,
    *,
    memory: bool,
) -> Lived:
    played = Played()
    outside = Outside(memory=memory, web=False, devices=False, heard=played.hear)
    digest = hashlib.sha256()
    async with running(settings, clock, outside) as hub:
        month = month_of(scenario, seed, settings, hub.kept.site, days)
        for batch in month.history():
            await clock.sleep((batch.received_ms - clock.now_ms()) / 1000)
            hub.intake.put(batch)
            digested(digest, batch)
        await clock.sleep((month.end_ms - clock.now_ms()) / 1000)
        await hub.recorder.flush()
        use = hub.consumption.use(Query(start_ms=month.start_ms, end_ms=month.end_ms, by="device"))
        played.kwh = {row.id: row.total.value for row in use.rows}
        played.readings = hub.intake.counts["readings"]
    played.true_kwh = month.true_kwh()
    return Lived(month, played, digest.hexdigest())


def digested(digest: hashlib._Hash, batch: Batch) -> None:
    """Put the columns of a batch into a digest."""
    for column in (batch.point, batch.at_ms, batch.value, batch.quality):
        digest.update(column.tobytes())


def judged(scenario: Scenario, seed: int, lived: Lived) -> dict[str, Json]:
    """Hold the hub's energy of sound meters against the truth, and the truth against its plan."""
    faults = Counter(one.kind for one in lived.month.truth if one.what == "fault")
    alike = Counter(one.kind for one in lived.month.truth if one.what == "look_alike")
    checks = [_energy(scenario, lived)]
    if lived.month.days >= DAYS:
        checks += _enough(faults, alike)
    return {
        "scenario": scenario.id,
        "seed": seed,
        "verdict": "held" if all(check["ok"] for check in checks) else "failed",
        "counts": {
            "days": lived.month.days,
            "devices": len(lived.month.devices),
            "readings": lived.played.readings,
            "faults": sum(faults.values()),
            "look_alikes": sum(alike.values()),
            "alarms": len(lived.played.alarms),
            "tickets": len(lived.played.tickets),
        },
        "checks": checks,
        "measured": {
            "faults": dict(sorted(faults.items())),
            "look_alikes": dict(sorted(alike.items())),
        },
        "truth": str(lived.truth) if lived.truth else None,
        "log_hash": lived.log_hash,
    }


def _energy(scenario: Scenario, lived: Lived) -> dict[str, Json]:
    """Compare the hub's sum with the twins' own, of meters that nothing befell or hides."""
    truth, end_ms = lived.month.truth, lived.month.end_ms
    wrong = {one.subject for one in truth if one.what == "fault"}
    wrong |= {device for one in truth if one.end_ms >= end_ms for device in one.members}
    kwh, true_kwh = lived.played.kwh, lived.played.true_kwh
    sound = [device for device in kwh if device not in wrong]
    found = sum(kwh[device] or 0.0 for device in sound)
    true = sum(true_kwh[device] for device in sound)
    tolerance = scenario.labelled.tolerance if scenario.labelled else 0.0
    return {
        "name": f"kWh of {len(sound)} devices without a fault, within {tolerance:.1%}",
        "expected": round(true, 3),
        "found": round(found, 3),
        "ok": abs(found - true) <= tolerance * true,
    }


def _enough(faults: Counter[str], alike: Counter[str]) -> list[dict[str, Json]]:
    by_weather = {kind for some in BROUGHT_ABOUT.values() for kind in some}
    fewest = min(count for kind, count in faults.items() if kind not in by_weather)
    total = sum(faults.values())
    return [
        {
            "name": "episodes of the rarest fault",
            "expected": LEAST_EPISODES,
            "found": fewest,
            "ok": fewest >= LEAST_EPISODES,
        },
        {
            "name": "look-alikes",
            "expected": LEAST_ALIKE * total,
            "found": sum(alike.values()),
            "ok": sum(alike.values()) >= LEAST_ALIKE * total,
        },
    ]


def readable(report: Mapping[str, Json]) -> str:
    """Lay a report out for people."""
    lines = [f"{report['scenario']} (seed {report['seed']}): {report['verdict']}"]
    lines += [f"  {name}: {value}" for name, value in report["counts"].items()]
    for what, kinds in report["measured"].items():
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
        lines.append(f"  {what}: {told}")
    for check in report["checks"]:
        mark = "ok   " if check["ok"] else "WRONG"
        lines.append(f"  {mark} {check['name']}: {check['found']} (wanted {check['expected']})")
    if report["truth"]:
        lines.append(f"  truth: {report['truth']}")
    return "\n".join([*lines, f"  log_hash {report['log_hash']}"])
