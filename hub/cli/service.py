"""The command that runs a hub."""

from __future__ import annotations

import argparse
from typing import Any

from hub.app import Outside, running
from hub.cli.loop import run, settled, signalled, until_signal
from hub.cli.sites import add_config, add_keep_going, loaded
from hub.clock import RealClock
from hub.settings import Settings


def add_commands(commands: Any) -> None:
    """Add run."""
    one = commands.add_parser("run", help="run the hub of a site")
    add_config(one)
    add_keep_going(one)
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the hub until it is told to stop."""
    run(serve(loaded(arguments), Outside()))
    return 0


async def serve(settings: Settings, outside: Outside) -> None:
    """Run a hub, say where it is, and stop it in order at a signal."""
    told = signalled()  # a stop during the start is one in order too
    async with running(settings, RealClock(), outside) as hub:
        announce(hub.address, hub.one_time_password)
        with settled():
            await until_signal(hub.until_ended, told=told)
        print("campus-hub: stopping", flush=True)


def announce(address: str | None, password: str | None) -> None:
    """Print where the hub is, and the password of a first start, which is shown only once."""
    print(f"campus-hub: {address}", flush=True)
    if password is not None:
        told = f"sign in as admin with {password} (once; you choose another)"
        print(f"campus-hub: {told}", flush=True)
