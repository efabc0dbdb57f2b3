"""One device of each shipped profile, on every kind of line: simulated, polled and live."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import yaml

from drivers.profile import Cjt188Profile, Dlt645Profile, PointSpec, RegisterPoint
from hub import settings
from hub.cli.kit_modbus import resolution
from hub.cli.virtual import site_of
from hub.clock import RealClock
from simulators.campus import Fleet
from simulators.serve import serve_fleet
from tests.drivers.mqtt_line import Mosquitto
from tests.ports import free_ports
from tests.whole.program import running_hub, started, value_of, wait_for
from tests.whole.site import BUILDING, CONFIG, write_site

ROOM = {"id": "dorm-07/1/101", "kind": "room"}
PLANT = {"id": "dorm-07/plant", "kind": "plant"}
SHOWERS = {"id": "dorm-07/1/shower-1", "kind": "shower_room"}
PLACE = {"meter": ROOM["id"], "boiler": PLANT["id"], "shower": SHOWERS["id"]}
PROFILES = sorted(path.stem for path in (CONFIG / "profiles").glob("*.yaml"))
LINES = ("tcp", "rtu-tcp", "serial")
TOPICS = {"tasmota-plug": "plug-1", "shelly-pro-3em": "shellypro3em-1"}
UNSIMULATED = [
    {"id": "dorm-07/own-plug", "profile": "tasmota-plug", "topic": "plug-7"},
    {"id": "dorm-07/own-shelly", "profile": "shelly-pro-3em", "topic": "shellypro3em-7"},
    {"id": "dorm-07/own-lamp", "profile": "zigbee2mqtt-plug", "topic": "zigbee2mqtt/lamp"},
]
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def mosquitto(binary: Callable[..., str], tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(binary("mosquitto", "/usr/sbin"), tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def ports() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lines-") as folder:
        yield Path(folder)


def devices() -> list[dict[str, Any]]:
    """Describe a device of each profile; Modbus takes the lines in turn, meters have two each."""
    found: list[dict[str, Any]] = []
    for n, name in enumerate(PROFILES, 1):
        profile = yaml.safe_load((CONFIG / "profiles" / f"{name}.yaml").read_text("utf-8"))
        one = {"id": f"dorm-07/{name}", "profile": name, "place": PLACE[profile["kind"]]}
        one["interval"] = "PT2S"
        protocol = profile["protocol"]
        if protocol == "mqtt":
            found.append(one | ({"topic": TOPICS[name]} if name in TOPICS else {}))
        elif protocol == "modbus":
            found.append(one | {"gateway": f"gw-modbus-{LINES[n % 3]}", "unit_id": n})
        else:
            digits = 12 if protocol == "dlt645" else 14
            for line in ("tcp", "serial"):
                more = {
                    "gateway": f"gw-{protocol}-{line}",
                    "address": f"2{len(found):0{digits - 1}d}",
                }
                found.append(one | {"id": f"{one['id']}-{line}"} | more)
    return found


def every_device(folder: Path, ports: Path, broker: str) -> Path:
    """Write a site of one device of each shipped profile, and of three that nobody simulates."""
    simulated = devices()
    names = sorted({one["gateway"] for one in simulated if "gateway" in one})
    gateways = []
    for name, port in zip(names, free_ports(len(names)), strict=True):
        scheme = "rtu+tcp" if "rtu" in name else "tcp"
        serial = name.endswith("serial")
        url = f"serial://{ports / name}" if serial else f"{scheme}://127.0.0.1:{port}"
        gateways.append({"id": name, "url": url} | ({"baudrate": 115200} if serial else {}))
    others = [one | {"place": BUILDING["id"]} for one in UNSIMULATED]
    return write_site(
        folder,
        [*simulated, *others],
        places=[BUILDING, ROOM, PLANT, SHOWERS],
        gateways=gateways,
        mqtt={"url": broker},
    )


@contextlib.contextmanager
def simulated(folder: Path) -> Iterator[Fleet]:
    """Serve all twins but those of ``UNSIMULATED``; physics stands still, so that all agree."""
    site = settings.load(folder)
    absent = {one["id"] for one in UNSIMULATED}
    clock = RealClock(7)
    tree = site_of(site)
    present = [one for one in tree.devices.values() if one.id not in absent]
    fleet = Fleet(present, site.profiles, clock, pace=0.0, zone=tree.zone)
    control = folder / "twins.sock"
    url = site.mqtt.address if site.mqtt else None
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        serving = asyncio.create_task(
            serve_fleet(fleet, list(tree.gateways.values()), url, control)
        )
        await asyncio.wait(
            [serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        wait_for("the simulators", control.is_socket)
        yield fleet
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def all_live(http: httpx.Client, device: str) -> Mapping[str, Mapping[str, Any]] | None:
    """Return the last reading of each point of a device once all of them are good."""
    answer = http.get("/api/v1/live", params={"device": device, "limit": 1000})
    found = {one["point"].removeprefix(f"{device}/"): one for one in answer.json()["items"]}
    return found if all(one["quality"] == "good" for one in found.values()) else None


def not_good(http: httpx.Client, device: str) -> list[tuple[str, str]]:
    answer = http.get("/api/v1/live", params={"device": device, "limit": 1000})
    return [(one["point"], one["quality"]) for one in answer.json()["items"]]


def off_by(spec: PointSpec, shown: Mapping[str, float], value: float) -> float:
    """Return how far a reading may be from what its twin shows."""
    if isinstance(spec, RegisterPoint):
        return resolution(spec, shown, value)
    return 0.00051 if not hasattr(spec, "di") else 0.51 * getattr(spec, "scale", 1.0)


def compare(fleet: Fleet, device: str, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Say which readings are not what the twin shows, or in another unit."""
    profile = fleet.profiles[fleet.twin(device).device.profile]
    points: Mapping[str, PointSpec] = profile.points
    assert set(found) == set(points)
    shown = dict(fleet.twin(device).values())
    if isinstance(profile, Dlt645Profile):  # what the meter makes of itself
        del shown["status"]
        shown |= {"energy_sharp": 0, "keep_power": 0, "reclose_permitted": 1, "clock_ahead": 0}
    if isinstance(profile, Cjt188Profile):  # its counter follows the clock, not the twin
        shown = {"valve": 0, "battery_low": 0, "status": 0}
    return [
        f"{device}/{name}: the twin shows {shown.get(name)}, the hub has {one}"
        for name, one in found.items()
        if one["unit"] != points[name].unit
        or (
            name in shown
            and abs(one["value"] - shown[name]) > off_by(points[name], shown, shown[name])
        )
    ]


def test_every_point_of_every_profile_is_live_and_right(
    tmp_path: Path, ports: Path, mosquitto: Mosquitto, binary: Callable[..., str]
) -> None:
    folder = every_device(tmp_path / "site", ports, mosquitto.url)
    with (
        simulated(folder) as fleet,
        running_hub(folder) as hub,
        hub.signed_in() as http,
    ):
        wrong = []
        for device in fleet.devices:
            try:
                found = wait_for(device, partial(all_live, http, device), 60)
            except AssertionError:
                wrong.append(f"{device}: {not_good(http, device)}")
            else:
                wrong += compare(fleet, device, found)
        assert not wrong, "\n".join(wrong)
        assert len({one.profile for one in fleet.devices.values()}) == len(PROFILES) == 22
        published(http, [binary("mosquitto_pub"), "-p", str(mosquitto.port), "-q", "1"])


def published(http: httpx.Client, program: list[str]) -> None:
    """Let mosquitto_pub speak for three products; their values are live in the right units."""
    now = datetime.now(SHANGHAI)
    energy = {"Total": 3.185, "Power": 12, "Factor": 0.6, "Voltage": 231, "Current": 0.087}
    status = {"em:0": {"total_act_power": 558.965}, "emdata:0": {"total_act": 2589773.39}}
    for topic, content in (
        ("tele/plug-7/SENSOR", {"Time": now.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": energy}),
        (
            "shellypro3em-7/events/rpc",
            {"method": "NotifyFullStatus", "params": {"ts": now.timestamp()} | status},
        ),
        ("zigbee2mqtt/lamp", {"state": "ON", "power": 7.5, "last_seen": now.isoformat()}),
    ):
        command = [*program, "-h", "127.0.0.1", "-t", topic, "-m", json.dumps(content)]
        subprocess.run(command, check=True, timeout=20)
    for point, value, unit in (
        ("own-plug/energy", 3.185, "kWh"),
        ("own-plug/power", 12, "W"),
        ("own-shelly/energy", pytest.approx(2589.77339), "kWh"),
        ("own-shelly/power", 558.965, "W"),
        ("own-lamp/power", 7.5, "W"),
        ("own-lamp/relay", 1, ""),
    ):
        name = f"dorm-07/{point}"
        wait_for(name, lambda name=name: value_of(http, name)["value"] is not None)
        one = value_of(http, name)
        assert (one["value"], one["unit"], one["quality"]) == (value, unit, "good")


def test_the_command_serves_the_same_site_from_a_process_of_its_own(
    tmp_path: Path, ports: Path, mosquitto: Mosquitto
) -> None:
    """A serial line may lie where it is told to, too."""
    folder = every_device(tmp_path / "site", ports, mosquitto.url)
    elsewhere = tmp_path / "line"
    text = (folder / "campus.yaml").read_text("utf-8")
    moved = text.replace(f"{ports / 'gw-modbus-serial'}", str(elsewhere))
    (folder / "campus.yaml").write_text(moved, "utf-8")
    control = folder / "twins.sock"
    options = ("--control", control, "--serial", f"gw-modbus-serial={elsewhere}")
    with started("simulate", "--config", folder, *options, folder=folder):
        wait_for("the simulators", control.is_socket)
        with running_hub(folder) as hub, hub.signed_in() as http:
            for one in devices():
                wait_for(one["id"], partial(all_live, http, one["id"]), 60)
    assert not elsewhere.is_symlink()
    assert not list(ports.iterdir())
