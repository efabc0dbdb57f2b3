"""Commands about the journal: status and dump; they only read, also beside a running hub."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.database import numbers, records
from hub.database.connection import Database, open_database
from hub.journal import Journal, open_beside
from hub.journal.look import End, Survey, Wanted, entries, survey
from hub.journal.outlook import seconds_left
from hub.journal.room import free_bytes
from hub.lock import is_held
from hub.model import AlarmState, Batch, Entry, EntryKind, Json, quality_of, reason_of
from hub.ports import HubError, Refused
from hub.settings import Settings, load
from hub.site import HUB

T = TypeVar("T")
IN_FORCE = tuple(state for state in AlarmState if state is not AlarmState.CLEARED)
KINDS = {kind.name.lower(): kind for kind in EntryKind}
NAMED = 20  # damaged entries that are named one by one


def add_commands(commands: Any) -> None:
    """Add journal status and journal dump."""
    group = commands.add_parser("journal", help="what is in the durable log, and who has read it")
    which = group.add_subparsers(dest="what", required=True)
    one = which.add_parser("status", help="size, ends, cursors, time to full, alarms, damage")
    add_config(one)
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.add_argument("--quick", action="store_true", help="do not read every entry for damage")
    one.set_defaults(carry_out=status)
    one = which.add_parser("dump", help="print entries as JSON lines")
    add_config(one)
    one.add_argument("--from", dest="start", metavar="TIME", help="ISO 8601, else in site time")
    one.add_argument("--to", dest="end", metavar="TIME", help="the same; not included")
    one.add_argument("--kind", choices=KINDS, action="append", help="may be given several times")
    one.add_argument("--limit", type=_count, help="print so many at most")
    one.set_defaults(carry_out=dump)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give 1 or more")
    return int(text)


@contextlib.contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Any, Journal]]:
    connection = open_beside(settings.journal_file)
    journal = Journal(connection, limit=int(settings.journal.limit))
    try:
        yield connection, journal
    finally:
        journal.close()


def status(arguments: argparse.Namespace) -> int:
    """Print how the journal is; 1 when something in it is damaged."""
    settings = load(arguments.config)
    with _opened(settings) as (connection, journal):
        found = survey(connection, journal)
        left_s = seconds_left(journal.spaces(), RealClock().now_ms())
        if not arguments.quick:
            _read_all(connection, journal, found)
        content = _content(settings, journal, found, left_s)
    content["alarms"] = _alarms(settings)
    content["checked"] = not arguments.quick
    if arguments.json:
        print(json.dumps(content, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(content, settings))
    return 1 if journal.damaged else 0


def _read_all(connection: Any, journal: Journal, found: Survey) -> None:
    """Read every entry, so that those damaged are known; say how far on a terminal."""
    shown = sys.stderr.isatty()
    for n, _ in enumerate(entries(connection, journal, Wanted()), 1):
        if shown and n % 1000 == 0:
            sys.stderr.write(f"\rread {n} of {found.entries} entries")
    if shown:
        sys.stderr.write("\r\033[K")


def _content(
    settings: Settings, journal: Journal, found: Survey, left_s: float | None
) -> dict[str, Json]:
    file, zone = settings.journal_file, UTC
    return {
        "file": str(file),
        "hub_running": is_held(settings.lock_file),
        "bytes": journal.size,
        "limit_bytes": journal.limit,
        "keep_s": settings.journal.keep.total_seconds(),
        "disk_free_bytes": free_bytes(file.parent),
        "entries": found.entries,
        "oldest": _end(found.oldest, zone),
        "newest": _end(found.newest, zone),
        "cursors": {name: asdict(lag) for name, lag in found.lags.items()},
        "seconds_to_full": None if left_s is None or math.isinf(left_s) else left_s,
        "damaged": len(journal.damaged),
        "damaged_entries": sorted(journal.damaged)[:NAMED],
    }


def _end(end: End | None, zone: tzinfo) -> dict[str, Json] | None:
    return None if end is None else {"seq": end.seq, "at": _iso(end.at_ms, zone)}


def _iso(at_ms: int, zone: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a device may claim any year
        return str(at_ms)


def _lines(content: Mapping[str, Json], settings: Settings) -> Iterator[str]:
    zone = ZoneInfo(settings.site.timezone)
    yield f"journal    {content['file']}{' (a hub is running)' if content['hub_running'] else ''}"
    share = content["bytes"] / content["limit_bytes"]
    limit_mb = content["limit_bytes"] / 1e6
    yield f"size       {content['bytes'] / 1e6:.1f} MB, {share:.1%} of the limit {limit_mb:.0f} MB"
    yield f"entries    {content['entries']}"
    for name in ("oldest", "newest"):
        if end := content[name]:
            at = datetime.fromisoformat(end["at"]).astimezone(zone).isoformat(timespec="seconds")
            yield f"{name:10} {at}, entry {end['seq']}"
    for name, lag in content["cursors"].items():
        behind = f"{lag['entries']} entries, {lag['lag_ms'] / 1000:.0f} s behind"
        yield f"{name:10} at entry {lag['seq']}, {behind}"
    left_s = content["seconds_to_full"]
    full = "not in sight" if left_s is None else f"in about {left_s / 3600:.1f} h"
    yield f"full       {full}; {content['disk_free_bytes'] / 1e6:.0f} MB free on the disk"
    for one in content["alarms"] or ():
        at = datetime.fromisoformat(one["raised_at"]).astimezone(zone).isoformat(timespec="seconds")
        yield f"alarm      {one['title']['en']} ({one['severity']}, {one['state']}), since {at}"
    if not content["checked"]:
        yield "damaged    not looked for (--quick)"
    elif content["damaged"]:
        named = ", ".join(map(str, content["damaged_entries"]))
        yield f"damaged    {content['damaged']} entries, skipped wherever they are read: {named}"
    else:
        yield "damaged    none"


def dump(arguments: argparse.Namespace) -> int:
    """Print entries as JSON lines, oldest first; 1 when one of them is damaged."""
    settings = load(arguments.config)
    zone = ZoneInfo(settings.site.timezone)
    wanted = _wanted(arguments, zone)
    with _opened(settings) as (connection, journal):
        names = _names(settings)
        found = islice(entries(connection, journal, wanted), arguments.limit)
        try:
            for seq, entry in found:
                print(json.dumps(_line(seq, entry, zone, names), ensure_ascii=False))
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for seq in sorted(journal.damaged):
        sys.stderr.write(f"entry {seq} is damaged and left out\n")
    return 1 if journal.damaged else 0


def _wanted(arguments: argparse.Namespace, zone: tzinfo) -> Wanted:
    plain = Wanted()
    start_ms = _instant("--from", arguments.start, zone, plain.start_ms)
    end_ms = _instant("--to", arguments.end, zone, plain.end_ms)
    if start_ms >= end_ms:
        raise Refused(f"--from {arguments.start} is not before --to {arguments.end}; turn them")
    kinds = tuple(KINDS[name] for name in arguments.kind or KINDS)
    return Wanted(start_ms, end_ms, kinds)


def _instant(option: str, text: str | None, zone: tzinfo, otherwise: int) -> int:
    if text is None:
        return otherwise
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        example = "2026-11-21, 2026-11-21T19:30 or 2026-11-21T11:30:00Z"
        raise Refused(f"{option} {text!r} is no instant; write it like {example}") from error
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def _names(settings: Settings) -> Mapping[int, str]:
    """Return the ids of the points by number, or nothing where the database does not answer."""
    return _asked(settings, numbers.names, "points stand there by their numbers only") or {}


def _alarms(settings: Settings) -> list[dict[str, Json]] | None:
    """Return the hub's own alarms in force; None where the database does not answer."""
    wanted = records.Filter(states=IN_FORCE, device=HUB)
    found = _asked(settings, lambda database: records.alarms(database, wanted), "alarms: unknown")
    if found is None:
        return None
    return [
        {
            "rule": one.rule,
            "severity": one.severity,
            "title": asdict(one.title),
            "state": str(one.state),
            "raised_at": _iso(one.raised_ms, UTC),
        }
        for one in found
    ]


def _asked(settings: Settings, ask: Callable[[Database], T], without: str) -> T | None:
    """Ask the database; None, and a word on stderr, where it does not answer."""
    sqlite = settings.database == "sqlite"
    if sqlite and not settings.database_file.is_file():
        return None
    try:
        database = open_database(str(settings.database_file) if sqlite else settings.database)
        try:
            return ask(database)
        finally:
            database.close()
    except HubError as error:
        sys.stderr.write(f"{without}: {error}\n")
        return None


def _line(seq: int, entry: Entry, zone: tzinfo, names: Mapping[int, str]) -> dict[str, Json]:
    line: dict[str, Json] = {"seq": seq, "kind": entry.kind.name.lower()}
    line["at"] = _iso(entry.at_ms, zone)
    if entry.batch is None:
        return line | {"content": dict(entry.content)}
    line["received"] = _iso(entry.batch.received_ms, zone)
    return line | {"readings": list(_readings(entry.batch, zone, names))}


def _readings(batch: Batch, zone: tzinfo, names: Mapping[int, str]) -> Iterator[dict[str, Json]]:
    finite = np.isfinite(batch.value)
    columns = batch.point, batch.at_ms, batch.value, batch.quality, finite
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for point, at_ms, value, packed, is_number in rows:
        yield {
            "point": names.get(point, point),
            "at": _iso(at_ms, zone),
            "value": value if is_number else None,  # JSON knows no NaN
            "quality": quality_of(packed).name.lower(),
            "reason": reason_of(packed).name.lower(),
        }
