"""The demonstration: simulated devices, broker, hub and pages in one process tree."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hub.app import Outside, running
from hub.cli import story
from hub.cli.loop import run, until_signal
from hub.cli.scenarios import find
from hub.cli.service import announce
from hub.cli.virtual import play_virtual
from hub.clock import RealClock
from hub.ports import HubError, StartError
from hub.settings import Settings, load, shipped
from hub.whole import Hub
from simulators.campus import write_reference
from simulators.scenario import Scenario
from simulators.serve import RemoteTwins

SEED = 7
HISTORY = "demo_day"
LISTENING_S = 90.0


def add_commands(commands: Any) -> None:
    """Add demo."""
    one = commands.add_parser("demo", help="a simulated campus with its hub; begin here")
    one.add_argument("--campus", choices=("small", "reference"), default="small")
    one.add_argument("--scenario", help="let its faults and repairs happen from now on")
    one.add_argument("--port", type=int, default=0, help="of the pages (default: a free one)")
    one.add_argument("--no-history", action="store_true", help="begin without the day before")
    one.add_argument("--selftest", action="store_true", help="run the one story and exit 0 or 1")
    one.set_defaults(carry_out=carry_out)


def carry_out(arguments: argparse.Namespace) -> int:
    """Run the demonstration in a folder of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="campus-hub-"))
    try:
        if arguments.selftest:
            return run(_selftest(folder))
        settings = _prepared(folder, arguments)
        run(_demonstrate(settings, arguments))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _prepared(folder: Path, arguments: argparse.Namespace) -> Settings:
    """Write the configuration, and the day before into the data folder."""
    if arguments.campus == "reference":
        write_reference(folder)
    else:
        shutil.copy(shipped() / "campus.yaml", folder)
    adapt(folder, arguments.port)
    settings = load(folder)
    print(f"campus-hub: {arguments.campus} campus, {settings.point_count():,} points", flush=True)
    return settings


def adapt(folder: Path, web_port: int = 0, intervals: Mapping[str, str] | None = None) -> None:
    """Give a copied campus.yaml free ports and a data folder beside it; let it write.

    ``intervals`` gives devices of a profile another interval.
    """
    path = folder / "campus.yaml"
    campus = yaml.safe_load(path.read_text("utf-8"))
    ports = free_ports(len(campus["gateways"]) + 2)
    campus["data"] = "var"
    campus["writes"] = True
    campus["web"] = {"host": "127.0.0.1", "port": web_port or ports.pop()}
    campus["mqtt"] = {"embedded": True, "port": ports.pop()}
    for gateway in campus["gateways"]:
        gateway["url"] = f"tcp://127.0.0.1:{ports.pop()}"
    for device in campus.get("devices", ()):
        if quicker := (intervals or {}).get(device["profile"]):
            device["interval"] = quicker
    path.write_text(yaml.safe_dump(campus, allow_unicode=True, sort_keys=False), "utf-8")


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


async def _demonstrate(settings: Settings, arguments: argparse.Namespace) -> None:
    past = None
    if arguments.campus == "small" and not (arguments.no_history or arguments.scenario):
        past = await asyncio.to_thread(_write_history, settings)
    async with demonstration(settings, past, arguments.scenario) as hub:
        announce(hub.address, hub.one_time_password)
        print("campus-hub: press Ctrl-C to stop; everything is removed then", flush=True)
        await until_signal(hub.until_ended)


def _write_history(settings: Settings) -> Scenario:
    """Play the day before into the data folder, through the whole hub in virtual time."""
    sys.stderr.write("campus-hub: living through the day before in virtual time (some 20 s)\n")
    scenario = find(HISTORY)
    start = datetime.fromtimestamp(RealClock().now_ms() / 1000, UTC) - scenario.length
    past = scenario.model_copy(update={"start": start})
    play_virtual(settings, past, SEED, memory=False)
    return past


@contextlib.asynccontextmanager
async def demonstration(
    settings: Settings,
    past: Scenario | None = None,
    scenario: str | None = None,
    physics: Sequence[str] = (),
) -> AsyncIterator[Hub]:
    """Run the twins in a process of their own and the hub here; ends both in order.

    ``physics`` are options of simulate.
    """
    control = settings.folder / "twins.sock"
    command = [sys.executable, "-m", "hub", "simulate", "--config", str(settings.folder)]
    command += ["--control", str(control), "--seed", str(SEED), *physics]
    if past is not None:
        command += ["--scenario", HISTORY, "--since-ms", str(past.start_ms)]
    elif scenario is not None:
        command += ["--scenario", scenario]
    twins = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await _listening(control, twins)
        outside = Outside(twins=RemoteTwins(control))
        async with running(settings, RealClock(), outside) as hub:
            yield hub
    finally:
        with contextlib.suppress(ProcessLookupError):
            twins.terminate()
        await twins.wait()


async def _listening(control: Path, twins: asyncio.subprocess.Process) -> None:
    """Wait until the twins listen."""
    clock = RealClock()
    end_s = clock.monotonic() + LISTENING_S
    while not control.is_socket():  # noqa: ASYNC240 - one stat, ten times a second
        if twins.returncode is not None:
            raise StartError("the simulators ended at their start; their message stands above")
        if clock.monotonic() > end_s:
            raise StartError(f"the simulators did not listen within {LISTENING_S:.0f} s")
        await clock.sleep(0.1)


async def _selftest(folder: Path) -> int:
    """Let the one story happen on real sockets, with shortened delays; 0 when it held."""
    shutil.copy(shipped() / "campus.yaml", folder)
    story.shorten(folder)
    adapt(folder, intervals=story.INTERVALS)
    settings = load(folder)
    try:
        async with demonstration(settings, physics=story.PHYSICS) as hub:
            told = await story.tell(str(hub.address), str(hub.one_time_password), RealClock())
    except HubError as error:
        print(f"selftest: failed: {error}", flush=True)
        return 1
    print(f"selftest: {'held' if told else 'failed'}", flush=True)
    return 0 if told else 1
