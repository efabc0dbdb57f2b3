"""Commands that play scenarios in virtual time."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hub.cli import campus_month, dirty_month, faulty_lines, hot_water_day
from hub.cli.virtual import Played, play_virtual
from hub.clock import RealClock
from hub.desk import cause_of
from hub.model import Json, Ticket
from hub.ports import ConfigError
from hub.settings import Settings, load, shipped
from rules.load import TOLD
from simulators.reference import write_building, write_reference
from simulators.scenario import Scenario
from simulators.scenario import load as load_scenario

# The hub's use of a device lies between two polls; the twin's between two instants.
TOLERANCE = 0.02
TOLERANCE_KWH = 0.5
ENDS_S = 120  # a poll's interval of a minute at either end
BUILT_IN: Mapping[str, Callable[[Path], None]] = {
    "reference": write_reference,
    "reference_building": write_building,
}
"""Campuses that are written for a scenario; `small` is the shipped folder."""


def add_commands(commands: Any) -> None:
    """Add scenario list and scenario run."""
    group = commands.add_parser("scenario", help="play a script on the whole stack in virtual time")
    what = group.add_subparsers(dest="what", required=True)
    one = what.add_parser("list", help="list the scenarios")
    one.set_defaults(carry_out=list_all)
    one = what.add_parser("run", help="play one; exit 0 when what it expects held, else 1")
    one.add_argument("name", help="its name, or the path of a scenario file")
    one.add_argument("--seed", type=int, help="another seed than the scenario's own")
    one.add_argument("--config", type=Path, metavar="DIR", help="another site than the scenario's")
    one.add_argument(
        "--days", type=int, help="only the first days of a labelled month (default: all)"
    )
    one.add_argument("--data", type=Path, metavar="DIR", help="keep a labelled month and its truth")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=play_one)


def folder() -> Path:
    """Return the folder of the shipped scenarios."""
    return shipped() / "scenarios"


def find(name: str) -> Scenario:
    """Load a scenario by name or path; ConfigError names those there are."""
    path = Path(name)
    if path.suffix != ".yaml":
        path = folder() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder().glob("*.yaml")))
        raise ConfigError([f"scenario {name}: there is none of this name; there are: {known}"])
    return load_scenario(path)


def list_all(_: argparse.Namespace) -> int:
    """Print name and title of each."""
    for path in sorted(folder().glob("*.yaml")):
        scenario = load_scenario(path)
        print(f"{scenario.id:24} {scenario.title.en} / {scenario.title.zh}")
    return 0


def site_of_scenario(scenario: Scenario, config: Path | None) -> Settings:
    """Return the settings a scenario plays on."""
    write = BUILT_IN.get(scenario.campus)
    if config is None and write is not None:
        with tempfile.TemporaryDirectory(prefix="campus-hub-") as made:
            write(Path(made))
            return load(Path(made))
    return load(config or (shipped() if scenario.campus == "small" else Path(scenario.campus)))


def play_one(arguments: argparse.Namespace) -> int:
    """Play a scenario and print what came of it."""
    scenario = find(arguments.name)
    seed = scenario.seed if arguments.seed is None else arguments.seed
    clock = RealClock()
    began_s = clock.monotonic()
    if scenario.labelled is not None:
        lived = campus_month.play_month(scenario, seed, arguments.days, arguments.data)
        report = campus_month.judged(scenario, seed, lived)
        text = campus_month.readable(report)
    elif scenario.hot_water is not None:
        day = hot_water_day.play_day(scenario, seed, arguments.config)
        report = hot_water_day.judged(scenario, seed, day)
        text = hot_water_day.readable(report)
    elif scenario.metering is None:
        settings = site_of_scenario(scenario, arguments.config)
        report = judged(scenario, seed, play_virtual(settings, scenario, seed))
        text = readable(report)
    else:
        month = dirty_month.play_month(scenario, seed, arguments.config)
        report = dirty_month.judged(scenario, seed, month)
        text = dirty_month.readable(report)
    took_s = clock.monotonic() - began_s
    length = timedelta(days=report["counts"].get("days", 0)) or scenario.length
    ratio = length.total_seconds() / took_s
    sys.stderr.write(f"played {length} in {took_s:.1f} s, {ratio:,.0f} x real time\n")
    print(json.dumps(report, ensure_ascii=False) if arguments.json else text)
    return 0 if report["verdict"] == "held" else 1


def judged(scenario: Scenario, seed: int, played: Played) -> dict[str, Json]:
    """Hold what was measured against what the scenario expects and against the twins' truth."""
    tickets = list(played.tickets.values())
    counts = {
        "tickets": len(tickets),
        "open": sum(ticket.closed_ms is None for ticket in tickets),
        "closed": sum(ticket.closed_ms is not None for ticket in tickets),
        "alarms": len(played.alarms),
        "listed": len(_listed(played)),
        "breaches": sum(event.kind == "breach" for event in played.events),
    }
    checks = [
        _check(name, expected, counts[name])
        for name, expected in scenario.expect
        if name in counts and expected is not None
    ]
    told = sorted(
        cause_of(played.alarms[event.alarm].device, played.alarms[event.alarm].rule)
        for event in played.alarm_events
        if event.kind in TOLD
    )
    if scenario.expect.told is not None:
        checks.append(_check("told", sorted(scenario.expect.told), told))
    if scenario.expect.rules is not None:
        rules = sorted({ticket.rule for ticket in tickets})
        checks.append(_check("rules", sorted(scenario.expect.rules), rules))
    checks += _timeline(scenario, tickets)
    checks.append(_check("actions refused", [], played.refused))
    checks.append(_energy(played, max(TOLERANCE, ENDS_S / scenario.length.total_seconds())))
    if played.lines is not None:
        checks += faulty_lines.checks(played.lines)
    return {
        "scenario": scenario.id,
        "seed": seed,
        "verdict": "held" if all(check["ok"] for check in checks) else "failed",
        "counts": counts | {"readings": played.readings, "polls": played.polls},
        "checks": checks,
        "measured": _measured(played),
        "log_hash": played.log_hash,
    }


def _timeline(scenario: Scenario, tickets: Sequence[Ticket]) -> Iterator[dict[str, Json]]:
    """Yield how long after their opening tickets were answered and mended, to the millisecond."""
    for name, done in (("response", "responded_ms"), ("fix", "fixed_ms")):
        wanted = getattr(scenario.expect, name)
        if wanted is not None:
            found = [_seconds(ticket.opened_ms, getattr(ticket, done)) for ticket in tickets]
            yield _check(f"{name} after s", [wanted.total_seconds()], found)


def _check(name: str, expected: Json, found: Json) -> dict[str, Json]:
    return {"name": name, "expected": expected, "found": found, "ok": expected == found}


def _listed(played: Played) -> set[str]:
    """Return what the tickets list as effects of their causes."""
    lines = [event.detail["members"] for event in played.events if event.kind == "inhibits"]
    return {member for members in lines for member in members}


def _energy(played: Played, tolerance: float) -> dict[str, Json]:
    """Compare the hub's sum with the twins' own, of devices whose counters told the truth."""
    wrong = {label.device for label in played.labels}
    sound = [device for device in played.kwh if device not in wrong]
    found = sum(played.kwh[device] or 0.0 for device in sound)
    true = sum(played.true_kwh[device] for device in sound)
    ok = abs(found - true) <= max(tolerance * true, TOLERANCE_KWH)
    return {
        "name": "kWh of devices without a fault",
        "expected": round(true, 3),
        "found": round(found, 3),
        "ok": ok,
    }


def _measured(played: Played) -> dict[str, Json]:
    """Return the hub's figures beside the truth, which the hub cannot read."""
    faults = [
        {
            "device": label.device,
            "fault": label.kind,
            "began_ms": label.start_ms,
            "ended_ms": label.end_ms,
            "alarm_after_s": _alarm_after(played, label.device, label.start_ms),
        }
        for label in played.labels
    ]
    tickets = [
        {
            "id": ticket.id,
            "rule": ticket.rule,
            "device": ticket.device,
            "state": ticket.state,
            "response_s": _seconds(ticket.opened_ms, ticket.responded_ms),
            "on_site_s": _seconds(ticket.opened_ms, ticket.on_site_ms),
            "fix_s": _seconds(ticket.opened_ms, ticket.fixed_ms),
        }
        for ticket in played.tickets.values()
    ]
    return {"faults": faults, "tickets": tickets, "lines": played.lines}


def _alarm_after(played: Played, device: str, start_ms: int) -> float | None:
    raised = [
        alarm.raised_ms
        for alarm in played.alarms.values()
        if alarm.device == device and alarm.raised_ms >= start_ms
    ]
    return _seconds(start_ms, min(raised, default=None))


def _seconds(start_ms: int, end_ms: int | None) -> float | None:
    return None if end_ms is None else (end_ms - start_ms) / 1000


def readable(report: dict[str, Json]) -> str:
    """Lay a report out for people."""
    lines = [f"{report['scenario']} (seed {report['seed']}): {report['verdict']}"]
    lines += [f"  {name}: {value}" for name, value in report["counts"].items()]
    for check in report["checks"]:
        mark = "ok   " if check["ok"] else "WRONG"
        lines.append(f"  {mark} {check['name']}: {check['found']} (wanted {check['expected']})")
    for fault in report["measured"]["faults"]:
        after = fault["alarm_after_s"]
        seen = "no alarm" if after is None else f"alarm after {after:.0f} s"
        lines.append(f"  fault {fault['fault']} on {fault['device']}: {seen}")
    lines += [
        f"  ticket {ticket['id']} {ticket['rule']} on {ticket['device']}: {ticket['state']}"
        for ticket in report["measured"]["tickets"]
    ]
    if report["measured"]["lines"] is not None:
        lines += faulty_lines.readable(report["measured"]["lines"])
    return "\n".join([*lines, f"  log_hash {report['log_hash']}"])
