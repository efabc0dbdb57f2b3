"""The hub is killed between a write and its read-back: the next one finds out and sends nothing."""

from __future__ import annotations

import hashlib
import socketserver
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx

from tests.whole.program import RunningHub, running_hub, started, value_of, wait_for
from tests.whole.site import BUILDING, write_site

PLANT = {"id": "dorm-07/plant", "kind": "plant"}
BOILER = "dorm-07/boiler-1"
SETPOINT = f"{BOILER}/setpoint"
PASSWORD = "a kettle for the crew"


class Device(socketserver.ThreadingTCPServer):
    """A boiler that obeys; once told to be ``reticent`` it says nothing after a write."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.registers = dict.fromkeys(range(21), 500)
        self.writes: list[int] = []
        self.reticent = False
        super().__init__(("127.0.0.1", 0), Conversation)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def answer(self, pdu: bytes) -> bytes | None:
        function, address, count = struct.unpack_from(">BHH", pdu)
        if function == 6:
            self.writes.append(count)
            self.registers[address] = count
            return None if self.reticent else pdu
        if self.reticent and self.writes:
            return None
        if function == 2:
            return bytes([2, 1, 1])  # the pump runs
        words = [self.registers.get(at, 0) for at in range(address, address + count)]
        return struct.pack(f">BB{count}H", function, 2 * count, *words)


class Conversation(socketserver.BaseRequestHandler):
    """One connection."""

    server: Device

    def handle(self) -> None:
        while header := self._take(7):
            number, _, length = struct.unpack_from(">HHH", header)
            answer = self.server.answer(self._take(length - 1))
            if answer is not None:
                head = struct.pack(">HHHB", number, 0, len(answer) + 1, header[6])
                self.request.sendall(head + answer)

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            piece = self.request.recv(count - len(taken))
            if not piece:
                return b""
            taken += piece
        return taken


def site(folder: Path, device_port: int) -> Path:
    return write_site(
        folder,
        [
            {
                "id": BOILER, "profile": "reference-boiler", "place": PLANT["id"],
                "gateway": "gw", "unit_id": 1, "interval": "PT1S",
            }
        ],
        places=[BUILDING, PLANT],
        gateways=[{"id": "gw", "url": f"tcp://127.0.0.1:{device_port}", "timeout": "PT20S"}],
        writes=True,
    )  # fmt: skip


def send(http: httpx.Client, token: str) -> httpx.Response:
    headers = {"X-CSRF-Token": token, "Idempotency-Key": "k1"}
    wish = {"point": SETPOINT, "value": 52, "reason": "cold", "valid": "PT1M"}
    return http.post("/api/v1/commands", json=wish, headers=headers, timeout=60)


def token_of(http: httpx.Client) -> str:
    """Return the token that the requests of this session carry."""
    return http.get("/password").text.split('name="csrf" value="')[1].split('"')[0]


def said(process: subprocess.Popen[str]) -> str:
    """Return the last word of the next line: the address, then the one-time password."""
    assert process.stdout is not None
    return process.stdout.readline().split("(")[0].split()[-1]


def kept(http: httpx.Client) -> dict[str, Any]:
    id_ = hashlib.sha256(b"admin/k1").hexdigest()[:20]
    return dict(http.get(f"/api/v1/commands/{id_}").json())


def test_a_killed_hub_s_command_is_settled_by_the_next_one_and_sent_once(tmp_path: Path) -> None:
    with Device() as device, ThreadPoolExecutor(1) as beside:
        folder = site(tmp_path, device.server_address[1])
        with started("run", "--config", folder, folder=folder) as process:
            hub = RunningHub(process, *(said(process) for _ in range(2)))
            with hub.signed_in() as http:
                wait_for("a reading", lambda: value_of(http, SETPOINT)["value"] is not None)
                device.reticent = True
                asking = beside.submit(send, http, token_of(http))
                wait_for("the write", lambda: device.writes or asking.done())
                assert not asking.done(), asking.result().text
                process.kill()
                process.wait()
                assert isinstance(asking.exception(60), httpx.HTTPError)
        device.reticent = False
        with (
            running_hub(folder, first=False) as hub,
            httpx.Client(base_url=hub.address, trust_env=False, timeout=60) as http,
        ):
            http.post("/login", data={"name": "admin", "password": PASSWORD})
            wait_for("the outcome", lambda: kept(http)["outcome"] == "done")
            assert kept(http)["result"] == "read later: the device confirms it"
            again = send(http, token_of(http))
            assert (again.json()["outcome"], again.json()["actual"]) == ("done", 52.0)
    assert device.writes == [520]
