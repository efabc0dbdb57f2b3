"""Measure the time from a reading to its alarm and ticket: `python -m bench.alarms [--seconds N]`.

Mosquitto, the publisher, the hub and a reference are processes of their own. 816 shower terminals
publish ``rate`` messages of five readings a second (QoS 1); faults begin at random instants. Taken
is the time from when the reading was sent (so the broker is part of it) to when another process
can read the alarm, and its ticket, in the hub's database: looked at every 2 ms. ``valve-no-open``
has a delay of 5 s, which is taken off. The reference hears the same messages, keeps the latest
values in SQLite and asks them once a second with SQL for outlets that are too hot.
Goal: 99 of 100 within a second, and every fault found.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import yaml
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench.campus import HUB, counters, cpu_s, process
from bench.mqtt import TOPIC, broker
from hub.cli.demonstration import free_ports
from hub.settings import load
from simulators.reference import write_reference

GOAL_MS = 1000.0
LOOK_S = 0.002
BURST_S = 0.005
SETTLE_S = 15.0  # of messages before the first fault
AFTER_S = 15.0  # of messages after the last
NAMES = ("state", "flow", "outlet_temperature", "total_litres", "battery")
HOT, CLOSED = "outlet-too-hot", "valve-no-open"
DELAY_MS: Mapping[str, float] = {HOT: 0.0, CLOSED: 5000.0}
RUNNING, IDLE = (2, 6.0, 38.0), (0, 0.0, 24.0)
BROKEN: Mapping[str, tuple[int, float, float]] = {HOT: (2, 6.0, 61.0), CLOSED: (2, 0.0, 24.0)}

Fault = tuple[str, str]  # device and rule


def terminals(folder: Path) -> list[str]:
    """Return the terminals of a site; every other one is in use."""
    return [device.id for device in load(folder).devices if device.profile.endswith("terminal")]


def rule_of(n: int) -> str:
    """Return what can befall the n-th terminal."""
    return CLOSED if n % 2 else HOT


def packet(device: str, n: int, rule: str, *, broken: bool) -> bytes:
    """Return a PUBLISH of QoS 1 with five readings of a terminal."""
    state, flow, outlet = BROKEN[rule] if broken else IDLE if rule == CLOSED else RUNNING
    values = [state, flow, outlet + n % 7 / 10, 1000 + n, 90]
    content = {
        "at": time.time_ns() // 1_000_000,
        "seq": n,
        "values": dict(zip(NAMES, values, strict=True)),
    }
    payload = json.dumps(content, separators=(",", ":")).encode()
    topic = f"campus/{device}/telemetry".encode()
    mid = (n % 65_535 + 1).to_bytes(2, "big")
    body = len(topic).to_bytes(2, "big") + topic + mid + payload
    return b"\x32" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body


def publish(folder: Path, port: int, rate: int, seconds: float) -> None:
    """Publish at the rate asked for, and say of each fault when its first reading was sent."""
    devices, chance = terminals(folder), random.Random(5)
    order = chance.sample(range(len(devices)), len(devices))
    line = socket.create_connection(("127.0.0.1", port))
    line.sendall(b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09publisher")
    line.settimeout(0)
    until_s = SETTLE_S + seconds
    starts = {n: chance.uniform(SETTLE_S, until_s) for n in order[: len(order) // 2]}
    told: set[int] = set()
    began, sent = time.perf_counter(), 0
    while (now_s := time.perf_counter() - began) < until_s + AFTER_S:
        due = int(now_s * rate) + 1
        pieces = []
        for k in range(sent, due):
            n = k % len(devices)
            broken = starts.get(n, until_s * 2) <= now_s
            pieces.append(packet(devices[n], k, rule_of(n), broken=broken))
            if broken and n not in told:
                told.add(n)
                print(devices[n], rule_of(n), time.time() * 1000, flush=True)
        _send(line, b"".join(pieces))
        sent = due
        time.sleep(BURST_S)


def _send(line: socket.socket, octets: bytes) -> None:
    """Send, and swallow what the broker acknowledges."""
    line.settimeout(10)
    line.sendall(octets)
    line.settimeout(0)
    try:
        line.recv(1 << 20)
    except BlockingIOError:
        return


def refer(port: int, file: Path) -> None:
    """Keep the latest values of all terminals, and ask them once a second with SQL."""
    heard: SimpleQueue[tuple[str, float, float]] = SimpleQueue()
    client = Client(CallbackAPIVersion.VERSION2, "reference")
    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_message = lambda _client, _, message: heard.put(
        _values(message.topic, message.payload)
    )
    client.connect("127.0.0.1", port)
    client.loop_start()
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE live (device TEXT PRIMARY KEY, flow REAL, outlet REAL)")
    database.execute("CREATE TABLE alarms (device TEXT PRIMARY KEY, rule TEXT)")
    print("ready", flush=True)
    while True:
        time.sleep(1.0)
        rows = [heard.get() for _ in range(heard.qsize())]
        database.execute("BEGIN")
        database.executemany("INSERT OR REPLACE INTO live VALUES (?, ?, ?)", rows)
        database.execute(
            "INSERT OR IGNORE INTO alarms SELECT device, ? FROM live"
            " WHERE flow > 0.3 AND outlet >= 48",
            (HOT,),
        )
        database.execute("COMMIT")


def _values(topic: str, payload: bytes) -> tuple[str, float, float]:
    values = json.loads(payload)["values"]
    device = topic.removeprefix("campus/").removesuffix("/telemetry")
    return device, values["flow"], values["outlet_temperature"]


class Seen:
    """When each row of a table could first be read by another process (ms since 1970)."""

    def __init__(self, file: Path, table: str) -> None:
        self.at_ms: dict[Fault, float] = {}
        self._database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._asked = f"SELECT rowid, device, rule FROM {table} WHERE rowid > ?"  # noqa: S608 - ours
        self._version = -1
        self._row = 0

    def look(self) -> None:
        """Take the rows that are new, if anything was committed."""
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        for row, device, rule in self._database.execute(self._asked, (self._row,)).fetchall():
            self._row = row
            self.at_ms.setdefault((device, rule), time.time() * 1000)


def prepare(folder: Path, broker_port: int) -> None:
    """Write the reference campus with its terminals only."""
    write_reference(folder, web_port=free_ports(1)[0], mqtt_url=f"mqtt://127.0.0.1:{broker_port}")
    head, *rows = (folder / "devices.csv").read_text("utf-8").splitlines()
    kept = [row for row in rows if "reference-shower-terminal" in row]
    (folder / "devices.csv").write_text("\n".join([head, *kept, ""]), "utf-8")
    campus = yaml.safe_load((folder / "campus.yaml").read_text("utf-8"))
    text = yaml.safe_dump(campus | {"gateways": []}, allow_unicode=True, sort_keys=False)
    (folder / "campus.yaml").write_text(text, "utf-8")


def faults_of(said: Iterator[str]) -> dict[Fault, float]:
    """Return when each fault was sent."""
    found = {}
    for line in said:
        device, rule, at_ms = line.split()
        found[device, rule] = float(at_ms)
    return found


def measure(folder: Path, rate: int, seconds: float) -> bool:
    """Run all processes, and print what was found; tell whether the goal holds."""
    me = (sys.executable, "-m", "bench.alarms", "--rate", str(rate), "--seconds", str(seconds))
    with broker() as port:
        prepare(folder, port)
        web_port = load(folder).web.port
        place = ("--folder", str(folder), "--port", str(port))
        with (
            process(*me, "--refer", *place) as reference,
            process(*HUB, "run", "--config", str(folder)) as hub,
        ):
            for one in (reference, hub):
                if not (one.stdout and one.stdout.readline()):
                    sys.exit("a process ended; its message stands above")
            looks = {
                "alarm": Seen(folder / "var" / "hub.sqlite", "alarms"),
                "ticket": Seen(folder / "var" / "hub.sqlite", "tickets"),
                "reference": Seen(folder / "reference.sqlite", "alarms"),
            }
            time.sleep(2)
            before, cpu, began = counters(web_port), cpu_s(hub.pid), time.perf_counter()
            with process(*me, "--publish", *place) as publisher:
                while publisher.poll() is None:
                    for look in looks.values():
                        look.look()
                    time.sleep(LOOK_S)
                faults = faults_of(iter(publisher.stdout or ()))
            passed = time.perf_counter() - began
            key = "campus_hub_intake_readings"
            readings = (counters(web_port)[key] - before[key]) / passed
            share = (cpu_s(hub.pid) - cpu) / passed
    print(f"{len(faults)} faults in {seconds:.0f} s; {readings:,.0f} readings/s heard by the hub,")
    print(f"which took {share:.0%} of a core")
    return table(faults, looks)


def table(faults: Mapping[Fault, float], looks: Mapping[str, Seen]) -> bool:
    """Print the delays of each rule."""
    print(f"{'ms from reading to':>32} {'p50':>7} {'p99':>7} {'worst':>7} {'missing':>8}")
    held = True
    for rule, delay_ms in DELAY_MS.items():
        asked = {fault: at_ms + delay_ms for fault, at_ms in faults.items() if fault[1] == rule}
        for name, seen in looks.items():
            if name == "reference" and rule != HOT:
                continue
            late = [seen.at_ms[one] - at_ms for one, at_ms in asked.items() if one in seen.at_ms]
            figures = _figures(late)
            held &= name == "reference" or (len(late) == len(asked) and figures[1] <= GOAL_MS)
            written = " ".join(f"{one:7.0f}" for one in figures)
            print(f"{f'{rule}, {name}':>32} {written} {len(asked) - len(late):8}")
    print(f"goal p99 {GOAL_MS:.0f} ms, none missing: {'reached' if held else 'MISSED'}")
    return held


def _figures(late: Sequence[float]) -> list[float]:
    found = np.percentile(late, (50, 99, 100)) if late else np.full(3, np.nan)
    return [float(one) for one in found]


def main() -> int:
    """Read the arguments and run in a folder of its own; 0 when the goal holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="in which faults begin")
    parser.add_argument("--rate", type=int, default=1000, help="messages a second")
    for name in ("--publish", "--refer"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.publish:
        publish(asked.folder, asked.port, asked.rate, asked.seconds)
        return 0
    if asked.refer:
        refer(asked.port, asked.folder / "reference.sqlite")
    folder = Path(tempfile.mkdtemp(prefix="bench-alarms-"))
    try:
        return 0 if measure(folder, asked.rate, asked.seconds) else 1
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    raise SystemExit(main())
