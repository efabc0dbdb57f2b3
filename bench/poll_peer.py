"""ThingsBoard Gateway as a peer: its configuration for the same devices, and its CPU per block.

``best`` is the least it can be asked to do: one tag per device that covers the whole block, so one
read. ``normal`` is what its documentation shows: one tag per value, so ten reads per block.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import paho.mqtt.client as mqtt

from bench.block_server import COUNT, FIRST, Server
from bench.campus import cpu_s, process
from hub.cli.demonstration import free_ports

Kind = Literal["best", "normal"]
VALUES = COUNT // 2
SETTLE_S = 30.0
ASKS, ANSWERS = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
TELLS = "v1/gateway/telemetry"
RUN = "from thingsboard_gateway.tb_gateway import daemon; daemon()"
HOME = "import thingsboard_gateway, os; print(os.path.dirname(thingsboard_gateway.__file__))"


class Platform:
    """The least of a ThingsBoard server: it says that there are no limits, and counts readings.

    Without that answer the gateway polls, but never publishes.
    """

    def __init__(self, port: int) -> None:
        self.readings = 0
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self._client.on_connect = lambda client, *_: client.subscribe([(ASKS + "+", 1), (TELLS, 1)])
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _hear(self, client: mqtt.Client, _: object, message: mqtt.MQTTMessage) -> None:
        if message.topic == TELLS:
            content = json.loads(message.payload)
            self.readings += sum(len(one["values"]) for rows in content.values() for one in rows)
            return
        limits = dict.fromkeys(("messages", "telemetryMessages", "telemetryDataPoints"), "")
        answer = {"maxPayloadSize": 65536, "maxInflightMessages": 100}
        answer |= {"rateLimits": limits, "gatewayRateLimits": limits}
        client.publish(ANSWERS + message.topic.removeprefix(ASKS), json.dumps(answer), 1)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()


def thingsboard(
    python: str, server: Server, kind: Kind, devices: int, seconds: float
) -> tuple[float, float, float]:
    """Run the gateway; return blocks read, CPU seconds taken and readings published."""
    broker = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(broker).is_file():
        sys.exit("--peer needs Mosquitto: the gateway publishes to it")
    home = subprocess.run([python, "-c", HOME], stdout=subprocess.PIPE, text=True, check=False)
    if home.returncode:
        sys.exit(f"--peer: thingsboard-gateway is not installed for {python}")
    with tempfile.TemporaryDirectory(prefix="bench-peer-") as name:
        folder, port = Path(name), free_ports(1)[0]
        (folder / "logs").mkdir()
        (folder / "broker.conf").write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n"
        )
        shipped = Path(home.stdout.strip()) / "config"
        write_config(folder, shipped, kind, devices, server.port, port)
        environment = os.environ | {"TB_GW_CONFIG_DIR": str(folder)}
        command = [python, "-c", RUN]
        said = (folder / "said.log").open("w")
        with said, process(broker, "-c", str(folder / "broker.conf")):
            time.sleep(1)
            platform = Platform(port)
            with subprocess.Popen(
                command, cwd=folder, env=environment, stdout=said, stderr=said
            ) as gateway:
                try:
                    return _measured(gateway.pid, server, platform, kind, seconds)
                finally:
                    gateway.kill()
                    platform.close()


def _measured(
    pid: int, server: Server, platform: Platform, kind: Kind, seconds: float
) -> tuple[float, float, float]:
    time.sleep(SETTLE_S)
    reads, used_s, readings = server.answered() or 0, cpu_s(pid), platform.readings
    time.sleep(seconds)
    reads, used_s = (server.answered() or 0) - reads, cpu_s(pid) - used_s
    return reads / (1 if kind == "best" else VALUES), used_s, platform.readings - readings


def write_config(
    folder: Path, shipped: Path, kind: Kind, devices: int, device_port: int, broker_port: int
) -> None:
    """Write its files: quiet logs, no limits on rates, the devices, our broker."""
    logs: dict[str, Any] = json.loads((shipped / "logs.json").read_text("utf-8"))
    for logger in logs.get("loggers", {}).values():
        logger["level"] = "ERROR"
    _dump(folder / "logs.json", logs)
    main: dict[str, Any] = json.loads((shipped / "tb_gateway.json").read_text("utf-8"))
    server = main["thingsboard"]
    server |= {"host": "127.0.0.1", "port": broker_port, "remoteConfiguration": False}
    server |= {key: "0:0," for key in server if key.lower().endswith("ratelimits")}
    server["statistics"]["enable"] = False
    server["security"] = {"type": "accessToken", "accessToken": "bench"}
    main["connectors"] = [{"type": "modbus", "name": "bench", "configuration": "bench.json"}]
    _dump(folder / "tb_gateway.json", main)
    slaves = [_device(n, kind, device_port) for n in range(devices)]
    connector = {"name": "bench", "logLevel": "ERROR", "master": {"slaves": slaves}}
    _dump(folder / "bench.json", connector)


def _device(n: int, kind: Kind, port: int) -> dict[str, Any]:
    tag = {"type": "32float", "functionCode": 3, "objectsCount": 2}
    if kind == "best":
        address = f"{FIRST}-{FIRST + COUNT - 1}"
        tags = [tag | {"tag": "v", "address": address, "maxRegistersPerRequest": COUNT}]
    else:
        tags = [tag | {"tag": f"v{i}", "address": FIRST + 2 * i} for i in range(VALUES)]
    return {
        "host": "127.0.0.1", "port": port, "type": "tcp", "method": "socket", "unitId": 1 + n % 247,
        "deviceName": f"D{n}", "deviceType": "default", "timeout": 5, "byteOrder": "BIG",
        "wordOrder": "BIG", "retries": True, "retryOnEmpty": True, "retryOnInvalid": True,
        "pollPeriod": 1000, "connectAttemptTimeMs": 5000, "connectAttemptCount": 5,
        "waitAfterFailedAttemptsMs": 30000, "timeseries": tags, "attributes": [],
        "attributeUpdates": [], "rpc": [],
    }  # fmt: skip


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), "utf-8")
