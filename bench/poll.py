"""CPU of one polled block: the whole hub beside a bare client of the same run.

``python -m bench.poll`` runs 1,000 devices at 1 s, one block of 20 registers each, through a whole
hub process (poll, decode, journal, store, rules) and prints its CPU per block beside that of the
bare asyncio client (uvloop where installed), which ran just before and just after it.

``--blocks 10000`` measures the rate instead: so many blocks a second, polled and decoded by one
process on one core, with lateness and missed deadlines; the whole hub at the same rate beside it.

``--peer PYTHON`` also runs the ThingsBoard Gateway installed for that interpreter, in its best and
its normal configuration. It publishes to Mosquitto with QoS 1 and needs the C server, which counts.

Only ratios are worth comparing: absolute figures are those of the machine at that moment.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.block_server import SOURCE, Server, serving
from bench.campus import counters, cpu_s, process, rss_mb
from bench.poll_peer import thingsboard
from bench.poll_site import write_site
from hub.cli.demonstration import free_ports

SETTLE_S = 20.0  # longer than the sweep in which a hub asks everybody for the first time
RATE_PER_GATEWAY = 32  # the longest bus of the reference campus
GOAL, BEST_GOAL, NORMAL_GOAL = 2.0, 8.0, 20.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one client used, and how many of the blocks due it read."""

    blocks: float
    cpu_s: float
    due: float
    note: str = ""

    @property
    def us(self) -> float:
        """Return CPU microseconds per block."""
        return self.cpu_s / max(self.blocks, 1) * 1e6


def child(module: str, *arguments: object, cores: set[int] | None = None) -> dict[str, float]:
    """Run a module of ours in a process of its own and return the figures it prints."""
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, preexec_fn=pin)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def bare(server: Server, devices: int, seconds: float, per_gateway: int) -> Measured:
    """Measure the bare client."""
    found = child("bench.bare_client", server.port, devices, seconds, per_gateway)
    return Measured(found["blocks"], found["cpu_s"], devices * seconds)


def whole_hub(server: Server, devices: int, seconds: float, per_gateway: int) -> Measured:
    """Measure a hub process: everything but the web pages, which nobody looks at."""
    with tempfile.TemporaryDirectory(prefix="campus-hub-bench-") as name:
        folder, web_port = Path(name) / "site", free_ports(1)[0]
        write_site(folder, server.port, web_port, devices, per_gateway)
        with process(sys.executable, "-m", "bench.poll_hub", str(folder)) as hub:
            if hub.stdout is None or "http" not in hub.stdout.readline():
                sys.exit("the hub did not start; its message stands above")
            time.sleep(SETTLE_S)
            before, used_s, began_s = counters(web_port), cpu_s(hub.pid), time.monotonic()
            time.sleep(seconds)
            after, used_s = counters(web_port), cpu_s(hub.pid) - used_s
            passed_s, memory = time.monotonic() - began_s, rss_mb(hub.pid)

    def grown(name: str) -> float:
        return after[f"campus_hub_{name}"] - before[f"campus_hub_{name}"]

    note = (
        f"{100 * used_s / passed_s:.0f} % of a core, {memory:.0f} MB, "
        f"{grown('intake_readings') / passed_s:,.0f} readings/s, failed "
        f"{grown('polls_failed_total'):.0f}, late {grown('polls_late_total'):.0f}"
    )
    return Measured(grown("polls_done_total"), used_s, devices * passed_s, note)


def show(name: str, one: Measured, floor: float | None = None) -> None:
    """Print one row of the table."""
    ratio = "" if floor is None else f"{one.us / floor:7.2f} x"
    share = 100 * one.blocks / one.due
    print(f"{name:<28} {one.us:9.1f} {ratio:>9} {share:8.1f} %  {one.note}", flush=True)


def compare(server: Server, asked: argparse.Namespace) -> None:
    """Print the table of CPU per block."""
    size = (asked.devices, asked.seconds, asked.per_gateway)
    print(
        f"{asked.devices:,} devices at 1 s, {asked.per_gateway} per connection, "
        f"{asked.seconds:g} s each, {server.kind} server"
    )
    print(f"{'':<28} {'us/block':>9} {'ratio':>9} {'of due':>10}")
    ratios, hubs = [], []
    for _ in range(asked.rounds):
        first, hub, second = bare(server, *size), whole_hub(server, *size), bare(server, *size)
        floor = (first.us + second.us) / 2
        for name, one in (("bare client", first), ("whole hub", hub), ("bare client", second)):
            show(name, one, floor)
        ratios.append(hub.us / floor)
        hubs.append(hub.us)
    ratio = statistics.median(ratios)
    print(
        f"whole hub / bare client, median: {ratio:.2f} (goal <= {GOAL:g}: {reached(ratio <= GOAL)})"
    )
    if asked.peer:
        peers(server, asked, statistics.median(hubs))


def peers(server: Server, asked: argparse.Namespace, hub_us: float) -> None:
    """Print the peer's rows and how many times the hub's CPU it used."""
    if server.answered() is None:
        sys.exit("--peer needs the C server: a compiler, and --shared with modbus_server.c")
    for kind, goal in (("best", BEST_GOAL), ("normal", NORMAL_GOAL)):
        blocks, used_s, told = thingsboard(asked.peer, server, kind, asked.devices, asked.seconds)
        note = f"{told / asked.seconds:,.0f} readings/s published"
        one = Measured(blocks, used_s, asked.devices * asked.seconds, note)
        show(f"ThingsBoard Gateway, {kind}", one)
        ratio = one.us / hub_us
        print(f"  / whole hub: {ratio:.1f} (goal >= {goal:g}: {reached(ratio >= goal)})")


def rate(asked: argparse.Namespace) -> None:
    """Print what so many blocks a second cost, and how punctual they are."""
    many = sorted(os.sched_getaffinity(0))
    here, there = ({many[0]}, {many[1]}) if len(many) > 1 else (None, None)
    with serving(asked.shared, there) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "site"
        write_site(folder, server.port, 0, asked.blocks, RATE_PER_GATEWAY)
        print(
            f"{asked.blocks:,} blocks/s for {asked.seconds:g} s, {RATE_PER_GATEWAY} devices per "
            f"connection, {server.kind} server" + (" on the other core" if there else "")
        )
        found = child("bench.poll_only", folder, asked.seconds, cores=here)
        one = Measured(found["done"], found["cpu_s"], asked.blocks * asked.seconds)
        print(
            f"polled and decoded: {found['done'] / asked.seconds:,.0f} blocks/s, {one.us:.1f} us "
            f"CPU each, {100 * found['cpu_s'] / asked.seconds:.0f} % of a core\n"
            f"  missed {found['missed']:.0f}, failed {found['failed']:.0f}, "
            f"late by a tenth of a second {found['late']:.0f}; begun late by "
            f"p50 {found['late_p50_ms']:.1f}, p99 {found['late_p99_ms']:.1f}, "
            f"most {found['late_max_ms']:.1f} ms"
        )
        good = not found["missed"] and not found["failed"] and found["late_p99_ms"] <= asked.late_ms
        print(f"  goal: none missed, p99 <= {asked.late_ms:g} ms: {reached(good)}")
        hub = whole_hub(server, asked.blocks, asked.seconds, RATE_PER_GATEWAY)
        show("whole hub beside it", hub)


def reached(good: bool) -> str:
    """Say whether a goal is reached."""
    return "reached" if good else "MISSED"


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--per-gateway", type=int, default=1, help="devices on one connection")
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, help="measure this rate instead")
    parser.add_argument("--late-ms", type=float, default=50, help="the goal for --blocks")
    parser.add_argument("--shared", type=Path, default=SOURCE, help="folder of modbus_server.c")
    parser.add_argument("--peer", metavar="PYTHON", help="interpreter with thingsboard-gateway")
    asked = parser.parse_args()
    if asked.blocks:
        rate(asked)
        return
    with serving(asked.shared) as server:
        compare(server, asked)


if __name__ == "__main__":
    main()
