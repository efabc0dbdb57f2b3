"""Commands about a site's configuration: check, schema, doctor."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hub import doctor
from hub.ports import ConfigError
from hub.settings import Settings, load, schemas

Commands = Any  # argparse names the type of add_subparsers only privately


def add_config(command: argparse.ArgumentParser) -> None:
    """Give a command its --config."""
    command.add_argument(
        "--config",
        type=Path,
        default=Path("config"),
        metavar="DIR",
        help="the site's folder, with campus.yaml in it (default: config)",
    )


def add_keep_going(command: argparse.ArgumentParser) -> None:
    """Give a command its --keep-going."""
    command.add_argument(
        "--keep-going",
        action="store_true",
        help="leave out profiles and devices that are wrong, instead of not starting",
    )


def loaded(arguments: argparse.Namespace) -> Settings:
    """Read the site of a command with --keep-going, and say what is left out."""
    settings = load(arguments.config, keep_going=arguments.keep_going)
    for problem in settings.left_out:
        sys.stderr.write(f"campus-hub: left out: {problem}\n")
    return settings


def add_commands(commands: Commands) -> None:
    """Add check, schema and doctor."""
    one = commands.add_parser("check", help="validate a config folder without a network")
    add_config(one)
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=check)
    one = commands.add_parser("schema", help="print the JSON Schemas of the config files")
    one.add_argument("name", nargs="?", help="one of them, for instance campus")
    one.set_defaults(carry_out=schema)
    one = commands.add_parser("doctor", help="say what is wrong with this installation")
    add_config(one)
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=examine)


def check(arguments: argparse.Namespace) -> int:
    """Validate; 2 with every problem named, or 0 with what the site holds."""
    try:
        settings = load(arguments.config)
    except ConfigError as error:
        if not arguments.json:
            raise
        print(json.dumps({"ok": False, "problems": error.problems}, ensure_ascii=False))
        return 2
    counts = {
        "places": len(settings.places),
        "gateways": len(settings.gateways),
        "devices": len(settings.devices),
        "points": settings.point_count(),
        "rules": sum(len(pack.rules) for pack in settings.packs),
    }
    if arguments.json:
        print(json.dumps({"ok": True, "counts": counts}))
    else:
        held = ", ".join(f"{count} {name}" for name, count in counts.items())
        print(f"{arguments.config}: fine: {held}")
    return 0


def schema(arguments: argparse.Namespace) -> int:
    """Print all schemas, or the one named."""
    known = schemas()
    if arguments.name and arguments.name not in known:
        sys.stderr.write(f"campus-hub schema: {arguments.name!r}: choose from {sorted(known)}\n")
        return 2
    chosen = known[arguments.name] if arguments.name else known
    print(json.dumps(chosen, indent=2, ensure_ascii=False))
    return 0


def examine(arguments: argparse.Namespace) -> int:
    """Print each finding with what to do; 1 when one of them is not in order."""
    findings = doctor.examine(load(arguments.config))
    wrong = [finding for finding in findings if not finding.ok]
    if arguments.json:
        rows = [{"ok": f.ok, "what": f.what, "where": f.where, "do": f.do} for f in findings]
        print(json.dumps({"ok": not wrong, "findings": rows}, ensure_ascii=False))
        return 1 if wrong else 0
    for finding in findings:
        mark = "ok   " if finding.ok else "WRONG"
        print(f"{mark} {finding.where}: {finding.what}")
        if not finding.ok:
            print(f"      -> {finding.do}")
    return 1 if wrong else 0
