"""Commands for the operator of a hub: users."""

from __future__ import annotations

import argparse
from typing import Any

from hub.access import ROLES, add_user
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.database.connection import open_database
from hub.ports import Refused
from hub.settings import load


def add_commands(commands: Any) -> None:
    """Add user."""
    group = commands.add_parser("user", help="people who may sign in")
    one = group.add_subparsers(dest="what", required=True).add_parser("add", help="add a user")
    one.add_argument("name", help="lower-case letters, digits, dot, - and _")
    one.add_argument("--role", choices=ROLES, default="crew")
    add_config(one)
    one.set_defaults(carry_out=add)


def add(arguments: argparse.Namespace) -> int:
    """Add a user and print a one-time password; works beside a running hub."""
    settings = load(arguments.config)
    if settings.database == "sqlite" and not settings.data.is_dir():
        raise Refused(f"there is no data folder {settings.data} yet; start the hub once with run")
    sqlite = settings.database == "sqlite"
    database = open_database(str(settings.database_file) if sqlite else settings.database)
    try:
        password = add_user(database, RealClock(), arguments.name, arguments.role, "command line")
    finally:
        database.close()
    print(f"{arguments.name} ({arguments.role}): {password} (once; they choose another)")
    return 0
