"""The command that runs a journal again and holds what comes of it against what was kept."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.cli.numbering import database_beside, numbers_of
from hub.database import effects as kept
from hub.database.connection import Database
from hub.journal import Journal, open_beside
from hub.lock import is_held
from hub.model import Alarm, AlarmEvent, Entry, Json, Ticket, TicketEvent
from hub.ports import Refused
from hub.replay import Difference, Log, Replay, Since, differences, replay

SHOWN = 10  # differences that are named
_CHUNK = 500


def add_commands(commands: Any) -> None:
    """Add replay."""
    one = commands.add_parser(
        "replay", help="run a journal again: the same alarm and ticket log, byte for byte"
    )
    one.add_argument("file", type=Path, metavar="FILE", help="such as var/journal.sqlite")
    one.add_argument(
        "--compare", action="store_true", help="with what the database kept; exit 1 if it differs"
    )
    one.add_argument("--database", metavar="PATH|URL", help="default: hub.sqlite beside FILE")
    one.add_argument(
        "--from-snapshot", action="store_true", help="go on from the engine's last snapshot"
    )
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Replay, and compare if asked; 1 when something is not the same, or damaged."""
    if arguments.compare and is_held(arguments.file.parent / "lock"):
        raise Refused(
            f"a hub runs on {arguments.file.parent} and goes on writing; stop it, or replay the "
            "files of a backup"
        )
    journal = Journal(open_beside(arguments.file))
    with contextlib.closing(journal), _opened(arguments) as database:
        log = Log()
        engine = Replay(numbers_of(database), log.hear)
        since = _begun(arguments, engine, journal, database)
        # What a crash left unapplied the hub applies at its next start; the database lacks it.
        until = kept.applied(database) if arguments.compare else None
        replay(engine, _shown(journal, engine.seq), until)
        if engine.heard_from_ms is not None:
            since = Since(engine.heard_from_ms, state_known=False)
        found = differences(database, log, since) if arguments.compare else None
        report = _report(arguments, engine, log, found, since)
        report["damaged_entries"] = len(journal.damaged)
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(report))
    return 1 if found or report["damaged_entries"] else 0


@contextlib.contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[Database]:
    database = database_beside(arguments.file, arguments.database)
    try:
        yield database
    finally:
        database.close()


def _begun(
    arguments: argparse.Namespace, engine: Replay, journal: Journal, database: Database
) -> Since:
    """Begin where it is asked to, and return from when on everything is known."""
    if not arguments.from_snapshot:
        return Since()
    found = kept.snapshot(database)
    if found is None:
        raise Refused("the database holds no snapshot; leave --from-snapshot away")
    seq, state = found
    in_force = journal.configuration(seq)
    if in_force is None:
        raise Refused(f"the journal does not hold the configuration in force at entry {seq}")
    try:
        engine.load(seq, state, in_force)
    except ValueError as error:
        raise Refused(f"the snapshot is of another version: {error}") from error
    of_it = [entry.at_ms for _, entry in journal.read(seq - 1, 1)]
    return Since(max(engine.now_ms, *of_it))


def _shown(journal: Journal, after: int) -> Iterator[tuple[int, Entry]]:
    """Yield the entries after a sequence, and say on a terminal how far it is."""
    shown, first = sys.stderr.isatty(), after
    while found := journal.read(after, _CHUNK):
        yield from found
        after = found[-1][0]
        if shown:
            share = (after - first) / max(journal.last() - first, 1)
            sys.stderr.write(f"\rreplayed {share:4.0%} of the entries")
    if shown:
        sys.stderr.write("\r\033[K")


def _report(
    arguments: argparse.Namespace,
    engine: Replay,
    log: Log,
    found: list[Difference] | None,
    since: Since,
) -> dict[str, Json]:
    report: dict[str, Json] = {
        "file": str(arguments.file),
        "entries": engine.entries,
        "readings": engine.readings,
        "from_ms": since.at_ms,
        "alarms": log.count(Alarm),
        "tickets": log.count(Ticket),
        "events": log.count(AlarmEvent) + log.count(TicketEvent),
        "log_lines": log.lines,
        "log_hash": log.hash,
    }
    if found is not None:
        report["differences"] = len(found)
        report["first"] = [str(one) for one in found[:SHOWN]]
    return report


def _lines(report: dict[str, Json]) -> Iterator[str]:
    """Yield the report as lines for people."""
    yield f"{report['file']}: {report['entries']:,} entries, {report['readings']:,} readings"
    if report["from_ms"]:
        since = datetime.fromtimestamp(report["from_ms"] / 1000, UTC).isoformat()
        yield f"from {since} on; what was before is not in it"
    yield f"alarms {report['alarms']}, tickets {report['tickets']}, events {report['events']}"
    yield f"log: {report['log_lines']} lines, sha256 {report['log_hash']}"
    if "differences" in report:
        yield f"differences from the database: {report['differences']}"
        yield from (f"  {line}" for line in report["first"])
    if report["damaged_entries"]:
        yield f"damaged entries left out: {report['damaged_entries']}"
