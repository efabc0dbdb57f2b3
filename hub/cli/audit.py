"""Whether the history of the tickets is what was written: each event sealed with the one before."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hub.cli.beside import kept_tables
from hub.database import chain
from hub.database.chain import Finding, Head, verify
from hub.ports import Refused
from hub.settings import load

SHOWN = 20


def add_commands(commands: Any) -> None:
    """Add audit verify."""
    group = commands.add_parser("audit", help="whether the history of the tickets is whole")
    one = group.add_subparsers(dest="what", required=True).add_parser(
        "verify", help="walk the chain of all ticket events; exit 1 when something does not fit"
    )
    one.add_argument("--config", type=Path, default=Path("config"), metavar="DIR")
    one.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="SEQ:SEAL",
        help="a head that was told, beside those in reports/ticket-chain.csv; may be repeated",
    )
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Print what does not fit; 0 when all does, else 1."""
    settings = load(arguments.config)
    told = [
        *chain.told_in(settings.data / "reports" / chain.FILE),
        *(_head(one) for one in arguments.head),
    ]
    with kept_tables(settings) as database:
        found = verify(database, told, _show)
    if arguments.json:
        print(json.dumps(_written(found, len(told))))
    else:
        print(f"{found.last.seq} events, head {found.last.hash}, {len(told)} heads that were told")
        for trouble in found.troubles[:SHOWN]:
            print(f"  {trouble}")
        if len(found.troubles) > SHOWN:
            print(f"  and {len(found.troubles) - SHOWN} more")
    return 1 if found.troubles else 0


def _written(found: Finding, told: int) -> dict[str, Any]:
    troubles = [dict(one._asdict(), said=str(one)) for one in found.troubles]
    return {**found.last._asdict(), "told": told, "troubles": troubles}


def _head(text: str) -> Head:
    seq, _, seal = text.partition(":")
    if not seq.isdigit() or len(seal) != len(chain.NOTHING):
        raise Refused(f"{text!r} is no head; write its sequence, a colon and its seal of 64 digits")
    return Head(int(seq), seal)


def _show(seq: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{seq} events")
