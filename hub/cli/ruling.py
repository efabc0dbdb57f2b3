"""Commands about rules."""

from __future__ import annotations

from typing import Any

from hub.cli import backtest, rules_why


def add_commands(commands: Any) -> None:
    """Add the group rules."""
    group = commands.add_parser("rules", help="judge and explain fault rules")
    which = group.add_subparsers(dest="what", required=True)
    backtest.add_command(which)
    rules_why.add_command(which)
