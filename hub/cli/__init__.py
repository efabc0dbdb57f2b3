"""The command line: one module per group of commands, one table of them here.

Exit codes: 0 fine, 1 the check failed, 2 bad input or configuration.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from hub import __version__
from hub.cli import (
    alarms,
    backup,
    commanding,
    demonstration,
    export,
    journal,
    meter,
    operation,
    outages,
    probing,
    profiles,
    qr,
    replaying,
    report,
    roster,
    ruling,
    scenarios,
    service,
    simulation,
    sites,
)
from hub.ports import ConfigError, HubError

GROUPS = (
    demonstration,
    service,
    sites,
    profiles,
    probing,
    simulation,
    scenarios,
    operation,
    journal,
    replaying,
    commanding,
    meter,
    outages,
    alarms,
    report,
    qr,
    roster,
    ruling,
    export,
    backup,
)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="campus-hub",
        description="Telemetry and control hub for campus facilities.",
        epilog="Exit codes: 0 fine, 1 the check failed, 2 bad input or configuration.",
    )
    top.add_argument("--version", action="version", version=f"campus-hub {__version__}")
    top.add_argument("--verbose", action="store_true", help="log what happens, not only warnings")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add_commands(commands)
    return top


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and return its exit code; errors of the hub become clear lines."""
    chosen = parser().parse_args(arguments)
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
