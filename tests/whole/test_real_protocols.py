"""Strangers' programs meet ours: mbpoll reads a twin, mosquitto carries the messages."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.ports import free_ports
from tests.whole.program import running_hub, started, value_of, wait_for
from tests.whole.site import BUILDING, terminal, write_site

DEVICE = "dorm-07/shower-1-01"
METER = "dorm-07/meter-101"
MAIN = "dorm-07/main"
ROOM = {"id": "dorm-07/1/101", "kind": "room"}

Values = dict[str, float]

# What the makers' documents say: point, unit id, reference, kind as mbpoll calls it, scale.
REGISTERS = (
    (f"{METER}/energy", 12, 0, "3:int", 0.01),
    (f"{METER}/energy_peak", 12, 2, "3:int", 0.01),
    (f"{METER}/energy_valley", 12, 4, "3:int", 0.01),
    (f"{METER}/voltage", 12, 6, "3", 0.1),
    (f"{METER}/current", 12, 7, "3", 0.01),
    (f"{METER}/power", 12, 8, "3:int", 1),
    (f"{METER}/power_factor", 12, 10, "3", 0.001),
    (f"{METER}/frequency", 12, 11, "3", 0.01),
    (f"{METER}/status", 12, 12, "3", 1),
    (f"{METER}/relay", 12, 13, "3", 1),
    (f"{METER}/relay_command", 12, 0, "4", 1),
    (f"{METER}/load_limit", 12, 1, "4", 1),
    (f"{MAIN}/frequency", 2, 0x46, "3:float", 1),
    (f"{MAIN}/power", 2, 0x34, "3:float", 1),
    (f"{MAIN}/voltage_l1", 2, 0x00, "3:float", 1),
)
SIX_DIGITS = 1e-5  # mbpoll prints a float with six


@pytest.fixture
def mbpoll(binary: Callable[..., str]) -> Callable[..., float]:
    program = binary("mbpoll")

    def read(port: int, unit_id: int, reference: int, kind: str) -> float:
        """Let mbpoll read one value."""
        done = subprocess.run(
            [
                program, "-m", "tcp", "-p", str(port), "-a", str(unit_id), "-0", "-B", "-1",
                "-t", kind, "-r", str(reference), "-c", "1", "127.0.0.1",
            ],
            capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        found = re.search(rf"^\[{reference}\]:\s+(\S+)", done.stdout, re.MULTILINE)
        assert found, done.stdout + done.stderr
        return float(found[1])

    return read


class Mosquitto:
    """A real broker that can be stopped and started."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_ports(1)[0]
        self._program = program
        self._settings = folder / "mosquitto.conf"
        self._settings.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "-c", str(self._settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for("mosquitto", self._listens)
        except AssertionError:
            self.stop()  # a process that is left behind fails another test
            raise

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None


@pytest.fixture
def mosquitto(binary: Callable[..., str], tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(binary("mosquitto", "/usr/sbin"), tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def say(binary: Callable[..., str], mosquitto: Mosquitto) -> Callable[[float], None]:
    program = binary("mosquitto_pub")

    def publish(flow: float) -> None:
        """Let mosquitto_pub publish what a terminal would say."""
        content = {
            "at": time.time_ns() // 1_000_000,
            "seq": 1,
            "values": {"flow": flow, "state": 2},
        }
        subprocess.run(
            [
                program, "-h", "127.0.0.1", "-p", str(mosquitto.port), "-q", "1",
                "-t", f"campus/{DEVICE}/telemetry", "-m", json.dumps(content),
            ],
            check=True, timeout=20,
        )  # fmt: skip

    return publish


def test_mbpoll_and_the_hub_read_the_same_from_a_simulated_meter(
    tmp_path: Path, mbpoll: Callable[..., float]
) -> None:
    port = free_ports(1)[0]
    folder = write_site(
        tmp_path / "site",
        [
            _modbus(METER, "reference-room-meter", ROOM["id"], 12),
            _modbus(MAIN, "eastron-sdm630", "dorm-07", 2),
        ],
        places=[BUILDING, ROOM],
        gateways=[{"id": "gw-07", "url": f"tcp://127.0.0.1:{port}"}],
    )

    def read() -> dict[str, float]:
        return {
            point: mbpoll(port, unit_id, reference, kind) * scale
            for point, unit_id, reference, kind, scale in REGISTERS
        }

    with (
        started("simulate", "--config", folder, folder=folder),
        running_hub(folder) as hub,
        hub.signed_in() as http,
    ):
        wait_for("the meters", lambda: all(_known(http, point) for point, *_ in REGISTERS))
        by_mbpoll, by_hub = wait_for("a moment of rest", lambda: _at_rest(http, read))

    assert by_hub == pytest.approx(by_mbpoll, rel=SIX_DIGITS)
    assert by_hub[f"{METER}/load_limit"] == 2000
    assert by_hub[f"{METER}/energy"] > 100


def test_what_mosquitto_pub_publishes_is_live_and_again_after_the_broker_was_away(
    tmp_path: Path, mosquitto: Mosquitto, say: Callable[[float], None]
) -> None:
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    folder = write_site(tmp_path / "site", [terminal(DEVICE)], mqtt={"url": url})

    with running_hub(folder) as hub, hub.signed_in() as http:
        wait_for("the broker", lambda: _ready(http))
        say(5.5)
        first = wait_for("the reading", lambda: _known(http, f"{DEVICE}/flow"))
        mosquitto.stop()
        wait_for("the loss", lambda: not _ready(http))
        mosquitto.start()
        wait_for("the broker again", lambda: _ready(http))
        say(6.5)
        wait_for("the next reading", lambda: value_of(http, f"{DEVICE}/flow")["value"] == 6.5)

    assert (first["value"], first["unit"], first["quality"]) == (5.5, "L/min", "good")


def _modbus(id_: str, profile: str, place: str, unit_id: int) -> dict[str, Any]:
    return {
        "id": id_,
        "profile": profile,
        "place": place,
        "gateway": "gw-07",
        "unit_id": unit_id,
        "interval": "PT0.5S",
    }


def _known(http: httpx.Client, point: str) -> dict[str, Any] | None:
    found = value_of(http, point)
    return found if found["value"] is not None else None


def _ready(http: httpx.Client) -> bool:
    return http.get("/readyz").status_code == 200


def _at_rest(http: httpx.Client, read: Callable[[], Values]) -> tuple[Values, Values] | None:
    """Return what mbpoll and the hub read while nothing changed; nothing if something did."""
    before, began = read(), time.time()
    found = {
        point: wait_for(f"a poll of {point}", lambda p=point: _polled_since(http, p, began))[
            "value"
        ]
        for point in before
    }
    return (before, found) if read() == before else None


def _polled_since(http: httpx.Client, point: str, began: float) -> dict[str, Any] | None:
    live = value_of(http, point)
    polled = live["age_s"] is not None and time.time() - live["age_s"] > began
    return live if polled and live["quality"] == "good" else None
