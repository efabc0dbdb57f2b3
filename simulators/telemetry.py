"""What the terminals say over MQTT and when: the same bytes on a broker and in virtual time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.profile import MqttProfile, PointSpec
from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.campus import Fleet

_LONGEST_PAYLOAD = 65_536


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a terminal."""

    topic: str
    payload: bytes
    retained: bool = False


class Terminals:
    """The MQTT devices of a fleet: their schedule, telemetry, status and replies."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.devices: Sequence[Device] = [
            device
            for device in fleet.devices.values()
            if isinstance(fleet.profiles[device.profile], MqttProfile)
        ]
        self._count = dict.fromkeys((device.id for device in self.devices), 0)
        self._gone: set[str] = set()
        self._answered: dict[str, bytes] = {}
        self._due: list[tuple[int, int]] = []
        began_ms = fleet.clock.now_ms()
        for index, device in enumerate(self.devices):
            interval_ms = _interval_ms(device)
            phase_ms = interval_ms * index // len(self.devices)
            first_ms = began_ms - began_ms % interval_ms + phase_ms
            self._due.append((first_ms + interval_ms * (first_ms < began_ms), index))
        heapq.heapify(self._due)

    def next_due_ms(self) -> int | None:
        """Return when the next terminal speaks; None when there is none."""
        return self._due[0][0] if self._due else None

    def spoken(self, now_ms: int) -> Iterator[Said]:
        """Yield everything due up to ``now_ms``, in order."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, index = self._due[0]
            device = self.devices[index]
            heapq.heapreplace(self._due, (due_ms + _interval_ms(device), index))
            yield from self._speak(device, due_ms)

    def statuses(self, *, online: bool) -> Iterator[Said]:
        """Yield the retained status of every terminal that is not silent."""
        for device in self.devices:
            if device.id not in self._gone:
                yield _status(device, online=online)

    def _speak(self, device: Device, at_ms: int) -> Iterator[Said]:
        """Yield telemetry, or once the will that a broker publishes for a silent terminal."""
        twin = self._fleet.twin_at(device.id, at_ms)
        if twin.silent != (device.id in self._gone):
            self._gone ^= {device.id}
            yield _status(device, online=not twin.silent)
        if not twin.silent:
            yield Said(f"campus/{device.id}/telemetry", self._telemetry(device, at_ms))

    def _telemetry(self, device: Device, at_ms: int) -> bytes:
        shown = self._fleet.twin(device.id).values()
        points = self._fleet.profiles[device.profile].points
        values = {
            getattr(point, "key", None) or name: _shown(point, shown[name])
            for name, point in points.items()
        }
        seq = self._count[device.id]
        self._count[device.id] = seq + 1
        return _bytes({"at": at_ms, "seq": seq, "values": values})

    def reply(self, topic: str, payload: bytes) -> Said | None:
        """Carry out a command and return its reply; None where a terminal would say nothing."""
        device = topic.removeprefix("campus/").removesuffix("/command")
        if device not in self._count:
            return None
        twin = self._fleet.twin_at(device, self._fleet.clock.now_ms())
        command = _command(payload)
        if twin.silent or command is None:
            return None
        key = f"{device} {command['id']}"
        if key not in self._answered:  # a command that arrives twice is carried out once
            self._answered[key] = _bytes({"id": command["id"]} | self._carry_out(device, command))
        return Said(f"campus/{device}/reply", self._answered[key])

    def _carry_out(self, device: str, command: dict[str, Json]) -> dict[str, Json]:
        now_ms = self._fleet.clock.now_ms()
        twin = self._fleet.twin(device)
        if isinstance(command.get("expires_at"), int) and command["expires_at"] < now_ms:
            return {"outcome": "expired", "value": None}
        try:
            twin.write(str(command.get("point")), float(command["value"]))
        except (Refused, KeyError, TypeError, ValueError):
            return {"outcome": "refused", "value": None}
        return {"outcome": "done", "value": twin.values()[command["point"]]}


def _shown(point: PointSpec, value: float) -> float:
    """Return a value with the digits that a terminal shows."""
    if point.kind == "state":
        return round(value)
    return round(value % point.rollover if point.rollover else value, 3)


def _status(device: Device, *, online: bool) -> Said:
    return Said(f"campus/{device.id}/status", b"online" if online else b"offline", retained=True)


def _interval_ms(device: Device) -> int:
    return round(device.interval.total_seconds() * 1000)


def _command(payload: bytes) -> dict[str, Json] | None:
    """Return the command in a payload, or None when there is none that can be answered."""
    if len(payload) > _LONGEST_PAYLOAD:
        return None
    try:
        command = json.loads(payload)
    except ValueError:
        return None
    return command if isinstance(command, dict) and isinstance(command.get("id"), str) else None


def _bytes(content: dict[str, Json]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
