"""The command line: one module per group of commands, one table of the commands here.

Exit codes: 0 fine, 1 the check failed, 2 bad input or configuration.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from hub import __version__
from hub.ports import ConfigError, HubError

GROUPS = {
    "demo": "demonstration",
    "run": "service",
    "check": "sites",
    "schema": "sites",
    "doctor": "sites",
    "profile": "profiles",
    "probe": "probing",
    "simulate": "simulation",
    "scenario": "scenarios",
    "user": "operation",
    "journal": "journal",
    "replay": "replaying",
    "command": "commanding",
    "meter": "meter",
    "outage": "outages",
    "alarms": "alarms",
    "audit": "audit",
    "report": "report",
    "roster": "roster",
    "qr": "qr",
    "sla": "sla",
    "rules": "ruling",
    "export": "export",
    "backup": "backup",
    "restore": "backup",
}


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of all commands; of the group of one, where a command is named.

    Only what is parsed is imported: all of it takes seconds on a small machine.
    """
    top = argparse.ArgumentParser(
        prog="campus-hub",
        description="Telemetry and control hub for campus facilities.",
        epilog="Exit codes: 0 fine, 1 the check failed, 2 bad input or configuration.",
    )
    top.add_argument("--version", action="version", version=f"campus-hub {__version__}")
    top.add_argument("--verbose", action="store_true", help="log what happens, not only warnings")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    names = [GROUPS[command]] if command in GROUPS else dict.fromkeys(GROUPS.values())
    for group in _imported(names):
        group.add_commands(commands)
    return top


def _imported(names: Iterable[str]) -> list[Any]:
    """Import groups of commands; what is imported lasts, and is no place to look for garbage."""
    gc.disable()
    try:
        return [importlib.import_module(f"hub.cli.{name}") for name in names]
    finally:
        gc.enable()


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and return its exit code; errors of the hub become clear lines."""
    first = next((one for one in arguments if one != "--verbose"), None)
    chosen = parser(first).parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if chosen.verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        result: int = chosen.carry_out(chosen)
        sys.stdout.flush()
    except ConfigError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        return 2
    except HubError as error:
        sys.stderr.write(f"campus-hub {chosen.command}: {error}\n")
        return 2
    except BrokenPipeError:  # whoever reads, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return result
