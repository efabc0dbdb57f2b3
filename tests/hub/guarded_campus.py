"""A campus for commands: Modbus, DL/T 645 and MQTT, each heard at the last point before the wire.

What may be seen there is written down here by hand, and not read from the profiles.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from drivers.dlt645.driver import Dlt645Driver
from drivers.modbus.driver import ModbusDriver
from drivers.mqtt.driver import MqttDriver
from drivers.mqtt.guard import GuardedMessages, PublishGuard
from drivers.profile import Dlt645Profile, ModbusProfile, MqttProfile, Profile
from drivers.wire import GuardedBus, WireGuard
from hub.access import may
from hub.clock import VirtualClock, VirtualLoop
from hub.control import Commands
from hub.database.connection import Database
from hub.live import Live
from hub.model import Batch, Command, Outcome, Point, Text
from hub.ports import HubError, Leave, Message, Messages, PolledDriver, RegisterBus
from hub.settings import load, shipped
from hub.site import Device, Place, Site
from hub.web.api.control import Wish
from simulators.dlt645_meter import PASSWORD
from simulators.lines import TwinLine
from tests.drivers.meters import Recorded, dlt645_meters
from tests.hub.memory_wire import Frame, Wire

START_MS = 1_795_219_200_000
BOILER, METER = "dorm-07/boiler-1", "dorm-07/meter-312"
GAS, PUMP = "dorm-08/boiler-1", "dorm-09/boiler-1"
PREPAID, SHOWER = "dorm-07/meter-401", "dorm-07/shower-1"
PLUG, LAMP = "dorm-07/plug-7", "dorm-07/lamp"
UNITS = {BOILER: 1, METER: 12, GAS: 3, PUMP: 4}
PLATE = "202300000161"
PROFILES = {
    BOILER: "reference-boiler", METER: "reference-room-meter", GAS: "ectocontrol-gas-boiler",
    PUMP: "gree-versati-iii", PREPAID: "dlt645-room-meter", SHOWER: "reference-shower-terminal",
    PLUG: "tasmota-plug", LAMP: "zigbee2mqtt-plug",
}  # fmt: skip

# What the profiles declare: unit, function, address -> every raw value of the one register.
DECLARED: Mapping[tuple[int, int, int], frozenset[int]] = {
    (1, 6, 4): frozenset(range(400, 601, 5)),  # 40 to 60 degC in steps of 0.5
    (12, 6, 0): frozenset({0, 1}),  # the relay
    (12, 6, 1): frozenset(range(100, 8001, 10)),  # the load limit in W
    (3, 6, 0x31): frozenset(range(200, 801, 5)),
    (3, 6, 0x37): frozenset(range(40, 61)),
    (4, 16, 0x02): frozenset(range(1, 6)),
    (4, 16, 0x04): frozenset(range(40, 71)),
    (4, 16, 0x0A): frozenset(range(20, 61)),
    (4, 16, 0x0D): frozenset(range(40, 71)),
    (4, 16, 0x10): frozenset(range(40, 56)),
    (4, 16, 0x1F): frozenset(range(2, 9)),
    (4, 16, 0x2A): frozenset({0x55, 0xAA}),
}
SWITCHES = (3, 6, 0x39)  # two bits of one register; the others stay as they are
HEAT = {(1, 4), (3, 0x31), (3, 0x37), (4, 4), (4, 0x0A), (4, 0x0D), (4, 0x10), (4, 0x1F)}
RELAY_COMMANDS = {0x1A, 0x1B, 0x1C, 0x3A, 0x3B}
PUBLISHED: Mapping[str, Callable[[bytes], bool]] = {
    f"campus/{SHOWER}/command": lambda payload: _is_valve(json.loads(payload)),
    f"cmnd/{PLUG}/POWER": lambda payload: payload in (b"ON", b"OFF"),
    f"zigbee2mqtt/{LAMP}/set": lambda payload: json.loads(payload) in SWITCHED,
}
ROUNDING = 1e-6  # what binary fractions leave over
SWITCHED = ({"state": "ON"}, {"state": "OFF"})


def _is_valve(content: dict[str, Any]) -> bool:
    known = content.keys() == {"id", "point", "value", "expires_at"}
    if not known or content["point"] != "valve" or isinstance(content["value"], str):
        return False
    value = float(content["value"])
    return 0 <= value <= 1 and abs(value - round(value)) <= ROUNDING


def stray_write(frame: Frame) -> bool:
    """Tell whether a Modbus write is none that a profile declares."""
    where, values = frame[:3], frame.values
    if len(values) != 1:
        return True
    if where == SWITCHES:
        return bool((values[0] ^ frame.before) & ~0b11)
    return values[0] not in DECLARED.get(where, ())


def stray_octets(octets: bytes) -> bool:
    """Tell whether a DL/T 645 frame is neither a question nor a declared command."""
    frame = octets.lstrip(b"\xfe")
    control, data = frame[8], bytes((octet - 0x33) % 256 for octet in frame[10:-2])
    if control in (0x11, 0x12):
        return False
    if control == 0x08:
        return frame[1:7] != b"\x99" * 6 or len(data) != 6
    is_plate = frame[1:7] == bytes.fromhex(PLATE)[::-1]
    return control != 0x1C or not is_plate or data[8] not in RELAY_COMMANDS


def _is_question(octets: bytes) -> bool:
    return octets.lstrip(b"\xfe")[8] in (0x11, 0x12)


class Broker:
    """Devices that obey what is published, each in its dialect, unless ``mute``."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.mute = False
        self.switched: dict[str, float] = {}
        self._waiting: list[Message] = []
        self._wake: Callable[[], None] = lambda: None

    async def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    def drain(self) -> list[Message]:
        taken, self._waiting = self._waiting, []
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        pass

    async def publish(self, topic: str, payload: bytes) -> None:
        self.published.append((topic, payload))
        answer = self._obey(topic, payload)
        if answer and not self.mute:
            self._waiting.append(Message(*answer, False, 0))
            asyncio.get_running_loop().call_soon(self._wake)

    def connected(self) -> bool:
        return True

    async def close(self) -> None:
        pass

    def _obey(self, topic: str, payload: bytes) -> tuple[str, bytes] | None:
        if topic.startswith("campus/"):
            wish = json.loads(payload)
            self.switched[f"{SHOWER}/valve"] = wish["value"]
            reply = {"id": wish["id"], "outcome": "done", "value": wish["value"]}
            return f"campus/{SHOWER}/reply", json.dumps(reply).encode()
        if topic.startswith("cmnd/"):
            self.switched[f"{PLUG}/relay"] = float(payload == b"ON")
            return f"stat/{PLUG}/RESULT", b'{"POWER": "%s"}' % payload
        if topic.endswith("/set"):
            self.switched[f"{LAMP}/relay"] = float(payload == b'{"state":"ON"}')
            return f"zigbee2mqtt/{LAMP}", payload
        return None


class _Hub:
    """What the drivers of devices that publish tell; here nobody listens."""

    def put(self, *_: object) -> None:
        pass

    seen = failed = skewed = rejected = put


class Campus:
    """The whole way of a command, over three protocols."""

    def __init__(self, loop: VirtualLoop, database: Database, removed: Iterable[str] = ()) -> None:
        self.loop, self.clock = loop, VirtualClock(loop, START_MS, seed=1)
        self.profiles: Mapping[str, Profile] = load(shipped()).profiles
        self.devices = list(self._devices())
        self.points = [point for one in self.devices for point in one.points]
        self.live = Live(len(self.points))
        self.wire, self.broker = Wire(self.clock), Broker()
        self.wire.image[1, "holding", 4] = 500
        self.wire.image[4, "holding", 0x2A] = 0x55  # its mode may change only while it is off
        self.said: list[bytes] = []
        self.guarded = "wire" not in removed
        self.drivers = self._drivers()
        self.late: list[tuple[str, bytes]] = []
        self.commands = Commands(
            site=Site(
                "try", Text("", ""), ZoneInfo("Asia/Shanghai"),
                [Place("dorm-07", "building", Text("7", "7"))], [], self.devices,
            ),
            profiles=self.profiles,
            writes={name: self._way(driver) for name, driver in self.drivers.items()}
            | {None: self.publishing.write},
            live=self.live,
            database=database,
            worker=self.clock.worker("commands"),
            enter=lambda _: None,
            clock=self.clock,
            allowed=True,
        )  # fmt: skip

    def _devices(self) -> Iterable[Device]:
        first = 1
        for id_, name in PROFILES.items():
            profile = self.profiles[name]
            points = tuple(
                Point(n, f"{id_}/{name}", id_, name, spec.unit, spec.kind, Text("", ""))
                for n, (name, spec) in enumerate(profile.points.items(), first)
            )
            first += len(points)
            gateway = {"modbus": "gw", "dlt645": "line"}.get(profile.protocol)
            yield Device(
                id_, profile.id, profile.kind, "dorm-07", timedelta(seconds=60), gateway,
                UNITS.get(id_), points,
                address=PLATE if id_ == PREPAID else None,
                password_file="password" if id_ == PREPAID else None,
            )  # fmt: skip

    def _drivers(self) -> dict[str, PolledDriver]:
        of = {
            kind: [
                (one, self.profiles[one.profile])
                for one in self.devices
                if isinstance(self.profiles[one.profile], kind)
            ]
            for kind in (ModbusProfile, Dlt645Profile, MqttProfile)
        }
        bus: RegisterBus = self.wire.bus()
        messages: Messages = self.broker
        if self.guarded:
            bus = GuardedBus(bus, WireGuard(self.devices, self.profiles))
            messages = GuardedMessages(messages, PublishGuard(of[MqttProfile]))
        self.publishing = MqttDriver(messages, of[MqttProfile], self.clock)
        self.loop.run_until_complete(self.publishing.start(_Hub.put, _Hub()))
        ((prepaid, profile),) = of[Dlt645Profile]
        line, _ = dlt645_meters([prepaid], profile, self.clock)
        octets = Recorded(TwinLine(line, self.clock), self.said)
        return {
            "gw": ModbusDriver(bus, of[ModbusProfile], self.clock),
            "line": Dlt645Driver(octets, of[Dlt645Profile], self.clock, lambda _: PASSWORD),
        }

    def _way(self, driver: PolledDriver) -> Callable[[Point, float, Leave], Any]:
        async def write(point: Point, value: float, leave: Leave) -> float:
            leave()
            return await driver.write(point, value)

        return write

    @property
    def told(self) -> list[bytes]:
        """Return what was said on the line of DL/T 645 and was no question."""
        return [octets for octets in self.said if not _is_question(octets)]

    @property
    def writes(self) -> int:
        """Count what went out and was no question."""
        return len(self.wire.frames) + len(self.told) + len(self.broker.published)

    def strays(self) -> list[object]:
        """Return what went out and was declared by no profile."""
        return [
            *self.wire.strange,
            *(frame for frame in self.wire.frames if stray_write(frame)),
            *(octets for octets in self.said if stray_octets(octets)),
            *(one for one in self.broker.published if not _declared(*one)),
        ]

    def silence(self, *, mute: bool) -> None:
        """Let devices obey without a word, or speak again."""
        self.wire.mute = self.broker.mute = mute

    def measure(self, tank_degc: float) -> None:
        """Let the poller have read every device just now."""
        now_ms = self.clock.now_ms()
        rows = [(point.number, self._shown(point, tank_degc)) for point in self.points]
        numbers, read = zip(*rows, strict=True)
        self.live.update(Batch.of(numbers, [now_ms] * len(rows), read, [0] * len(rows), now_ms))

    def _shown(self, point: Point, tank_degc: float) -> float:
        if point.name in ("tank_top", "tank_temperature", "supply_temperature"):
            return tank_degc
        if point.name in ("pump", "flow"):
            return 2.0
        spec = self.profiles[PROFILES[point.device]].points[point.name]
        if spec.write and (unit := UNITS.get(point.device)):
            return self.wire.image.get((unit, "holding", spec.address), 0) * spec.scale
        return self.broker.switched.get(point.id, 0.0)

    async def ask(self, role: str, request: Mapping[str, Any], key: str, age_s: float) -> Any:
        """Do what the API does with a request; None when it is refused before the command."""
        if not may(role, "command"):
            return None
        try:
            wish = Wish.model_validate(request)
        except ValidationError:
            return None
        now_ms = self.clock.now_ms()
        expires_ms = now_ms + round((wish.valid.total_seconds() - age_s) * 1000)
        id_ = f"{role}/{key}"
        command = Command(id_, wish.point, wish.value, role, wish.reason, now_ms, expires_ms)
        began = len(self.broker.published)
        try:
            outcome: Outcome = (await self.commands.submit(command, key)).outcome
        except HubError:
            return None
        self.late += [
            one for one in self.broker.published[began:] if _expiry(*one, expires_ms) > expires_ms
        ]
        return outcome


def _declared(topic: str, payload: bytes) -> bool:
    fits = PUBLISHED.get(topic)
    return fits is not None and fits(payload)


def _expiry(topic: str, payload: bytes, otherwise: int) -> int:
    """Return until when a device may obey; the other dialects cannot say."""
    is_own = topic.startswith("campus/")
    return int(json.loads(payload)["expires_at"]) if is_own else otherwise
