"""What devices say over MQTT and when: the same bytes on a broker and in virtual time."""

from __future__ import annotations

import contextlib
import heapq
import json
import re
from collections.abc import Iterator, Mapping

from drivers.profile import MqttProfile, PointSpec
from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.campus import Fleet
from simulators.dialects import Said, Speaker

_LONGEST_PAYLOAD = 65_536


class Terminals:
    """The MQTT devices of a fleet: their schedule, telemetry, status and replies."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._speakers = [
            Speaker(device, profile, fleet.zone)
            for device in fleet.devices.values()
            if isinstance(profile := fleet.profiles[device.profile], MqttProfile)
        ]
        self._count = dict.fromkeys((one.device.id for one in self._speakers), 0)
        self._listening = {topic: one for one in self._speakers for topic in one.listens}
        self._gone: set[str] = set()
        self._answered: dict[str, Said] = {}
        self._due: list[tuple[int, int]] = []
        began_ms = fleet.clock.now_ms()
        for index, speaker in enumerate(self._speakers):
            interval_ms = _interval_ms(speaker.device)
            phase_ms = interval_ms * index // len(self._speakers)
            first_ms = began_ms - began_ms % interval_ms + phase_ms
            self._due.append((first_ms + interval_ms * (first_ms < began_ms), index))
        heapq.heapify(self._due)

    def topics(self) -> list[str]:
        """Return what to subscribe to for commands; those of our own terminals have one pattern."""
        own = re.compile(r"campus/[^/]+/[^/]+/command")
        return sorted({own.sub("campus/+/+/command", topic) for topic in self._listening})

    def next_due_ms(self) -> int | None:
        """Return when the next device speaks; None when there is none."""
        return self._due[0][0] if self._due else None

    def spoken(self, now_ms: int) -> Iterator[Said]:
        """Yield everything due up to ``now_ms``, in order."""
        while self._due and self._due[0][0] <= now_ms:
            due_ms, index = self._due[0]
            speaker = self._speakers[index]
            heapq.heapreplace(self._due, (due_ms + _interval_ms(speaker.device), index))
            yield from self._speak(speaker, due_ms)

    def statuses(self, *, online: bool) -> Iterator[Said]:
        """Yield the retained status of every device that is not silent."""
        for speaker in self._speakers:
            if speaker.device.id not in self._gone:
                yield speaker.status(online=online)

    def _speak(self, speaker: Speaker, at_ms: int) -> Iterator[Said]:
        """Yield telemetry, or once the will that a broker publishes for a silent device."""
        device = speaker.device.id
        twin = self._fleet.twin_at(device, at_ms)
        if twin.silent != (device in self._gone):
            self._gone ^= {device}
            yield speaker.status(online=not twin.silent)
        if not twin.silent:
            seq = self._count[device]
            self._count[device] = seq + 1
            yield speaker.telemetry(self._shown(speaker.device), at_ms, seq, {})

    def _shown(self, device: Device) -> dict[str, float]:
        values = self._fleet.twin(device.id).values()
        points: Mapping[str, PointSpec] = self._fleet.profiles[device.profile].points
        return {name: _shown(point, values[name]) for name, point in points.items()}

    def reply(self, topic: str, payload: bytes) -> Said | None:
        """Carry out a command and return its reply; None where a device would say nothing."""
        speaker = self._listening.get(topic)
        if speaker is None or len(payload) > _LONGEST_PAYLOAD:
            return None
        device = speaker.device.id
        twin = self._fleet.twin_at(device, self._fleet.clock.now_ms())
        if twin.silent:
            return None
        if not topic.endswith("/command"):
            return self._obey(speaker, topic, payload)
        command = _command(payload)
        if command is None:
            return None
        key = f"{device} {command['id']}"
        if key not in self._answered:  # a command that arrives twice is carried out once
            answer = {"id": command["id"]} | self._carry_out(device, command)
            self._answered[key] = speaker.replied(answer)
        return self._answered[key]

    def _obey(self, speaker: Speaker, topic: str, payload: bytes) -> Said | None:
        """Carry out a command of a firmware that just says what it does."""
        device = speaker.device
        wishes = speaker.wishes(topic, payload)
        for point, value in wishes:
            with contextlib.suppress(Refused):
                self._fleet.twin(device.id).write(point, value)
        return speaker.obeyed(self._shown(device), [name for name, _ in wishes]) if wishes else None

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
    """Return a value with the digits that a device shows."""
    if point.kind == "state":
        return round(value)
    return round(value % point.rollover if point.rollover else value, 3)


def _interval_ms(device: Device) -> int:
    return round(device.interval.total_seconds() * 1000)


def _command(payload: bytes) -> dict[str, Json] | None:
    """Return the command in a payload, or None when there is none that can be answered."""
    try:
        command = json.loads(payload)
    except ValueError:
        return None
    return command if isinstance(command, dict) and isinstance(command.get("id"), str) else None
