"""Measure the whole MQTT path beside a bare paho that receives and discards.

``python -m bench.mqtt [--seconds N] [--rounds N] [--rate N]``: QoS 1, paced, Mosquitto and the
publisher in processes of their own. Ours parses, validates, journals (synced) and acknowledges
only then. Prints the CPU time of the receiving process per message and the ratio to the bare one;
each round takes both in turn, so that a noisy machine disturbs them alike. Goal: 1.5 or less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from drivers import registry
from drivers.profile import MqttProfile
from hub.clock import RealClock
from hub.health import Health
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from hub.model import Entry, Point, Text
from hub.site import Device

GOAL = 1.5
DEVICES = 2_000
NAMES = ("state", "flow", "outlet_temperature", "session_litres", "total_litres")
BURST_S = 0.01
TOPIC = "campus/+/+/telemetry"
VERSIONS = {"paho 5": MQTTProtocolVersion.MQTTv5, "paho 3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked of one measurement."""

    port: int
    rate: int
    seconds: float

    @property
    def messages(self) -> int:
        """Return how many messages are published."""
        return int(self.rate * self.seconds)


def device_id(n: int) -> str:
    """Name a device."""
    return f"dorm-{n % 27:02}/shower-{n:04}"


def packet(n: int) -> bytes:
    """Return a PUBLISH of QoS 1 with about 110 bytes of our own JSON."""
    topic = f"campus/{device_id(n % DEVICES)}/telemetry".encode()
    values = [2, 5 + n % 97 / 100, 38 + n % 31 / 10, n % 50, 1000 + n]
    content = {
        "at": time.time_ns() // 1_000_000,
        "seq": n,
        "values": dict(zip(NAMES, values, strict=True)),
    }
    payload = json.dumps(content, separators=(",", ":")).encode()
    mid = (n % 65_535 + 1).to_bytes(2, "big")
    body = len(topic).to_bytes(2, "big") + topic + mid + payload
    return b"\x32" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body


def publish(run: Run) -> None:
    """Publish at the rate asked for; runs in a process of its own."""
    line = socket.create_connection(("127.0.0.1", run.port))
    line.sendall(b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09publisher")
    line.recv(4)
    threading.Thread(target=_swallow, args=(line,), daemon=True).start()
    began, sent = time.perf_counter(), 0
    while sent < run.messages:
        due = min(run.messages, int((time.perf_counter() - began) * run.rate) + 1)
        line.sendall(b"".join(packet(n) for n in range(sent, due)))
        sent = due
        time.sleep(BURST_S)
    time.sleep(1)  # the broker's last acknowledgements


def _swallow(line: socket.socket) -> None:
    while line.recv(65_536):
        pass


@contextmanager
def broker() -> Iterator[int]:
    """Run Mosquitto with room for what waits; return its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    folder = Path(tempfile.mkdtemp(prefix="bench-mqtt-"))
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\n"
    )
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        raise SystemExit("mosquitto is not installed")
    with subprocess.Popen([program, "-c", str(settings)], stderr=subprocess.DEVNULL) as process:
        time.sleep(0.5)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder)


@contextmanager
def publisher(run: Run) -> Iterator[subprocess.Popen[bytes]]:
    """Start the publisher."""
    asked = ("--publish", str(run.port), "--rate", str(run.rate), "--seconds", str(run.seconds))
    with subprocess.Popen([sys.executable, "-m", "bench.mqtt", *asked]) as process:
        yield process


class Counted:
    """Counts messages; CPU time of this process from the start of the publisher to the last."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.cpu_s = 0.0
        self.done = threading.Event()

    def begin(self) -> None:
        """Start the watch."""
        self.cpu_s = time.process_time()

    def add(self, count: int) -> None:
        """Note messages that are through."""
        self.count += count
        if self.count >= self.wanted:
            self.cpu_s = time.process_time() - self.cpu_s
            self.done.set()

    def wait(self, patience_s: float) -> float:
        """Return the microseconds of CPU per message."""
        if not self.done.wait(patience_s):
            raise SystemExit(f"{self.count} of {self.wanted} came: this is no measurement")
        return self.cpu_s / self.wanted * 1e6


def bare(run: Run, version: MQTTProtocolVersion) -> float:
    """Receive with paho, in its own thread, and discard."""
    counted, heard = Counted(run.messages), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, f"bare-{version}", protocol=version)
    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: heard.set()
    client.on_message = lambda *_: counted.add(1)
    client.connect("127.0.0.1", run.port)
    client.loop_start()
    heard.wait(5)
    counted.begin()
    with publisher(run):
        used = counted.wait(run.seconds + 30)
    client.disconnect()
    client.loop_stop()
    return used


def terminals() -> tuple[list[Device], dict[str, MqttProfile]]:
    """Return the devices and their profile."""
    point = {"min": 0, "max": 1e9}
    product = {"version": 1, "id": "bench", "maker": "m", "model": "m", "kind": "shower"}
    mapped = {"source": "bench", "protocol": "mqtt", "points": dict.fromkeys(NAMES, point)}
    devices = []
    for n in range(DEVICES):
        id_ = device_id(n)
        points = tuple(
            Point(n * 8 + k + 1, f"{id_}/{name}", id_, name, "", "gauge", Text(name, name))
            for k, name in enumerate(NAMES)
        )
        minute = timedelta(minutes=1)
        devices.append(Device(id_, "bench", "shower", "dorm-01", minute, None, None, points))
    return devices, {"bench": MqttProfile.model_validate(product | mapped)}


async def ours(run: Run, folder: Path) -> float:
    """Receive with the hub's own parts, up to the synced journal."""
    clock, (devices, profiles) = RealClock(), terminals()
    counted = Counted(run.messages * len(NAMES))
    journal = Journal(open_connection(folder / "journal.sqlite"))
    live = Live(DEVICES * 8)

    def through(numbered: Sequence[tuple[int, Entry]]) -> None:
        counted.add(sum(len(entry.batch) for _, entry in numbered if entry.batch is not None))

    intake = Intake(journal, live, clock, [through])
    running = asyncio.create_task(intake.run())
    line = registry.open_messages(f"mqtt://127.0.0.1:{run.port}", "bench", devices, profiles, clock)
    driver = registry.pushed(line, devices, profiles, clock)
    await driver.start(intake.put, Health(devices, clock, intake.enter))
    while not line.connected():  # noqa: ASYNC110 - the port has no event for it
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    counted.begin()
    with publisher(run):
        used = await asyncio.to_thread(counted.wait, run.seconds + 30)
    await driver.close()
    running.cancel()
    await intake.flush()
    journal.close()
    return used * len(NAMES)


def one_round(run: Run) -> dict[str, float]:
    """Measure each receiver once."""
    found = {name: bare(run, version) for name, version in VERSIONS.items()}
    folder = Path(tempfile.mkdtemp(prefix="bench-mqtt-"))
    try:
        found["ours"] = asyncio.run(ours(run, folder))
    finally:
        shutil.rmtree(folder)
    return found


def main() -> int:
    """Print the medians; return 0 when the goal holds against paho, whichever version it uses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2_000, help="messages a second")
    parser.add_argument("--publish", type=int, metavar="PORT", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.publish:
        publish(Run(asked.publish, asked.rate, asked.seconds))
        return 0
    with broker() as port:
        run = Run(port, asked.rate, asked.seconds)
        rounds = [one_round(run) for _ in range(asked.rounds)]
    return table(rounds, asked.rate)


def table(rounds: list[Mapping[str, float]], rate: int) -> int:
    """Print what was found."""
    print(f"{'receiver':>12} {'us CPU/message':>15} {'of a core':>10}  ours is")
    ratios: dict[str, float] = {}
    for name in rounds[0]:
        used = statistics.median(found[name] for found in rounds)
        ratios[name] = statistics.median(found["ours"] / found[name] for found in rounds)
        print(f"{name:>12} {used:15.1f} {used * rate / 1e4:9.1f}%  {ratios[name]:.2f} x")
    reached = all(ratio <= GOAL for ratio in ratios.values())
    print(f"goal {GOAL} x paho: {'reached' if reached else 'MISSED'}")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())
