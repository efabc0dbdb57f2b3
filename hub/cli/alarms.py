"""What alarms ask of a crew: of a scenario, or of what a hub has kept; and whether it is bearable.

The figures are those of ISA-18.2 and EEMUA 191; exit code 1 where they are not kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hub.backtest import Trial, try_out
from hub.cli import campus_month, period
from hub.cli.backtest import progress
from hub.cli.backtest_ground import of_scenario
from hub.cli.beside import kept_tables
from hub.cli.loop import settled
from hub.cli.scenarios import find, site_of_scenario
from hub.cli.virtual import Played, play_virtual
from hub.clock import RealClock
from hub.database import records
from hub.desk.duty import crew_of
from hub.model import Alarm, AlarmEvent
from hub.ports import Refused
from hub.settings import Settings, load
from hub.web.api.alarms import written_load, written_loads
from rules.load import MOST_PER_HOUR, Load, load_of, loads_by
from simulators.scenario import Scenario

LATELY_MS = 7 * 86_400_000


def add_commands(commands: Any) -> None:
    """Add alarms audit."""
    group = commands.add_parser("alarms", help="what alarms ask of people")
    one = group.add_subparsers(dest="what", required=True).add_parser(
        "audit", help="alarms per hour, floods, chattering, top ten; exit 1 when nobody can bear it"
    )
    one.add_argument("--scenario", metavar="NAME", help="play one, instead of what a hub has kept")
    one.add_argument("--seed", type=int, help="another seed than the scenario's own")
    one.add_argument("--days", type=int, help="only the first days of a labelled month")
    one.add_argument("--from", dest="start", metavar="WHEN", help="default: the last seven days")
    one.add_argument("--to", dest="end", metavar="WHEN", help="the last day, included")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.add_argument(
        "--config",
        type=Path,
        metavar="DIR",
        help="the site's folder (default: config; a scenario's own)",
    )
    one.set_defaults(carry_out=audit)


def audit(arguments: argparse.Namespace) -> int:
    """Print the figures; 0 when a crew can bear them, else 1."""
    found = _of_scenario(arguments) if arguments.scenario else _of_hub(arguments)
    if arguments.json:
        crews = written_loads(found.crews)
        print(json.dumps(written_load(found.all) | {"crews": crews}, ensure_ascii=False))
    else:
        print(readable(found.all))
        for crew, one in found.crews.items():
            print(f"  of {crew or 'no crew'}: {one.alarms} alarms, {one.per_hour:.2f} an hour")
    return 0 if found.all.bearable else 1


class Loads(NamedTuple):
    """The figures in all, and of each crew where the site has a roster."""

    all: Load
    crews: Mapping[str, Load]


def _loads(
    settings: Settings,
    alarms: Collection[Alarm],
    events: Sequence[AlarmEvent],
    start_ms: int,
    end_ms: int,
) -> Loads:
    crews: Mapping[str, Load] = {}
    if roster := settings.duty_roster():
        kinds: dict[str, str] = {place.id: place.kind for place in settings.places}
        kinds |= {one.id: settings.profiles[one.profile].kind for one in settings.devices}
        crews = loads_by(
            lambda one: crew_of(roster, kinds.get(one.device, ""), one.place),
            alarms, events, start_ms, end_ms,
        )  # fmt: skip
    return Loads(load_of(alarms, events, start_ms, end_ms), crews)


def _of_scenario(arguments: argparse.Namespace) -> Loads:
    if arguments.start or arguments.end:
        raise Refused("a scenario has its own time; leave --from and --to")
    scenario = find(arguments.scenario)
    if scenario.metering or scenario.hot_water:
        raise Refused(f"scenario {scenario.id} plays no rules; name another one")
    if scenario.labelled:
        return _of_month(scenario, arguments)
    if arguments.days is not None:
        raise Refused(f"--days is for a labelled month; {scenario.id} is played to its end")
    seed = scenario.seed if arguments.seed is None else arguments.seed
    settings = site_of_scenario(scenario, arguments.config)
    played = play_virtual(settings, scenario, seed)
    alarms, events = played.alarms.values(), played.alarm_events
    return _loads(settings, alarms, events, scenario.start_ms, scenario.end_ms)


def _of_month(scenario: Scenario, arguments: argparse.Namespace) -> Loads:
    """Lead the rules in force through the columns of a month, without a database."""
    if arguments.config:
        raise Refused(f"{scenario.id} has a site of its own; leave --config")
    settings, played = campus_month.settings_of(None), Played()
    ground = of_scenario(scenario, arguments.seed, settings, arguments.days)
    trial = Trial(ground.site, settings.packs, settings.promise, settings.calendar, played.hear)
    span = ground.history.span
    with settled():
        try_out([trial], ground.history, progress(span))
    alarms, events = played.alarms.values(), played.alarm_events
    return _loads(settings, alarms, events, span.start_ms, span.end_ms)


def _of_hub(arguments: argparse.Namespace) -> Loads:
    if arguments.days is not None:
        raise Refused("--days is for a labelled month; name the time with --from and --to")
    settings = load(arguments.config or Path("config"))
    if bool(arguments.start) != bool(arguments.end):
        raise Refused("--from and --to belong together; name both or none")
    if arguments.start:
        start_ms, end_ms = period.span(arguments, settings.zone)
    else:
        end_ms = RealClock().now_ms()
        start_ms = end_ms - LATELY_MS
    with kept_tables(settings) as database:
        events = records.alarm_events(database, start_ms, end_ms)
        alarms = records.alarms_of(database, {event.alarm for event in events})
    return _loads(settings, alarms, events, start_ms, end_ms)


def readable(load_: Load) -> str:
    """Lay the figures out for people."""
    held = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in load_.held.items())
    mix = ", ".join(f"{share:.0%} {severity}" for severity, share in load_.mix.items())
    lines = [
        f"alarms audit: {'bearable' if load_.bearable else 'NOT bearable'}",
        f"  alarms: {load_.alarms} in {load_.hours:.1f} h",
        f"  alarms per operator-hour: {load_.per_hour:.2f} (at most {MOST_PER_HOUR:g})",
        f"  chattering: {load_.chattering} (none)",
        f"  in flood: {load_.flood_share:.2%} of the time (EEMUA 191: below 1 %)",
        f"  stale, over 24 h: {load_.stale} (ISA-18.2: below 5 a day)",
        f"  severities: {mix or 'none'}",
        f"  held back: {held or 'none'}",
    ]
    for device, rule, n, share in load_.top:
        lines.append(f"  {n:6} ({share:.0%}) {rule} on {device}")
    return "\n".join(lines)
