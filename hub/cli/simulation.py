"""The command that serves the devices of a site on real protocols."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

from hub.cli.loop import run, until_signal
from hub.cli.scenarios import find
from hub.cli.sites import add_config
from hub.cli.virtual import site_of
from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.ports import Clock
from hub.settings import Settings, load
from simulators.campus import Fleet
from simulators.scenario import Scenario, Step, play
from simulators.serve import serve_fleet


def add_commands(commands: Any) -> None:
    """Add simulate."""
    one = commands.add_parser("simulate", help="serve the devices of a site on real protocols")
    add_config(one)
    one.add_argument("--scenario", help="let its faults and repairs happen")
    one.add_argument("--seed", type=int, default=1, help="the same seed, the same devices")
    one.add_argument("--pace", type=float, default=1.0, help="let physics run faster than time")
    one.add_argument("--control", type=Path, metavar="SOCKET", help="take faults and repairs here")
    one.add_argument("--since-ms", type=int, help="the devices have lived from this instant on")
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    settings = load(arguments.config)
    scenario = find(arguments.scenario) if arguments.scenario else None
    clock = RealClock(arguments.seed)
    if arguments.since_ms is None:
        site = site_of(settings)
        fleet = Fleet(list(site.devices.values()), settings.profiles, clock, arguments.pace)
        past = None
    else:
        fleet = grown(settings, scenario, arguments.seed, arguments.since_ms, clock)
        past = scenario
    run(_serve(settings, fleet, None if past else scenario, arguments.control))
    return 0


def grown(
    settings: Settings, scenario: Scenario | None, seed: int, since_ms: int, now: Clock
) -> Fleet:
    """Return twins that have lived from ``since_ms`` until now, with what a scenario did to them.

    They live through it in virtual time, exactly as beside the hub that recorded it.
    """
    loop = VirtualLoop()
    site = site_of(settings)
    clock = VirtualClock(loop, since_ms, seed)
    fleet = Fleet(list(site.devices.values()), settings.profiles, clock)

    async def live() -> None:
        if scenario is not None:
            done = [step for step in scenario.steps if step.ticket is None]
            await play(scenario.model_copy(update={"steps": done}), fleet, _Nobody(), clock)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())
    fleet.clock = now
    fleet.advance(now.now_ms())
    return fleet


class _Nobody:
    """No people: only what happens to the twins at fixed instants."""

    async def opened_ms(self, device: str) -> int | None:
        """Know of no ticket."""
        del device
        return None

    async def act(self, step: Step) -> None:
        """Do nothing: there is no hub here."""


async def _serve(
    settings: Settings, fleet: Fleet, scenario: Scenario | None, control: Path | None
) -> None:
    gateways = list(site_of(settings).gateways.values())
    url = settings.mqtt.address if settings.mqtt else None

    async def happen() -> None:
        if scenario is not None:
            await play(scenario, fleet, _Nobody(), fleet.clock)
        await asyncio.get_running_loop().create_future()

    print(f"simulators: {len(fleet.devices)} devices, {len(gateways)} gateways", flush=True)
    await until_signal(lambda: serve_fleet(fleet, gateways, url, control), happen)
