"""Commands for planned outages: through the running hub, which alone tells its rules of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from hub.cli import asking, period
from hub.cli.beside import kept_tables
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.database import records
from hub.model import Json
from hub.settings import load
from hub.web.api import written
from hub.web.form import iso

_PATIENCE_S = 30.0
_ABSENT = "and only a running hub tells its rules of an outage; start it with run"
_BROKEN = "look at outage list before asking again"


def add_commands(commands: Any) -> None:
    """Add outage add, list and end."""
    group = commands.add_parser("outage", help="planned outages: what is off, and expected to be")
    what = group.add_subparsers(dest="what", required=True)
    one = what.add_parser("add", help="enter one; alarms of its area are suppressed meanwhile")
    one.add_argument("area", help="a place, a gateway or a device, like dorm-07")
    period.add_arguments(one)
    one.add_argument("--reason", required=True, help="why; people read it")
    one.add_argument(
        "--expect", action="append", default=[], metavar="RULE",
        help="its alarm must come, or that is reported; may be given again",
    )  # fmt: skip
    _through_the_hub(one)
    one.set_defaults(carry_out=add)
    one = what.add_parser("list", help="those that are not over")
    one.add_argument("--past", action="store_true", help="all that ever were")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)
    one.set_defaults(carry_out=list_all)
    one = what.add_parser("end", help="end one before its time, or call it off")
    one.add_argument("id", help="as outage list shows it")
    _through_the_hub(one)
    one.set_defaults(carry_out=end)


def _through_the_hub(one: argparse.ArgumentParser) -> None:
    asking.add_arguments(one, required=True, right="the right to hold alarms back")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)


def add(arguments: argparse.Namespace) -> int:
    """Enter an outage and print its record."""
    settings = load(arguments.config)
    start_ms, end_ms = period.span(arguments, settings.zone)
    wish = {
        "area": arguments.area,
        "start": iso(start_ms, settings.zone),
        "end": iso(end_ms, settings.zone),
        "reason": arguments.reason,
        "rules": arguments.expect,
    }
    return _asked(arguments, "/api/v1/outages", wish, arguments.area)


def end(arguments: argparse.Namespace) -> int:
    """End an outage and print its record."""
    return _asked(arguments, f"/api/v1/outages/{arguments.id}/end", {}, arguments.id)


def _asked(arguments: argparse.Namespace, path: str, wish: Mapping[str, Json], whose: str) -> int:
    address = arguments.address or asking.address_of(load(arguments.config))
    with asking.session(arguments, address, _PATIENCE_S, absent=_ABSENT, broken=_BROKEN) as hub:
        record = hub.post(path, wish, whose)
    print(json.dumps(record, ensure_ascii=False) if arguments.json else _line(record))
    return 0


def list_all(arguments: argparse.Namespace) -> int:
    """Print the outages, the latest first."""
    settings = load(arguments.config)
    now_ms = None if arguments.past else RealClock().now_ms()
    with kept_tables(settings) as database:
        found = records.outages(database, not_before_ms=now_ms)
    rows = [written.outage(one, settings.zone) for one in found]
    if arguments.json:
        print(json.dumps({"items": rows, "total": len(rows)}, ensure_ascii=False))
    else:
        print("\n".join(map(_line, rows)) or "no planned outage")
    return 0


def _line(record: Mapping[str, Json]) -> str:
    expected = f"; expected: {', '.join(record['rules'])}" if record["rules"] else ""
    ended = f"; ended {record['ended_at']}" if record["ended_at"] else ""
    return (
        f"{record['id']}  {record['area']}  {record['start']} to {record['end']}: "
        f"{record['reason']}{expected}{ended}"
    )
