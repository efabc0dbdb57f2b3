"""The command that serves the devices of a site on real protocols."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.cli.loop import run, until_signal
from hub.cli.scenarios import find
from hub.cli.sites import add_config, add_keep_going, loaded
from hub.cli.virtual import site_of
from hub.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from hub.ports import Clock, ConfigError, Refused
from hub.settings import Settings, load
from simulators.campus import Day, Fleet, write_reference
from simulators.scenario import Scenario, Step, play
from simulators.serve import serve_fleet

_REFERENCE = "reference"


def add_commands(commands: Any) -> None:
    """Add simulate."""
    one = commands.add_parser("simulate", help="serve the devices of a site on real protocols")
    add_config(one)
    add_keep_going(one)
    one.add_argument(
        "--campus",
        choices=[_REFERENCE],
        help="put the campus of full size into the folder of --config, unless it is there",
    )
    one.add_argument("--scenario", help="let its faults and repairs happen")
    one.add_argument("--seed", type=int, default=1, help="the same seed, the same devices")
    one.add_argument("--pace", type=float, default=1.0, help="let physics run faster than time")
    one.add_argument("--physics-from-ms", type=int, help="when they begin, if not now")
    one.add_argument("--control", type=Path, metavar="SOCKET", help="take faults and repairs here")
    one.add_argument(
        "--serial",
        action="append",
        default=[],
        metavar="GATEWAY=PATH",
        help="put the serial line of a gateway at this path",
    )
    one.add_argument("--since-ms", type=int, help="the devices have lived from this instant on")
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    if arguments.campus == _REFERENCE:
        _put_reference(arguments.config)
    settings = loaded(arguments)
    scenario = find(arguments.scenario) if arguments.scenario else None
    clock = RealClock(arguments.seed)
    links = dict(_link(settings, text) for text in arguments.serial)
    if arguments.since_ms is None:
        fleet = twins_of(settings, clock, arguments.pace, arguments.physics_from_ms)
        past = None
        if scenario is not None:
            fleet.wires.lay(scenario, clock.now_ms())
    else:
        fleet = grown(settings, scenario, arguments.seed, arguments.since_ms, clock)
        past = scenario
    run(_serve(settings, fleet, None if past else scenario, arguments.control, links))
    return 0


def _put_reference(folder: Path) -> None:
    """Write the reference campus into a folder without a site; Refused when it has another."""
    if not (folder / "campus.yaml").exists():
        write_reference(folder)
        print(f"simulators: the reference campus is in {folder}; campus-hub run --config {folder}")
    elif load(folder).site.id != _REFERENCE:
        raise Refused(f"{folder} holds another site; name a folder of its own with --config")


def twins_of(
    settings: Settings, clock: Clock, pace: float = 1.0, physics_from_ms: int | None = None
) -> Fleet:
    """Return the twins of a site."""
    site = site_of(settings)
    devices = list(site.devices.values())
    day = Day(start_ms=physics_from_ms)
    return Fleet(devices, settings.profiles, clock, pace, day=day, zone=site.zone)


def _link(settings: Settings, text: str) -> tuple[str, Path]:
    """Take apart where a serial line shall be."""
    gateway, _, path = text.partition("=")
    serial = [one.id for one in site_of(settings).gateways.values() if one.transport == "serial"]
    if gateway not in serial or not path:
        known = ", ".join(serial) or "none here"
        raise ConfigError([f"--serial {text}: write GATEWAY=PATH; gateways on serial://: {known}"])
    return gateway, Path(path).absolute()


def grown(
    settings: Settings, scenario: Scenario | None, seed: int, since_ms: int, now: Clock
) -> Fleet:
    """Return twins that have lived from ``since_ms`` until now, with what a scenario did to them.

    They live through it in virtual time, exactly as beside the hub that recorded it.
    """
    loop = VirtualLoop()
    clock = VirtualClock(loop, since_ms, seed)
    fleet = twins_of(settings, clock)
    if scenario is not None:
        fleet.wires.lay(scenario, since_ms)

    async def live() -> None:
        if scenario is not None:
            done = [step for step in scenario.steps if step.ticket is None]
            await play(scenario.model_copy(update={"steps": done}), fleet, _Nobody(), clock)

    run_virtual(loop, live())
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
    settings: Settings,
    fleet: Fleet,
    scenario: Scenario | None,
    control: Path | None,
    links: Mapping[str, Path],
) -> None:
    gateways = list(site_of(settings).gateways.values())
    url = settings.mqtt.address if settings.mqtt else None

    async def happen() -> None:
        if scenario is not None:
            await play(scenario, fleet, _Nobody(), fleet.clock)
        await asyncio.get_running_loop().create_future()

    print(f"simulators: {len(fleet.devices)} devices, {len(gateways)} gateways", flush=True)
    await until_signal(lambda: serve_fleet(fleet, gateways, url, control, links), happen)
