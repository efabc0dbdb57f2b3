"""The same twins on real sockets: Modbus TCP, MQTT and the control socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import stat
import subprocess
from datetime import timedelta

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException

from hub.clock import RealClock
from hub.ports import NoAnswerError, Refused, StartError
from hub.site import Gateway
from simulators.campus import Fleet
from simulators.modbus_server import ModbusServers
from simulators.mqtt_device import MqttDevices
from simulators.serve import Control, RemoteTwins, serve_fleet
from simulators.telemetry import Terminals
from simulators.virtual import TwinBus
from tests.drivers.mqtt_line import Mosquitto
from tests.ports import free_port


def binary(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")
    if not found:
        if os.environ.get("CAMPUS_HUB_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def gateway(id_: str, port: int, host: str = "127.0.0.1") -> Gateway:
    return Gateway(id_, f"tcp://{host}:{port}", timedelta(seconds=1))


@contextlib.asynccontextmanager
async def served(fleet):
    """Serve the fleet's two gateways; give their ports."""
    ports = {"gw-rooms": free_port(), "gw-plant": free_port()}
    servers = ModbusServers(fleet, [gateway(id_, port) for id_, port in ports.items()])
    await servers.start()
    try:
        yield ports
    finally:
        await servers.stop()


@contextlib.asynccontextmanager
async def client(port: int, patience_s: float = 3):
    one = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=patience_s, retries=0)
    assert await one.connect()
    try:
        yield one
    finally:
        one.close()


async def test_sockets_and_virtual_time_give_the_same_registers(make_fleet, profiles):
    real, virtual = make_fleet(), make_fleet()
    async with served(real) as ports:
        for name, port in ports.items():
            behind = [one for one in virtual.devices.values() if one.gateway == name]
            bus = TwinBus(virtual, behind)
            async with client(port) as wire:
                for device in behind:
                    real.clock.now += 61_000
                    virtual.clock.now = real.clock.now
                    unit = device.unit_id
                    read = await wire.read_input_registers(0, count=14, device_id=unit)
                    assert read.registers == await bus.read(unit, "input", 0, 14)


async def test_coils_setpoints_and_exceptions_travel_over_the_wire(fleet):
    async with served(fleet) as ports, client(ports["gw-plant"]) as wire:
        bits = await wire.read_discrete_inputs(0, count=2, device_id=1)
        assert bits.bits[:2] == [True, False]
        assert not (await wire.write_register(4, 470, device_id=1)).isError()
        assert (await wire.read_holding_registers(4, count=1, device_id=1)).registers == [470]
        assert not (await wire.write_registers(4, [480], device_id=1)).isError()
        assert fleet.twin("dorm-07/boiler-1").values()["setpoint"] == 48
        codes = [
            (await wire.read_input_registers(500, count=2, device_id=1)).exception_code,
            (await wire.read_discrete_inputs(5, count=1, device_id=1)).exception_code,
            (await wire.read_coils(0, count=1, device_id=1)).exception_code,
            (await wire.write_register(4, 900, device_id=1)).exception_code,
            (await wire.write_register(0, 1, device_id=2)).exception_code,
            (await wire.write_registers(0, [1, 1], device_id=2)).exception_code,
        ]
        assert codes == [2, 2, 2, 3, 1, 2]
        await fleet.fault("dorm-07/boiler-1", "exception_answer")
        sick = await wire.read_input_registers(0, count=2, device_id=1)
        assert sick.exception_code == 4


async def test_a_silent_unit_says_nothing_while_its_neighbours_answer(fleet):
    await fleet.fault("dorm-07/meter-302", "silent")
    async with served(fleet) as ports, client(ports["gw-rooms"], patience_s=0.2) as wire:
        for unit_id in (2, 77):
            with pytest.raises(ModbusIOException):
                await wire.read_input_registers(0, count=2, device_id=unit_id)
        assert (await wire.read_input_registers(0, count=2, device_id=3)).registers


async def test_a_gateway_elsewhere_or_on_a_taken_port_is_refused(fleet):
    with pytest.raises(StartError, match=r"10\.0\.7\.10.*not on this machine"):
        await ModbusServers(fleet, [gateway("gw-rooms", 502, "10.0.7.10")]).start()
    async with served(fleet) as ports:
        taken = ModbusServers(fleet, [gateway("gw-rooms", ports["gw-rooms"])])
        with pytest.raises(StartError, match=r"gw-rooms: port .* cannot be opened"):
            await taken.start()


async def test_mbpoll_reads_a_simulated_meter(fleet):
    command = [binary("mbpoll"), "-1", "-0", "-B", "-a", "3", "-t", "3:int", "-r", "0"]
    async with served(fleet) as ports:
        command += ["-p", str(ports["gw-rooms"]), "127.0.0.1"]
        done = await asyncio.to_thread(
            subprocess.run, command, stdout=subprocess.PIPE, check=True, timeout=30
        )
    answer = re.search(r"\[0\]:\s+(\d+)", done.stdout.decode())
    energy = fleet.twin("dorm-07/meter-303").values()["energy"]
    assert answer
    assert int(answer[1]) == round(energy * 100)


class Shifted(RealClock):
    """A real clock that stands until it is let go, and then runs; seeded like a virtual one."""

    def __init__(self, twin_clock) -> None:
        self._like = twin_clock
        self._began: float | None = None

    def go(self) -> None:
        self._began = self.monotonic()

    def now_ms(self) -> int:
        gone = self.monotonic() - self._began if self._began is not None else 0.0
        return self._like.now + round(gone * 1000)

    def random(self, name: str):
        return self._like.random(name)


@pytest.fixture
def mosquitto(tmp_path):
    broker = Mosquitto(binary("mosquitto"), tmp_path)
    try:
        broker.start()
        yield broker.port
    finally:
        broker.stop()


async def listener(port: int, heard: asyncio.Queue) -> paho.Client:
    """Return a client that hears everything from now on."""
    loop, subscribed = asyncio.get_running_loop(), asyncio.Event()
    one = paho.Client(CallbackAPIVersion.VERSION2)
    one.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    one.on_connect = lambda who, *_: who.subscribe("campus/#", qos=1)
    one.on_message = lambda _who, _data, message: loop.call_soon_threadsafe(
        heard.put_nowait, (message.topic, message.payload)
    )
    one.connect("127.0.0.1", port)
    one.loop_start()
    await subscribed.wait()
    return one


async def test_a_broker_carries_the_bytes_of_virtual_time(mosquitto, still, profiles, make_device):
    devices = [
        make_device(
            f"dorm-07/shower-1-0{n}", "reference-shower-terminal", "dorm-07/1/shower-1", seconds=0.2
        )
        for n in (1, 2)
    ]
    twin_clock = still()
    clock = Shifted(twin_clock)
    expected = Terminals(Fleet(devices, profiles, twin_clock))
    running = MqttDevices(Fleet(devices, profiles, clock), f"mqtt://127.0.0.1:{mosquitto}")
    heard: asyncio.Queue = asyncio.Queue()
    ear = await listener(mosquitto, heard)
    ear.publish(
        "campus/dorm-07/shower-1-02/command",
        b'{"id":"old","point":"valve","value":0}',
        qos=1,
        retain=True,  # a command from an earlier life must not close a valve
    ).wait_for_publish(5)
    clock.go()
    task = asyncio.create_task(running.run())
    seen: dict[str, list[bytes]] = {}
    async with asyncio.timeout(10):
        while len(seen.get("campus/dorm-07/shower-1-02/telemetry", [])) < 3:
            topic, payload = await heard.get()
            seen.setdefault(topic, []).append(payload)
        ear.publish("campus/dorm-07/shower-1-01/command", b'{"id":"a","point":"valve","value":0}')
        while "campus/dorm-07/shower-1-01/reply" not in seen:
            topic, payload = await heard.get()
            seen.setdefault(topic, []).append(payload)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while b"offline" not in seen["campus/dorm-07/shower-1-02/status"]:
            topic, payload = await heard.get()
            seen.setdefault(topic, []).append(payload)
    ear.disconnect()
    ear.loop_stop()
    said = expected.spoken(twin_clock.now + 500)
    first = [one.payload for one in said if one.topic.endswith("-02/telemetry")]
    assert seen["campus/dorm-07/shower-1-02/telemetry"][: len(first)] == first
    assert seen["campus/dorm-07/shower-1-02/status"][0] == b"online"
    assert seen["campus/dorm-07/shower-1-01/reply"] == [b'{"id":"a","outcome":"done","value":0.0}']


async def test_the_twins_of_another_process_are_moved_through_a_private_socket(fleet, tmp_path):
    path = tmp_path / "twins.sock"
    task = asyncio.create_task(serve_fleet(fleet, [], None, path))
    async with asyncio.timeout(5):
        while not path.exists():  # noqa: ASYNC110 - that is how another process sees it
            await asyncio.sleep(0.01)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    twins = RemoteTwins(path)
    await twins.fault("dorm-07/boiler-1", "element_failed")
    assert fleet.twin("dorm-07/boiler-1").faults == ["element_failed"]
    assert list(await twins.overview()) == list(await fleet.overview())
    await twins.repair("dorm-07/boiler-1", "heating-element")
    assert fleet.twin("dorm-07/boiler-1").faults == []
    with pytest.raises(Refused, match="no fault earthquake"):
        await twins.fault("dorm-07/boiler-1", "earthquake")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not path.exists()
    with pytest.raises(NoAnswerError, match="do not answer"):
        await twins.overview()


@pytest.mark.parametrize(
    "line", [b"rubbish\n", b"[]\n", b'{"do": "dance"}\n', b'{"do": "fault"}\n']
)
async def test_rubbish_on_the_control_socket_is_answered(fleet, tmp_path, line):
    control = Control(fleet, tmp_path / "twins.sock")
    await control.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "twins.sock"))
    writer.write(line)
    assert b"refused" in await reader.readline()
    writer.write(b'{"do": "overview"}\n')
    assert b"boiler-1" in await reader.readline()
    writer.close()
    await control.stop()


async def test_a_line_without_end_on_the_control_socket_is_dropped(fleet, tmp_path):
    control = Control(fleet, tmp_path / "twins.sock")
    await control.start()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "twins.sock"))
    writer.write(b"x" * 100_000)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert len(await RemoteTwins(tmp_path / "twins.sock").overview()) == len(fleet.devices)
    await control.stop()


async def test_a_file_in_place_of_the_control_socket_is_not_removed(fleet, tmp_path):
    path = tmp_path / "twins.sock"
    path.write_text("mine")
    with pytest.raises(StartError, match="no socket can be made here"):
        await Control(fleet, path).start()
    assert path.read_text() == "mine"
