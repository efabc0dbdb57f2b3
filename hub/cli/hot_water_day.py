"""A day of hot water on the reference campus: the hub's figures held against the twins' truth."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.app import Outside, running
from hub.cli.virtual import Played, site_of
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.energy.hot_water_row import Answer, Row
from hub.model import Json
from hub.ports import Clock, RegisterBus
from hub.settings import Settings, load
from hub.site import Device, Gateway, Site
from simulators.campus import Day, Fleet
from simulators.reference import write_hot_water
from simulators.scenario import Scenario
from simulators.virtual import TwinBus, TwinMessages

TOLERANCE = 0.01  # of the tonnes and of the kWh for each, on every plant and in sum
DAY_TOLERANCE = 0.03  # of the tonnes that the day is meant to have
TOGETHER_S = (
    10.0  # one batch for all that speak in it: the day is over sooner, its figures the same
)
# A hot-water coefficient between these was measured on eight of ten real heat pumps.
LEAST_COP, MOST_COP = 2.26, 3.78

BusOf = Callable[[Fleet, Sequence[Device]], RegisterBus]


@dataclass(frozen=True, slots=True)
class Truth:
    """What a plant did, which the hub cannot read: tonnes, kWh taken, tonnes at its terminals."""

    tonnes: float
    kwh: float
    tapped: float
    sessions: int

    @property
    def per_tonne(self) -> float:
        """Return the electricity for a tonne."""
        return self.kwh / self.tonnes


@dataclass
class Lived:
    """What came of the day."""

    site: Site
    answer: Answer
    truth: Mapping[str, Truth]
    played: Played = field(default_factory=Played)

    @property
    def log_hash(self) -> str:
        """Return the SHA-256 of the alarm and ticket log and of the hub's figures."""
        told = {row.id: [row.delivered.value, row.energy.value] for row in self.answer.rows}
        text = json.dumps([self.played.log_hash, told], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def play_day(scenario: Scenario, seed: int, config: Path | None, bus_of: BusOf = TwinBus) -> Lived:
    """Play in virtual time, on a site of its own or one that is given; the same seed, the same.

    ``bus_of`` is the way to the plants, for who wants to falsify what they say.
    """
    loop = VirtualLoop()
    clock = VirtualClock(loop, scenario.start_ms, seed)
    with tempfile.TemporaryDirectory(prefix="campus-hub-") as made:
        folder = config or Path(made)
        if config is None and (wanted := scenario.hot_water) is not None:
            write_hot_water(folder, wanted.buildings, wanted.plants, wanted.terminals)
        settings = load(folder)
    return run_virtual(loop, _play(settings, scenario, clock, bus_of))


async def _play(settings: Settings, scenario: Scenario, clock: Clock, bus_of: BusOf) -> Lived:
    site = site_of(settings)
    devices = list(site.devices.values())
    demand = scenario.hot_water.demand if scenario.hot_water else 1.0
    fleet = Fleet(devices, settings.profiles, clock, day=Day(demand=demand), zone=site.zone)
    played = Played()

    def bus(gateway: Gateway, _: Clock) -> RegisterBus:
        return bus_of(fleet, [one for one in devices if one.gateway == gateway.id])

    messages = TwinMessages(fleet, clock, TOGETHER_S)
    outside = Outside(memory=True, web=False, bus_of=bus, messages=messages, heard=played.hear)
    before = fleet.truth()
    async with running(settings, clock, outside) as hub:
        await clock.sleep((scenario.end_ms - clock.now_ms()) / 1000)
        after = fleet.truth()
        await hub.recorder.flush()
        answer = hub.hot_water.ask(site.id, scenario.start_ms, scenario.end_ms)
        played.readings = hub.intake.counts["readings"]
    return Lived(site, answer, _truth(site, before, after), played)


def _truth(site: Site, before: Mapping[str, Json], after: Mapping[str, Json]) -> dict[str, Truth]:
    """Return by plant what its boilers did and what the terminals of its building ran."""

    def gained(devices: Sequence[Device], name: str) -> float:
        return sum(float(after[one.id][name] - before[one.id][name]) for one in devices)

    found = {}
    boilers = [one for one in site.devices.values() if one.kind == "boiler"]
    for plant in dict.fromkeys(one.place for one in boilers):
        own = [one for one in boilers if one.place == plant]
        fed = [one for one in site.below(site.building_of(plant)) if one.kind == "shower"]
        found[plant] = Truth(
            gained(own, "hot_water_kg") / 1000,
            gained(own, "energy_kwh"),
            gained(fed, "litres") / 1000,
            round(gained(fed, "sessions")),
        )
    return found


def judged(scenario: Scenario, seed: int, day: Lived) -> dict[str, Json]:
    """Hold the hub's tonnes and kWh/t against the truth, on each plant and in sum."""
    rows = {row.id: row for row in day.answer.rows}
    plants = [_beside(plant, rows.get(plant), truth) for plant, truth in day.truth.items()]
    whole = Truth(
        sum(one.tonnes for one in day.truth.values()),
        sum(one.kwh for one in day.truth.values()),
        sum(one.tapped for one in day.truth.values()),
        sum(one.sessions for one in day.truth.values()),
    )
    total = _beside("campus", day.answer.total, whole)
    checks = [
        _check(f"{one['place']}: {name} within {TOLERANCE:.0%}", one[f"{name}_error"])
        for one in (*plants, total)
        for name in ("tonnes", "kwh_per_tonne", "tapped")
    ]
    if scenario.hot_water is not None:
        wanted = scenario.hot_water.tonnes
        off = whole.tonnes / wanted - 1
        checks.append(_check(f"a day of {wanted:g} t", off, DAY_TOLERANCE))
    cop = day.answer.total.cop.value
    checks.append(
        {
            "name": f"coefficient of the plants between {LEAST_COP} and {MOST_COP}",
            "found": cop,
            "ok": cop is not None and LEAST_COP < cop < MOST_COP,
        }
    )
    return {
        "scenario": scenario.id,
        "seed": seed,
        "verdict": "held" if all(check["ok"] for check in checks) else "failed",
        "counts": {
            "plants": len(plants),
            "terminals": day.answer.total.terminals,
            "readings": day.played.readings,
            "tickets": len(day.played.tickets),
        },
        "checks": checks,
        "measured": {"plants": plants, "total": total},
        "log_hash": day.log_hash,
    }


def _beside(place: str, row: Row | None, truth: Truth) -> dict[str, Json]:
    """Return the hub's figures of a plant beside the truth."""
    tonnes = row.delivered.value if row else None
    per_tonne = row.per_tonne.value if row else None
    tapped = row.tapped.value if row else None
    return {
        "place": place,
        "tonnes": tonnes,
        "true_tonnes": truth.tonnes,
        "tonnes_error": _error(tonnes, truth.tonnes),
        "kwh_per_tonne": per_tonne,
        "true_kwh_per_tonne": truth.per_tonne,
        "kwh_per_tonne_error": _error(per_tonne, truth.per_tonne),
        "tapped": tapped,
        "true_tapped": truth.tapped,
        "tapped_error": _error(tapped, truth.tapped),
        "sessions": row.sessions.count if row else 0,
        "true_sessions": truth.sessions,
        "cop": row.cop.value if row else None,
        "missing": row.delivered.missing if row else 1.0,
    }


def _error(found: float | None, true: float) -> float | None:
    return None if found is None or not true else found / true - 1


def _check(name: str, error: float | None, most: float = TOLERANCE) -> dict[str, Json]:
    return {"name": name, "found": error, "ok": error is not None and abs(error) <= most}


def readable(report: Mapping[str, Json]) -> str:
    """Lay a report out for people."""
    lines = [f"{report['scenario']} (seed {report['seed']}): {report['verdict']}"]
    lines += [f"  {name}: {value}" for name, value in report["counts"].items()]
    measured = report["measured"]
    lines += [_line(one) for one in (*measured["plants"], measured["total"])]
    lines += [
        f"  WRONG {check['name']}: {check['found']}"
        for check in report["checks"]
        if not check["ok"]
    ]
    held = sum(check["ok"] for check in report["checks"])
    lines.append(f"  {held} of {len(report['checks'])} checks held")
    return "\n".join([*lines, f"  log_hash {report['log_hash']}"])


def _line(one: Mapping[str, Json]) -> str:
    pairs = (
        ("t", "tonnes", "true_tonnes", ".3f"),
        ("kWh/t", "kwh_per_tonne", "true_kwh_per_tonne", ".3f"),
        ("t at terminals", "tapped", "true_tapped", ".3f"),
        ("sessions", "sessions", "true_sessions", "d"),
    )
    told = [
        f"{_number(one[name], form)} (true {one[true]:{form}}) {unit}"
        for unit, name, true, form in pairs
    ]
    cop = _number(one["cop"], ".2f")
    return f"  {one['place']}: {', '.join(told)}, COP {cop}"


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)
