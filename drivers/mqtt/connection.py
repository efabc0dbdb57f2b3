"""The one door to paho: a connection to a broker that never acknowledges on its own."""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from drivers.tls import trusting
from hub.ports import Clock, ConfigError, Credentials, DeviceError, Message

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
PUBACK = 0x40
GATHER_S = 0.05
WAITING = 100_000
TOPICS_A_PACKET = 100
_V5, _V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
_VERSIONS = {"5": _V5, "3.1.1": _V311}
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are there."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    version: MQTTProtocolVersion | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, url: str, client_id: str, credentials: Credentials) -> Broker:
        """Read ``mqtt[s]://[user:password@]host[:port][?version=5|3.1.1]``."""
        parts = urlsplit(url)
        version = parse_qs(parts.query).get("version", [""])[0]
        if parts.scheme not in _PORTS or not parts.hostname or version not in ("", *_VERSIONS):
            where = f"{parts.scheme}://{parts.hostname}"
            what = "only mqtt:// or mqtts://host:port[?version=3.1.1] works"
            raise ConfigError([f"mqtt url {where}: {what}"])
        return cls(
            parts.hostname,
            parts.port or _PORTS[parts.scheme],
            client_id,
            credentials.username or (unquote(parts.username) if parts.username else None),
            credentials.password or (unquote(parts.password) if parts.password else None),
            _VERSIONS.get(version),
            trusting("mqtt", credentials.ca, credentials.certificate, credentials.key)
            if parts.scheme == "mqtts"
            else None,
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
        self.trouble = ""
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
        if broker.tls is not None:
            self.client.tls_set_context(broker.tls)
        self.client.on_socket_open = lambda *_: self._tell("open")
        self.client.on_connect_fail = self._on_connect_fail
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

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Acknowledge messages in one packet to the socket.

        paho's own ``ack`` costs a system call and a change of threads for each of them.
        """
        packets = b"".join(struct.pack(">BBH", PUBACK, 2, mid) for mid in mids)
        self.client._packet_queue(PUBACK, packets, mids[-1], 1)  # noqa: SLF001 - see above

    def close(self) -> None:
        """Disconnect and wait for paho's thread; blocks."""
        self.client.disconnect()
        self.client.loop_stop()

    def _tell(self, event: str) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self.trouble = str(sys.exception())  # paho calls this while it handles the error
        self._tell("unreachable")

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _props: Any
    ) -> None:
        if reason.is_failure:
            self.refusal = str(reason)
            return
        self.up_s = self._owner.clock.monotonic()
        for first in range(0, len(self._topics), TOPICS_A_PACKET):
            wanted = self._topics[first : first + TOPICS_A_PACKET]
            client.subscribe([(topic, 1) for topic in wanted])
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
        self._gathering: asyncio.TimerHandle | None = None
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
                self._loop.call_soon_threadsafe(self._gather)

    def _gather(self) -> None:
        """Let a few messages come together: a wake for each would cost more than they do."""
        wait_s = GATHER_S if self._versions[0] == _V5 else 0
        self._gathering = self._loop.call_later(wait_s, self._wake)

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first.

        Over 3.1.1 it is one at a time: a broker that sends no more than 20 before it wants the
        first acknowledged is kept waiting when many are handed on, and so acknowledged, together.
        """
        self._woken = False
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
            if self._versions[0] == _V311 and self._waiting:
                self._woken = True
                self._loop.call_soon(self._wake)
                break
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages; those of an earlier connection are dropped without a word."""
        mids = [
            message.token[1]
            for message in messages
            if isinstance(message.token, tuple) and message.token[0] is self._link
        ]
        if mids and self._link is not None:
            self._link.acknowledge(mids)

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
        if self._gathering is not None:
            self._gathering.cancel()

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
                fell_back = self._other_version(link)
                if not fell_back:
                    await self.clock.sleep(self._wait_s(failures))
                    failures += 1
        finally:
            worker.close()

    def _why_not(self, link: _Link, event: str) -> str:
        """Say why there is no connection, and what to look at."""
        if event == "unreachable":
            return f"{event}: {link.trouble}"
        if link.refusal:
            about_us = any(word in link.refusal.lower() for word in ("user", "authorized"))
            hint = ": look at username and password_file" if about_us else ""
            return f"refused: {link.refusal}{hint}"
        if event == "down":
            secured = self._broker.tls is not None
            hint = "a certificate of ours (cert_file)" if secured else "TLS (mqtts://)"
            return f"closed without an answer: perhaps it wants {hint}"
        return "no answer to the connect request"

    def _wait_s(self, failures: int) -> float:
        return min(2.0 ** min(failures, 6), LONGEST_WAIT_S) * self._random.uniform(0.5, 1)

    def _other_version(self, link: _Link) -> bool:
        """Try the other version after a refusal of this one; tell whether to do so at once.

        A broker of 3.1.1 either says so or misreads our CONNECT and waits for more of it.
        """
        if link.up_s or link.trouble or len(self._versions) == 1:
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
            return self._why_not(link, event)
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
