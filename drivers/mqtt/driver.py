"""Turn messages into readings and commands into messages."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from drivers.guard import check
from drivers.mqtt.payload import PayloadError, Telemetry, command, number, telemetry, thing
from drivers.profile import MqttProfile
from hub.model import Batch, Json, Point, Quality, Reason, flag
from hub.ports import Clock, DeviceError, Message, Messages, NoAnswerError, Notice, Put, Refused
from hub.site import Device

log = logging.getLogger(__name__)

SKEW_MS = 5 * 60_000
REPLY_S = 5.0
_GOOD = flag(Quality.GOOD)
# A wrong clock makes no value wrong: a scalding outlet must raise its alarm all the same.
_OUR_TIME = flag(Quality.GOOD, Reason.RECEIPT_TIME)
_NOT_A_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)
_OUT_OF_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class _Source:
    """One device as messages see it: key -> (number, min, max)."""

    id: str
    profile: MqttProfile
    points: dict[str, tuple[int, float, float]]


@dataclass(slots=True)
class _Columns:
    """The readings of the messages that were drained together."""

    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)


class MqttDriver:
    """Devices that publish our own JSON under ``campus/<device id>/``."""

    def __init__(
        self,
        messages: Messages,
        devices: Sequence[tuple[Device, MqttProfile]],
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._clock = clock
        self._sources = {device.id: _source(device, profile) for device, profile in devices}
        self._topics = {
            f"campus/{source.id}/{kind}": (kind, source)
            for source in self._sources.values()
            for kind in ("telemetry", "status", "reply")
        }
        self._replies: dict[str, asyncio.Future[dict[str, Json]]] = {}
        self._commands = 0
        self._put: Put
        self._notice: Notice

    async def start(self, put: Put, notice: Notice) -> None:
        """Connect and begin to deliver; return at once, connected or not."""
        self._put, self._notice = put, notice
        await self._messages.start(self._deliver)

    async def write(self, point: Point, value: float) -> float:
        """Send a command for a declared writable point; return the value of the reply."""
        source = self._sources.get(point.device)
        spec = source.profile.points.get(point.name) if source else None
        if spec is None:
            raise Refused(f"{point.id} is no point of these devices")
        check(point.id, spec, value)
        self._commands += 1
        now_ms = self._clock.now_ms()
        id_ = f"{now_ms:x}-{self._commands}"
        reply = self._replies[id_] = asyncio.get_running_loop().create_future()
        try:
            await self._messages.publish(
                f"campus/{point.device}/command",
                command(id_, point.name, value, now_ms + round(REPLY_S * 1000)),
            )
            async with asyncio.timeout(REPLY_S):
                content = await reply
        except TimeoutError:
            raise NoAnswerError(f"{point.id}: no reply within {REPLY_S:g} s") from None
        finally:
            del self._replies[id_]
        return _replied(point, content)

    async def close(self) -> None:
        """Stop delivering and disconnect."""
        await self._messages.close()

    def _deliver(self) -> None:
        """Hand on all waiting messages as one batch; they are acknowledged once it is durable."""
        messages = self._messages.drain()
        columns = _Columns()
        for message in messages:
            try:
                self._take(message, columns)
            except PayloadError as error:
                self._reject(message, str(error))
            except Exception:
                # One message must never stop the others, whatever it holds.
                log.exception("message failed: %s", message.topic)
                self._reject(message, "internal error")
        if not columns.numbers:
            self._messages.acknowledge(messages)
            return
        batch = Batch.of(
            columns.numbers, columns.times, columns.values, columns.flags, self._clock.now_ms()
        )
        self._put(batch, lambda: self._messages.acknowledge(messages), len(messages))

    def _take(self, message: Message, columns: _Columns) -> None:
        kind, source = self._topics.get(message.topic, ("", None))
        if source is None:
            raise PayloadError("undeclared device")
        if kind == "telemetry":
            self._telemetry(source, message, columns)
        elif kind == "status":
            self._status(source, message)
        elif not message.retained:
            self._reply(message)

    def _telemetry(self, source: _Source, message: Message, columns: _Columns) -> None:
        content = telemetry(message.payload)
        at_ms, packed = _time(content, message)
        undeclared = [key for key in content.values if key not in source.points]
        for key, value in content.values.items():
            if key not in source.points:
                continue
            point, low, high = source.points[key]
            actual, fault = number(value), packed
            if not low <= actual <= high:
                fault = _OUT_OF_RANGE if math.isfinite(actual) else _NOT_A_NUMBER
                actual = math.nan
            columns.numbers.append(point)
            columns.times.append(at_ms)
            columns.values.append(actual)
            columns.flags.append(fault)
        if undeclared:
            self._reject(message, "undeclared point")
        if not message.retained:
            self._notice.seen(source.id, message.received_ms)

    def _status(self, source: _Source, message: Message) -> None:
        """Hear ``offline``; a retained ``online`` may be old and proves nothing."""
        if message.payload == b"offline":
            self._notice.failed(source.id, message.received_ms, "says that it is offline")
        elif message.payload != b"online":
            raise PayloadError("neither online nor offline")
        elif not message.retained:
            self._notice.seen(source.id, message.received_ms)

    def _reply(self, message: Message) -> None:
        content = thing(message.payload)
        reply = self._replies.get(str(content.get("id")))
        if reply is not None and not reply.done():
            reply.set_result(content)

    def _reject(self, message: Message, reason: str) -> None:
        _, source = self._topics.get(message.topic, ("", None))
        name = source.id if source else message.topic
        self._notice.rejected(name, message.received_ms, reason, message.payload)


def topics(devices: Sequence[Device]) -> list[str]:
    """Return the fewest subscriptions for devices of any depth.

    ``campus/+/+/telemetry`` serves every device whose id has two levels.
    """
    depths = sorted({device.id.count("/") + 1 for device in devices})
    return [
        "/".join(["campus", *["+"] * depth, kind])
        for depth in depths
        for kind in ("telemetry", "status", "reply")
    ]


def _source(device: Device, profile: MqttProfile) -> _Source:
    numbers = {point.name: point.number for point in device.points}
    return _Source(
        device.id,
        profile,
        {
            spec.key or name: (
                numbers[name],
                -_LARGEST if spec.min is None else spec.min,
                _LARGEST if spec.max is None else spec.max,
            )
            for name, spec in profile.points.items()
            if name in numbers
        },
    )


def _time(content: Telemetry, message: Message) -> tuple[int, int]:
    """Return the instant of the readings and the flag it gives them.

    A message that may have waited at the broker, or is retained, is old for a good reason; any
    other one that is far off comes from a device whose clock is wrong.
    """
    received_ms, at_ms = message.received_ms, content.at_ms
    if at_ms is None:
        if message.retained:
            raise PayloadError("retained without at")
        return received_ms, _OUR_TIME
    if at_ms - received_ms > SKEW_MS:
        if message.retained:
            raise PayloadError("retained with at in the future")
        return received_ms, _OUR_TIME
    if received_ms - at_ms > SKEW_MS and not (message.retained or message.waited):
        return received_ms, _OUR_TIME
    return at_ms, _GOOD


def _replied(point: Point, content: dict[str, Json]) -> float:
    outcome, actual = content.get("outcome"), number(content.get("value"))
    if outcome == "done" and math.isfinite(actual):
        return actual
    if outcome in ("refused", "expired"):
        raise Refused(f"{point.id}: the device says {outcome}")
    raise DeviceError(f"{point.id}: the device says {outcome}, value {content.get('value')}")
