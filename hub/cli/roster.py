"""Whether the roster keeps what it promises: roster check."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.energy import calendar
from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings, load
from rules.coverage import Clash, Gap, Share, clashes, gaps, shares
from rules.roster import Roster

MINUTE_MS = 60_000
SHOWN = 50
MOST_DAYS = 3660


class Examined(NamedTuple):
    """What a look at the roster found; civil days of the site, the last one included."""

    first: date
    last: date
    gaps: Sequence[Gap]
    clashes: Sequence[Clash]
    shares: Sequence[Share]

    @property
    def uncovered_minutes(self) -> float:
        """Return how long anything promised is not covered, each promise counted for itself."""
        return sum(gap.end_ms - gap.start_ms for gap in self.gaps) / MINUTE_MS


def add_commands(commands: Any) -> None:
    """Add roster check."""
    group = commands.add_parser("roster", help="who is on duty")
    one = group.add_subparsers(dest="what", required=True).add_parser(
        "check", help="what nobody is on duty for, and how evenly the work lies; exit 1 on a gap"
    )
    add_config(one)
    one.add_argument("--from", dest="start", metavar="DAY", help="default: today")
    one.add_argument("--days", type=int, default=365, help="how many days (default: 365)")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=check)


def check(arguments: argparse.Namespace) -> int:
    """Print what is not covered; 0 when everything is, else 1."""
    settings = load(arguments.config)
    roster = settings.duty_roster()
    if roster is None:
        raise Refused(f"{arguments.config} has no roster.yaml; `campus-hub schema roster` shows it")
    found = _examined(settings, roster, _first(arguments, settings), _days(arguments))
    text = json.dumps(_written(roster, found), ensure_ascii=False)
    print(text if arguments.json else "\n".join(_readable(roster, found)))
    return 1 if found.gaps or found.clashes else 0


def _first(arguments: argparse.Namespace, settings: Settings) -> date:
    if arguments.start is None:
        return datetime.fromtimestamp(RealClock().now_ms() / 1000, settings.zone).date()
    try:
        return date.fromisoformat(arguments.start)
    except ValueError as error:
        raise Refused(f"--from {arguments.start!r} is no day; write one like 2026-11-20") from error


def _days(arguments: argparse.Namespace) -> int:
    days: int = arguments.days
    if not 1 <= days <= MOST_DAYS:
        raise Refused(f"--days {days} is not between 1 and {MOST_DAYS}")
    return days


def _examined(settings: Settings, roster: Roster, first: date, days: int) -> Examined:
    end = first + timedelta(days)
    start_ms, end_ms = (calendar.day_start(day, settings.zone) for day in (first, end))
    return Examined(
        first,
        end - timedelta(1),
        gaps(roster, [place.id for place in settings.places], start_ms, end_ms),
        clashes(roster.turns(start_ms, end_ms)),
        shares(roster, start_ms, end_ms),
    )


def _readable(roster: Roster, found: Examined) -> Iterator[str]:
    minutes = f"{found.uncovered_minutes:.10g}"
    yield f"roster check: {minutes} uncovered minutes, {found.first} to {found.last}"
    for gap in found.gaps[:SHOWN]:
        span = f"{_civil(roster, gap.start_ms)} to {_civil(roster, gap.end_ms)}"
        what = f"{gap.place or 'the whole campus'}, {gap.skill or 'anybody'}"
        there = f"{len(gap.on_duty)} of {gap.least} on duty"
        yield f"  {span}  {what}: {there}; missing: {_missing(roster, gap)}"
    if len(found.gaps) > SHOWN:
        yield f"  and {len(found.gaps) - SHOWN} more spans; --json prints them all"
    for clash in found.clashes[:SHOWN]:
        yield f"  {clash.person} is on two shifts at once: {clash.first} and {clash.second}"
    yield f"{'person':20} {'turns':>6} {'hours':>8} {'nights':>7} {'days off worked':>16}"
    for one in found.shares:
        yield f"{one.person:20} {one.turns:6} {one.hours:8.1f} {one.nights:7} {one.free_days:16}"


def _missing(roster: Roster, gap: Gap) -> str:
    crews = [roster.crews[id_] for id_ in gap.crews]
    named = (f"{crew.id} ({', '.join(crew.members)})" for crew in crews)
    return "; ".join(named) or "no crew is there for it"


def _written(roster: Roster, found: Examined) -> dict[str, Json]:
    return {
        "ok": not found.gaps and not found.clashes,
        "from": str(found.first),
        "to": str(found.last),
        "uncovered_minutes": found.uncovered_minutes,
        "gaps": [_span(roster, gap._asdict()) for gap in found.gaps],
        "clashes": [_span(roster, clash._asdict()) for clash in found.clashes],
        "people": [one._asdict() for one in found.shares],
    }


def _span(roster: Roster, row: dict[str, Json]) -> dict[str, Json]:
    """Write instants as civil times with their offset."""
    return {
        name.removesuffix("_ms"): _civil(roster, value, "seconds") if name[-3:] == "_ms" else value
        for name, value in row.items()
    }


def _civil(roster: Roster, at_ms: int, to: str = "") -> str:
    at = datetime.fromtimestamp(at_ms / 1000, roster.zone)
    return at.isoformat(timespec=to) if to else f"{at:%Y-%m-%d %H:%M}"
