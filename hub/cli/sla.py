"""The command that proves the service clocks: a simulated year against an independent oracle."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub.cli.sla_ground import ZONES, Ground, laid
from hub.cli.sla_year import ProvenYear
from hub.clock import RealClock
from hub.model import Json
from simulators.oracle.calendar import Minutes
from simulators.oracle.roster import Watches
from simulators.oracle.ticket import Oracle
from simulators.service_year import DAY, ServiceYear

START = "2027-07-01"  # the year from here on has a leap day
TAIL_MS = 120 * DAY  # the last items end so long after the last day at the latest
SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add sla prove."""
    group = commands.add_parser("sla", help="the service promise and its clocks")
    what = group.add_subparsers(dest="what", required=True)
    one = what.add_parser(
        "prove",
        help="live a year of service through the engine and hold every deadline, breach and"
        " escalation against an independent oracle; exit 0 when nothing differs, else 1",
    )
    one.add_argument("--days", type=_positive, default=365)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--items", type=_positive, default=600, help="service items a day")
    one.add_argument("--from", dest="start", type=_day, default=START, help=f"({START})")
    one.add_argument("--zone", choices=ZONES, help="civil time (default: another for each seed)")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=prove)


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def prove(arguments: argparse.Namespace) -> int:
    """Live the days, and print what was checked and what differed."""
    ground = laid(arguments.zone or ZONES[arguments.seed % len(ZONES)])
    clock = RealClock()
    began_s = clock.monotonic()
    report = proven(ground, arguments.seed, arguments.start, arguments.days, arguments.items)
    sys.stderr.write(f"proved {arguments.days} days in {clock.monotonic() - began_s:.1f} s\n")
    print(json.dumps(report, ensure_ascii=False) if arguments.json else readable(report))
    return 0 if report["verdict"] == "held" else 1


def proven(ground: Ground, seed: int, start: str, days: int, items: int) -> dict[str, Json]:
    """Return what was checked over some days from a date on, and what differed."""
    zone = ground.site.zone
    start_ms = _midnight_ms(start, zone)
    minutes = Minutes(ground.calendar, zone.key, start_ms - DAY, start_ms + days * DAY + TAIL_MS)
    lived = ServiceYear(seed, start_ms, days, ground.causes, items)
    watches = Watches(ground.roster, minutes)
    oracle = Oracle(ground.service, minutes, watches)
    year = ProvenYear(ground, lived, oracle, watches, _progress(days))
    year.live()
    return {
        "verdict": "failed" if year.differences else "held",
        "seed": seed,
        "zone": zone.key,
        "from": start,
        "days": days,
        "violations": len(year.differences),
        "counts": dict(sorted(year.counts.items())),
        "differences": [one._asdict() for one in year.differences[:SHOWN]],
    }


def _midnight_ms(day: str, zone: ZoneInfo) -> int:
    since = datetime.fromisoformat(day).replace(tzinfo=zone) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(milliseconds=1)


def _progress(days: int) -> Any:
    """Return what shows on a terminal how far it is."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(day: int) -> None:
        sys.stderr.write(f"\rday {min(day, days)} of {days}" + ("\n" if day == days else ""))
        sys.stderr.flush()

    return show


def readable(report: dict[str, Json]) -> str:
    """Return the report as people read it."""
    head = "{verdict}: {violations} violations in {days} days from {from} on, {zone}, seed {seed}"
    counts = [f"  {count:>9,}  {name}" for name, count in report["counts"].items()]
    form = "  {ticket} {clock} {what}: hub {hub}, oracle {oracle}"
    differed = [form.format(**one) for one in report["differences"]]
    return "\n".join([head.format(**report), *differed, "checked:", *counts])
