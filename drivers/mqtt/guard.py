"""The wire guard of MQTT: the last look at what is published, compiled from the profiles alone.

It takes topic and payload apart with reading of its own and asks one question: does a profile
declare exactly this? It shares no code with the service guard, the driver's check or the dialects
that wrote the message.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.profile import MessagePoint, MqttProfile, Write
from drivers.wire import StrayWriteError
from hub.model import Json
from hub.ports import Message, Messages
from hub.site import Device

log = logging.getLogger(__name__)

_ROUNDING = 1e-6
_COMMAND = {"id", "point", "value", "expires_at"}
_TOGGLE = "TOGGLE"
_SWITCH = "POWER"  # Tasmota: 0 off, 1 on, 2 toggle, 3 and above blink


@dataclass(frozen=True, slots=True)
class _Declared:
    """The writable points of one device by their key, and how it is told to change one."""

    dialect: str
    points: Mapping[str, MessagePoint]

    def objection(self, key: str, told: Json) -> str | None:
        """Say why this may not be told of the point with this key, or None."""
        spec = self.points.get(key)
        if spec is None or spec.write is None:
            return f"no profile declares a write of {key!r}"
        value = self._value(key, spec, told)
        if value is None:
            return f"{told!r} is no value of {key}; nothing is toggled"
        scaled = self.dialect != "own" and not spec.words and spec.scale != 1
        return _outside(key, spec.write, value, _ROUNDING * abs(spec.scale) if scaled else 0.0)

    def _value(self, key: str, spec: MessagePoint, told: Json) -> float | None:
        """Return what is told in the unit of the point; None where it is no absolute value."""
        is_number = isinstance(told, int | float) and not isinstance(told, bool)
        if self.dialect == "own":
            return float(told) if is_number else None
        if isinstance(told, str) and told.upper() != _TOGGLE:
            return spec.words.get(told)
        if not is_number or spec.words or (key.upper().startswith(_SWITCH) and told not in (0, 1)):
            return None
        return float(told) * spec.scale + spec.offset


def _outside(key: str, write: Write, value: float, slack: float) -> str | None:
    """Say why a value is none that may be written; ``slack`` is what its scaling leaves over."""
    if not math.isfinite(value) or not write.min - slack <= value <= write.max + slack:
        return f"{key}: {value:g} is outside {write.min:g}..{write.max:g}"
    if write.one_of and min(abs(value - one) for one in write.one_of) > slack + _ROUNDING:
        return f"{key}: {value:g} is none of its values"
    if write.step:
        away = math.fmod(value - write.min, write.step)
        if min(abs(away), write.step - abs(away)) > slack + _ROUNDING:
            return f"{key}: {value:g} is not on a step of {write.step:g}"
    return None


class PublishGuard:
    """What may be published to which topic, and what a value there may be."""

    def __init__(self, devices: Iterable[tuple[Device, MqttProfile]]) -> None:
        self._topics: dict[str, tuple[_Declared, str]] = {}
        for device, profile in devices:
            writable = {
                name if profile.dialect == "own" else spec.key or name: spec
                for name, spec in profile.points.items()
                if spec.write
            }
            declared = _Declared(profile.dialect, writable)
            for key in writable:
                self._topics[_topic(device, profile.dialect, key)] = declared, key

    def objection(self, topic: str, payload: bytes) -> str | None:
        """Return why a message may not go out, or None.

        >>> PublishGuard([]).objection("cmnd/plug-7/POWER", b"ON")
        'no profile declares a command there'
        """
        declared, key = self._topics.get(topic, (None, ""))
        if declared is None:
            return "no profile declares a command there"
        try:
            key, told = _told(declared.dialect, key, payload)
        except ValueError as error:
            return str(error)
        return declared.objection(key, told)


def _topic(device: Device, dialect: str, key: str) -> str:
    """Return where a device is told to change a point."""
    if dialect == "own":
        return f"{device.topic or 'campus/' + device.id}/command"
    if dialect == "tasmota":
        topic = device.topic or device.id
        if "%prefix%" in topic:
            return f"{topic.replace('%prefix%', 'cmnd')}/{key}"
        return f"cmnd/{topic}/{key}"
    return f"{device.topic or 'zigbee2mqtt/' + device.id}/set"


def _told(dialect: str, key: str, payload: bytes) -> tuple[str, Json]:
    """Return the key and the value that a payload tells; ValueError when it tells no such thing."""
    text = payload.decode()
    if dialect == "tasmota":
        try:
            return key, json.loads(text)
        except ValueError:
            return key, text
    content = json.loads(text)
    if dialect == "own":
        if not isinstance(content, dict) or content.keys() != _COMMAND:
            raise ValueError("this is no command with id, point, value and expires_at")
        return content["point"], content["value"]
    if not isinstance(content, dict) or len(content) != 1:
        raise ValueError("a command changes one point")
    return next(iter(content.items()))


class GuardedMessages:
    """A connection to a broker that publishes declared commands and nothing else."""

    def __init__(self, messages: Messages, guard: PublishGuard) -> None:
        self._messages = messages
        self._guard = guard

    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to connect."""
        await self._messages.start(wake)

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first."""
        return self._messages.drain()

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages."""
        self._messages.acknowledge(messages)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish what a profile declares; StrayWriteError for anything else."""
        if problem := self._guard.objection(topic, payload):
            log.critical("stray command stopped before the broker: %s: %s", topic, problem)
            raise StrayWriteError(f"stopped before the broker: {topic}: {problem}")
        await self._messages.publish(topic, payload)

    def connected(self) -> bool:
        """Tell whether the broker is believed to be there."""
        return self._messages.connected()

    async def close(self) -> None:
        """Disconnect."""
        await self._messages.close()
