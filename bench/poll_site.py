"""A site of many devices with one block of 20 registers each, all on one device server.

Every gateway has a name of its own, as a real site has; ``bus_of`` leads them all to loopback.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from bench.block_server import FIRST
from drivers import registry
from hub.ports import Clock, RegisterBus
from hub.site import Gateway

PROFILE = "bench-block"
# Ten numbers, one block. The server's registers are tiny numbers: the offsets make them plausible,
# so that the rules of the shipped packs look at every one and raise nothing.
POINTS: dict[str, dict[str, Any]] = {
    "energy": {"unit": "kWh", "kind": "counter"},
    "energy_peak": {"unit": "kWh", "kind": "counter"},
    "energy_valley": {"unit": "kWh", "kind": "counter"},
    "voltage": {"unit": "V", "min": 0, "max": 500, "offset": 220},
    "current": {"unit": "A", "min": 0, "max": 100},
    "power": {"unit": "W", "min": -25000, "max": 25000},
    "reactive_power": {"unit": "var", "min": -25000, "max": 25000},
    "power_factor": {"min": -1, "max": 1},
    "frequency": {"unit": "Hz", "min": 40, "max": 70, "offset": 50},
    "temperature": {"unit": "degC", "min": -50, "max": 150, "offset": 20},
}


def write_site(
    folder: Path, device_port: int, web_port: int, devices: int, per_gateway: int
) -> None:
    """Write campus.yaml, devices.csv and the profile; every device is due once a second."""
    (folder / "profiles").mkdir(parents=True)
    _dump(folder / "profiles" / f"{PROFILE}.yaml", _profile())
    gateways = -(-devices // per_gateway)
    name = {"zh": "测", "en": "Bench"}
    campus = {
        "version": 1,
        "site": {"id": "bench", "name": name, "timezone": "Asia/Shanghai", "locale": "en"},
        "data": "var",
        "web": {"port": web_port},
        "places": [{"id": "hall", "kind": "building", "name": dict(name)}],
        "gateways": [
            {"id": f"gw-{n}", "url": f"tcp://gw-{n}.bench:{device_port}", "timeout": "PT5S"}
            for n in range(gateways)
        ],
    }
    _dump(folder / "campus.yaml", campus)
    with (folder / "devices.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "profile", "place", "gateway", "unit_id", "interval"))
        for n in range(devices):
            gateway, unit = divmod(n, per_gateway)
            table.writerow((f"hall/d-{n}", PROFILE, "hall", f"gw-{gateway}", unit + 1, "PT1S"))


def bus_of(gateway: Gateway, clock: Clock) -> RegisterBus:
    """Open a gateway of the site, which is always the device server."""
    port = gateway.url.rpartition(":")[2]
    return registry.open_bus(replace(gateway, url=f"tcp://127.0.0.1:{port}"), clock)


def _profile() -> dict[str, Any]:
    points = {
        name: {"table": "holding", "address": FIRST + 2 * n, "type": "float32", **more}
        for n, (name, more) in enumerate(POINTS.items())
    }
    return {
        "version": 1, "id": PROFILE, "maker": "Bench", "model": "Block", "kind": "meter",
        "protocol": "modbus", "source": "bench/poll_site.py", "points": points,
    }  # fmt: skip


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
