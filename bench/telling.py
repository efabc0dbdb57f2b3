"""Measure how soon people are told: `python -m bench.telling [--lone 20] [--storm 5000]`.

Mosquitto, the hub and this program, which publishes readings and is the webhook that the duty desk
is told by, are processes of their own. First faults come one by one, far apart; then shower
terminals run too hot all at once. Taken is the time from the alarm, as the hub raised it, to when
the channel has taken the message that tells of it, for every single alarm; and for lone faults also
from when the reading was sent to when the webhook heard of it.
Goals: 99 of 100 within 5 s for lone faults, within 30 s in a storm, nobody forgotten, few messages.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from bench.alarms import HOT, packet, prepare, terminals
from bench.campus import HUB, process
from bench.mqtt import broker

LONE_GOAL_S, STORM_GOAL_S = 5.0, 30.0
APART_S = 21.0
PATIENCE_S = 120.0
MOST_MESSAGES = 20
BURST, BURST_S = 200, 0.1


class Heard(NamedTuple):
    """A message as the webhook heard it."""

    at_s: float
    title: str


@contextmanager
def webhook() -> Iterator[tuple[int, list[Heard]]]:
    """Take every message; yields the port and what was heard."""
    heard: list[Heard] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append(Heard(time.time(), content["title"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write_site(folder: Path, broker_port: int, hook_port: int, storm: int) -> None:
    """Write a site with terminals enough, whose duty desk is told by the webhook."""
    prepare(folder, broker_port)
    head, *rows = (folder / "devices.csv").read_text("utf-8").splitlines()
    many = [row.replace(",", f"{n},", 1) for row in rows for n in range(storm // len(rows) + 1)]
    (folder / "devices.csv").write_text("\n".join([head, *many[: storm + 100], ""]), "utf-8")
    path = folder / "campus.yaml"
    campus = yaml.safe_load(path.read_text("utf-8"))
    url = f"json://127.0.0.1:{hook_port}/hub"
    campus["notify"] = {"allow": ["127.0.0.1"], "channels": {"duty": {"url": url}}}
    path.write_text(yaml.safe_dump(campus, allow_unicode=True, sort_keys=False), "utf-8")


class Line:
    """A connection to the broker over which terminals speak."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09publisher")
        self._sent = 0

    def say(self, devices: Sequence[str], *, broken: bool) -> None:
        """Let each of these terminals say once how it is."""
        for first in range(0, len(devices), BURST):
            some = devices[first : first + BURST]
            pieces = [packet(one, self._sent + n, HOT, broken=broken) for n, one in enumerate(some)]
            self._sent += len(some)
            self._socket.settimeout(10)
            self._socket.sendall(b"".join(pieces))
            self._socket.settimeout(0)
            with suppress(BlockingIOError):
                self._socket.recv(1 << 20)
            time.sleep(BURST_S)


class Told:
    """What the hub's database says of alarms and of who was told of them."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(f"file:{folder / 'var' / 'hub.sqlite'}?mode=ro", uri=True)

    def seconds(self, since: int = 0) -> list[float]:
        """Return from alarm to message, of every ticket that was opened after the first ones."""
        rows = self._database.execute(
            "SELECT o.sent_ms - a.raised_ms FROM tickets t JOIN alarms a ON a.id = t.alarm"
            " JOIN outbox o ON o.ticket = t.id AND o.n = 0"
            " WHERE o.sent_ms IS NOT NULL ORDER BY t.opened_ms LIMIT -1 OFFSET ?",
            (since,),
        )
        return [late_ms / 1000 for (late_ms,) in rows]

    def wait(self, wanted: int) -> None:
        """Wait until so many tickets were told of."""
        end = time.monotonic() + PATIENCE_S
        while len(self.seconds()) < wanted and time.monotonic() < end:
            time.sleep(0.2)


def measure(folder: Path, lone: int, storm: int) -> bool:
    """Run all processes and print what was found; tell whether the goals hold."""
    with broker() as port, webhook() as (hook_port, heard):
        write_site(folder, port, hook_port, storm)
        devices = terminals(folder)
        with process(*HUB, "run", "--config", str(folder)) as hub:
            if not (hub.stdout and hub.stdout.readline()):
                sys.exit("the hub ended; its message stands above")
            time.sleep(3)
            line, told = Line(port), Told(folder)
            line.say(devices, broken=False)
            time.sleep(3)
            sent_s = []
            for n in range(lone):
                line.say(devices[n : n + 1], broken=True)
                sent_s.append(time.time() - BURST_S)
                told.wait(n + 1)
                until_s = time.monotonic() + APART_S
                line.say(devices[lone:], broken=False)  # who is silent for long is a fault, too
                time.sleep(max(until_s - time.monotonic(), 0))
            last_s = [one.at_s - at_s for one, at_s in zip(heard, sent_s, strict=False)]
            before = len(heard)
            line.say(devices[lone : lone + storm], broken=True)
            told.wait(lone + storm)
            return judge(told.seconds(), last_s, storm, len(heard) - before)


def judge(late: Sequence[float], last_s: Sequence[float], storm: int, messages: int) -> bool:
    """Print the figures; ``last_s`` is of the lone faults, which come first in ``late``."""
    lone = len(last_s)
    held = _row("lone, alarm to channel", late[:lone], lone, LONE_GOAL_S)
    held &= _row("lone, reading to webhook", last_s, lone, LONE_GOAL_S)
    held &= _row("storm, alarm to channel", late[lone:], storm, STORM_GOAL_S)
    print(f"{messages} messages for {storm} alarms, at most {MOST_MESSAGES}")
    held &= messages <= MOST_MESSAGES
    print(f"goals: {'reached' if held else 'MISSED'}")
    return held


def _row(name: str, late_s: Sequence[float], wanted: int, goal_s: float) -> bool:
    p50, p99, worst = np.percentile(late_s, (50, 99, 100)) if len(late_s) else (np.nan,) * 3
    missing = wanted - len(late_s)
    print(
        f"{name:>26}: p50 {p50:6.2f} s, p99 {p99:6.2f} s, worst {worst:6.2f} s, {missing} missing"
    )
    return not missing and p99 <= goal_s


def main() -> int:
    """Read the arguments and run in a folder of its own; 0 when the goals hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lone", type=int, default=20, help="faults that come one by one")
    parser.add_argument("--storm", type=int, default=5000, help="alarms that come at once")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-telling-"))
    try:
        return 0 if measure(folder, asked.lone, asked.storm) else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    raise SystemExit(main())
