"""The one door to paho: a connection to a broker that never acknowledges on its own."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.ports import Clock, ConfigError, DeviceError, Message

log = logging.getLogger(__name__)

KEEP_ALIVE_S = 30
BEAT_S = 20.0
CONNACK_S = 2.0
CONNECT_S = 5.0
LONGEST_WAIT_S = 60.0
WAITED_S = 60.0
SESSION_S = 7 * 86_400
IN_FLIGHT = 8_192  # MQTT 5: how many unacknowledged messages the broker may send
LARGEST_PACKET = 1 << 20
WAITING = 100_000
_V5, _V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
_VERSIONS = {"5": _V5, "3.1.1": _V311}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are there."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    version: MQTTProtocolVersion | None = None

    @classmethod
    def of(cls, url: str, client_id: str, username: str | None, password: str | None) -> Broker:
        """Read ``mqtt://[user:password@]host[:port][?version=5|3.1.1]``."""
        parts = urlsplit(url)
        version = parse_qs(parts.query).get("version", [""])[0]
        if parts.scheme != "mqtt" or not parts.hostname or version not in ("", *_VERSIONS):
            where = f"{parts.scheme}://{parts.hostname}"
            raise ConfigError([f"mqtt url {where}: only mqtt://host:port[?version=3.1.1] works"])
        return cls(
            parts.hostname,
            parts.port or 1883,
            client_id,
            username or (unquote(parts.username) if parts.username else None),
            password or (unquote(parts.password) if parts.password else None),
            _VERSIONS.get(version),
        )

    def __str__(self) -> str:
        """Name the broker without the password."""
        return f"{self.host}:{self.port}"


class _Link:
    """One connection from beginning to end: its own paho client, and so its own generation.

    paho's thread calls the methods that begin with ``_on``: they only append, they cannot raise.
    """

    def __init__(
        self, owner: PahoMessages, broker: Broker, version: MQTTProtocolVersion, topics: list[str]
    ) -> None:
        self._owner, self._broker, self._version, self._topics = owner, broker, version, topics
        self._loop = asyncio.get_running_loop()
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.refusal = ""
        self.beat_topic = f"campus-hub/{broker.client_id}/heartbeat"
        self.beat = 0.0
        self.up_s = 0.0
        modern = version == _V5
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            broker.client_id,
            clean_session=None if modern else False,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.client.connect_timeout = CONNECT_S
        self.client.max_queued_messages_set(1_000)
        if broker.username is not None:
            self.client.username_pw_set(broker.username, broker.password)
        self.client.on_socket_open = lambda *_: self._tell("open")
        self.client.on_connect_fail = lambda *_: self._tell("unreachable")
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message
        self.client.on_disconnect = lambda *_: self._tell("down")

    def open(self) -> None:
        """Begin to connect, in paho's thread."""
        host, port = self._broker.host, self._broker.port
        if self._version == _V5:
            wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            wishes.ReceiveMaximum = IN_FLIGHT
            wishes.SessionExpiryInterval = SESSION_S
            wishes.MaximumPacketSize = LARGEST_PACKET
            self.client.connect_async(
                host, port, KEEP_ALIVE_S, clean_start=False, properties=wishes
            )
        else:
            self.client.connect_async(host, port, KEEP_ALIVE_S)
        self.client.loop_start()

    def close(self) -> None:
        """Disconnect and wait for paho's thread; blocks."""
        self.client.disconnect()
        self.client.loop_stop()

    def _tell(self, event: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
            return
        self.up_s = self._owner.clock.monotonic()
        for topic in self._topics:
            client.subscribe(topic, qos=1)
        client.subscribe(self.beat_topic, qos=0)
        self._tell("up")

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _props: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._tell("not allowed")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        if topic == self.beat_topic:
            self.beat = self._owner.clock.monotonic()
            return
        self._owner.append(self, topic, message)


class PahoMessages:
    """Messages of a broker, over MQTT 5 or, where the broker is too old for it, 3.1.1.

    The session at the broker persists. A message is acknowledged only by :meth:`acknowledge`, and
    only on the connection that it came by; the broker sends the others again.
    """

    def __init__(self, broker: Broker, topics: Sequence[str], clock: Clock) -> None:
        self.clock = clock
        self.lost = 0
        self._broker = broker
        self._topics = list(topics)
        self._versions = [broker.version] if broker.version else [_V5, _V311]
        self._random = clock.random(f"mqtt/{broker}")
        self._waiting: deque[Message] = deque()
        self._woken = False
        self._link: _Link | None = None
        self._up = False
        self._task: asyncio.Task[None] | None = None
        self._wake: Callable[[], None]
        self._loop: asyncio.AbstractEventLoop

    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to connect; ``wake`` is called in the event loop when messages wait."""
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._keep(), name=f"mqtt {self._broker}")

    def append(self, link: _Link, topic: str, message: MQTTMessage) -> None:
        """Keep a message and wake the loop, once until it drains; called in paho's thread."""
        if len(self._waiting) >= WAITING:
            self.lost += 1  # not acknowledged: the broker keeps what had QoS 1
            return
        self._waiting.append(
            Message(
                topic,
                bytes(message.payload),
                message.retain,
                self.clock.now_ms(),
                (link, message.mid) if message.qos else None,
                self.clock.monotonic() - link.up_s < WAITED_S,
            )
        )
        if not self._woken:
            self._woken = True
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._wake)

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first."""
        self._woken = False
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages; those of an earlier connection are dropped without a word."""
        for message in messages:
            if isinstance(message.token, tuple) and message.token[0] is self._link:
                self._link.client.ack(message.token[1], 1)

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, never retained; DeviceError when it cannot be handed over."""
        if self._link is None or not self._up:
            raise DeviceError(f"{topic}: no connection to the broker {self._broker}")
        info = self._link.client.publish(topic, payload, qos=1, retain=False)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise DeviceError(f"{topic}: not handed over: {info.rc.name}")

    def connected(self) -> bool:
        """Tell whether the broker is believed to be there."""
        return self._up

    async def close(self) -> None:
        """Disconnect and end the thread."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _keep(self) -> None:
        """Connect again and again; each connection is a link of its own."""
        worker = self.clock.worker("mqtt")
        failures, said = 0, ""
        try:
            while True:
                link = _Link(self, self._broker, self._versions[0], self._topics)
                self._link = link  # its messages may be acknowledged before we hear that it is up
                link.open()
                try:
                    ending = await self._serve(link)
                finally:
                    self._link, self._up = None, False
                    await asyncio.shield(worker.run(link.close))
                if link.up_s:
                    failures, said = 0, ""
                    log.warning("broker lost: %s: %s", self._broker, ending)
                elif ending != said:
                    said = ending
                    log.warning("broker not reached: %s: %s", self._broker, ending)
                fell_back = self._other_version(link, ending)
                if not fell_back:
                    await self.clock.sleep(self._wait_s(failures))
                    failures += 1
        finally:
            worker.close()

    def _wait_s(self, failures: int) -> float:
        return min(2.0 ** min(failures, 6), LONGEST_WAIT_S) * self._random.uniform(0.5, 1)

    def _other_version(self, link: _Link, ending: str) -> bool:
        """Try the other version after a refusal of this one; tell whether to do so at once.

        A broker of 3.1.1 either says so or misreads our CONNECT and waits for more of it.
        """
        if link.up_s or ending == "unreachable" or len(self._versions) == 1:
            return False
        if link.refusal and "protocol" not in link.refusal.lower():
            return False
        self._versions.reverse()
        return self._versions[0] == _V311

    async def _serve(self, link: _Link) -> str:
        """Carry one connection to its end and return why it ended."""
        event = await _next(link, CONNECT_S + 1)
        if event == "open":
            event = await _next(link, CONNACK_S)
        if event != "up":
            return link.refusal or event or "no answer to the connect request"
        self._up = True
        log.info("broker reached: %s: %s", self._broker, self._versions[0].name)
        while True:
            link.client.publish(link.beat_topic, b"", qos=0)
            event = await _next(link, BEAT_S)
            if event == "not allowed":
                log.warning("broker refuses a subscription: %s: check its ACL", self._broker)
            elif event:
                return event
            elif link.beat and self.clock.monotonic() - link.beat > 2 * BEAT_S:
                # A dead thread or a half-dead link still calls itself connected.
                return "the heartbeat does not come back"


async def _next(link: _Link, patience_s: float) -> str:
    """Return the next thing paho tells, or nothing."""
    try:
        async with asyncio.timeout(patience_s):
            return await link.events.get()
    except TimeoutError:
        return ""
