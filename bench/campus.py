"""The reference campus on real protocols: `python -m bench.campus [--minutes 5] [--interval 60]`.

The hub, the simulators and the broker (Mosquitto) are processes of their own. Prints the polls due,
done and late (begun more than 10 % of the interval after their time), and the CPU share and memory
of the hub alone. Goals at 60 s: none late, less than 5 % of a core, less than 300 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import yaml

from hub.cli.demonstration import adapt
from hub.settings import load
from simulators.campus import write_reference

HUB = (sys.executable, "-m", "hub")
SETTLE_S = 60


@contextlib.contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process and end it."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait(30)


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def prepare(folder: Path, interval_s: int) -> int:
    """Write the reference campus; return the port of the broker."""
    write_reference(folder)
    adapt(folder)
    path = folder / "campus.yaml"
    campus = yaml.safe_load(path.read_text("utf-8"))
    port = int(campus["mqtt"]["port"])
    campus["mqtt"] = {"url": f"mqtt://127.0.0.1:{port}"}
    path.write_text(yaml.safe_dump(campus, allow_unicode=True, sort_keys=False), "utf-8")
    table = folder / "devices.csv"
    text = table.read_text("utf-8").replace("PT15S", f"PT{interval_s}S")
    table.write_text(text.replace("PT60S", f"PT{interval_s}S"), "utf-8")
    return port


def counters(port: int) -> dict[str, float]:
    """Read /metrics."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text.splitlines()
    figures = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in figures}


def run(folder: Path, minutes: float, interval_s: int) -> None:
    """Run the three processes and print the figures."""
    broker_port = prepare(folder, interval_s)
    settings = load(folder)
    control = folder / "twins.sock"
    config = ("--config", str(folder))
    with (
        process("mosquitto", "-p", str(broker_port)),
        process(*HUB, "simulate", *config, "--control", str(control)) as twins,
    ):
        while not control.is_socket():
            if twins.poll() is not None:
                sys.exit("the simulators ended; their message stands above")
            time.sleep(0.2)
        began = time.monotonic()
        with process(*HUB, "run", *config) as hub:
            print((hub.stdout.readline() if hub.stdout else "").strip())
            print(f"points {settings.point_count():,}, started in {time.monotonic() - began:.1f} s")
            time.sleep(SETTLE_S)
            before, cpu, twin_cpu = counters(settings.web.port), cpu_s(hub.pid), cpu_s(twins.pid)
            start = time.monotonic()
            time.sleep(minutes * 60)
            passed = time.monotonic() - start
            after = counters(settings.web.port)
            share = (cpu_s(hub.pid) - cpu) / passed
            twin_share = (cpu_s(twins.pid) - twin_cpu) / passed
            for name in ("polls_due", "polls_done", "polls_failed", "polls_late"):
                key = f"campus_hub_{name}_total"
                print(f"{name} {after[key] - before[key]:,.0f} (since the start {after[key]:,.0f})")
            readings = after["campus_hub_intake_readings"] - before["campus_hub_intake_readings"]
            print(f"readings {readings:,.0f}, {readings / passed:,.0f}/s")
            memory = rss_mb(hub.pid)
            print(f"hub: {100 * share:.1f} % of a core (goal 5), {memory:.0f} MB (goal 300)")
            print(f"simulators beside it: {100 * twin_share:.1f} % of a core")


def main() -> None:
    """Read the arguments and run in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--interval", type=int, default=60, help="seconds between polls")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="campus-hub-bench-"))
    try:
        run(folder, arguments.minutes, arguments.interval)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
