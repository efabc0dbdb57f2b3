"""The command that enters what became of a meter: exchanged, or with another multiplier.

Beside a running hub it goes through that hub, under the right of a person; else the record is put
into the database, and the hub goes by it from its next start on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.cli import asking
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.database import numbers
from hub.database.connection import open_database
from hub.energy.meter_changes import Change, MeterChanges
from hub.lock import held, is_held
from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings, build_site, load

_PATIENCE_S = 30.0


def add_commands(commands: Any) -> None:
    """Add meter."""
    group = commands.add_parser("meter", help="what became of meters")
    one = group.add_subparsers(dest="what", required=True).add_parser(
        "change", help="enter an exchange of a meter, or another multiplier"
    )
    one.add_argument("device", help="for instance dorm-07/meter-312")
    one.add_argument("--at", required=True, type=_instant, help="like 2026-11-21T14:05, site time")
    one.add_argument("--closing", required=True, type=_number, help="what the old meter showed")
    one.add_argument("--opening", required=True, type=_number, help="what the new one showed")
    one.add_argument("--multiplier", type=_number, help="of the new meter, where it has another")
    one.add_argument("--point", help="the counter (default: the main one of the device)")
    one.add_argument("--corrects", type=int, metavar="N", help="takes the place of record N")
    one.add_argument("--void", action="store_true", help="record N was wrong: nothing changed")
    one.add_argument("--reason", required=True, help="why; it goes into the audit")
    asking.add_arguments(one, required=True, right="the right to enter changes of meters")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)
    one.set_defaults(carry_out=change)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no number; write one like 48213.6")
    return value


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no instant; write one like 2026-11-21T14:05"
        ) from None


def change(arguments: argparse.Namespace) -> int:
    """Enter one change and print its record."""
    settings = load(arguments.config)
    if arguments.address or is_held(settings.lock_file):
        record = _through_the_hub(arguments, settings)
    else:
        record = _into_the_database(arguments, settings)
    if arguments.json:
        print(json.dumps(record, ensure_ascii=False))
    else:
        print(f"{record['point']}: record {record['n']}: {_told(record)}")
    return 0


def _told(record: Mapping[str, Json]) -> str:
    if record["void"]:
        return f"takes back record {record['corrects']}"
    multiplier = record["multiplier"]
    times = "" if multiplier is None else f", times {multiplier:g} from then on"
    shown = f"closed at {record['closing']:g}, opened at {record['opening']:g}"
    return f"at {record['at']} it {shown}{times}"


def _wish(arguments: argparse.Namespace) -> dict[str, Json]:
    names = ("closing", "opening", "multiplier", "reason", "point", "corrects", "void")
    return {name: getattr(arguments, name) for name in names}


def _through_the_hub(arguments: argparse.Namespace, settings: Settings) -> Mapping[str, Json]:
    path = f"/api/v1/devices/{arguments.device}/meter-changes"
    wish = _wish(arguments) | {"at": arguments.at.isoformat()}
    with asking.session(
        arguments,
        arguments.address or asking.address_of(settings),
        _PATIENCE_S,
        absent="although one runs on this site's data; name it with --address",
        broken="look at the records of the device before asking again",
    ) as hub:
        return hub.post(path, wish, arguments.device)


def _into_the_database(arguments: argparse.Namespace, settings: Settings) -> Mapping[str, Json]:
    if not settings.data.is_dir():
        raise Refused(f"there is no data folder {settings.data} yet; start the hub once with run")
    sqlite = settings.database == "sqlite"
    at = arguments.at if arguments.at.tzinfo else arguments.at.replace(tzinfo=settings.zone)
    wish = Change(at_ms=round(at.timestamp() * 1000), **_wish(arguments))
    with held(settings.lock_file):
        database = open_database(str(settings.database_file) if sqlite else settings.database)
        try:
            site = build_site(settings, lambda ids: numbers.number_points(database, ids))
            changes = MeterChanges(site, database)
            actor = f"{arguments.user} (command line)"
            record = changes.enter(arguments.device, wish, actor, RealClock().now_ms())
        finally:
            database.close()
    return {
        "n": record.n, "point": record.entered.point, "at": at.isoformat(),
        "closing": wish.closing, "opening": wish.opening, "multiplier": wish.multiplier,
        "reason": wish.reason, "actor": actor, "corrects": wish.corrects, "void": wish.void,
    }  # fmt: skip
