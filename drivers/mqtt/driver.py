"""Turn messages into readings and commands into messages."""

from __future__ import annotations

import asyncio
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from drivers.guard import check
from drivers.mqtt.dialects import DIALECTS, Dialect, Form, Reader, filled
from drivers.mqtt.newest import Newest
from drivers.mqtt.payload import PayloadError, Telemetry, command, number, thing
from drivers.mqtt.timing import Punctuality
from drivers.profile import MessagePoint, MqttProfile
from hub.model import Batch, Json, Point, Quality, Reason, flag
from hub.ports import (
    Clock,
    ConfigError,
    DeclinedError,
    DeviceError,
    Leave,
    Message,
    Messages,
    NoAnswerError,
    Notice,
    Put,
    Refused,
    for_ever,
)
from hub.site import Device

log = logging.getLogger(__name__)

REPLY_S = 5.0
REMEMBERED = 32_768  # readings, at least: what a broker may send again after a lost connection
_NOT_A_NUMBER = flag(Quality.BAD, Reason.NOT_A_NUMBER)
_OUT_OF_RANGE = flag(Quality.BAD, Reason.OUT_OF_RANGE)
_LARGEST = sys.float_info.max
_OVERTAKEN = "older than what is known of its instant"
_ROUNDING = 1e-6  # what binary fractions leave over


@dataclass(frozen=True, slots=True)
class _Channel:
    """How one point is read."""

    number: int
    low: float
    high: float
    scale: float
    offset: float
    words: Mapping[str, float]


@dataclass(slots=True)
class _Source:
    """One device as messages see it."""

    id: str
    topic: str
    dialect: Dialect
    profile: MqttProfile
    form: Form
    channels: dict[str, _Channel]
    clock: Punctuality
    newest: Newest


@dataclass(slots=True)
class _Heard:
    """The readings of the messages that were drained together: number, instant, value, flag."""

    rows: list[tuple[int, int, float, int]] = field(default_factory=list)
    repeats: int = 0


@dataclass(slots=True)
class _Wish:
    """A command that is answered by what the device says of the point."""

    point: int
    value: float
    fulfilled: asyncio.Future[float]
    heard: float = math.nan


class MqttDriver:
    """Devices that publish; their dialects are a table."""

    def __init__(
        self,
        messages: Messages,
        devices: Sequence[tuple[Device, MqttProfile]],
        clock: Clock,
        zone: tzinfo = UTC,
    ) -> None:
        self._messages = messages
        self._clock = clock
        sources = [_source(device, profile, zone) for device, profile in devices]
        self._sources = {source.id: source for source in sources}
        self._readers = _readers(sources)
        self._others = {
            filled(template, source.topic): (kind, source)
            for source in sources
            for template, kind in _others(source.dialect)
        }
        self._recent: dict[tuple[int, int], float] = {}
        self._before: dict[tuple[int, int], float] = {}
        self._replies: dict[str, asyncio.Future[dict[str, Json]]] = {}
        self._wishes: list[_Wish] = []
        self._commands = 0
        self._put: Put
        self._notice: Notice

    async def start(self, put: Put, notice: Notice) -> None:
        """Connect and begin to deliver; return at once, connected or not."""
        self._put, self._notice = put, notice
        await self._messages.start(self._deliver)

    async def write(self, point: Point, value: float, leave: Leave = for_ever) -> float:
        """Send a command for a declared writable point; return what the device then says."""
        source = self._sources.get(point.device)
        spec = source.profile.points.get(point.name) if source else None
        if source is None or spec is None:
            raise Refused(f"{point.id} is no point of these devices")
        check(point.id, spec, value)
        left_s = leave()
        try:
            if source.dialect.command is None:
                valid_s = REPLY_S if left_s is None else min(left_s, REPLY_S)
                return await self._ask(source, point, value, valid_s)
            return await self._wish(source, point, spec, value)
        except TimeoutError:
            raise NoAnswerError(f"{point.id}: no reply within {REPLY_S:g} s") from None

    async def close(self) -> None:
        """Stop delivering and disconnect."""
        await self._messages.close()

    async def _ask(self, source: _Source, point: Point, value: float, valid_s: float) -> float:
        """Send a command of our own dialect, which has an id, an expiry and a reply."""
        self._commands += 1
        now_ms = self._clock.now_ms()
        id_ = f"{now_ms:x}-{self._commands}"
        reply = self._replies[id_] = asyncio.get_running_loop().create_future()
        payload = command(id_, point.name, value, now_ms + round(valid_s * 1000))
        try:
            await self._messages.publish(f"{source.topic}/command", payload)
            async with asyncio.timeout(REPLY_S):
                return _replied(point, await reply)
        finally:
            del self._replies[id_]

    async def _wish(self, source: _Source, point: Point, spec: MessagePoint, value: float) -> float:
        """Send a command of another dialect and wait until the device says that it is so."""
        assert source.dialect.command is not None  # noqa: S101 - the caller looked
        topic, payload = source.dialect.command(source.topic, spec.key or "", _word(spec, value))
        wish = _Wish(point.number, value, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        try:
            await self._messages.publish(topic, payload)
            async with asyncio.timeout(REPLY_S):
                return await wish.fulfilled
        except TimeoutError:
            if math.isnan(wish.heard):
                raise
            return wish.heard  # it answered, but is not as asked
        finally:
            self._wishes.remove(wish)

    def _deliver(self) -> None:
        """Hand on all waiting messages as one batch; they are acknowledged once it is durable."""
        messages = self._messages.drain()
        heard = _Heard()
        for message in messages:
            try:
                self._take(message, heard)
            except PayloadError as error:
                self._reject(message, str(error))
            except Exception:
                # One message must never stop the others, whatever it holds.
                log.exception("message failed: %s", message.topic)
                self._reject(message, "internal error")
        if not heard.rows and not heard.repeats:
            self._messages.acknowledge(messages)
            return
        points, times, values, flags = zip(*heard.rows, strict=True) if heard.rows else ((),) * 4
        batch = Batch.of(points, times, values, flags, self._clock.now_ms())
        # Even without a row: what is repeated here may still be on its way to the disk.
        self._put(batch, lambda: self._messages.acknowledge(messages), len(messages))

    def _take(self, message: Message, heard: _Heard) -> None:
        known = self._readers.get(message.topic)
        if known is not None:
            read, source = known
            self._telemetry(source, read, message, heard)
            return
        kind, other = self._others.get(message.topic, ("", None))
        if other is None:
            raise PayloadError("undeclared device")
        if kind == "status":
            self._status(other, message)
        elif not message.retained:
            self._reply(message)

    def _telemetry(self, source: _Source, read: Reader, message: Message, heard: _Heard) -> None:
        entries = read(source.form, message.payload, message.received_ms)
        told = [one for one in entries if isinstance(one, Telemetry)]
        faults = dict.fromkeys(str(one) for one in entries if isinstance(one, PayloadError))
        first = len(heard.rows)
        ahead_ms = source.clock.ahead_ms
        for at_ms, packed, one in source.clock.timed(told, message):
            faults |= self._rows(source, at_ms, packed, one, heard)
        if source.clock.ahead_ms != ahead_ms:
            self._notice.skewed(source.id, source.clock.ahead_ms)
        if self._wishes and not message.retained:
            self._fulfil(heard.rows[first:])
        for reason in faults:
            self._reject(message, reason)
        if not message.retained and (told or not faults):
            self._notice.seen(source.id, message.received_ms)

    def _rows(
        self,
        source: _Source,
        at_ms: int,
        packed: int,
        one: Telemetry,
        heard: _Heard,
    ) -> dict[str, None]:
        """Add the readings of one instant; return why some of them are no use."""
        faults: dict[str, None] = {}
        for key, told in one.values.items():
            channel = source.channels.get(key)
            if channel is None:
                faults["undeclared point"] = None
                continue
            if source.newest.overtaken(at_ms, channel.number, one.seq):
                faults[_OVERTAKEN] = None
                continue
            if isinstance(told, (int, float)):
                actual = told * channel.scale + channel.offset
            else:
                actual = channel.words.get(told, math.nan) if isinstance(told, str) else math.nan
            fault = packed
            if not channel.low <= actual <= channel.high:
                fault = _OUT_OF_RANGE if math.isfinite(actual) else _NOT_A_NUMBER
                actual = math.nan
            if self._repeated((channel.number, at_ms), actual):
                heard.repeats += 1
            else:
                heard.rows.append((channel.number, at_ms, actual, fault))
        return faults

    def _repeated(self, key: tuple[int, int], value: float) -> bool:
        """Tell whether this was said before: the same value of the same point and instant.

        Another value of the same instant is a correction and no repeat.
        """
        known = self._recent.get(key, self._before.get(key))
        if known is not None and (known == value or (math.isnan(known) and math.isnan(value))):
            return True
        self._recent[key] = value
        if len(self._recent) >= REMEMBERED:
            self._recent, self._before = {}, self._recent
        return False

    def _fulfil(self, rows: Sequence[tuple[int, int, float, int]]) -> None:
        """Tell those who wait for a point what has been heard of it."""
        for wish in self._wishes:
            for point, _, value, _ in rows:
                if point == wish.point and not math.isnan(value):
                    wish.heard = value
                    if value == wish.value and not wish.fulfilled.done():
                        wish.fulfilled.set_result(value)

    def _status(self, source: _Source, message: Message) -> None:
        """Hear that it goes; a retained ``online`` may be old and proves nothing."""
        if not source.dialect.online(message.payload):
            source.form.known.clear()
            self._notice.failed(source.id, message.received_ms, "says that it is offline")
        elif not message.retained:
            self._notice.seen(source.id, message.received_ms)

    def _reply(self, message: Message) -> None:
        content = thing(message.payload)
        reply = self._replies.get(str(content.get("id")))
        if reply is not None and not reply.done():
            reply.set_result(content)

    def _reject(self, message: Message, reason: str) -> None:
        speaker = self._readers.get(message.topic) or self._others.get(message.topic)
        name = speaker[1].id if speaker else message.topic
        self._notice.rejected(name, message.received_ms, reason, message.payload)


def topics(devices: Sequence[tuple[Device, MqttProfile]]) -> list[str]:
    """Return the fewest subscriptions for devices of any depth.

    ``campus/+/+/telemetry`` serves every device of our own dialect whose id has two levels; what
    speaks otherwise is subscribed one by one.
    """
    wanted: dict[str, None] = {}
    for device, profile in devices:
        dialect, topic = DIALECTS[profile.dialect], _topic(device, profile)
        if dialect is DIALECTS["own"] and topic.startswith("campus/"):
            topic = "campus" + "/+" * topic.count("/")
        templates = [*dialect.readers(profile), *(template for template, _ in _others(dialect))]
        wanted.update(dict.fromkeys(filled(template, topic) for template in templates))
    return list(wanted)


def topic_of(profile: MqttProfile, heard: str) -> str | None:
    """Return the topic of the device that said this, if a device of this profile could have."""
    dialect = DIALECTS[profile.dialect]
    templates = [*dialect.readers(profile), *(template for template, _ in _others(dialect))]
    for template in sorted(templates, key=len, reverse=True):
        before, _, after = template.partition("{}")
        if heard.startswith(before) and heard.endswith(after):
            return heard[len(before) : len(heard) - len(after)] or None
    return None


def _topic(device: Device, profile: MqttProfile) -> str:
    return device.topic or DIALECTS[profile.dialect].topic.replace("{}", device.id)


def _others(dialect: Dialect) -> list[tuple[str, str]]:
    """Return the templates of the topics without readings, and what is said there."""
    reply = [(dialect.reply, "reply")] if dialect.reply else []
    return [(dialect.status, "status"), *reply]


def _readers(sources: Sequence[_Source]) -> dict[str, tuple[Reader, _Source]]:
    """Return topic -> who speaks there and how it is read; ConfigError where two would."""
    readers: dict[str, tuple[Reader, _Source]] = {}
    for source in sources:
        for template, read in source.dialect.readers(source.profile).items():
            topic = filled(template, source.topic)
            if topic in readers:
                other = readers[topic][1].id
                raise ConfigError([f"device {source.id}: {topic} is the topic of {other} too"])
            readers[topic] = (read, source)
    return readers


def _source(device: Device, profile: MqttProfile, zone: tzinfo) -> _Source:
    numbers = {point.name: point.number for point in device.points}
    channels = {
        spec.key or name: _Channel(
            numbers[name],
            -_LARGEST if spec.min is None else spec.min,
            _highest(spec),
            spec.scale,
            spec.offset,
            spec.words,
        )
        for name, spec in profile.points.items()
        if name in numbers
    }
    return _Source(
        id=device.id,
        topic=_topic(device, profile),
        dialect=DIALECTS[profile.dialect],
        profile=profile,
        form=Form.of(profile, zone),
        channels=channels,
        clock=Punctuality(device.id),
        newest=Newest(),
    )


def _highest(spec: MessagePoint) -> float:
    """Return the largest value that can be: a counter never comes above where it rolls over."""
    if spec.max is not None:
        return spec.max
    return _LARGEST if spec.rollover is None else spec.rollover


def _word(spec: MessagePoint, value: float) -> Json:
    """Return what the device calls a value that is written; Refused where it has no word for it."""
    for word, meant in spec.words.items():
        if abs(meant - value) <= _ROUNDING:
            return word
    if spec.words:
        raise Refused(f"no word means {value:g}; known: {', '.join(spec.words)}")
    raw = (value - spec.offset) / spec.scale
    return int(raw) if raw.is_integer() else raw


def _replied(point: Point, content: dict[str, Json]) -> float:
    outcome, actual = content.get("outcome"), number(content.get("value"))
    if outcome == "done" and math.isfinite(actual):
        return actual
    if outcome in ("refused", "expired"):
        raise DeclinedError(f"{point.id}: the device says {outcome}")
    raise DeviceError(f"{point.id}: the device says {outcome}, value {content.get('value')}")
